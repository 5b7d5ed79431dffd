//! Serves one HTTP/1 connection.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;

use hyper::StatusCode;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::TokioTimer;

use super::body::Body;
use super::guard::{Connection, Guard, UnderWay};
use super::limits::HttpLimits;
use super::linger;
use super::response::{Answering, Response, Upgraded};
use super::service::{Service, closing, refused, without_forbidden_body};
use crate::net::address::Peer;
use crate::net::listener::Admission;
use crate::net::scratch::Scratch;
use crate::net::stream::Stream;
use crate::runtime::drain::{DrainToken, Phase};
use crate::telemetry::names;

/// Serves `stream` until it is closed by either side, leaves HTTP, or the drain closes it.
pub(crate) async fn serve(
    stream: Stream,
    peer: Peer,
    admission: Admission,
    service: Rc<dyn Service>,
    limits: Rc<HttpLimits>,
    scratch: Scratch,
    mut drain: DrainToken,
) {
    let connection = Rc::new(Connection::default());
    let mut guard = Guard::new(
        stream,
        scratch.clone(),
        Rc::clone(&limits),
        Rc::clone(&connection),
    );
    let mut calls = Calls {
        service,
        limits: Rc::clone(&limits),
        peer,
        connection: Rc::clone(&connection),
    };
    let mut closing = pin!(drain.reached(Phase::Closing));
    loop {
        // Boxed: between two requests there is no room kept for what serves them.
        let (ended, parts) = Box::pin(work(guard, calls, &limits, &connection, closing.as_mut())).await;
        let peer_may_send = parts.io.may_hold_back_bytes() || !parts.read_buf.is_empty();
        match ended {
            Ended::Rests => {
                (guard, calls) = match at_rest(parts) {
                    Ok(kept) => kept,
                    Err(error) => return tracing::debug!(%error, "resting connection lost"),
                };
                if rest(&mut guard, closing.as_mut()).await {
                    continue;
                }
                return linger::close(guard.into_stream(), &scratch, false, limits.linger).await;
            }
            Ended::Cut(error) => {
                tracing::debug!(%error, "http connection ended early");
                if !connection.is_broken() {
                    return;
                }
            }
            Ended::Done => {}
        }
        let stream = parts.io.into_stream();
        let Some(then) = connection.take_upgrade() else {
            return linger::close(stream, &scratch, peer_may_send, limits.linger).await;
        };
        return match stream.slim() {
            Ok(stream) => then(Upgraded {
                stream,
                already_read: parts.read_buf,
                peer,
                scratch,
                permits: admission,
            }),
            Err(error) => tracing::debug!(%error, "upgraded connection lost"),
        };
    }
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
async fn work(
    guard: Guard,
    calls: Calls,
    limits: &HttpLimits,
    connection: &Connection,
    mut closing: Pin<&mut impl Future<Output = ()>>,
) -> (Ended, http1::Parts<Guard, Calls>) {
    let mut http = http1::Builder::new()
        .timer(TokioTimer::new())
        // Heads are timed by the guard, which can still answer; this only backs it up.
        .header_read_timeout(limits.idle + limits.header * 2)
        .half_close(true)
        // Not `pipeline_flush`: it keeps answers back for requests that a closing connection never serves,
        // and then loses them; and it buffers a whole streamed answer in front of a pipelined request.
        .max_headers(limits.head.fields + 1)
        .max_buf_size((limits.head.bytes + 1024).max(64 * 1024))
        .serve_connection(guard, calls);
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
    (ended, http.into_parts())
}

/// What is kept of a connection that rests. Not hyper's buffer: even empty it is more than all the rest.
fn at_rest(parts: http1::Parts<Guard, Calls>) -> io::Result<(Guard, Calls)> {
    Ok((parts.io.rest(&parts.read_buf)?, parts.service))
}

/// Waits for the next request. `false`: the connection is to be closed.
async fn rest(guard: &mut Guard, mut closing: Pin<&mut impl Future<Output = ()>>) -> bool {
    let _counted = Resting::begin();
    poll_fn(|cx| match guard.poll_stirring(cx) {
        Poll::Ready(stirs) => Poll::Ready(stirs),
        Poll::Pending => closing.as_mut().poll(cx).map(|()| false),
    })
    .await
}

/// Counts a connection that rests.
struct Resting;

impl Resting {
    fn begin() -> Self {
        metrics::gauge!(names::CONNECTIONS_RESTING).increment(1.0);
        Self
    }
}

impl Drop for Resting {
    fn drop(&mut self) {
        metrics::gauge!(names::CONNECTIONS_RESTING).decrement(1.0);
    }
}

/// The service of one connection.
struct Calls {
    service: Rc<dyn Service>,
    limits: Rc<HttpLimits>,
    peer: Peer,
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
        let guard = size_of::<Guard>();
        assert!(resting <= 1_920, "a connection that rests: {resting} bytes");
        assert!(guard <= 512, "its guard: {guard} bytes");
    }
}
