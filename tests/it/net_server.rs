//! A server of the network layer for its own tests, and raw peers to talk to it.

use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::LocalBoxFuture;
use futures_util::stream;
use hyper::StatusCode;
use nexus::net::http::{Floor, HttpLimits, Refusal, Request, Response, ResponseBody, Service};
use nexus::net::listener::{Gate, Listener};
use nexus::net::tls::{CertificateFiles, Certificates, TicketKeys, Tls, development_certificate};
use nexus::net::websocket::{Offer, Socket, SocketLimits};
use nexus::net::{Peer, Scratch, ServeLimits, Server};
use nexus::runtime::drain::{Drain, DrainPlan};
use rustls_pki_types::CertificateDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;

/// Longer than anything here takes; reached only by a failure.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// Runs `test` on one thread with local tasks, as a core does, and not for ever.
pub(crate) fn on_a_core<F: Future<Output = ()>>(test: F) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async {
        tokio::time::timeout(PATIENCE * 9, test)
            .await
            .expect("the test hangs");
    });
}

type RunSocket = Rc<dyn Fn(Socket) -> LocalBoxFuture<'static, ()>>;

/// A handler that notes what reached it.
#[derive(Default)]
pub(crate) struct Probe {
    pub(crate) calls: RefCell<Vec<String>>,
    pub(crate) peers: RefCell<Vec<Peer>>,
    pub(crate) release: Notify,
    pub(crate) started: Notify,
    pub(crate) socket: RefCell<Option<(Rc<SocketLimits>, RunSocket)>>,
}

impl Probe {
    pub(crate) fn calls(&self) -> Vec<String> {
        self.calls.borrow().clone()
    }

    async fn answer(&self, request: Request, peer: &Peer) -> Response {
        let path = request.uri().path().to_owned();
        self.calls.borrow_mut().push(path.clone());
        self.peers.borrow_mut().push(*peer);
        match path.as_str() {
            "/body" => match request.into_body().collect(1000).await {
                Ok(body) => full(StatusCode::OK, body),
                Err(error) => self.refuse(error.into(), None),
            },
            "/wait" => {
                self.started.notify_one();
                self.release.notified().await;
                full(StatusCode::OK, "waited")
            }
            "/none" => full(StatusCode::NO_CONTENT, "never sent"),
            "/large" => {
                self.started.notify_one();
                full(StatusCode::OK, vec![b'x'; 64 << 20])
            }
            "/pieces" => {
                let pieces = ["one ", "two ", "three"].map(|piece| Ok(Bytes::from(piece)));
                Response::new(ResponseBody::stream(stream::iter(pieces), None))
            }
            "/cut" => {
                let pieces = [Ok(Bytes::from("one ")), Err(io::Error::other("disk gone"))];
                Response::new(ResponseBody::stream(stream::iter(pieces), Some(13)))
            }
            "/socket" => self.upgrade(&request),
            _ => full(StatusCode::OK, "ok"),
        }
    }

    fn upgrade(&self, request: &Request) -> Response {
        let (limits, run) = self.socket.borrow().clone().expect("a socket handler");
        match Offer::of(request) {
            Ok(offer) => {
                let protocol = offer
                    .protocols()
                    .find(|protocol| *protocol == "v1")
                    .map(str::to_owned);
                offer.accept(protocol.as_deref(), limits, move |socket| run(socket))
            }
            Err(error) => {
                let mut response = full(error.status(), error.to_string());
                error.headers(response.headers_mut());
                response
            }
        }
    }
}

impl Service for Probe {
    fn call<'a>(&'a self, request: Request, peer: &'a Peer) -> LocalBoxFuture<'a, Response> {
        Box::pin(self.answer(request, peer))
    }

    fn refuse(&self, refusal: Refusal, target: Option<&str>) -> Response {
        full(
            refusal.status(),
            format!(
                "{{\"refused\":{:?},\"target\":{:?}}}",
                refusal.to_string(),
                target.unwrap_or("")
            ),
        )
    }
}

fn full(status: StatusCode, body: impl Into<Bytes>) -> Response {
    let mut response = Response::new(ResponseBody::full(body));
    *response.status_mut() = status;
    response
}

/// Bounds small enough to reach.
pub(crate) fn small_limits() -> ServeLimits {
    let floor = |grace| Floor {
        bytes_per_second: 500,
        grace: Duration::from_millis(grace),
    };
    let http = HttpLimits {
        header: Duration::from_millis(150),
        idle: Duration::from_millis(150),
        body: floor(150),
        write: floor(200),
        linger: Duration::from_millis(200),
        ..HttpLimits::default()
    };
    ServeLimits {
        http,
        handshake: Duration::from_millis(500),
        ..ServeLimits::default()
    }
}

