//! One agent's stream, by hand: a ticket over HTTPS, the upgrade on the same connection, then frames.

use std::collections::{HashMap, VecDeque};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::http::Io;
use crate::socket::{CLOSE, PING, PONG, Socket, TEXT};

/// A signed-in agent.
pub struct AgentStream {
    socket: Socket,
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
    pub async fn open(io: Box<dyn Io>, token: &str) -> Result<Self> {
        let mut socket = Socket::new(io);
        let ticket = ticket(&mut socket, token).await?;
        Self::with_ticket(socket, &ticket).await
    }

    /// The same with a ticket that was given out before.
    pub async fn with_ticket(socket: Socket, ticket: &str) -> Result<Self> {
        let mut stream = Self {
            socket,
            aside: VecDeque::new(),
            memory: Memory::default(),
        };
        stream.upgrade(&format!("ticket.{ticket}")).await?;
        stream.take_up().await?;
        stream.until("resumed").await?;
        Ok(stream)
    }

    /// Comes back where the memory left off, up to `resumed`; and the events on the way there. What was learned until it failed comes
    /// with the error.
    pub async fn resume(io: Box<dyn Io>, memory: Memory) -> Result<(Self, Vec<Value>), Broken> {
        let mut stream = Self {
            socket: Socket::new(io),
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
        let protocol = format!("Sec-WebSocket-Protocol: nexus.v3, {credential}\r\n");
        self.socket.upgrade("/nexus/v3/agentstream", &protocol).await?;
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
        self.asks_at_length(cmd, fields, 0).await
    }

    /// The same in a frame of so many bytes at least.
    pub async fn asks_at_length(&mut self, cmd: &str, fields: Value, bytes: usize) -> Result<()> {
        let mut frame = json!({ "cmd": cmd, "cmdId": command_id() });
        if let (Value::Object(frame), Value::Object(fields)) = (&mut frame, fields) {
            frame.extend(fields);
        }
        // Space after a document means nothing.
        let text = format!("{:bytes$}", frame.to_string());
        self.socket.send(TEXT, text.as_bytes(), 1).await?;
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
        self.socket.send(TEXT, json.to_string().as_bytes(), 1).await
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
            let (opcode, payload) = self.socket.frame().await?;
            match opcode {
                TEXT => {
                    let frame: Value = serde_json::from_slice(&payload)?;
                    self.note(&frame);
                    return Ok(frame);
                }
                PING => self.socket.send(PONG, &payload, 1).await?,
                CLOSE => bail!("closed by the server"),
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
}

/// A ticket for a static token, asked for on this connection.
pub async fn ticket(socket: &mut Socket, token: &str) -> Result<String> {
    let request = format!(
        "POST /nexus/v3/agents/ticket HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\
         Content-Length: 0\r\n\r\n"
    );
    let answer: Value = serde_json::from_slice(&socket.ask(&request).await.context("ticket")?)?;
    let ticket = answer.pointer("/data/ticket").and_then(Value::as_str);
    ticket.map(str::to_owned).context("no ticket")
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
