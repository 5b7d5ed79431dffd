//! An endpoint that takes notices: at once, after a while, or, as long as it does not listen, not at all.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpSocket};
use tokio::task::JoinSet;

use crate::http::{Connection, loopback};
use crate::server::Server;

/// What came, by the interaction it is about: when first.
type Heard = Rc<RefCell<HashMap<String, Instant>>>;

/// One endpoint on a port of its own.
pub struct Receiver {
    addr: SocketAddr,
    /// How long it thinks before it answers.
    delay: Rc<Cell<Duration>>,
    heard: Heard,
    state: State,
}

enum State {
    /// Holds the port; whoever connects is refused.
    Dead(TcpSocket),
    /// Takes what comes; its connections end with it.
    Listens(JoinSet<()>),
}

impl Receiver {
    /// An endpoint that does not listen yet, and answers at once when it does.
    pub fn new() -> Result<Self> {
        let socket = bound(SocketAddr::from(([127, 0, 0, 1], 0)))?;
        Ok(Self {
            addr: socket.local_addr()?,
            delay: Rc::default(),
            heard: Rc::default(),
            state: State::Dead(socket),
        })
    }

    /// Begins to take what comes.
    pub fn listen(&mut self) -> Result<()> {
        let mut serving = JoinSet::new();
        if let State::Dead(socket) = std::mem::replace(&mut self.state, State::Listens(JoinSet::new())) {
            let listener = socket.listen(1_024)?;
            serving.spawn_local(serve(listener, Rc::clone(&self.delay), Rc::clone(&self.heard)));
            self.state = State::Listens(serving);
        }
        Ok(())
    }

    /// Answers later from now on.
    pub fn slow_down(&self, delay: Duration) {
        self.delay.set(delay);
    }

    /// Ends every connection and refuses new ones.
    pub async fn die(&mut self) -> Result<()> {
        if let State::Listens(serving) = &mut self.state {
            serving.shutdown().await;
            self.state = State::Dead(bound(self.addr)?);
        }
        Ok(())
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("http://{}/hook", self.addr)
    }

    /// When it first heard of an interaction.
    pub fn heard(&self, interaction: &str) -> Option<Instant> {
        self.heard.borrow().get(interaction).copied()
    }
}

/// API key of the development tenant's administrator.
pub const ADMIN: &str = "00000000-0000-4000-8000-000000000001";
/// Every core knows what was provisioned this long ago.
const KNOWN: Duration = Duration::from_secs(3);

/// Lets a server tell endpoints when a chat begins, and waits until it knows that.
pub async fn provision(server: &Server, key: &str, kind: &str, receivers: &[&Receiver]) -> Result<()> {
    let mut connection = Connection::open(&server.target(), loopback(0, 1)).await?;
    for (index, receiver) in receivers.iter().enumerate() {
        let hook = json!({"data": {"name": format!("{kind}-{index}"), "url": receiver.url(), "events": ["STARTED"],
            "secret": "load-secret", "retryTimeoutMs": 1_000, "retryAttempts": 1_000}});
        let request = Request::post("/nexus/v3/webhooks")
            .header(HOST, "localhost")
            .header(CONTENT_TYPE, "application/json")
            .header("x-api-key", key)
            .body(Full::new(Bytes::from(hook.to_string())))?;
        let (status, answer) = connection.send(request).await?;
        if !status.is_success() {
            bail!(
                "a webhook was refused with {status}: {}",
                String::from_utf8_lossy(&answer)
            );
        }
    }
    tokio::time::sleep(KNOWN).await;
    Ok(())
}

fn bound(addr: SocketAddr) -> Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    Ok(socket)
}

async fn serve(listener: TcpListener, delay: Rc<Cell<Duration>>, heard: Heard) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let (delay, heard) = (Rc::clone(&delay), Rc::clone(&heard));
        while connections.try_join_next().is_some() {}
        connections.spawn_local(async move {
            let take = service_fn(move |request| take(request, delay.get(), Rc::clone(&heard)));
            // Whoever calls decides when it ends.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), take)
                .await;
        });
    }
}

async fn take(
    request: Request<Incoming>,
    delay: Duration,
    heard: Heard,
) -> Result<Response<Full<Bytes>>, Infallible> {
    if let Ok(body) = request.into_body().collect().await
        && let Ok(notice) = serde_json::from_slice::<Value>(&body.to_bytes())
        && let Some(id) = notice
            .pointer("/data/entities/0/entity/id")
            .and_then(Value::as_str)
    {
        heard
            .borrow_mut()
            .entry(id.to_owned())
            .or_insert_with(Instant::now);
    }
    tokio::time::sleep(delay).await;
    Ok(Response::new(Full::new(Bytes::from_static(
        b"{\"status\":{\"code\":0}}",
    ))))
}
