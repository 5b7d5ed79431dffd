//! Messages of each provider of texts and of a custom client: a callback in (verify and read), a send out; and a signed notice of webhooks.

use std::hint::black_box;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use nexus::model::{LogId, Media, Millis};
use nexus::protocol::channel::third_party::ThirdParty;
use nexus::protocol::channel::{Account, CallbackRequest, Outbound, Provider, form, hex, provider};
use nexus::protocol::{hub_signature, webhook};
use serde_json::{Value, json};

use aws_lc_rs::{digest, hmac};

const SECRET: &str = "user:password";
const URL: &str = "https://digital.example.com/nexus/v3/aggregators/x/ch-1/inbound";
const TEXT: &str = "Hello, my order 7 has not come yet. Can you look where it is? Thank you";
const NAMES: [&str; 8] = [
    "third-party",
    "twilio",
    "vonage",
    "infobip",
    "sinch",
    "messagebird",
    "bandwidth",
    "kaleyra",
];

fn tag(algorithm: hmac::Algorithm, text: &str) -> Vec<u8> {
    let key = hmac::Key::new(algorithm, SECRET.as_bytes());
    hmac::sign(&key, text.as_bytes()).as_ref().to_vec()
}

fn sha256(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

fn account(name: &str) -> Account {
    let credentials = json!({"accountSid": "AC1", "authToken": "t", "apiKey": "k", "apiSecret": "s", "apiToken": "t",
        "accessKey": "k", "user": "u", "password": "p"});
    let config = json!({"servicePlanId": "p", "accountId": "5", "applicationId": "a"});
    Account {
        secrets: vec![SECRET.to_owned().into()],
        credentials: Some(credentials.to_string().into()),
        config: config.as_object().cloned().unwrap_or_default(),
        url: ["kaleyra", "third-party"]
            .contains(&name)
            .then(|| "https://api.example.com".to_owned()),
    }
}

/// The body of a callback, its content type and the header that proves it.
fn callback(name: &str) -> (Bytes, &'static str, (&'static str, String)) {
    let basic = ("authorization", format!("Basic {}", STANDARD.encode(SECRET)));
    let (form_type, json_type) = ("application/x-www-form-urlencoded", "application/json");
    let (from, to) = ("12025550101", "12025550199");
    let sinch = json!({"type": "mo_text", "id": "01FC66621", "from": from, "to": to, "body": TEXT,
        "received_at": "2023-11-14T22:13:20.000Z"});
    let infobip = json!({"results": [{"messageId": "1", "from": from, "to": to, "text": TEXT, "cleanText": TEXT,
        "receivedAt": "2023-11-14T22:13:20.000+0000", "smsCount": 1}], "messageCount": 1, "pendingMessageCount": 0});
    let bandwidth = json!([{"type": "message-received", "time": "2023-11-14T22:13:20Z", "to": to,
        "message": {"id": "1", "owner": to, "from": from, "to": [to], "text": TEXT, "segmentCount": 1}}]);
    let of = |value: &Value| Bytes::from(value.to_string());
    let third_party = json!({"id": "1", "type": "Text", "from": {"id": from, "nickname": "Ann"}, "to": {"id": to}, "text": TEXT});
    match name {
        "twilio" => {
            let fields = [
                ("Body", TEXT),
                ("From", "+12025550101"),
                ("MessageSid", "SM1"),
                ("NumMedia", "0"),
                ("To", "+12025550199"),
            ];
            let signed: String = fields.iter().flat_map(|(name, value)| [*name, *value]).collect();
            let tag = tag(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &format!("{URL}{signed}"));
            (
                form::encode(&fields).into(),
                form_type,
                ("x-twilio-signature", STANDARD.encode(tag)),
            )
        }
        "vonage" => {
            let fields = [
                ("messageId", "1"),
                ("msisdn", from),
                ("nonce", "n"),
                ("text", TEXT),
                ("timestamp", "1700000000"),
                ("to", to),
                ("type", "text"),
            ];
            let signed: String = fields
                .iter()
                .map(|(name, value)| format!("&{name}={value}"))
                .collect();
            let sig = hex(&tag(hmac::HMAC_SHA256, &signed));
            (
                format!("{}&sig={sig}", form::encode(&fields)).into(),
                form_type,
                ("x-none", String::new()),
            )
        }
        "messagebird" => {
            let body = form::encode(&[
                ("id", "1"),
                ("originator", from),
                ("recipient", to),
                ("body", TEXT),
            ]);
            let claims = json!({"iss": "MessageBird", "nbf": 1_700_000_000, "exp": 1_700_000_060, "jti": "j",
                "url_hash": sha256(URL.as_bytes()), "payload_hash": sha256(body.as_bytes())});
            let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
            let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
            let token = format!(
                "{signed}.{}",
                URL_SAFE_NO_PAD.encode(tag(hmac::HMAC_SHA256, &signed))
            );
            (body.into(), form_type, ("messagebird-signature-jwt", token))
        }
        "third-party" => {
            let body = third_party.to_string();
            let signature = hub_signature::sha256(SECRET.as_bytes(), body.as_bytes());
            (body.into(), json_type, (hub_signature::SHA256, signature))
        }
        "infobip" => (of(&infobip), json_type, basic),
        "sinch" => (of(&sinch), json_type, basic),
        "bandwidth" => (of(&bandwidth), json_type, basic),
        _ => {
            let fields = [
                ("source", from),
                ("destination", to),
                ("message", TEXT),
                ("messageId", "1"),
            ];
            (form::encode(&fields).into(), form_type, basic)
        }
    }
}

