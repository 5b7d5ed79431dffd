//! One agent's stream, by hand: a ticket over HTTPS, the upgrade on the same connection, then frames.

use anyhow::{Context, Result, bail};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::http::Io;

/// A signed-in agent.
pub struct AgentStream {
    io: Box<dyn Io>,
    unread: Vec<u8>,
}

impl AgentStream {
    /// Signs in with a static token and waits for `hello`.
    pub async fn open(mut io: Box<dyn Io>, token: &str) -> Result<Self> {
        let ask = format!(
            "POST /nexus/v3/agents/ticket HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\
             Content-Length: 0\r\n\r\n"
        );
        io.write_all(ask.as_bytes()).await?;
        let mut stream = Self {
            io,
            unread: Vec::new(),
        };
        let head = stream.head().await?;
        if !head.starts_with("HTTP/1.1 200") {
            bail!("ticket: {}", head.lines().next().unwrap_or_default());
        }
        let length = head.lines().find_map(|line| {
            line.to_ascii_lowercase()
                .strip_prefix("content-length:")?
                .trim()
                .parse()
                .ok()
        });
        let body = stream.take(length.context("no length")?).await?;
        let answer: Value = serde_json::from_slice(&body)?;
        let ticket = answer
            .pointer("/data/ticket")
            .and_then(Value::as_str)
            .context("no ticket")?;
        let upgrade = format!(
            "GET /nexus/v3/agentstream HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\
             Sec-WebSocket-Protocol: nexus.v3, ticket.{ticket}\r\n\r\n"
        );
        stream.io.write_all(upgrade.as_bytes()).await?;
        let head = stream.head().await?;
        if !head.starts_with("HTTP/1.1 101") {
            bail!("upgrade: {}", head.lines().next().unwrap_or_default());
        }
        stream.until("hello").await?;
        Ok(stream)
    }

    /// Sends a command; [`Self::until`] `"reply"` waits for its answer.
    pub async fn command(&mut self, json: &Value) -> Result<()> {
        let frame = masked(0x1, json.to_string().as_bytes())?;
        Ok(self.io.write_all(&frame).await?)
    }

    /// Reads frames, answering pings, until one of this event.
    pub async fn until(&mut self, event: &str) -> Result<Value> {
        loop {
            let (opcode, payload) = self.frame().await?;
            match opcode {
                0x1 => {
                    let frame: Value = serde_json::from_slice(&payload)?;
                    if frame.get("event").and_then(Value::as_str) == Some(event) {
                        return Ok(frame);
                    }
                }
                0x9 => self.io.write_all(&masked(0xa, &payload)?).await?,
                0x8 => bail!("closed by the server"),
                _ => {}
            }
        }
    }

    /// One whole frame. Cancel-safe: nothing is taken before all of it is there.
    async fn frame(&mut self) -> Result<(u8, Vec<u8>)> {
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
