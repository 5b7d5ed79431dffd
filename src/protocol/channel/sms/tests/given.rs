//! Callbacks to play with, and accounts that know their secrets.

use aws_lc_rs::{digest, hmac};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use serde_json::{Map, Value, json};

use crate::model::Millis;
use crate::protocol::channel::{
    Account, Callback, CallbackRequest, Forged, Provider, Unreadable, hex, provider,
};

pub(super) const NOW: Millis = Millis(1_700_000_000_000);
/// The dialects of this module.
pub(super) const NAMES: [&str; 7] = [
    "twilio",
    "vonage",
    "infobip",
    "sinch",
    "messagebird",
    "bandwidth",
    "kaleyra",
];
pub(super) const SECRET: &str = "planted-secret:1";

/// A callback that owns what a request borrows.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) method: &'static str,
    pub(super) url: String,
    pub(super) query: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Bytes,
}

impl Call {
    pub(super) fn post(provider: &str, verb: &str, content_type: &str, body: impl Into<Bytes>) -> Self {
        Self {
            method: "POST",
            url: format!("https://digital.example.com/nexus/v3/aggregators/{provider}/ch-1/{verb}"),
            query: String::new(),
            headers: vec![("content-type".into(), content_type.into())],
            body: body.into(),
        }
    }

    pub(super) fn form(provider: &str, verb: &str, body: &str) -> Self {
        Self::post(
            provider,
            verb,
            "application/x-www-form-urlencoded",
            body.to_owned(),
        )
    }

    pub(super) fn json(provider: &str, verb: &str, body: &Value) -> Self {
        Self::post(provider, verb, "application/json", body.to_string())
    }

    pub(super) fn get(provider: &str, verb: &str, query: &str) -> Self {
        let mut call = Self::form(provider, verb, "");
        call.method = "GET";
        call.query = query.to_owned();
        call
    }

    pub(super) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    pub(super) fn asks<R>(&self, now: Millis, question: impl FnOnce(&CallbackRequest<'_>) -> R) -> R {
        let headers: Vec<(&str, &str)> = self
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        question(&CallbackRequest {
            method: self.method,
            url: &self.url,
            query: &self.query,
            headers: &headers,
            body: &self.body,
            now,
        })
    }

    pub(super) fn verify(&self, name: &str, account: &Account) -> Result<(), Forged> {
        self.asks(NOW, |request| known(name).verify(request, account))
    }

    pub(super) fn inbound(&self, name: &str) -> Result<Vec<Callback>, Unreadable> {
        self.asks(NOW, |request| known(name).inbound(request))
    }

    pub(super) fn status(&self, name: &str) -> Result<Vec<Callback>, Unreadable> {
        self.asks(NOW, |request| known(name).status(request))
    }
}

pub(super) fn known(name: &str) -> &'static dyn Provider {
    provider(name).unwrap_or_else(|| panic!("no provider `{name}`"))
}

pub(super) fn account(secrets: &[&str], config: Value) -> Account {
    Account {
        secrets: secrets.iter().map(|secret| (*secret).to_owned().into()).collect(),
        config: match config {
            Value::Object(config) => config,
            _ => Map::new(),
        },
        ..Account::default()
    }
}

pub(super) fn tag(algorithm: hmac::Algorithm, secret: &str, text: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(algorithm, secret.as_bytes()), text.as_bytes())
        .as_ref()
        .to_vec()
}

pub(super) fn sha256(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

pub(super) fn token(algorithm: &str, secret: &str, claims: &Value) -> String {
    let hash = match algorithm {
        "HS384" => hmac::HMAC_SHA384,
        "HS512" => hmac::HMAC_SHA512,
        _ => hmac::HMAC_SHA256,
    };
    let header = URL_SAFE_NO_PAD.encode(json!({"alg": algorithm, "typ": "JWT"}).to_string());
    let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag(hash, secret, &signed)))
}

