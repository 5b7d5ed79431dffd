//! Serves one HTTP/1 connection.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;

use bytes::Bytes;
use hyper::StatusCode;
use hyper::body::Incoming;
use hyper::server::conn::http1;

use super::body::Body;
use super::guard::{Connection, Guard, Resting, UnderWay};
use super::limits::HttpLimits;
use super::linger;
use super::response::{Answering, OnUpgrade, Response, Upgraded};
use super::service::{Service, closing, refused, without_forbidden_body};
use crate::net::address::Peer;
use crate::net::listener::Admission;
use crate::net::scratch::Scratch;
use crate::net::stream::Stream;
use crate::runtime::drain::{DrainToken, Phase};
use crate::telemetry::names;

/// Fields of a head for which hyper has room on its stack; for more, it takes memory with each head. The guard counts them anyway.
const USUAL_FIELDS: usize = 100;

/// Serves `stream` until it is closed by either side, leaves HTTP, or the drain closes it. Holds [`Phase::Flushing`] open.
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
    let retain = drain.retain(Phase::Flushing);
    let mut resting = Resting::new(stream, &limits);
    let calls = Rc::new(Calls {
        service,
        limits,
        peer,
        scratch,
        connection: Rc::default(),
    });
    async move {
        let _until_the_last_answer = &retain;
        let mut closing = pin!(drain.reached(Phase::Closing));
        loop {
            // Boxed: between two requests there is no room kept for what serves them.
            resting = match Box::pin(work(resting, &calls, closing.as_mut())).await {
                Then::Rests(resting) => resting,
                Then::Over => return,
                Then::Leaves(then, stream, already_read) => {
                    return then(Upgraded {
                        stream,
                        already_read,
                        peer: calls.peer,
                        scratch: calls.scratch.clone(),
                        permits: admission,
                    });
                }
            };
            if !rest(&mut resting, closing.as_mut()).await {
                let stream = resting.into_stream();
                return Box::pin(linger::close(stream, &calls.scratch, false, calls.limits.linger)).await;
            }
        }
    }
}

/// What becomes of a connection that was at work.
enum Then {
    /// The last answer is out and nothing was asked for a while.
    Rests(Resting),
    /// It is closed.
    Over,
    /// It is HTTP no more. These bytes were read already.
    Leaves(OnUpgrade, Stream, Bytes),
}

/// Why hyper is done with a connection, for now or for good.
enum Ended {
    /// The last answer is out and nothing was asked for a while.
    Rests,
    /// HTTP is over.
    Done,
    /// It broke off.
    Cut(hyper::Error),
}

/// Serves requests until there are none for a while, or no more.
async fn work(begun: Resting, calls: &Rc<Calls>, mut closing: Pin<&mut impl Future<Output = ()>>) -> Then {
    let (limits, connection) = (&calls.limits, &calls.connection);
    let guard = Guard::new(
        begun,
        calls.scratch.clone(),
        Rc::clone(limits),
        Rc::clone(connection),
    );
    let mut builder = http1::Builder::new();
    builder
        // Heads are timed by the guard, which can still answer: a second timer would be made anew for each of them.
        .header_read_timeout(None)
        .half_close(true)
        // Not `pipeline_flush`: it keeps answers back for requests that a closing connection never serves,
        // and then loses them; and it buffers a whole streamed answer in front of a pipelined request.
        .max_buf_size((limits.head.bytes + 1024).max(64 * 1024));
    if limits.head.fields > USUAL_FIELDS {
        builder.max_headers(limits.head.fields);
    }
    let mut http = builder.serve_connection(guard, Rc::clone(calls));
    let mut leaving = false;
    let ended = poll_fn(|cx| {
        if !leaving && closing.as_mut().poll(cx).is_ready() {
            leaving = true;
            Pin::new(&mut http).graceful_shutdown();
        }
        match http.poll_without_shutdown(cx) {
            Poll::Ready(Ok(())) => Poll::Ready(Ended::Done),
            Poll::Ready(Err(error)) => Poll::Ready(Ended::Cut(error)),
            Poll::Pending if !leaving && connection.may_rest() => Poll::Ready(Ended::Rests),
            Poll::Pending => Poll::Pending,
        }
    })
    .await;
    let http1::Parts {
        io: guard, read_buf, ..
    } = http.into_parts();
    match ended {
        // Without hyper's buffer: even empty it is more than all else that rests.
        Ended::Rests => {
            return match guard.rest(&read_buf) {
                Ok(resting) => Then::Rests(resting),
                Err(error) => {
                    tracing::debug!(%error, "resting connection lost");
                    Then::Over
                }
            };
        }
        Ended::Cut(error) => {
            tracing::debug!(%error, "http connection ended early");
            if !connection.is_broken() {
                return Then::Over;
            }
        }
        Ended::Done => {}
    }
    let peer_may_send = guard.may_hold_back_bytes() || !read_buf.is_empty();
    let stream = guard.into_stream();
    let Some(then) = connection.take_upgrade() else {
        linger::close(stream, &calls.scratch, peer_may_send, limits.linger).await;
        return Then::Over;
    };
    match stream.slim() {
        Ok(stream) => Then::Leaves(then, stream, read_buf),
        Err(error) => {
            tracing::debug!(%error, "upgraded connection lost");
            Then::Over
        }
    }
}