enum Encryption {
    None,
    Tls(Option<Vec<CertificateDer<'static>>>),
}

/// One core's server on a port of its own.
pub(crate) struct Running {
    pub(crate) addr: SocketAddr,
    pub(crate) probe: Rc<Probe>,
    pub(crate) gate: Gate,
    pub(crate) drain: Drain,
    pub(crate) certificate: Option<CertificateFiles>,
    pub(crate) certificates: Option<Arc<Certificates>>,
    _dir: tempfile::TempDir,
}

impl Running {
    pub(crate) fn plain(limits: ServeLimits) -> Self {
        Self::start(limits, Encryption::None, None)
    }

    pub(crate) fn tls(limits: ServeLimits) -> Self {
        Self::start(limits, Encryption::Tls(None), None)
    }

    /// Lets in only peers with a certificate of `authorities`.
    pub(crate) fn mutual_tls(limits: ServeLimits, authorities: Vec<CertificateDer<'static>>) -> Self {
        Self::start(limits, Encryption::Tls(Some(authorities)), None)
    }

    /// Serves `service` in place of the probe.
    pub(crate) fn with(service: Rc<dyn Service>, tls: bool) -> Self {
        let encryption = if tls {
            Encryption::Tls(None)
        } else {
            Encryption::None
        };
        Self::start(ServeLimits::default(), encryption, Some(service))
    }

    fn start(limits: ServeLimits, encryption: Encryption, service: Option<Rc<dyn Service>>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (mut certificate, mut certificates, mut tls) = (None, None, None);
        if let Encryption::Tls(authorities) = encryption {
            let files = development_certificate(dir.path()).unwrap();
            let loaded = Arc::new(Certificates::load(files.clone()).unwrap());
            tls = Some(Tls::new(Arc::clone(&loaded), TicketKeys::random().unwrap(), authorities).unwrap());
            (certificate, certificates) = (Some(files), Some(loaded));
        }
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), &limits.listener).unwrap();
        let addr = listener.local_addr().unwrap();
        let (probe, gate, drain) = (
            Rc::new(Probe::default()),
            Gate::new(&limits.listener),
            Drain::new(),
        );
        let service = service.unwrap_or_else(|| Rc::clone(&probe) as Rc<dyn Service>);
        let server = Server::new(service, tls, gate.clone(), &limits, Scratch::new(), drain.token());
        tokio::task::spawn_local(server.run(listener, None));
        Self {
            addr,
            probe,
            gate,
            drain,
            certificate,
            certificates,
            _dir: dir,
        }
    }

    /// Serves WebSockets on `/socket` with `run`.
    pub(crate) fn sockets<F>(self, limits: SocketLimits, run: impl Fn(Socket) -> F + 'static) -> Self
    where
        F: Future<Output = ()> + 'static,
    {
        let run: RunSocket = Rc::new(move |socket| Box::pin(run(socket)));
        *self.probe.socket.borrow_mut() = Some((Rc::new(limits), run));
        self
    }

    pub(crate) async fn connect(&self) -> Raw {
        Raw(TcpStream::connect(self.addr).await.unwrap())
    }

    /// Sends `request` on a connection of its own and reads until the server closes.
    pub(crate) async fn exchange(&self, request: impl AsRef<[u8]>) -> String {
        let mut raw = self.connect().await;
        raw.send(request).await;
        raw.rest().await
    }

    pub(crate) async fn drained(&self) -> nexus::runtime::drain::DrainReport {
        self.drain
            .run(DrainPlan {
                not_ready: Duration::ZERO,
                deadline: PATIENCE,
            })
            .await
    }

    /// Waits until no connection is open.
    pub(crate) async fn all_closed(&self) {
        let closed = async {
            while self.gate.open() > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, closed)
            .await
            .expect("a connection stays open");
    }
}

/// A peer without any protocol of its own.
pub(crate) struct Raw(pub(crate) TcpStream);

impl Raw {
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        // A server that has already answered and closed is seen in what is read.
        let _ = self.0.write_all(bytes.as_ref()).await;
    }

    /// Everything until the server closes, which it must do.
    pub(crate) async fn rest(&mut self) -> String {
        let mut bytes = Vec::new();
        let read = tokio::time::timeout(PATIENCE, self.0.read_to_end(&mut bytes)).await;
        read.expect("the server does not close")
            .expect("the server resets");
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Whether the server closes without a word.
    pub(crate) async fn is_turned_away(&mut self) -> bool {
        let mut byte = [0];
        let read = tokio::time::timeout(PATIENCE, self.0.read(&mut byte)).await;
        matches!(read.expect("the server does not close"), Ok(0) | Err(_))
    }

    /// Reads until `end` has been seen.
    pub(crate) async fn until(&mut self, end: &str) -> String {
        let mut text = String::new();
        let read = async {
            while !text.contains(end) {
                let mut byte = [0];
                if self.0.read(&mut byte).await.unwrap() == 0 {
                    panic!("closed before {end:?}, after {text:?}");
                }
                text.push(char::from(byte[0]));
            }
        };
        tokio::time::timeout(PATIENCE, read).await.expect("no answer");
        text
    }
}
