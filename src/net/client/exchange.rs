//! One request and its answer on one connection, HTTP/1.1 or HTTP/2.
//!
//! Header fields that speak of the connection are ours alone, so a caller's value cannot split or smuggle a request.

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Incoming};
use hyper::client::conn::{TrySendError, http1, http2};
use hyper::header::{
    CONNECTION, CONTENT_LENGTH, EXPECT, HOST, HeaderName, HeaderValue, TE, TRAILER, TRANSFER_ENCODING,
    UPGRADE, USER_AGENT,
};
use hyper::rt::{Read, Write};
use hyper::{HeaderMap, Method, Request, Response, Uri};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::task::JoinHandle;

use crate::telemetry::names;

use super::connect::Connected;
use super::{Answer, CallError, ErrorClass, Excess, Target};

/// Most bytes of an answer's head.
const MOST_HEAD: usize = 16 * 1024;
/// Most fields of an answer's head.
const MOST_FIELDS: usize = 100;
/// What a peer may send ahead of our reading, a stream and a connection of HTTP/2.
const WINDOW: u32 = 64 * 1024;

/// Fields of the connection, which are not the caller's.
const NOT_THE_CALLERS: [HeaderName; 10] = [
    CONNECTION,
    CONTENT_LENGTH,
    EXPECT,
    HOST,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// The task that moves a connection's bytes; dropping it closes the connection at once.
#[derive(Debug)]
pub(super) struct Driven(JoinHandle<()>);

impl Driven {
    fn new<E>(connection: impl Future<Output = Result<(), E>> + Send + 'static) -> Self {
        metrics::gauge!(names::OUTBOUND_CONNECTIONS).increment(1.0);
        Self(tokio::spawn(async move {
            // Whoever waits for an answer hears of the error there.
            let _ = connection.await;
        }))
    }
}

impl Drop for Driven {
    fn drop(&mut self) {
        metrics::gauge!(names::OUTBOUND_CONNECTIONS).decrement(1.0);
        self.0.abort();
    }
}

/// A connection that takes requests.
#[derive(Debug)]
pub(super) enum Link {
    /// One request after another.
    One(http1::SendRequest<Full<Bytes>>, Driven),
    /// Many at once.
    Many(http2::SendRequest<Full<Bytes>>, Driven),
}

/// A request that may be written more than once, in the form each protocol wants.
pub(super) struct Wanted<'a> {
    pub(super) method: &'a Method,
    pub(super) target: &'a Target,
    pub(super) headers: &'a HeaderMap,
    pub(super) body: &'a Bytes,
}

/// Why there is no answer.
pub(super) enum NoAnswer {
    /// Not a byte of the request left.
    Unsent(CallError),
    /// The peer may have it.
    Lost(CallError),
}

impl Link {
    /// Speaks HTTP on a connection, as its TLS handshake agreed.
    pub(super) async fn over(connected: Connected) -> Result<Self, CallError> {
        let link = match connected {
            Connected::Plain(tcp) => one(TokioIo::new(tcp)).await,
            Connected::Tls(tls) if tls.get_ref().1.alpn_protocol() == Some(b"h2") => {
                many(TokioIo::new(tls)).await
            }
            Connected::Tls(tls) => one(TokioIo::new(tls)).await,
        };
        link.map_err(|error| CallError::new(ErrorClass::Answer, error))
    }

    /// Sends a request on HTTP/1.1 and waits for the head of its answer. An error ends the connection.
    pub(super) async fn exchange(
        send: &mut http1::SendRequest<Full<Bytes>>,
        wanted: &Wanted<'_>,
    ) -> Result<Response<Incoming>, NoAnswer> {
        let request = wanted.with_host()?;
        send.try_send_request(request).await.map_err(no_answer)
    }

    /// The same on HTTP/2.
    pub(super) async fn exchange_many(
        send: &mut http2::SendRequest<Full<Bytes>>,
        wanted: &Wanted<'_>,
    ) -> Result<Response<Incoming>, NoAnswer> {
        let request = wanted.with_uri()?;
        send.try_send_request(request).await.map_err(no_answer)
    }
}

