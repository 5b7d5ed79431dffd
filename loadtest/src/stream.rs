//! One agent's stream, by hand: a ticket over HTTPS, the upgrade on the same connection, then frames.

use std::collections::{HashMap, VecDeque};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::http::Io;

/// A signed-in agent.
pub struct AgentStream {
    io: Box<dyn Io>,
    unread: Vec<u8>,
    /// Events that came while an answer was waited for.
    aside: VecDeque<Value>,
    memory: Memory,
}

/// What an agent's page keeps while it has no connection.
#[derive(Debug, Default)]
pub struct Memory {
    token: String,
    /// The last record that was seen of each log, and its hash.
    positions: HashMap<String, (u64, Value)>,
}

/// A connection that did not come back.
pub struct Broken {
    /// What is known now.
    pub memory: Memory,
    /// What was told until then.
    pub events: Vec<Value>,
    /// Why.
    pub error: anyhow::Error,
}

impl AgentStream {
    /// Signs in with a static token, says that nothing has been seen, and takes the beginning.
    pub async fn open(mut io: Box<dyn Io>, token: &str) -> Result<Self> {
        let ask = format!(
            "POST /nexus/v3/agents/ticket HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\
             Content-Length: 0\r\n\r\n"
        );
        io.write_all(ask.as_bytes()).await?;
        let mut stream = Self {
            io,
            unread: Vec::new(),
            aside: VecDeque::new(),
            memory: Memory::default(),
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
        stream.upgrade(&format!("ticket.{ticket}")).await?;
        stream.take_up().await?;
        stream.until("resumed").await?;
        Ok(stream)
    }

    /// Comes back where the memory left off, up to `resumed`; and the events on the way there. What was learned until it failed comes
    /// with the error.
    pub async fn resume(io: Box<dyn Io>, memory: Memory) -> Result<(Self, Vec<Value>), Broken> {
        let mut stream = Self {
            io,
            unread: Vec::new(),
            aside: VecDeque::new(),
            memory,
        };
        let mut events = Vec::new();
        match stream.catch_up(&mut events).await {
            Ok(()) => Ok((stream, events)),
            Err(error) => Err(Broken {
                memory: stream.memory,
                events,
                error,
            }),
        }
    }

    async fn catch_up(&mut self, events: &mut Vec<Value>) -> Result<()> {
        let credential = format!("resume.{}", self.memory.token);
        self.upgrade(&credential).await?;
        self.take_up().await?;
        loop {
            let event = self.next().await?;
            if event["event"] == "resumed" {
                return Ok(());
            }
            events.push(event);
        }
    }

    /// Lets go of the connection without a word, as a dead network does.
    pub fn cut(self) -> Memory {
        self.memory
    }

    async fn upgrade(&mut self, credential: &str) -> Result<()> {
        let upgrade = format!(
            "GET /nexus/v3/agentstream HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\
             Sec-WebSocket-Protocol: nexus.v3, {credential}\r\n\r\n"
        );
        self.io.write_all(upgrade.as_bytes()).await?;
        let head = self.head().await?;
        if !head.starts_with("HTTP/1.1 101") {
            bail!("upgrade: {}", head.lines().next().unwrap_or_default());
        }
        let hello = self.until("hello").await?;
        let token = hello["resumeToken"].as_str().context("no resume token")?;
        self.memory.token = token.to_owned();
        let desk = hello["desk"]["log"].as_str().context("no desk")?;
        let at = (
            hello["desk"]["n"].as_u64().unwrap_or_default(),
            hello["desk"]["hash"].clone(),
        );
        self.memory.positions.entry(desk.to_owned()).or_insert(at);
        Ok(())
    }

    async fn take_up(&mut self) -> Result<()> {
        let known = self.memory.positions.iter();
        let positions: Vec<_> = known
            .map(|(log, (n, hash))| json!({ "log": log, "n": n, "hash": hash }))
            .collect();
        self.command(&json!({ "cmd": "resume", "positions": positions }))
            .await
    }

    /// Sends a command that must succeed, and waits for that.
    pub async fn asks(&mut self, cmd: &str, fields: Value) -> Result<()> {
        let mut frame = json!({ "cmd": cmd, "cmdId": command_id() });
        if let (Value::Object(frame), Value::Object(fields)) = (&mut frame, fields) {
            frame.extend(fields);
        }
        self.command(&frame).await?;
        let reply = loop {
            let event = self.event().await?;
            if event["event"] == "reply" && event["cmdId"] == frame["cmdId"] {
                break event;
            }
            self.aside.push_back(event);
        };
        if reply["status"]["code"] != 0 {
            bail!("{cmd}: {}", reply["status"]);
        }
        Ok(())
    }

    /// Sends a command; [`Self::until`] `"reply"` waits for its answer.
    pub async fn command(&mut self, json: &Value) -> Result<()> {
        let frame = masked(0x1, json.to_string().as_bytes())?;
        Ok(self.io.write_all(&frame).await?)
    }

    /// Reads frames until one of this event.
    pub async fn until(&mut self, event: &str) -> Result<Value> {
        loop {
            let frame = self.next().await?;
            if frame["event"] == event {
                return Ok(frame);
            }
        }
    }

    /// The next event. Cancel-safe.
    pub async fn next(&mut self) -> Result<Value> {
        match self.aside.pop_front() {
            Some(event) => Ok(event),
            None => self.event().await,
        }
    }

    /// The next event that is read; answers pings on the way.
    async fn event(&mut self) -> Result<Value> {
        loop {
            let (opcode, payload) = self.frame().await?;
            match opcode {
                0x1 => {
                    let frame: Value = serde_json::from_slice(&payload)?;
                    self.note(&frame);
                    return Ok(frame);
                }
                0x9 => self.io.write_all(&masked(0xa, &payload)?).await?,
                0x8 => bail!("closed by the server"),
                _ => {}
            }
        }
    }

    fn note(&mut self, frame: &Value) {
        let Some(log) = frame["log"].as_str() else { return };
        let n = if frame["event"] == "gap" {
            &frame["to"]
        } else {
            &frame["n"]
        };
        if let Some(n) = n.as_u64() {
            let at = (n, frame["hash"].clone());
            self.memory.positions.insert(log.to_owned(), at);
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

/// A fresh `cmdId`: any UUID will do, as long as it is another one.
pub fn command_id() -> String {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(1);
    format!(
        "00000000-0000-4000-8000-{:012x}",
        NEXT.fetch_add(1, Ordering::Relaxed)
    )
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
