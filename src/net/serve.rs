//! From an accepted connection to a served one: the accept loop of one core.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::Instant;

use super::address::{Peer, is_in};
use super::balance::{Accepted, Load, Seat};
use super::http::{HttpLimits, Service, serve_h1, serve_h2};
use super::listener::{Gate, Listener, ListenerLimits, NotAdmitted, Place};
use super::proxy;
use super::scratch::Scratch;
use super::stream::Stream;
use super::tls::Tls;
use super::turns::Turns;
use crate::config::{self, IpRange};
use crate::runtime::drain::{DrainToken, Phase};
use crate::telemetry::names;

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

impl ServeLimits {
    /// The bounds of the settings, for a process that may have `open_files` files open.
    pub fn new(limits: &config::Limits, proxies: &[IpRange], open_files: u64) -> Self {
        Self {
            listener: ListenerLimits::new(&limits.connections, proxies, open_files),
            handshake: limits.http.handshake,
            http: HttpLimits::new(&limits.http),
        }
    }
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
    proxies: Arc<[IpRange]>,
    handshake: Duration,
    http: Rc<HttpLimits>,
    scratch: Scratch,
    turns: Turns,
    drain: DrainToken,
}

/// A connection that this core is about to serve.
struct Begun {
    stream: TcpStream,
    addr: SocketAddr,
    place: Place,
    load: Option<Load>,
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
    NotAdmitted(#[from] NotAdmitted),
}

impl Turned {
    fn label(&self) -> &'static str {
        match self {
            Self::Proxy(_) => "proxy",
            Self::Handshake(_) => "handshake",
            Self::Slow => "slow",
            Self::NotAdmitted(NotAdmitted::Address) => "address",
            Self::NotAdmitted(NotAdmitted::Neighbourhood) => "neighbourhood",
        }
    }
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
            turns: Turns::new(),
            drain,
        }
    }

    /// Accepts and serves until the drain closes the listener. Connections run as local tasks of their own and
    /// hold [`Phase::Flushing`] open until their last answer is out; must run inside a `LocalSet`. With a
    /// `seat`, connections are spread over the cores that have the others.
    pub async fn run(self, listener: Listener, seat: Option<Seat>) {
        let mut drain = self.drain.clone();
        tokio::select! {
            () = drain.reached(Phase::Closing) => {}
            () = self.accept(&listener, seat) => {}
        }
    }

    async fn accept(&self, listener: &Listener, mut seat: Option<Seat>) {
        loop {
            let next = match &mut seat {
                None => self.next(listener).await,
                Some(seat) => tokio::select! {
                    fresh = self.next(listener) => here_or_elsewhere(fresh, seat),
                    Some(handed) = seat.handed.next() => here(handed),
                },
            };
            let Some(begun) = next else { continue };
            let server = self.clone();
            tokio::task::spawn_local(async move {
                if let Err(reason) = server.begin(begun).await {
                    metrics::counter!(names::TURNED_AWAY, "reason" => reason.label()).increment(1);
                    tracing::debug!(%reason, "connection turned away");
                }
            });
        }
    }

    /// A place, and then a connection to fill it. Cancel-safe.
    async fn next(&self, listener: &Listener) -> Option<Begun> {
        let place = self.gate.place().await;
        let (stream, addr) = listener.accept().await;
        Some(Begun {
            stream,
            addr,
            place,
            load: None,
        })
    }

    /// Lets a connection in, and serves it in a task of its own: what the handshake needed is not kept for as long as it is open.
    async fn begin(self, begun: Begun) -> Result<(), Turned> {
        let Begun {
            mut stream,
            addr,
            place,
            load,
        } = begun;
        let local = stream.local_addr().map_err(Turned::Handshake)?;
        let deadline = Instant::now() + self.handshake;
        let client = tokio::time::timeout_at(deadline, self.client(&mut stream, addr));
        let client = client.await.map_err(|_| Turned::Slow)??;
        // Before the handshake, so that one peer's stalled handshakes do not take everybody's places.
        let mut admission = self.gate.admit(place, client.ip())?;
        let stream = self.encrypt(stream, deadline).await?;
        if let Some(load) = load {
            admission.count(load);
        }
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
        if http2 {
            tokio::task::spawn_local(serve_h2(stream, peer, admission, service, http, scratch, drain));
        } else {
            tokio::task::spawn_local(serve_h1(stream, peer, admission, service, http, scratch, drain));
        }
        Ok(())
    }

    /// The address of the client, perhaps behind a trusted balancer.
    async fn client(&self, stream: &mut TcpStream, addr: SocketAddr) -> Result<SocketAddr, Turned> {
        let trusted = self.proxies.iter().any(|range| is_in(range, addr.ip()));
        if !trusted {
            return Ok(addr);
        }
        let source = proxy::read_header(stream).await.map_err(Turned::Proxy)?;
        Ok(source.unwrap_or(addr))
    }

    /// The stream ready for HTTP.
    async fn encrypt(&self, stream: TcpStream, deadline: Instant) -> Result<Stream, Turned> {
        let Some(tls) = &self.tls else {
            return Ok(Stream::Plain(stream));
        };
        let begins = tokio::time::timeout_at(deadline, stream.readable());
        begins
            .await
            .map_err(|_| Turned::Slow)?
            .map_err(Turned::Handshake)?;
        // How long it waits here is not the peer's doing.
        let waited = Instant::now();
        self.turns.next().await;
        let deadline = deadline + waited.elapsed();
        let stream = tokio::time::timeout_at(deadline, tls.accept(stream));
        let stream = stream
            .await
            .map_err(|_| Turned::Slow)?
            .map_err(Turned::Handshake)?;
        Ok(Stream::Tls(Box::new(stream)))
    }
}

/// A fresh connection, unless another core takes it.
fn here_or_elsewhere(fresh: Option<Begun>, seat: &Seat) -> Option<Begun> {
    let begun = fresh?;
    if !seat.is_crowded() {
        return Some(Begun {
            load: Some(seat.load()),
            ..begun
        });
    }
    let stream = begun.stream.into_std().ok()?;
    seat.hand_over(stream, begun.addr, begun.place).and_then(here)
}

/// Takes a connection into this core's runtime.
fn here(accepted: Accepted) -> Option<Begun> {
    let Accepted {
        stream,
        addr,
        place,
        load,
    } = accepted;
    Some(Begun {
        stream: TcpStream::from_std(stream).ok()?,
        addr,
        place,
        load: Some(load),
    })
}
