//! The opening handshake: what an upgrade request must say, and the `101` that answers it.

use std::future::Future;
use std::rc::Rc;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::header::{
    CONNECTION, HeaderMap, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS,
    SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use hyper::{Method, StatusCode, Version};

use super::deflate;
use super::limits::SocketLimits;
use super::socket::Socket;
use crate::net::http::{Response, ResponseBody};

/// The suffix of RFC 6455 section 1.3.
const SUFFIX: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Why a request is no sound WebSocket upgrade.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeError {
    /// Not a `GET`.
    #[error("a websocket handshake is a get request")]
    Method,
    /// Not an upgrade to `websocket`, or not on HTTP/1.1.
    #[error("not a websocket upgrade")]
    NotAnUpgrade,
    /// A version other than 13.
    #[error("websocket version is not 13")]
    Version,
    /// No host, no connection token, or a key that is not 16 bytes.
    #[error("incomplete websocket handshake: {0}")]
    Incomplete(&'static str),
}

impl HandshakeError {
    /// The status it is answered with.
    pub fn status(self) -> StatusCode {
        match self {
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotAnUpgrade | Self::Version => StatusCode::UPGRADE_REQUIRED,
            Self::Incomplete(_) => StatusCode::BAD_REQUEST,
        }
    }

    /// The headers that belong to that status.
    pub fn headers(self, to: &mut HeaderMap) {
        match self {
            Self::Method => {
                to.insert(hyper::header::ALLOW, HeaderValue::from_static("GET"));
            }
            Self::NotAnUpgrade | Self::Version => {
                to.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
                to.insert(UPGRADE, HeaderValue::from_static("websocket"));
            }
            Self::Incomplete(_) => {}
        }
    }
}

/// A sound request for a WebSocket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    accept: HeaderValue,
    protocols: Vec<String>,
    deflate: bool,
}

impl Offer {
    /// Checks the upgrade request in `request`.
    ///
    /// # Errors
    /// [`HandshakeError`].
    pub fn of<B>(request: &hyper::Request<B>) -> Result<Self, HandshakeError> {
        let headers = request.headers();
        if request.method() != Method::GET {
            return Err(HandshakeError::Method);
        }
        if request.version() != Version::HTTP_11 || !has_token(headers, &UPGRADE, "websocket") {
            return Err(HandshakeError::NotAnUpgrade);
        }
        if !has_token(headers, &CONNECTION, "upgrade") {
            return Err(HandshakeError::Incomplete("no connection token"));
        }
        if !headers.contains_key(hyper::header::HOST) {
            return Err(HandshakeError::Incomplete("no host"));
        }
        match single(headers, &SEC_WEBSOCKET_VERSION) {
            Some(version) if version == "13" => {}
            _ => return Err(HandshakeError::Version),
        }
        let key = single(headers, &SEC_WEBSOCKET_KEY).ok_or(HandshakeError::Incomplete("no single key"))?;
        let decoded = STANDARD.decode(key.as_bytes());
        if !decoded.is_ok_and(|key| key.len() == 16) {
            return Err(HandshakeError::Incomplete("key is not 16 bytes"));
        }
        let protocols = values(headers, &SEC_WEBSOCKET_PROTOCOL)
            .map(str::to_owned)
            .collect();
        let deflate = headers
            .get_all(SEC_WEBSOCKET_EXTENSIONS)
            .iter()
            .any(|value| value.to_str().is_ok_and(deflate::is_acceptable));
        Ok(Self {
            accept: accept_key(key.as_bytes()),
            protocols,
            deflate,
        })
    }

    /// The subprotocols offered, in the client's order.
    pub fn protocols(&self) -> impl Iterator<Item = &str> {
        self.protocols.iter().map(String::as_str)
    }

    /// Takes the offer: a `101`, after which `run` runs with the socket as a task of its own. `protocol` must
    /// be one that was offered; compression is used if it was offered and `limits` allows it.
    pub fn accept<F>(
        &self,
        protocol: Option<&str>,
        limits: Rc<SocketLimits>,
        run: impl FnOnce(Socket) -> F + 'static,
    ) -> Response
    where
        F: Future<Output = ()> + 'static,
    {
        let deflate = self.deflate && limits.deflate;
        let mut response = Response::new(ResponseBody::upgrade(move |upgraded| {
            tokio::task::spawn_local(run(Socket::new(upgraded, limits, deflate, random())));
        }));
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(SEC_WEBSOCKET_ACCEPT, self.accept.clone());
        if let Some(protocol) = protocol.and_then(|protocol| HeaderValue::from_str(protocol).ok()) {
            headers.insert(SEC_WEBSOCKET_PROTOCOL, protocol);
        }
        if deflate {
            headers.insert(
                SEC_WEBSOCKET_EXTENSIONS,
                HeaderValue::from_static(deflate::ACCEPTED),
            );
        }
        response
    }
}

/// The `Sec-WebSocket-Accept` for a key.
fn accept_key(key: &[u8]) -> HeaderValue {
    let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, &[key, SUFFIX].concat());
    match HeaderValue::from_str(&STANDARD.encode(hash)) {
        Ok(value) => value,
        Err(_) => unreachable!("base64 is visible ASCII"),
    }
}

