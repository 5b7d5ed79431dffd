//! A node whose tenant keeps its contact history at a service of ours, and a customer of it.

use serde_json::{Value, json};

use crate::support::contacts::Contacts;
use crate::support::whole::{ADMIN_KEY, CCID, Whole};

/// A picture of one pixel.
pub(crate) const PNG: &[u8] =
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89\
    \0\0\0\rIDATx\x9cc\xf8\xcf\xc0\xf0\x1f\0\x05\0\x01\xff\x89\x99=\x1d\0\0\0\0IEND\xae\x42\x60\x82";

const KEY: &str = "11111111-2222-4333-8444-555555555555";
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

/// A node whose development tenant keeps its history at `url`.
pub(crate) fn node(url: &str, dialect: Option<&str>) -> Whole {
    let whole = Whole::start(&[]);
    keep(&whole, url, dialect);
    whole
}

/// Lets the development tenant keep its history at `url`.
pub(crate) fn keep(whole: &Whole, url: &str, dialect: Option<&str>) {
    let tenant = json!({"data": {"sid": "dev", "name": "Development", "region": "local", "timeZone": "Europe/Berlin",
        "staticAgentTokens": true, "ucsUrl": url, "ucsDialect": dialect}});
    let headers = [("x-api-key", ADMIN_KEY), ("content-type", "application/json")];
    let path = format!("/nexus/v3/tenants/{CCID}");
    let (status, answer) = whole.send("PUT", &path, &headers, tenant.to_string().as_bytes());
    assert_eq!(status, 200, "{answer}");
}

/// Takes the tenant's token from the same service.
pub(crate) fn guard(whole: &Whole, contacts: &Contacts) {
    contacts.guard();
    whole.provision(
        "gapis",
        json!({"name": "gws", "url": "http://127.0.0.1:1", "authinturl": contacts.url(), "clientid": "nexus_client",
            "clientsecret": "s3cret"}),
    );
}

pub(crate) struct Customer<'w> {
    whole: &'w Whole,
    pub(crate) token: String,
    pub(crate) session: String,
    participant: String,
}

impl<'w> Customer<'w> {
    pub(crate) const KEY: &'static str = KEY;

    pub(crate) fn open(whole: &'w Whole, data: &str) -> Self {
        Self::open_at(whole, "web", data)
    }

    pub(crate) fn open_at(whole: &'w Whole, endpoint: &str, data: &str) -> Self {
        let body = format!("data[endpoint]={endpoint}&{data}");
        let headers = [("x-api-key", KEY), FORM];
        let (status, answer) = whole.send("POST", "/nexus/v3/chat/sessions", &headers, body.as_bytes());
        assert_eq!(status, 200, "{answer}");
        let token = answer["data"]["clientToken"].as_str().unwrap().to_owned();
        let claims = token.split('.').nth(1).unwrap().trim_end_matches('=');
        use base64::Engine as _;
        let claims = base64::engine::general_purpose::STANDARD_NO_PAD
            .decode(claims)
            .unwrap();
        let claims: Value = serde_json::from_slice(&claims).unwrap();
        Self {
            whole,
            session: answer["data"]["entity"]["id"].as_str().unwrap().to_owned(),
            participant: claims["participantId"].as_str().unwrap().to_owned(),
            token,
        }
    }

    fn send(&self, method: &str, below: &str, body: &str) {
        let path = format!("/nexus/v3/chat/sessions/{}/{below}", self.session);
        let headers = [
            ("x-api-key", KEY),
            ("x-nexus-client-key", self.token.as_str()),
            FORM,
        ];
        let (status, answer) = self.whole.send(method, &path, &headers, body.as_bytes());
        assert_eq!(status, 200, "{answer}");
    }

    pub(crate) fn says(&self, text: &str) {
        let body = format!("operationId=1&data[type]=Text&data[text]={text}");
        self.send("POST", "messages", &body);
    }

    /// Sends a picture under a name.
    pub(crate) fn shows(&self, name: &str, picture: &[u8]) {
        let mut body = format!(
            "--XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
             Content-Type: image/png\r\n\r\n"
        )
        .into_bytes();
        body.extend_from_slice(picture);
        body.extend_from_slice(b"\r\n--XX--\r\n");
        let path = format!("/nexus/v3/chat/sessions/{}/images", self.session);
        let headers = [
            ("x-api-key", KEY),
            ("x-nexus-client-key", self.token.as_str()),
            ("content-type", "multipart/form-data; boundary=XX"),
        ];
        let (status, answer) = self.whole.send("POST", &path, &headers, &body);
        assert_eq!(status, 200, "{answer}");
    }

    /// Number and text of what the customer has been told.
    pub(crate) fn reads(&self) -> Vec<(u64, String)> {
        let path = format!("/nexus/v3/chat/sessions/{}/messages", self.session);
        let headers = [("x-api-key", KEY), ("x-nexus-client-key", self.token.as_str())];
        let (status, answer) = self.whole.send("GET", &path, &headers, b"");
        assert_eq!(status, 200, "{answer}");
        let messages = answer["data"]["messages"].as_array().unwrap();
        let told = messages.iter().filter_map(|message| {
            let text = message["text"].as_str().filter(|_| message["type"] == "Text")?;
            let index: u64 = message["index"].to_string().trim_matches('"').parse().unwrap();
            Some(((index - 1_000_000_000_000_000) / 10_000, text.to_owned()))
        });
        told.collect()
    }

    pub(crate) fn leaves(&self) {
        let below = format!("participants/{}", self.participant);
        self.send("DELETE", &below, "operationId=1");
    }
}

/// (type, text, audience) of the lines that have words.
pub(crate) fn words(transcript: &Value) -> Vec<(String, String, bool)> {
    let lines = transcript["lines"].as_array().unwrap();
    let words = lines.iter().filter_map(|line| {
        let text = line["text"].as_str()?.to_owned();
        Some((
            line["type"].as_str()?.to_owned(),
            text,
            line["audience"] == "agents",
        ))
    });
    words.collect()
}
