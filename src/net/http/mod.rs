//! HTTP/1.1 and HTTP/2 on one connection, strict in what it takes and bounded in everything.
//!
//! hyper parses and writes; in front of it stands [`guard`](self), which judges the raw bytes of HTTP/1 first:
//! what could be read in two ways never reaches hyper. A refused request is replaced by a stand-in that hyper
//! can parse, so its answer keeps its place behind the answers of earlier requests, and nothing after it is
//! read.

mod authority;
mod body;
mod chunked;
mod framing;
mod guard;
mod h1;
mod h2;
mod head;
mod limits;
mod linger;
mod pace;
mod refusal;
mod response;
mod service;
mod writing;

pub use body::{Body, BodyError};
pub use head::HeadLimits;
pub use limits::HttpLimits;
pub use pace::Floor;
pub use refusal::Refusal;
pub use response::{Response, ResponseBody, Upgraded};
pub use service::{Request, Service};

pub(crate) use h1::serve as serve_h1;
pub(crate) use h2::serve as serve_h2;
