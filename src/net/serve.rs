//! From an accepted connection to a served one: the accept loop of one core.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;

use super::address::Peer;
use super::http::{HttpLimits, Service, serve_h1, serve_h2};
use super::listener::{Gate, Listener, ListenerLimits, Place};
use super::proxy;
use super::scratch::Scratch;
use super::stream::Stream;
use super::tls::Tls;
use crate::runtime::drain::{DrainToken, Phase};

/// The bounds of everything on one listening address.
#[derive(Clone, Debug)]
pub struct ServeLimits {
    /// Who is let in.
    pub listener: ListenerLimits,
    /// Time for a PROXY header and a TLS handshake together.
    pub handshake: Duration,
    /// HTTP.
    pub http: HttpLimits,
}

impl Default for ServeLimits {
    fn default() -> Self {
        Self {
            listener: ListenerLimits::default(),
            handshake: Duration::from_secs(5),
            http: HttpLimits::default(),
        }
    }
}

/// Serves one address on one core. Cheap to clone.
#[derive(Clone)]
pub struct Server {
    service: Rc<dyn Service>,
    tls: Option<Tls>,
    gate: Gate,
    proxies: Arc<[super::Cidr]>,
    handshake: Duration,
    http: Rc<HttpLimits>,
    scratch: Scratch,
    drain: DrainToken,
}

/// Why a connection ended before HTTP began.
#[derive(Debug, thiserror::Error)]
enum Turned {
    #[error("no sound PROXY header: {0}")]
    Proxy(io::Error),
    #[error("handshake failed: {0}")]
    Handshake(io::Error),
    #[error("handshake took too long")]
    Slow,
    #[error(transparent)]
    NotAdmitted(#[from] super::listener::NotAdmitted),
}

impl Server {
    /// A server on this core. `gate` and `tls` are shared by all cores, `scratch` by all sockets of this one.
    pub fn new(
        service: Rc<dyn Service>,
        tls: Option<Tls>,
        gate: Gate,
        limits: &ServeLimits,
        scratch: Scratch,
        drain: DrainToken,
    ) -> Self {
        Self {
            service,
            tls,
            gate,
            proxies: limits.listener.proxies.clone().into(),
            handshake: limits.handshake,
            http: Rc::new(limits.http.clone()),
            scratch,
            drain,
        }
    }

    /// Accepts and serves until the drain closes the listener. Connections run as local tasks of their own and
    /// hold [`Phase::Flushing`] open until their last answer is out; must run inside a `LocalSet`.
    pub async fn run(self, listener: Listener) {
        let mut drain = self.drain.clone();
        tokio::select! {
            () = drain.reached(Phase::Closing) => {}
            () = self.accept(&listener) => {}
        }
    }

    async fn accept(&self, listener: &Listener) {
        loop {
            let place = self.gate.place().await;
            let (stream, addr) = listener.accept().await;
            let server = self.clone();
            tokio::task::spawn_local(async move {
                if let Err(reason) = server.connection(stream, addr, place).await {
                    tracing::debug!(%reason, "connection turned away");
                }
            });
        }
    }

    async fn connection(self, stream: TcpStream, addr: SocketAddr, place: Place) -> Result<(), Turned> {
        let local = stream.local_addr().map_err(Turned::Handshake)?;
        let began = tokio::time::timeout(self.handshake, self.handshake(stream, addr)).await;
        let (stream, client) = began.map_err(|_| Turned::Slow)??;
        let admission = self.gate.admit(place, client.ip())?;
        let retain = self.drain.retain(Phase::Flushing);
        let http2 = stream.is_http2();
        let peer = Peer {
            addr: client,
            local,
            tls: stream.is_tls(),
            http2,
        };
        let Self {
            service,
            http,
            scratch,
            drain,
            ..
        } = self;
        // Boxed: the task keeps room for the larger of the two only while it runs it.
        if http2 {
            Box::pin(serve_h2(stream, peer, admission, service, http, scratch, drain)).await;
        } else {
            Box::pin(serve_h1(stream, peer, admission, service, http, scratch, drain)).await;
        }
        drop(retain);
        Ok(())
    }

    /// The stream ready for HTTP, and the address of the client behind a trusted balancer.
    async fn handshake(
        &self,
        mut stream: TcpStream,
        addr: SocketAddr,
    ) -> Result<(Stream, SocketAddr), Turned> {
        let trusted = self.proxies.iter().any(|range| range.contains(addr.ip()));
        let client = if trusted {
            proxy::read_header(&mut stream)
                .await
                .map_err(Turned::Proxy)?
                .unwrap_or(addr)
        } else {
            addr
        };
        match &self.tls {
            None => Ok((Stream::Plain(stream), client)),
            Some(tls) => {
                let encrypted = tls.accept(stream).await.map_err(Turned::Handshake)?;
                Ok((Stream::Tls(Box::new(encrypted)), client))
            }
        }
    }
}
