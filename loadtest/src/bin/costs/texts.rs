//! Text messages of an aggregator, as it sends them: forms, each signed and each new.

use anyhow::Result;
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hyper::Method;
use nexus::net::http::{Body, Request};

/// The address the aggregator calls the server by: what it signs begins with it.
pub const PUBLIC: &str = "https://digital.example.com";
const PATH: &str = "/nexus/v3/aggregators/twilio/ch-costs/inbound";
const TOKEN: &str = "costs-token";
const WORDS: &str = "Hello, I have a question about my order from last week: it has not arrived yet.";
/// Customers who write, in turn.
pub const CUSTOMERS: usize = 16;

/// The channel, as a file to provision.
pub const TENANT: &str = r#"
[[tenant]]
ccid = "7c1c0f0e-52a1-4a0b-9f38-1c2d3e4f5a6b"
sid = "costs"
name = "Costs"

[[tenant.queues]]
name = "costs.inbound"

[[tenant.endpoints]]
name = "costs-texts"
stream = "async"
mediaType = "sms"
queue = "costs.inbound"

[[tenant.channels]]
id = "ch-costs"
name = "Costs by Twilio"
media = "sms"
provider = "twilio"
address = "+12025550199"
endpoint = "costs-texts"
secret = "costs-token"
"#;

/// A text, ready to be sent.
pub struct Text {
    signature: String,
    body: Bytes,
}

impl Text {
    /// So many, of all customers in turn.
    pub fn many(count: usize) -> Vec<Self> {
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, TOKEN.as_bytes());
        (0..count).map(|id| Self::new(&key, id)).collect()
    }

    fn new(key: &hmac::Key, id: usize) -> Self {
        let (sid, from) = (format!("SM{id:032x}"), format!("1202555{:04}", id % CUSTOMERS));
        let signed = format!(
            "{PUBLIC}{PATH}AccountSidAC1Body{WORDS}From+{from}MessageSid{sid}NumMedia0To+12025550199"
        );
        let body = format!(
            "MessageSid={sid}&AccountSid=AC1&From=%2B{from}&To=%2B12025550199&Body={}&NumMedia=0",
            WORDS.replace(' ', "+")
        );
        Self {
            signature: STANDARD.encode(hmac::sign(key, signed.as_bytes())),
            body: body.into(),
        }
    }

    /// As a request.
    pub fn request(&self) -> Result<Request> {
        let request = hyper::Request::builder()
            .method(Method::POST)
            .uri(PATH)
            .header("content-type", "application/x-www-form-urlencoded")
            .header("x-twilio-signature", &self.signature);
        Ok(request.body(Body::whole(self.body.clone()))?)
    }
}
