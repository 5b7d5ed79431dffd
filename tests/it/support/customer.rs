//! A customer of the chat API at nodes that run as processes, without blocking the test's thread.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::chat::claims;
use super::pair::CHAT_KEY;

const BASE: &str = "/nexus/v3/chat/sessions";
const PATIENCE: Duration = Duration::from_secs(30);

/// A customer and their chat; any node takes what they do.
#[derive(Debug, Clone)]
pub(crate) struct Customer {
    pub(crate) session: String,
    token: String,
    participant: String,
}

impl Customer {
    /// Opens a chat.
    pub(crate) async fn open(node: SocketAddr, endpoint: &str) -> Self {
        Self::open_over(connection(node).await, endpoint).await
    }

    /// Opens a chat over a connection that is there already, so that the request leaves at once.
    pub(crate) async fn open_over(connection: TcpStream, endpoint: &str) -> Self {
        let body = format!("data[firstName]=Ann&data[endpoint]={endpoint}");
        let answer = ask(connection, "POST", BASE, "", &body).await;
        let token = answer["data"]["clientToken"].as_str().unwrap().to_owned();
        let claims = claims(&token);
        Self {
            session: claims["sessionId"].as_str().unwrap().to_owned(),
            participant: claims["participantId"].as_str().unwrap().to_owned(),
            token,
        }
    }

    /// Says something.
    pub(crate) async fn say(&self, node: SocketAddr, text: &str) {
        let answer = self.tries_to_say(node, text).await;
        assert!(answer.is_some(), "{text} was not taken");
    }

    /// Says something at a node that may not be able to take it; the answer if it did.
    pub(crate) async fn tries_to_say(&self, node: SocketAddr, text: &str) -> Option<Value> {
        let path = format!("{BASE}/{}/messages", self.session);
        let body = format!("data[type]=Text&data[text]={text}");
        let (status, answer) = asked(connection(node).await, "POST", &path, &self.token, &body).await;
        (status == 200).then_some(answer)
    }

    /// Everything the chat shows.
    pub(crate) async fn reads(&self, node: SocketAddr) -> Vec<Value> {
        let path = format!("{BASE}/{}/messages?count=10000", self.session);
        let answer = ask(connection(node).await, "GET", &path, &self.token, "").await;
        answer["data"]["messages"].as_array().unwrap().clone()
    }

    /// Ends the chat.
    pub(crate) async fn leave(&self, node: SocketAddr) {
        let path = format!("{BASE}/{}/participants/{}", self.session, self.participant);
        ask(connection(node).await, "DELETE", &path, &self.token, "").await;
    }
}

/// A connection on which nothing has been asked yet.
pub(crate) async fn connection(node: SocketAddr) -> TcpStream {
    TcpStream::connect(node).await.expect("a connection")
}

/// One request that must succeed.
async fn ask(connection: TcpStream, method: &str, path: &str, token: &str, body: &str) -> Value {
    let (status, answer) = asked(connection, method, path, token, body).await;
    assert_eq!(status, 200, "{method} {path}: {answer}");
    answer
}

/// One request: the status, and what it was answered with.
async fn asked(mut connection: TcpStream, method: &str, path: &str, token: &str, body: &str) -> (u16, Value) {
    let token = match token {
        "" => String::new(),
        token => format!("x-nexus-client-key: {token}\r\n"),
    };
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\nx-api-key: {CHAT_KEY}\r\n{token}\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut answer = String::new();
    let talk = async {
        connection.write_all(request.as_bytes()).await?;
        connection.read_to_string(&mut answer).await
    };
    let ended = tokio::time::timeout(PATIENCE, talk).await;
    ended.expect("an answer in time").expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    (
        status.expect("a status"),
        serde_json::from_str(body).expect("JSON"),
    )
}