fn no_answer(mut error: TrySendError<Request<Full<Bytes>>>) -> NoAnswer {
    let unsent = error.take_message().is_some();
    let error = CallError::new(ErrorClass::Answer, whole_story(error.error()));
    if unsent {
        NoAnswer::Unsent(error)
    } else {
        NoAnswer::Lost(error.reached(true))
    }
}

/// An error and what caused it.
fn whole_story(error: &dyn std::error::Error) -> String {
    let mut story = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        story.push_str(": ");
        story.push_str(&error.to_string());
        cause = error.source();
    }
    story
}

async fn one<T: Read + Write + Unpin + Send + 'static>(io: T) -> Result<Link, hyper::Error> {
    let (send, connection) = http1::Builder::new()
        .max_headers(MOST_FIELDS)
        .max_header_size(MOST_HEAD)
        .handshake(io)
        .await?;
    Ok(Link::One(send, Driven::new(connection)))
}

async fn many<T: Read + Write + Unpin + Send + 'static>(io: T) -> Result<Link, hyper::Error> {
    let (send, connection) = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(MOST_HEAD).unwrap_or(u32::MAX))
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW * 16)
        .handshake(io)
        .await?;
    Ok(Link::Many(send, Driven::new(connection)))
}

impl Wanted<'_> {
    fn with_host(&self) -> Result<Request<Full<Bytes>>, NoAnswer> {
        let mut request = self.request(Uri::from(self.target.path().clone()))?;
        let host = HeaderValue::from_str(&self.target.authority()).map_err(malformed)?;
        request.headers_mut().insert(HOST, host);
        Ok(request)
    }

    fn with_uri(&self) -> Result<Request<Full<Bytes>>, NoAnswer> {
        let uri = Uri::builder()
            .scheme(if self.target.is_tls() { "https" } else { "http" })
            .authority(self.target.authority())
            .path_and_query(self.target.path().clone());
        self.request(uri.build().map_err(malformed)?)
    }

    fn request(&self, uri: Uri) -> Result<Request<Full<Bytes>>, NoAnswer> {
        let request = Request::builder().method(self.method).uri(uri);
        let mut request = request.body(Full::new(self.body.clone())).map_err(malformed)?;
        let headers = request.headers_mut();
        *headers = self.headers.clone();
        for name in &NOT_THE_CALLERS {
            headers.remove(name);
        }
        headers
            .entry(USER_AGENT)
            .or_insert(HeaderValue::from_static(concat!(
                "nexus/",
                env!("CARGO_PKG_VERSION")
            )));
        Ok(request)
    }
}

fn malformed(error: impl std::fmt::Display) -> NoAnswer {
    NoAnswer::Unsent(CallError::new(ErrorClass::Url, error))
}

/// Reads an answer to its end, or to `most` bytes.
pub(super) async fn read(
    response: Response<Incoming>,
    most: usize,
    excess: Excess,
) -> Result<Answer, CallError> {
    let (head, mut body) = response.into_parts();
    let announced = body.size_hint().exact().unwrap_or(0);
    let too_large = || CallError::new(ErrorClass::TooLarge, format!("more than {most} bytes")).reached(true);
    if excess == Excess::Refuse && announced > u64::try_from(most).unwrap_or(u64::MAX) {
        return Err(too_large());
    }
    let mut answer = Answer {
        status: head.status,
        headers: head.headers,
        body: Bytes::new(),
        cut: false,
    };
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame =
            frame.map_err(|error| CallError::new(ErrorClass::Answer, whole_story(&error)).reached(true))?;
        let Ok(mut data) = frame.into_data() else { continue };
        let room = most - whole.len();
        if data.len() > room {
            if excess == Excess::Refuse {
                return Err(too_large());
            }
            data.truncate(room);
            answer.cut = true;
        }
        // The usual answer is one piece, which is not copied.
        if whole.is_empty() && answer.body.is_empty() && body.is_end_stream() {
            answer.body = data;
            return Ok(answer);
        }
        whole.extend_from_slice(&data);
        if answer.cut {
            break;
        }
    }
    answer.body = whole.freeze();
    Ok(answer)
}