fn dialect(name: &str) -> Option<&'static dyn Provider> {
    match name {
        "third-party" => Some(&ThirdParty),
        _ => provider(name),
    }
}

/// What a subscriber is told, in its bytes and with both signatures.
fn notice(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("outbound");
    group.throughput(Throughput::Elements(1));
    let session = LogId::from_bytes([7; 16]);
    let notice = webhook::Notice {
        event: webhook::Event::Started,
        session,
        media: Media::Chat,
        subtype: "InboundNew",
        base: "https://digital.example.com",
    };
    group.bench_function("webhook/encode_sign", |bencher| {
        bencher.iter(|| {
            let body = webhook::body(webhook::operation_id("7.1.0"), black_box(&notice));
            let secret = SECRET.as_bytes();
            (
                hub_signature::sha1(secret, &body),
                hub_signature::sha256(secret, &body),
            )
        });
    });
    group.finish();
}

fn inbound(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("inbound");
    group.throughput(Throughput::Elements(1));
    for name in NAMES {
        let Some(dialect) = dialect(name) else { continue };
        let account = account(name);
        let (body, content_type, (header, value)) = callback(name);
        let headers = [("content-type", content_type), (header, value.as_str())];
        let request = CallbackRequest {
            method: "POST",
            url: URL,
            query: "",
            headers: &headers,
            body: &body,
            now: Millis(1_700_000_000_000),
        };
        assert_eq!(dialect.verify(&request, &account), Ok(()), "{name}");
        assert!(dialect.inbound(&request).is_ok(), "{name}");
        group.bench_function(format!("{name}/verify_parse"), |bencher| {
            bencher.iter(|| {
                let request = black_box(&request);
                (dialect.verify(request, &account), dialect.inbound(request))
            });
        });
    }
    group.finish();
}

fn outbound(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("outbound");
    group.throughput(Throughput::Elements(1));
    let message = Outbound {
        id: "0190a7f2c3d47000a000000000000001.7".into(),
        from: "+12025550199".into(),
        to: "+12025550101".into(),
        text: TEXT.into(),
        status_url: Some("https://digital.example.com/s".into()),
        ..Outbound::default()
    };
    for name in NAMES {
        let Some(dialect) = dialect(name) else { continue };
        let account = account(name);
        assert!(dialect.send(&account, &message).is_ok(), "{name}");
        group.bench_function(format!("{name}/encode"), |bencher| {
            bencher.iter(|| dialect.send(&account, black_box(&message)));
        });
    }
    group.finish();
}

criterion_group!(benches, inbound, outbound, notice);
criterion_main!(benches);
