//! A WebSocket client by hand: what is sent is counted in frames and writes, and what it holds is a buffer and a connection.

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::http::Io;

/// A text frame.
pub const TEXT: u8 = 0x1;
/// A closing frame.
pub const CLOSE: u8 = 0x8;
/// A ping.
pub const PING: u8 = 0x9;
/// A pong.
pub const PONG: u8 = 0xa;

/// A connection on which HTTP is spoken first, and then frames.
pub struct Socket {
    io: Box<dyn Io>,
    unread: Vec<u8>,
}

impl Socket {
    /// A connection that nothing was said on.
    pub fn new(io: Box<dyn Io>) -> Self {
        Self {
            io,
            unread: Vec::new(),
        }
    }

    /// Upgrades at a path; `fields` are further lines of the head, each with its end.
    pub async fn upgrade(&mut self, path: &str, fields: &str) -> Result<()> {
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n{fields}\r\n"
        );
        self.io.write_all(request.as_bytes()).await?;
        let head = self.head().await?;
        if !head.starts_with("HTTP/1.1 101") {
            bail!("upgrade: {}", head.lines().next().unwrap_or_default());
        }
        Ok(())
    }

    /// Sends a request and reads its answer, which must be 200 and of a known length.
    pub async fn ask(&mut self, request: &str) -> Result<Vec<u8>> {
        self.io.write_all(request.as_bytes()).await?;
        let head = self.head().await?;
        if !head.starts_with("HTTP/1.1 200") {
            bail!("{}", head.lines().next().unwrap_or_default());
        }
        let length = head.lines().find_map(|line| {
            line.to_ascii_lowercase()
                .strip_prefix("content-length:")?
                .trim()
                .parse()
                .ok()
        });
        self.take(length.context("no length")?).await
    }

    /// Sends one frame so many times, in one write.
    pub async fn send(&mut self, opcode: u8, payload: &[u8], times: usize) -> Result<()> {
        let frames = masked(opcode, payload)?.repeat(times);
        Ok(self.io.write_all(&frames).await?)
    }

    /// One whole frame. Cancel-safe: nothing is taken before all of it is there.
    pub async fn frame(&mut self) -> Result<(u8, Vec<u8>)> {
        loop {
            let (start, length): (usize, usize) = match self.unread[..] {
                [_, 127, ..] => bail!("a frame larger than the contract allows"),
                [_, 126, high, low, ..] => (4, usize::from(u16::from_be_bytes([high, low]))),
                [_, short, ..] if short < 126 => (2, usize::from(short)),
                _ => (2, usize::MAX),
            };
            if let Some(end) = start.checked_add(length).filter(|end| *end <= self.unread.len()) {
                let opcode = self.unread[0] & 0x0f;
                let frame = self.take(end).await?;
                return Ok((opcode, frame[start..].to_vec()));
            }
            self.fill().await?;
        }
    }

    /// Reads so many text frames; answers pings on the way.
    pub async fn texts(&mut self, count: usize) -> Result<()> {
        let mut left = count;
        while left > 0 {
            match self.frame().await? {
                (TEXT, _) => left -= 1,
                (PING, payload) => self.send(PONG, &payload, 1).await?,
                (CLOSE, _) => bail!("closed by the server"),
                _ => {}
            }
        }
        Ok(())
    }

    async fn head(&mut self) -> Result<String> {
        loop {
            if let Some(end) = self.unread.windows(4).position(|window| window == b"\r\n\r\n") {
                return Ok(String::from_utf8_lossy(&self.take(end + 4).await?).into_owned());
            }
            self.fill().await?;
        }
    }

    async fn take(&mut self, length: usize) -> Result<Vec<u8>> {
        while self.unread.len() < length {
            self.fill().await?;
        }
        let rest = self.unread.split_off(length);
        Ok(std::mem::replace(&mut self.unread, rest))
    }

    async fn fill(&mut self) -> Result<()> {
        let mut piece = [0; 2_048];
        match self.io.read(&mut piece).await? {
            0 => bail!("cut"),
            length => self.unread.extend_from_slice(&piece[..length]),
        }
        Ok(())
    }
}

/// A client frame: masked, with a mask of zeroes, since there is no cache between us to protect.
fn masked(opcode: u8, payload: &[u8]) -> Result<Vec<u8>> {
    let mut frame = vec![0x80 | opcode];
    match payload.len() {
        short @ 0..126 => frame.push(0x80 | u8::try_from(short)?),
        long => {
            frame.push(0x80 | 126);
            frame.extend_from_slice(&u16::try_from(long)?.to_be_bytes());
        }
    }
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(payload);
    Ok(frame)
}
