//! A peer on loopback that does with each connection what it is told, and a client that may reach it.

use std::cell::Cell;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use nexus::config::Outbound;
use nexus::net::client::{Client, ClientOptions, SystemResolver, Trust};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A peer that listens until the test ends.
pub(crate) struct ScriptedPeer {
    pub(crate) addr: SocketAddr,
    connections: Rc<Cell<usize>>,
}

impl ScriptedPeer {
    /// Runs `script` on each connection, which is told how many came before.
    pub(crate) async fn start<F: Future<Output = ()> + 'static>(
        script: impl Fn(TcpStream, usize) -> F + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let connections = Rc::new(Cell::new(0));
        let seen = Rc::clone(&connections);
        tokio::task::spawn_local(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let before = seen.replace(seen.get() + 1);
                tokio::task::spawn_local(script(tcp, before));
            }
        });
        Self { addr, connections }
    }

    /// A peer that gives each request on each connection the same bytes.
    pub(crate) async fn saying(answer: &'static str) -> Self {
        Self::start(move |mut tcp, _| async move {
            while let Some(_request) = request(&mut tcp).await {
                if tcp.write_all(answer.as_bytes()).await.is_err() {
                    return;
                }
            }
        })
        .await
    }

    /// How many connections it was asked for.
    pub(crate) fn connections(&self) -> usize {
        self.connections.get()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }
}

/// One request with its body, as it came; none at the end.
pub(crate) async fn request(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes);
        if let Some(head) = text.find("\r\n\r\n") {
            let length = text[..head].lines().find_map(|line| {
                line.to_ascii_lowercase()
                    .strip_prefix("content-length: ")?
                    .parse()
                    .ok()
            });
            if bytes.len() >= head + 4 + length.unwrap_or(0) {
                return Some(text.into_owned());
            }
        }
        let mut byte = [0];
        match stream.read(&mut byte).await {
            Ok(1) => bytes.push(byte[0]),
            _ => return None,
        }
    }
}

/// Writes `piece` again and again until nobody takes it.
pub(crate) async fn drip(stream: &mut (impl AsyncWrite + Unpin), piece: &[u8], every: Duration) {
    let mut ticks = tokio::time::interval(every);
    loop {
        ticks.tick().await;
        if stream.write_all(piece).await.is_err() {
            return;
        }
    }
}

/// Waits until the other side has closed.
pub(crate) async fn hang(mut tcp: TcpStream) {
    let mut sink = [0; 1024];
    while matches!(tcp.read(&mut sink).await, Ok(1..)) {}
}

/// Settings under which loopback may be reached.
pub(crate) fn loopback() -> Outbound {
    Outbound {
        allow: vec!["127.0.0.0/8".parse().unwrap()],
        deadline: Duration::from_secs(10),
        ..Outbound::default()
    }
}

pub(crate) fn options(settings: &Outbound) -> ClientOptions {
    ClientOptions::new(settings, Trust::load(settings).unwrap(), Vec::new())
}

pub(crate) fn client(settings: &Outbound) -> Client {
    Client::new(options(settings), SystemResolver::new(2))
}

/// Settings that believe `authority` besides.
pub(crate) fn believing(authority: PathBuf) -> Outbound {
    Outbound {
        ca_file: Some(authority),
        ..loopback()
    }
}

/// A TLS peer that answers every request with `ok` and notes nothing.
pub(crate) async fn tls_peer(server: rustls::ServerConfig) -> ScriptedPeer {
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(server));
    ScriptedPeer::start(move |tcp, _| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(mut tls) = acceptor.accept(tcp).await else {
                return;
            };
            while request(&mut tls).await.is_some() {
                let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
                if tls.write_all(answer).await.is_err() {
                    return;
                }
            }
        }
    })
    .await
}
