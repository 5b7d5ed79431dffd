//! One widget as a server sees it: the preflights a browser sends included.

use std::rc::Rc;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, HOST, ORIGIN};
use hyper::{Method, Request, StatusCode};
use serde_json::Value;
use tokio::sync::Mutex;

use crate::http::Connection;

const FORM: &str = "application/x-www-form-urlencoded; charset=UTF-8";
const BASE: &str = "/nexus/v3/chat/sessions";

/// A connection that several widgets may take turns on.
pub type Line = Rc<Mutex<Connection>>;

/// A chat in progress.
pub struct Widget {
    line: Line,
    api_key: String,
    token: String,
    session: String,
    operations: u64,
    seen: String,
}

/// What a poll brought.
pub struct Polled {
    /// Texts not seen before.
    pub texts: Vec<String>,
    /// Whether the chat is over.
    pub ended: bool,
}

impl Widget {
    /// Opens a chat on a connection of its own.
    pub async fn open(connection: Connection, api_key: &str, endpoint: &str, name: &str) -> Result<Self> {
        Self::open_on(Rc::new(Mutex::new(connection)), api_key, endpoint, name).await
    }

    /// Opens a chat on a connection that others use as well.
    pub async fn open_on(line: Line, api_key: &str, endpoint: &str, name: &str) -> Result<Self> {
        let mut widget = Self {
            line,
            api_key: api_key.to_owned(),
            token: String::new(),
            session: String::new(),
            operations: 0,
            seen: String::new(),
        };
        widget.preflight(BASE, "POST", "x-api-key").await?;
        let body = format!(
            "data%5BfirstName%5D={name}&data%5Bnickname%5D={name}&data%5Bendpoint%5D={endpoint}\
             &data%5BuserData%5D%5B_genesys_source%5D=web&operationId={}",
            widget.operation()
        );
        let answer = widget.call(Method::POST, BASE.to_owned(), body).await?;
        widget.session = text(&answer, "/data/entity/id")?;
        widget.token = text(&answer, "/data/clientToken")?;
        Ok(widget)
    }

    /// The session it is.
    pub fn session(&self) -> &str {
        &self.session
    }

    /// The connection it speaks on.
    pub fn line(&self) -> Line {
        Rc::clone(&self.line)
    }

    /// Asks whether there is something new.
    pub async fn poll(&mut self) -> Result<Polled> {
        let path = self.poll_path();
        let answer = self.call(Method::GET, path, String::new()).await?;
        let mut texts = Vec::new();
        let messages = answer
            .pointer("/data/messages")
            .and_then(Value::as_array)
            .context("no messages in the answer")?;
        for message in messages {
            let index = text(message, "/index")?;
            if index > self.seen {
                self.seen = index;
                texts.extend(message.get("text").and_then(Value::as_str).map(str::to_owned));
            }
        }
        let ended = answer
            .pointer("/data/chatEnded")
            .and_then(Value::as_bool)
            .unwrap_or(false);
        Ok(Polled { texts, ended })
    }

    /// The preflight a browser sends before each poll: every poll has another URL, so it can cache none.
    pub async fn poll_preflight(&mut self) -> Result<()> {
        let path = self.poll_path();
        self.preflight(&path, "GET", "x-api-key,x-nexus-client-key").await
    }

    /// Says something.
    pub async fn send(&mut self, words: &str) -> Result<()> {
        let body = self.message(words);
        self.call(Method::POST, format!("{BASE}/{}/messages", self.session), body)
            .await
            .map(drop)
    }

    /// The same, to be sent by whoever wants to.
    pub fn send_request(&mut self, words: &str) -> Result<Request<Full<Bytes>>> {
        let body = self.message(words);
        self.request(Method::POST, format!("{BASE}/{}/messages", self.session), body)
    }

    fn message(&mut self, words: &str) -> String {
        let operation = self.operation();
        format!("operationId={operation}&data%5Btype%5D=Text&data%5Btext%5D={words}")
    }

    /// A preflight and its poll, to be sent by whoever wants to.
    pub fn poll_requests(&mut self) -> Result<[Request<Full<Bytes>>; 2]> {
        let path = self.poll_path();
        let preflight = preflight(&path, "GET", "x-api-key,x-nexus-client-key")?;
        Ok([preflight, self.request(Method::GET, path, String::new())?])
    }

    async fn preflight(&mut self, path: &str, method: &str, headers: &str) -> Result<()> {
        let request = preflight(path, method, headers)?;
        let (status, _) = self.line.lock().await.send(request).await?;
        if !status.is_success() {
            bail!("preflight {status}");
        }
        Ok(())
    }

    async fn call(&mut self, method: Method, path: String, body: String) -> Result<Value> {
        let request = self.request(method, path, body)?;
        let (status, answer) = self.line.lock().await.send(request).await?;
        if status != StatusCode::OK {
            bail!("{status}");
        }
        Ok(serde_json::from_slice(&answer)?)
    }

    fn request(&self, method: Method, path: String, body: String) -> Result<Request<Full<Bytes>>> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, "localhost")
            .header(ORIGIN, "https://shop.example")
            .header("x-api-key", &self.api_key);
        if !self.token.is_empty() {
            request = request.header("x-nexus-client-key", &self.token);
        }
        if !body.is_empty() {
            request = request.header(CONTENT_TYPE, FORM);
        }
        Ok(request.body(Full::new(Bytes::from(body)))?)
    }

    fn poll_path(&mut self) -> String {
        let operation = self.operation();
        format!("{BASE}/{}/messages?operationId={operation}", self.session)
    }

    /// As the widget makes them: opaque, irregular, unique.
    fn operation(&mut self) -> String {
        self.operations += 1;
        format!("{:010x}-9bceb-a97ef-344c2-84b99f010666dbc", self.operations)
    }
}

/// What a browser asks before a request that is not simple.
fn preflight(path: &str, method: &str, headers: &str) -> Result<Request<Full<Bytes>>> {
    let request = Request::builder()
        .method(Method::OPTIONS)
        .uri(path)
        .header(HOST, "localhost")
        .header(ORIGIN, "https://shop.example")
        .header("access-control-request-method", method)
        .header("access-control-request-headers", headers);
    Ok(request.body(Full::default())?)
}

fn text(json: &Value, pointer: &str) -> Result<String> {
    let found = json.pointer(pointer).and_then(Value::as_str);
    found
        .map(str::to_owned)
        .with_context(|| format!("no {pointer} in the answer"))
}
