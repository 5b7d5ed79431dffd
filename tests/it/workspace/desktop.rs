//! A desktop by an independent WebSocket library. Judges the order of what it is told, always.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{self, Message};
use uuid::Uuid;

use super::node::Node;

const PATIENCE: Duration = Duration::from_secs(20);

/// What a desktop knows beyond one connection.
#[derive(Default, Clone)]
pub(crate) struct Memory {
    pub(crate) positions: BTreeMap<String, (u64, String)>,
    pub(crate) resume_token: String,
    /// Every event, in the order it was told, over all connections.
    pub(crate) seen: Vec<Value>,
    pub(crate) gaps: Vec<Value>,
    /// Commands without an answer so far, sent again on every connection.
    pub(crate) pending: Vec<Value>,
}

pub(crate) struct Desktop {
    pub(crate) socket: WebSocketStream<TcpStream>,
    pub(crate) memory: Memory,
    pub(crate) hello: Value,
    desk: String,
}

/// Opens a socket with these sub-protocols.
pub(crate) async fn connect(
    addr: SocketAddr,
    path: &str,
    protocols: &str,
    origin: Option<&str>,
) -> Result<WebSocketStream<TcpStream>, tungstenite::Error> {
    let stream = TcpStream::connect(addr).await.unwrap();
    let mut request = format!("ws://{addr}{path}").into_client_request().unwrap();
    if !protocols.is_empty() {
        request
            .headers_mut()
            .insert("sec-websocket-protocol", protocols.parse().unwrap());
    }
    if let Some(origin) = origin {
        request.headers_mut().insert("origin", origin.parse().unwrap());
    }
    tokio_tungstenite::client_async(request, stream)
        .await
        .map(|(socket, _)| socket)
}

impl Desktop {
    /// Signs in, says that nothing has been seen, and takes the beginning.
    pub(crate) async fn open(node: &Node, core: usize, token: &str) -> Self {
        let ticket = node.ticket(token).await;
        Self::with(node, core, &format!("ticket.{ticket}"), Memory::default()).await
    }

    /// Comes back where the memory left off.
    pub(crate) async fn resume(node: &Node, core: usize, memory: Memory) -> Self {
        let credential = format!("resume.{}", memory.resume_token);
        Self::with(node, core, &credential, memory).await
    }

    /// The same at a node that runs as a process.
    pub(crate) async fn back(addr: SocketAddr, memory: Memory) -> Self {
        let credential = format!("resume.{}", memory.resume_token);
        Self::on(addr, &credential, memory).await
    }

    /// Signs in at a node that runs as a process.
    pub(crate) async fn at(addr: SocketAddr, ticket: &str) -> Self {
        let mut desktop = Self::on(addr, &format!("ticket.{ticket}"), Memory::default()).await;
        desktop.resumed().await;
        desktop
    }

    async fn with(node: &Node, core: usize, credential: &str, memory: Memory) -> Self {
        Self::on(node.addrs[core], credential, memory).await
    }

    async fn on(addr: SocketAddr, credential: &str, memory: Memory) -> Self {
        let protocols = format!("nexus.v3, {credential}");
        let socket = connect(addr, "/nexus/v3/agentstream", &protocols, None)
            .await
            .unwrap();
        let mut desktop = Self {
            socket,
            memory,
            hello: Value::Null,
            desk: String::new(),
        };
        let hello = desktop.frame().await.unwrap();
        assert_eq!(hello["event"], "hello", "{hello}");
        desktop.desk = hello["desk"]["log"].as_str().unwrap().to_owned();
        desktop.memory.resume_token = hello["resumeToken"].as_str().unwrap().to_owned();
        let at = (
            hello["desk"]["n"].as_u64().unwrap(),
            hello["desk"]["hash"].as_str().unwrap().to_owned(),
        );
        desktop.memory.positions.entry(desktop.desk.clone()).or_insert(at);
        desktop.hello = hello;
        let positions = desktop.positions();
        desktop
            .send(json!({"cmd": "resume", "positions": positions}))
            .await;
        for command in desktop.memory.pending.clone() {
            desktop.send(command).await;
        }
        desktop
    }

    pub(crate) fn positions(&self) -> Vec<Value> {
        let known = self.memory.positions.iter();
        known
            .map(|(log, (n, hash))| json!({"log": log, "n": n, "hash": hash}))
            .collect()
    }

    pub(crate) async fn send(&mut self, frame: Value) {
        // A socket that was cut is noticed when it is read.
        let _ = self.socket.send(Message::text(frame.to_string())).await;
    }

    /// Sends a command without waiting for its answer.
    pub(crate) async fn begin(&mut self, command: Value) {
        self.memory.pending.push(command.clone());
        self.send(command).await;
    }

    /// The next frame, or the close code.
    pub(crate) async fn frame(&mut self) -> Result<Value, u16> {
        loop {
            let next = tokio::time::timeout(PATIENCE, self.socket.next())
                .await
                .expect("no frame");
            match next {
                Some(Ok(Message::Text(text))) => {
                    let frame: Value = serde_json::from_str(&text).unwrap();
                    self.note(&frame);
                    return Ok(frame);
                }
                Some(Ok(Message::Close(close))) => return Err(close.map_or(1005, |close| close.code.into())),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(1006),
            }
        }
    }