/// Spreads the first pings; without randomness they are merely not spread.
fn random() -> u64 {
    let mut bytes = [0; 8];
    let _ = aws_lc_rs::rand::fill(&mut bytes);
    u64::from_ne_bytes(bytes)
}

fn values<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let all = headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok());
    all.flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|value| !value.is_empty())
}

fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    values(headers, name).any(|value| value.eq_ignore_ascii_case(token))
}

fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut all = headers.get_all(name).iter();
    all.next().filter(|_| all.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn request(change: impl FnOnce(&mut HeaderMap)) -> hyper::Request<()> {
        let mut request = hyper::Request::new(());
        let headers = request.headers_mut();
        for (name, value) in [
            ("host", "example.com"),
            ("upgrade", "websocket"),
            ("connection", "keep-alive, Upgrade"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("sec-websocket-protocol", "ticket, v1"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        change(headers);
        request
    }

    #[test]
    fn the_example_of_the_rfc_gets_its_answer() {
        let offer = Offer::of(&request(|_| {})).unwrap();
        assert_eq!(offer.accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert_eq!(offer.protocols().collect::<Vec<_>>(), ["ticket", "v1"]);
    }

    #[test]
    fn incomplete_handshakes_are_refused_with_their_status() {
        let refused = |name: &'static str, value: Option<&'static str>| {
            let request = request(|headers| {
                headers.remove(name);
                if let Some(value) = value {
                    headers.insert(name, HeaderValue::from_static(value));
                }
            });
            Offer::of(&request).unwrap_err().status().as_u16()
        };
        assert_eq!(refused("upgrade", None), 426);
        assert_eq!(refused("upgrade", Some("h2c")), 426);
        assert_eq!(refused("connection", Some("close")), 400);
        assert_eq!(refused("host", None), 400);
        assert_eq!(refused("sec-websocket-version", Some("8")), 426);
        assert_eq!(refused("sec-websocket-version", None), 426);
        assert_eq!(refused("sec-websocket-key", None), 400);
        assert_eq!(refused("sec-websocket-key", Some("c2hvcnQ=")), 400);
        assert_eq!(refused("sec-websocket-key", Some("!!")), 400);
    }

    proptest! {
        #[test]
        fn no_header_values_panic(values in proptest::collection::vec("[ -~]{0,40}", 5)) {
            let names = [UPGRADE, CONNECTION, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_EXTENSIONS];
            for (name, value) in names.into_iter().zip(values) {
                let request = request(|headers| {
                    headers.insert(name, HeaderValue::from_str(&value).unwrap());
                });
                if let Ok(offer) = Offer::of(&request) {
                    prop_assert!(offer.protocols().all(|protocol| !protocol.is_empty()));
                }
            }
        }
    }
}