/// One good callback of each scheme that signs bytes: the provider, the callback, the account.
pub(super) fn signed() -> Vec<(&'static str, Call, Account)> {
    let form = "MessageSid=SM1&From=%2B12025550101&To=%2B12025550199&Body=Hi+there&NumMedia=0";
    let call = Call::form("twilio", "inbound", form);
    let text = format!(
        "{}BodyHi thereFrom+12025550101MessageSidSM1NumMedia0To+12025550199",
        call.url
    );
    let sha1 = STANDARD.encode(tag(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, SECRET, &text));
    let sha256_tag = STANDARD.encode(tag(hmac::HMAC_SHA256, SECRET, &text));
    let mut all = vec![
        (
            "twilio",
            call.clone().with("x-twilio-signature", sha1),
            account(&[SECRET], json!({})),
        ),
        (
            "twilio",
            call.with("x-twilio-signature", sha256_tag),
            account(&[SECRET], json!({"signature": "sha256"})),
        ),
    ];

    let mut call = Call::json(
        "twilio",
        "inbound",
        &json!({"MessageSid": "SM1", "From": "+12025550101", "Body": "Hi"}),
    );
    call.query = format!("bodySHA256={}", sha256(&call.body));
    let text = format!("{}?{}", call.url, call.query);
    let tag_of_json = STANDARD.encode(tag(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, SECRET, &text));
    all.push((
        "twilio",
        call.with("x-twilio-signature", tag_of_json),
        account(&[SECRET], json!({})),
    ));

    let text = "&messageId=0A1&msisdn=12025550101&nonce=n-1&text=Hi _ bye&timestamp=1700000000&to=12025550199&type=text";
    for (scheme, algorithm) in [
        ("sha256", hmac::HMAC_SHA256),
        ("sha512", hmac::HMAC_SHA512),
        ("sha1", hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY),
    ] {
        let query = format!(
            "msisdn=12025550101&to=12025550199&messageId=0A1&text=Hi+%26+bye&type=text&timestamp=1700000000&nonce=n-1&sig={}",
            hex(&tag(algorithm, SECRET, text))
        );
        let account = || account(&[SECRET], json!({"signature": scheme}));
        all.push(("vonage", Call::get("vonage", "inbound", &query), account()));
        all.push(("vonage", Call::form("vonage", "inbound", &query), account()));
    }
    let call = Call::json(
        "vonage",
        "inbound",
        &json!({"msisdn": "12025550101", "messageId": "0A1", "text": "Hi"}),
    );
    let claims = json!({"iat": 1_700_000_000, "jti": "j", "payload_hash": sha256(&call.body)});
    let bearer = format!("Bearer {}", token("HS256", SECRET, &claims));
    all.push((
        "vonage",
        call.with("authorization", bearer),
        account(&[SECRET], json!({"signature": "jwt"})),
    ));

    for algorithm in ["HS256", "HS384", "HS512"] {
        let mut call = Call::form("messagebird", "inbound", "id=m1&originator=12025550101&body=Hi");
        call.query = "a=1".into();
        let claims = json!({
            "iss": "MessageBird", "nbf": 1_699_999_990, "exp": 1_700_000_050, "jti": "j",
            "url_hash": sha256(format!("{}?a=1", call.url).as_bytes()), "payload_hash": sha256(&call.body),
        });
        let signature = token(algorithm, SECRET, &claims);
        let account = account(&[SECRET], json!({"algorithm": algorithm}));
        all.push((
            "messagebird",
            call.with("messagebird-signature-jwt", signature),
            account,
        ));
    }

    let call = Call::json(
        "sinch",
        "inbound",
        &json!({"type": "mo_text", "id": "01", "from": "12025550101", "body": "Hi"}),
    );
    let text = format!("{}.n-1.1700000000", String::from_utf8_lossy(&call.body));
    let signature = STANDARD.encode(tag(hmac::HMAC_SHA256, SECRET, &text));
    let call = call
        .with("x-sinch-webhook-signature", signature)
        .with("x-sinch-webhook-signature-nonce", "n-1")
        .with("x-sinch-webhook-signature-timestamp", "1700000000");
    all.push(("sinch", call, account(&[SECRET], json!({"auth": "hmac"}))));
    all
}

/// One good callback of each scheme whose proof is a secret alone.
pub(super) fn shared() -> Vec<(&'static str, Call, Account)> {
    let basic = format!("Basic {}", STANDARD.encode(SECRET));
    let mut all: Vec<_> = ["infobip", "sinch", "bandwidth", "kaleyra"]
        .into_iter()
        .map(|name| {
            let call = Call::json(name, "inbound", &json!({})).with("authorization", basic.clone());
            (name, call, account(&[SECRET], json!({})))
        })
        .collect();
    for name in ["infobip", "sinch"] {
        let call = Call::json(name, "inbound", &json!({})).with("x-token", SECRET);
        all.push((
            name,
            call,
            account(&[SECRET], json!({"auth": "header", "header": "X-Token"})),
        ));
    }
    let mut call = Call::json("kaleyra", "inbound", &json!({}));
    call.url.push('/');
    call.url.push_str(SECRET);
    all.push(("kaleyra", call, account(&[SECRET], json!({"auth": "token"}))));
    all
}