    /// Every event is above the last of its log, and a session begins after the desk record that names it.
    fn note(&mut self, frame: &Value) {
        let event = frame["event"].as_str().unwrap_or_default();
        if event == "reply" {
            self.memory
                .pending
                .retain(|command| command["cmdId"] != frame["cmdId"]);
        }
        let Some(log) = frame["log"].as_str() else { return };
        if event == "gap" {
            self.memory.gaps.push(frame.clone());
            self.memory.positions.remove(log);
            if frame.get("snapshot").is_some() {
                self.stand(log, &frame["to"], &frame["hash"]);
            }
            return;
        }
        let Some(n) = frame["n"].as_u64() else { return };
        let begins = frame["notificationType"] == "Snapshot";
        if let Some((last, _)) = self.memory.positions.get(log) {
            assert!(n > *last || begins, "{log} told {n} after {last}: {frame}");
        } else {
            assert!(begins, "{log} began without a snapshot: {frame}");
        }
        self.stand(log, &frame["n"], &frame["hash"]);
        self.memory.seen.push(frame.clone());
    }

    fn stand(&mut self, log: &str, n: &Value, hash: &Value) {
        let at = (n.as_u64().unwrap(), hash.as_str().unwrap().to_owned());
        self.memory.positions.insert(log.to_owned(), at);
    }

    /// Reads until a frame is as wanted.
    pub(crate) async fn until(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            let frame = self
                .frame()
                .await
                .unwrap_or_else(|code| panic!("closed with {code} before {what}"));
            if wanted(&frame) {
                return frame;
            }
        }
    }

    pub(crate) async fn resumed(&mut self) -> Value {
        self.until("resumed", |frame| frame["event"] == "resumed").await
    }

    /// Reads until the connection is closed; with which code.
    pub(crate) async fn closed(&mut self) -> u16 {
        loop {
            if let Err(code) = self.frame().await {
                return code;
            }
        }
    }

    /// The same for a connection whose memory has moved on: what it still says is not noted.
    pub(crate) async fn farewell(mut self) -> u16 {
        loop {
            let next = tokio::time::timeout(PATIENCE, self.socket.next()).await;
            match next.expect("a close") {
                Some(Ok(Message::Close(close))) => return close.map_or(1005, |close| close.code.into()),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return 1006,
            }
        }
    }

    /// Sends a command and returns its reply.
    pub(crate) async fn command(&mut self, cmd: &str, fields: Value) -> Value {
        self.command_as(Uuid::new_v4(), cmd, fields).await
    }

    pub(crate) async fn command_as(&mut self, id: Uuid, cmd: &str, fields: Value) -> Value {
        let mut frame = json!({"cmd": cmd, "cmdId": id});
        if let (Value::Object(frame), Value::Object(fields)) = (&mut frame, fields) {
            frame.extend(fields);
        }
        self.send(frame).await;
        let id = id.to_string();
        self.until(cmd, |frame| frame["cmdId"] == id.as_str()).await
    }

    /// The same, which must succeed.
    pub(crate) async fn does(&mut self, cmd: &str, fields: Value) -> Value {
        let reply = self.command(cmd, fields).await;
        assert_eq!(reply["status"]["code"], 0, "{cmd}: {reply}");
        reply["data"].clone()
    }

    /// Reads some of what comes, at most up to the answer to this command: behind it nothing need come.
    pub(crate) async fn reads_some(&mut self, most: usize, command: Uuid, stops: impl FnMut() -> bool) {
        let (command, mut stops) = (command.to_string(), stops);
        for _ in 0..most {
            match self.frame().await {
                Ok(frame) if frame["cmdId"] != command.as_str() && !stops() => {}
                Ok(_) | Err(_) => return,
            }
        }
    }

    /// Waits for the state of a session to be this to the agent.
    pub(crate) async fn state(&mut self, log: impl ToString, state: &str) -> Value {
        let log = log.to_string();
        let is = |frame: &Value| frame["log"] == log.as_str() && frame["interaction"]["state"] == state;
        if let Some(known) = self
            .memory
            .seen
            .iter()
            .rev()
            .find(|frame| frame["log"] == log.as_str() && frame.get("interaction").is_some())
            && is(known)
        {
            return known.clone();
        }
        self.until(state, is).await
    }

    /// Waits for a message with this text.
    pub(crate) async fn hears(&mut self, text: &str) -> Value {
        let is = |frame: &Value| {
            frame["messages"]
                .as_array()
                .is_some_and(|all| all.iter().any(|one| one["text"] == text))
        };
        if let Some(known) = self.memory.seen.iter().find(|frame| is(frame)) {
            return known.clone();
        }
        self.until(text, is).await
    }

    /// Texts of a session's messages, in the order they were told.
    pub(crate) fn texts(&self, log: impl ToString) -> Vec<String> {
        texts(&self.memory, &log.to_string())
    }
}

pub(crate) fn texts(memory: &Memory, log: &str) -> Vec<String> {
    let events = memory.seen.iter().filter(|frame| frame["log"] == log);
    let messages = events.filter_map(|frame| frame["messages"].as_array()).flatten();
    messages
        .filter_map(|message| Some(message["text"].as_str()?.to_owned()))
        .collect()
}
