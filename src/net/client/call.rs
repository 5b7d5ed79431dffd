//! What is asked: method, URL, who gave the URL, and the bounds of the answer.

use std::time::Duration;

use bytes::Bytes;
use hyper::{HeaderMap, Method};

/// Who gave the URL, which decides where it may lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Guard {
    /// A customer, a tenant or a message: public addresses only, TLS, the listed ports; never our own certificate.
    Public,
    /// The operator: also what the settings list as peers, any port, with or without TLS.
    Operator,
}

/// What becomes of an answer whose body is longer than was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Excess {
    /// The call fails.
    #[default]
    Refuse,
    /// The rest is not read; [`Answer::is_cut`](super::Answer::is_cut) says so. For those whose answer is the status.
    Cut,
}

/// One request.
#[derive(Clone, Debug)]
pub struct Call {
    /// The method.
    pub method: Method,
    /// `https://host[:port]/path?query`, in ASCII, without user and fragment.
    pub url: String,
    /// Who gave the URL.
    pub guard: Guard,
    /// Header fields. Those of the connection itself and of the body's length are not the caller's to set and are left
    /// out.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// The longest everything may take, at most [`Call::LONGEST`]; absent takes the setting.
    pub deadline: Option<Duration>,
    /// The most bytes of an answer's body; absent takes the setting.
    pub max_response: Option<usize>,
    /// What becomes of a longer one.
    pub excess: Excess,
}

impl Call {
    /// The longest any call may take: a long poll.
    pub const LONGEST: Duration = Duration::from_secs(120);

    /// A request without fields and body.
    pub fn new(method: Method, url: impl Into<String>, guard: Guard) -> Self {
        Self {
            method,
            url: url.into(),
            guard,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            deadline: None,
            max_response: None,
            excess: Excess::Refuse,
        }
    }

    /// A `GET`.
    pub fn get(url: impl Into<String>, guard: Guard) -> Self {
        Self::new(Method::GET, url, guard)
    }

    /// A `POST` of `body`.
    pub fn post(url: impl Into<String>, guard: Guard, body: impl Into<Bytes>) -> Self {
        Self {
            body: body.into(),
            ..Self::new(Method::POST, url, guard)
        }
    }
}
