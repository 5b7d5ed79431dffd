//! The admin listener: health and metrics, on a thread and a runtime of its own, so that they answer while every
//! core is busy.
//!
//! `/health/live` asks only whether the cores still run their timers, never whether a dependency is well: a restart
//! does not heal a database. `/health/ready` is [`Readiness`]. `/health/startup` stays 200 once the node was ready.
//! `?verbose=1` adds the details. `/metrics` is the page of [`Metrics`].

use std::cell::Cell;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use metrics::{counter, gauge};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, oneshot};
use tokio::task::LocalSet;
use tokio::time::Instant;

use crate::runtime::ready::{Readiness, Ready};
use crate::runtime::{DrainToken, Phase};
use crate::telemetry::{Logs, Metrics, names};

/// A core this late with its timers does not run any more.
const DEAD_CORE: Duration = Duration::from_secs(30);
/// A connection lives no longer than this, whatever it does.
const CONNECTION: Duration = Duration::from_secs(60);
/// Connections at once; more wait in the kernel.
const CONNECTIONS: usize = 64;
/// How often samples are folded into histograms.
const UPKEEP: Duration = Duration::from_secs(5);

/// What the admin listener tells.
#[derive(Clone)]
pub struct Health {
    /// Whether traffic may come.
    pub readiness: Readiness,
    /// Where the process is in its life.
    pub drain: DrainToken,
    /// The numbers.
    pub metrics: Metrics,
    /// The log, for the lines it lost; absent where nothing is logged.
    pub logs: Option<Logs>,
}

/// The running admin listener. Dropping it stops it.
#[derive(Debug)]
pub struct HealthServer {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl HealthServer {
    /// Binds `address` and answers on it from a thread of its own.
    ///
    /// # Errors
    /// When the address cannot be bound or the thread not be started.
    pub fn start(address: SocketAddr, health: Health) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name("admin".to_owned())
            .spawn(move || {
                LocalSet::new().block_on(&runtime, async {
                    tokio::select! {
                        _ = stopped => {}
                        ended = serve(listener, health) => {
                            if let Err(error) = ended {
                                tracing::error!(%error, "the admin listener ended");
                            }
                        }
                    }
                });
            })?;
        Ok(Self {
            address,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for HealthServer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Told {
    health: Health,
    since: Instant,
    was_ready: Cell<bool>,
    places: Arc<Semaphore>,
}

async fn serve(listener: std::net::TcpListener, health: Health) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let told = Rc::new(Told {
        health,
        since: Instant::now(),
        was_ready: Cell::new(false),
        places: Arc::new(Semaphore::new(CONNECTIONS)),
    });
    let mut upkeep = tokio::time::interval(UPKEEP);
    loop {
        tokio::select! {
            _ = upkeep.tick() => {
                told.health.metrics.upkeep();
                told.look();
            }
            () = accept(&listener, &told) => {}
        }
    }
}

async fn accept(listener: &TcpListener, told: &Rc<Told>) {
    // A place is taken before accepting, so that a flood waits in the kernel. The semaphore is never closed.
    let Ok(place) = Arc::clone(&told.places).acquire_owned().await else {
        return;
    };
    match listener.accept().await {
        Ok((stream, _)) => {
            let told = Rc::clone(told);
            tokio::task::spawn_local(async move {
                let _ = tokio::time::timeout(CONNECTION, connection(stream, &told)).await;
                drop(place);
            });
        }
        Err(error) => {
            tracing::warn!(%error, "the admin listener cannot accept");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

async fn connection(stream: TcpStream, told: &Rc<Told>) {
    let answer = service_fn(|request: Request<Incoming>| {
        let response = told.answer(&request);
        async move { Ok::<_, Infallible>(response) }
    });
    // A peer that breaks off is its own business.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(10))
        .max_buf_size(16 * 1024)
        .serve_connection(TokioIo::new(stream), answer)
        .await;
}

impl Told {
    fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        if request.method() != Method::GET && request.method() != Method::HEAD {
            let mut response = plain(
                StatusCode::METHOD_NOT_ALLOWED,
                "text/plain",
                "GET only\n".to_owned(),
            );
            response
                .headers_mut()
                .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return response;
        }
        let verbose = request
            .uri()
            .query()
            .is_some_and(|query| query.split('&').any(|pair| pair == "verbose=1"));
        match request.uri().path() {
            "/health/live" => self.state(self.live(), verbose),
            "/health/ready" => self.state(self.ready(), verbose),
            "/health/startup" => self.state(self.startup(), verbose),
            "/metrics" => self.page(),
            _ => plain(StatusCode::NOT_FOUND, "text/plain", "not here\n".to_owned()),
        }
    }

    /// Notes whether the node was ready once; called at every look and every few seconds.
    fn look(&self) -> Ready {
        let state = self.health.readiness.state();
        if state == Ready::Yes {
            self.was_ready.set(true);
        }
        state
    }

    fn live(&self) -> (bool, &'static str) {
        if self.health.metrics.worst_lag() < DEAD_CORE {
            (true, "live")
        } else {
            (false, "stuck")
        }
    }

    fn ready(&self) -> (bool, &'static str) {
        match self.look() {
            Ready::Yes => (true, "ready"),
            Ready::Waiting(_) => (false, "waiting"),
            Ready::Draining => (false, "draining"),
        }
    }

    fn startup(&self) -> (bool, &'static str) {
        self.look();
        if self.was_ready.get() {
            (true, "started")
        } else {
            (false, "starting")
        }
    }

    fn state(&self, (well, word): (bool, &'static str), verbose: bool) -> Response<Full<Bytes>> {
        let status = if well {
            StatusCode::OK
        } else {
            StatusCode::SERVICE_UNAVAILABLE
        };
        let mut body = json!({ "status": word });
        if verbose {
            self.details(&mut body);
        }
        plain(status, "application/json", format!("{body}\n"))
    }

    fn details(&self, body: &mut Value) {
        let waiting = match self.health.readiness.state() {
            Ready::Waiting(parts) => parts,
            Ready::Yes | Ready::Draining => Vec::new(),
        };
        body["waitingFor"] = json!(waiting);
        body["phase"] = json!(self.health.drain.phase().name());
        body["upSeconds"] = json!(self.since.elapsed().as_secs());
        body["lagMilliseconds"] = json!(self.health.metrics.worst_lag().as_secs_f64() * 1_000.0);
        body["version"] = json!(env!("CARGO_PKG_VERSION"));
    }

    fn page(&self) -> Response<Full<Bytes>> {
        let ready = self.look() == Ready::Yes;
        gauge!(names::READY).set(if ready { 1.0 } else { 0.0 });
        gauge!(names::DRAIN).set(ordinal(self.health.drain.phase()));
        if let Some(logs) = &self.health.logs {
            counter!(names::LOG_LINES_DROPPED).absolute(logs.dropped());
        }
        let page = self.health.metrics.render();
        plain(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", page)
    }
}

fn ordinal(phase: Phase) -> f64 {
    match phase {
        Phase::Running => 0.0,
        Phase::NotReady => 1.0,
        Phase::Closing => 2.0,
        Phase::Flushing => 3.0,
        Phase::Released => 4.0,
        Phase::Stopped => 5.0,
    }
}

fn plain(status: StatusCode, kind: &'static str, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
