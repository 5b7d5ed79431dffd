//! Serves one HTTP/2 connection.
//!
//! Framing is the h2 crate's; this file sets conservative limits on it and adds what it lacks: the same rules
//! for the authority as HTTP/1, an end for idle connections, and an end for peers that do not take the
//! answers they asked for (a zero window costs them nothing and us a buffer each).

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use hyper::header::HOST;
use hyper::server::conn::http2;
use hyper_util::rt::TokioTimer;
use tokio::io::AsyncWrite;
use tokio::time::{Instant, Sleep};

use super::authority;
use super::body::Body;
use super::limits::HttpLimits;
use super::refusal::Refusal;
use super::response::ResponseBody;
use super::service::{Service, refused, without_forbidden_body};
use super::writing::WritePace;
use crate::net::address::Peer;
use crate::net::listener::Admission;
use crate::net::scratch::Scratch;
use crate::net::stream::Stream;
use crate::runtime::drain::{DrainToken, Phase};

/// Windows after Envoy's guide for edge proxies.
const STREAM_WINDOW: u32 = 64 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;
const SEND_BUFFER: usize = 64 * 1024;
/// Streams a peer may open and reset again before the connection is ended.
const RESETS: usize = 20;

/// Serves `stream` until it is closed by either side or the drain closes it. Holds [`Phase::Flushing`] open.
// An `async fn` would keep room for its arguments twice: where they come in, and where they are moved to.
pub(crate) fn serve(
    stream: Stream,
    peer: Peer,
    admission: Admission,
    service: Rc<dyn Service>,
    limits: Rc<HttpLimits>,
    scratch: Scratch,
    mut drain: DrainToken,
) -> impl Future<Output = ()> {
    let held = (admission, drain.retain(Phase::Flushing));
    async move {
        let _until_it_is_closed = &held;
        // Unlike the machine above it, the record layer is one that rests.
        match stream.slim() {
            Ok(stream) => converse(stream, peer, service, limits, scratch, &mut drain).await,
            Err(error) => tracing::debug!(%error, "http2 connection lost"),
        }
    }
}

async fn converse(
    stream: Stream,
    peer: Peer,
    service: Rc<dyn Service>,
    limits: Rc<HttpLimits>,
    scratch: Scratch,
    drain: &mut DrainToken,
) {
    let activity = Rc::new(Activity::new());
    let writing = WritePace::new(limits.write);
    let calls = Calls {
        service,
        limits: Rc::clone(&limits),
        peer,
        activity: Rc::clone(&activity),
    };
    let mut builder = http2::Builder::new(Local);
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BUFFER)
        .max_header_list_size(u32::try_from(limits.head.bytes).unwrap_or(u32::MAX))
        .max_pending_accept_reset_streams(RESETS)
        .max_local_error_reset_streams(RESETS)
        .keep_alive_interval(limits.idle / 2)
        .keep_alive_timeout(limits.header);
    let passage = Passage {
        stream,
        scratch,
        writing,
        left: Bytes::new(),
    };
    let mut http = pin!(builder.serve_connection(passage, calls));

    let mut leaving = false;
    let mut closing = pin!(drain.reached(Phase::Closing));
    let mut watch = pin!(tokio::time::sleep(limits.header));
    let ended = poll_fn(|cx| {
        if !leaving && closing.as_mut().poll(cx).is_ready() {
            leaving = true;
            http.as_mut().graceful_shutdown();
        }
        if let Poll::Ready(ended) = http.as_mut().poll(cx) {
            return Poll::Ready(Some(ended));
        }
        match activity.poll_limits(&limits, watch.as_mut(), cx) {
            Poll::Ready(Exhausted::Stalled) => return Poll::Ready(None),
            Poll::Ready(Exhausted::Idle) if leaving => return Poll::Ready(None),
            Poll::Ready(Exhausted::Idle) => {
                leaving = true;
                http.as_mut().graceful_shutdown();
                cx.waker().wake_by_ref();
            }
            Poll::Pending => {}
        }
        Poll::Pending
    })
    .await;
    if let Some(Err(error)) = ended {
        tracing::debug!(%error, "http2 connection ended early");
    }
}

/// What happens on a connection, as far as its deadlines care.
struct Activity {
    calls: Cell<u32>,
    open: Cell<usize>,
    /// When the peer last took a piece of an answer, asked for one, or got one.
    progress: Cell<Instant>,
    /// Answers that hyper holds because the peer has not taken them.
    sending: Cell<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exhausted {
    Idle,
    Stalled,
}

impl Activity {
    fn new() -> Self {
        let progress = Cell::new(Instant::now());
        Self {
            calls: Cell::new(0),
            open: Cell::new(0),
            progress,
            sending: Cell::new(0),
        }
    }

    fn touch(&self) {
        self.progress.set(Instant::now());
    }

