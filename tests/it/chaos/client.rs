//! A customer's program reduced to what the run needs: says something, and reads a whole chat.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

use super::history::End;
use crate::support::part::eventually;

const KEY: &str = "11111111-2222-4333-8444-555555555555";
const BASE: &str = "/nexus/v3/chat/sessions";

/// A chat as its customer holds it; any node takes it.
#[derive(Debug, Clone)]
pub(crate) struct Chat {
    pub(crate) session: String,
    pub(crate) token: String,
}

/// Opens a chat that does not end because its customer says nothing for a while, or not.
pub(crate) fn open(node: SocketAddr, name: &str) -> Option<Chat> {
    let body = format!("data[firstName]={name}&data[endpoint]=web-async");
    let (status, answer) = call(node, "POST", BASE, "", &body).ok()?;
    let answer: Value = serde_json::from_str(&answer).ok()?;
    let text = |pointer: &str| answer.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    (status == 200).then_some(())?;
    Some(Chat {
        session: text("/data/entity/id")?,
        token: text("/data/clientToken")?,
    })
}

/// Says something once; never repeats it. `None`: nobody took the connection, so nothing was said.
pub(crate) fn say(node: SocketAddr, chat: &Chat, text: &str) -> Option<(End, u16)> {
    let path = format!("{BASE}/{}/messages", chat.session);
    match call(
        node,
        "POST",
        &path,
        &chat.token,
        &format!("data[type]=Text&data[text]={text}"),
    ) {
        Ok((200, _)) => Some((End::Ok, 200)),
        Ok((status, _)) if status < 500 => Some((End::Failed, status)),
        Ok((status, _)) => Some((End::Unknown, status)),
        Err(Cut::BeforeAnything) => None,
        Err(Cut::Midway) => Some((End::Unknown, 0)),
    }
}

/// What the customer said, as the whole chat shows it: number and text.
pub(crate) fn read(node: SocketAddr, chat: &Chat) -> Option<Vec<(u64, String)>> {
    let path = format!("{BASE}/{}/messages?count=10000", chat.session);
    let (status, answer) = call(node, "GET", &path, &chat.token, "").ok()?;
    (status == 200).then_some(())?;
    let answer: Value = serde_json::from_str(&answer).ok()?;
    let own = answer
        .pointer("/data/messages")?
        .as_array()?
        .iter()
        .filter(|message| message["type"] == "Text" && message["from"]["type"] == "Customer");
    own.map(|message| {
        Some((
            message["index"].as_str()?.parse().ok()?,
            message["text"].as_str()?.to_owned(),
        ))
    })
    .collect()
}

/// Waits until somebody takes connections there again.
pub(crate) fn await_up(node: SocketAddr) {
    eventually("a node to come back", Duration::from_secs(60), || {
        TcpStream::connect(node).is_ok()
    });
}

/// How a call failed.
enum Cut {
    /// Nobody took the connection: nothing can have happened.
    BeforeAnything,
    /// Anything may have happened.
    Midway,
}

fn call(node: SocketAddr, method: &str, path: &str, token: &str, body: &str) -> Result<(u16, String), Cut> {
    let mut stream = TcpStream::connect(node).map_err(|_| Cut::BeforeAnything)?;
    let patience = Some(Duration::from_secs(10));
    stream
        .set_read_timeout(patience)
        .and_then(|()| stream.set_write_timeout(patience))
        .map_err(|_| Cut::Midway)?;
    let token = if token.is_empty() {
        String::new()
    } else {
        format!("x-nexus-client-key: {token}\r\n")
    };
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\nx-api-key: {KEY}\r\n{token}\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).map_err(|_| Cut::Midway)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).map_err(|_| Cut::Midway)?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or(Cut::Midway)?;
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|code| code.parse().ok())
        .ok_or(Cut::Midway)?;
    Ok((status, body.to_owned()))
}