/// Waits for the next request. `false`: the connection is to be closed.
async fn rest(resting: &mut Resting, mut closing: Pin<&mut impl Future<Output = ()>>) -> bool {
    let _counted = Counted::begin();
    poll_fn(|cx| match resting.poll_stirring(cx) {
        Poll::Ready(stirs) => Poll::Ready(stirs),
        Poll::Pending => closing.as_mut().poll(cx).map(|()| false),
    })
    .await
}

/// Counts a connection that rests.
struct Counted;

impl Counted {
    fn begin() -> Self {
        metrics::gauge!(names::CONNECTIONS_RESTING).increment(1.0);
        Self
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        metrics::gauge!(names::CONNECTIONS_RESTING).decrement(1.0);
    }
}

/// The service of one connection.
struct Calls {
    service: Rc<dyn Service>,
    limits: Rc<HttpLimits>,
    peer: Peer,
    scratch: Scratch,
    connection: Rc<Connection>,
}

impl hyper::service::Service<hyper::Request<Incoming>> for Calls {
    type Response = hyper::Response<Answering>;
    type Error = std::convert::Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>>>>;

    fn call(&self, request: hyper::Request<Incoming>) -> Self::Future {
        let (call, refusal) = self.connection.next_call();
        let under_way = UnderWay::on(&self.connection);
        let answering = |response: Response| response.map(|body| Answering::new(body, under_way));
        let service = Rc::clone(&self.service);
        if let Some((refusal, target)) = refusal {
            let method = request.method().clone();
            return Box::pin(async move {
                let response = closing(refused(service.as_ref(), refusal, target.as_deref()));
                Ok(answering(without_forbidden_body(&method, response)))
            });
        }
        let last = call + 1 >= u64::from(self.limits.max_requests);
        let connection = Rc::clone(&self.connection);
        let (peer, floor) = (self.peer, self.limits.body);
        Box::pin(async move {
            let method = request.method().clone();
            let wanted_upgrade = request.headers().contains_key(hyper::header::UPGRADE);
            let body_connection = Rc::clone(&connection);
            let request = request.map(|incoming| Body::arriving(incoming, floor, Some(body_connection)));
            let mut response = without_forbidden_body(&method, service.call(request, &peer).await);
            let upgrade = response.body_mut().take_upgrade();
            if response.status() == StatusCode::SWITCHING_PROTOCOLS
                && let Some(then) = upgrade
            {
                connection.set_upgrade(then);
                return Ok(answering(response));
            }
            if last || wanted_upgrade || connection.is_broken() {
                response = closing(response);
            }
            Ok(answering(response))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn future_of<A, F>(_: impl FnOnce(A) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn a_resting_connection_has_no_room_for_what_serves_requests() {
        let resting = future_of(|(stream, peer, admission, service, limits, scratch, drain)| {
            serve(stream, peer, admission, service, limits, scratch, drain)
        });
        // tokio adds 104 and takes it up to the next 128.
        assert!(resting <= 408, "a connection that rests: {resting} bytes");
        let shared = size_of::<Calls>() + size_of::<Connection>();
        assert!(shared <= 192, "what it shares with its requests: {shared} bytes");
    }
}