    fn poll_limits(
        &self,
        limits: &HttpLimits,
        mut watch: Pin<&mut Sleep>,
        cx: &mut Context<'_>,
    ) -> Poll<Exhausted> {
        loop {
            let (allowed, exhausted) = match (self.open.get(), self.sending.get()) {
                (0, _) if self.calls.get() == 0 => (limits.header, Exhausted::Idle),
                (0, _) if self.calls.get() >= limits.max_requests => (Duration::ZERO, Exhausted::Idle),
                (0, _) => (limits.idle, Exhausted::Idle),
                (_, 0) => (limits.idle, Exhausted::Stalled),
                _ => (limits.write.grace, Exhausted::Stalled),
            };
            let deadline = self.progress.get() + allowed;
            if Instant::now() >= deadline {
                if exhausted == Exhausted::Stalled && self.sending.get() == 0 {
                    // A handler is at work; how long it may take is its own business.
                    self.touch();
                    continue;
                }
                return Poll::Ready(exhausted);
            }
            if watch.deadline() != deadline {
                watch.as_mut().reset(deadline);
            }
            ready!(watch.as_mut().poll(cx));
        }
    }
}

/// An answer on its way, counted until hyper is done with it.
struct Sending {
    body: ResponseBody,
    activity: Rc<Activity>,
}

impl Sending {
    fn new(body: ResponseBody, activity: Rc<Activity>) -> Self {
        activity.sending.set(activity.sending.get() + 1);
        activity.touch();
        Self { body, activity }
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        self.activity.sending.set(self.activity.sending.get() - 1);
        self.activity.open.set(self.activity.open.get() - 1);
        self.activity.touch();
    }
}

impl HttpBody for Sending {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        self.activity.touch();
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Counts a request until its answer takes over.
struct Open(Option<Rc<Activity>>);

impl Open {
    fn new(activity: Rc<Activity>) -> Self {
        activity.open.set(activity.open.get() + 1);
        activity.calls.set(activity.calls.get().saturating_add(1));
        activity.touch();
        Self(Some(activity))
    }

    fn answer(mut self, response: super::Response) -> hyper::Response<Sending> {
        match self.0.take() {
            Some(activity) => response.map(|body| Sending::new(body, activity)),
            None => unreachable!("an open request is answered once, by value"),
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if let Some(activity) = self.0.take() {
            activity.open.set(activity.open.get() - 1);
            activity.touch();
        }
    }
}

/// The service of one connection.
struct Calls {
    service: Rc<dyn Service>,
    limits: Rc<HttpLimits>,
    peer: Peer,
    activity: Rc<Activity>,
}

impl hyper::service::Service<hyper::Request<Incoming>> for Calls {
    type Response = hyper::Response<Sending>;
    type Error = std::convert::Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>>>>;

    fn call(&self, request: hyper::Request<Incoming>) -> Self::Future {
        let open = Open::new(Rc::clone(&self.activity));
        let service = Rc::clone(&self.service);
        let (peer, floor) = (self.peer, self.limits.body);
        let head = self.limits.head;
        Box::pin(async move {
            let method = request.method().clone();
            let response = match check(&request, &head) {
                Ok(()) => {
                    service
                        .call(request.map(|body| Body::arriving(body, floor, None)), &peer)
                        .await
                }
                Err(refusal) => refused(service.as_ref(), refusal, Some(request.uri().path())),
            };
            Ok(open.answer(without_forbidden_body(&method, response)))
        })
    }
}

/// The rules that HTTP/1 requests have already met when they get here.
fn check<B>(request: &hyper::Request<B>, limits: &super::HeadLimits) -> Result<(), Refusal> {
    let Some(named) = request.uri().authority() else {
        return Err(Refusal::Malformed("no authority"));
    };
    if !authority::is_valid(named.as_str().as_bytes()) {
        return Err(Refusal::Malformed("invalid authority"));
    }
    let mut hosts = request.headers().get_all(HOST).iter();
    if let Some(host) = hosts.next()
        && (hosts.next().is_some() || !host.as_bytes().eq_ignore_ascii_case(named.as_str().as_bytes()))
    {
        return Err(Refusal::Malformed("authority and host disagree"));
    }
    if request
        .uri()
        .path_and_query()
        .is_some_and(|target| target.as_str().len() > limits.request_line)
    {
        return Err(Refusal::TargetTooLong);
    }
    if request.headers().len() > limits.fields {
        return Err(Refusal::FieldsTooLarge);
    }
    let expect = request.headers().get(hyper::header::EXPECT);
    if expect.is_some_and(|value| !value.as_bytes().eq_ignore_ascii_case(b"100-continue")) {
        return Err(Refusal::Expectation);
    }
    Ok(())
}

/// Runs hyper's stream tasks on the core they belong to.
#[derive(Clone, Copy, Debug)]
struct Local;

impl<F> hyper::rt::Executor<F> for Local
where
    F: Future + 'static,
    F::Output: 'static,
{
    fn execute(&self, task: F) {
        tokio::task::spawn_local(task);
    }
}

/// The connection as hyper sees it: reads through the core's buffer, writes no slower than the floor.
struct Passage {
    stream: Stream,
    scratch: Scratch,
    writing: WritePace,
    /// What was read and not asked for yet: whole records are read, whatever room there is for them.
    left: Bytes,
}

impl hyper::rt::Read for Passage {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut to: hyper::rt::ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let Self {
            stream,
            scratch,
            left,
            ..
        } = self.get_mut();
        if left.is_empty() {
            ready!(scratch.with(|buffer| {
                let count = ready!(stream.poll_read_into(cx, buffer))?;
                let here = count.min(to.remaining());
                to.put_slice(&buffer[..here]);
                *left = Bytes::copy_from_slice(&buffer[here..count]);
                Poll::Ready(Ok::<_, io::Error>(()))
            }))?;
        } else {
            let here = left.len().min(to.remaining());
            to.put_slice(&left.split_to(here));
        }
        if left.is_empty() {
            // Not even an empty piece of what was there.
            *left = Bytes::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl hyper::rt::Write for Passage {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[io::IoSlice::new(bytes)])
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { stream, writing, .. } = self.get_mut();
        writing.poll_flush(stream, cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let Self { stream, writing, .. } = self.get_mut();
        writing.poll_write(stream, cx, slices)
    }
}
