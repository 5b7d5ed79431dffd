//! Mail: callbacks of each provider in (verify and read), sends out, MIME taken apart, HTML reduced.

use std::hint::black_box;

use aws_lc_rs::hmac;
use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use nexus::model::Millis;
use nexus::protocol::channel::mail::{Mailgun, Postmark, SendGrid, SparkPost, compose, parse, text_of_html};
use nexus::protocol::channel::{Account, Attachment, AttachmentSource, CallbackRequest, Outbound, Provider};

const NOW: u64 = 1_700_000_000;
const PASSWORD: &str = "user:password";

fn message() -> Outbound {
    Outbound {
        id: "0190a7f2-7".into(),
        from: "support@shop.example".into(),
        from_name: Some("Support".into()),
        to: "anna@example.com".into(),
        subject: Some("Re: Bestellung 7 [#0000000000000000000000000000000000]".into()),
        text: "Guten Tag, Ihre Bestellung ist unterwegs. Viele Grüße\n".repeat(20),
        at: Some(Millis(NOW * 1_000)),
        ..Outbound::default()
    }
}

fn raw(file: usize) -> Vec<u8> {
    let mut message = message();
    message.html = Some("<p>Guten Tag</p>".into());
    message.attachments = vec![Attachment {
        source: AttachmentSource::Inline(vec![7; file].into()),
        name: Some("a.pdf".into()),
        mime: Some("application/pdf".into()),
    }];
    compose(&message).unwrap_or_default()
}

fn form(fields: &[(&str, &[u8])]) -> Bytes {
    let mut body = Vec::new();
    for (name, value) in fields {
        body.extend_from_slice(
            format!("--xYzZY\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n").as_bytes(),
        );
        body.extend_from_slice(value);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--xYzZY--\r\n");
    body.into()
}

fn inbound(criterion: &mut Criterion) {
    let raw = String::from_utf8_lossy(&raw(1_000)).into_owned();
    let (timestamp, token) = (NOW.to_string(), "a".repeat(50));
    let tag = hmac::sign(
        &hmac::Key::new(hmac::HMAC_SHA256, PASSWORD.as_bytes()),
        format!("{timestamp}{token}").as_bytes(),
    );
    let signature: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let sendgrid = form(&[
        ("email", raw.as_bytes()),
        ("envelope", br#"{"to":["a@b.example"],"from":"c@d.example"}"#),
    ]);
    let mailgun = form(&[
        ("body-mime", raw.as_bytes()),
        ("timestamp", timestamp.as_bytes()),
        ("token", token.as_bytes()),
        ("signature", signature.as_bytes()),
    ]);
    let postmark = serde_json::json!({"MessageID": "1", "Headers": [], "RawEmail": raw})
        .to_string()
        .into();
    let relay = serde_json::json!([{"msys": {"relay_message": {"content": {"email_rfc822": raw, "email_rfc822_is_base64": false}}}}]);
    let account = Account {
        secrets: vec![PASSWORD.to_owned().into()],
        ..Account::default()
    };
    let mut group = criterion.benchmark_group("inbound");
    let multipart = "multipart/form-data; boundary=xYzZY";
    let cases: [(&dyn Provider, &str, Bytes); 4] = [
        (&SendGrid, multipart, sendgrid),
        (&Mailgun, multipart, mailgun),
        (&Postmark, "application/json", postmark),
        (&SparkPost, "application/json", relay.to_string().into()),
    ];
    for (provider, content_type, body) in cases {
        let headers = [
            ("content-type", content_type),
            ("authorization", "Basic dXNlcjpwYXNzd29yZA=="),
        ];
        let request = CallbackRequest {
            method: "POST",
            url: "https://digital.example.com/in",
            query: "",
            headers: &headers,
            body: &body,
            now: Millis(NOW * 1_000),
        };
        assert!(provider.verify(&request, &account).is_ok() && provider.inbound(&request).is_ok());
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_function(provider.name(), |bencher| {
            bencher.iter(|| (provider.verify(&request, &account), provider.inbound(&request)));
        });
    }
    group.finish();
}

fn outbound(criterion: &mut Criterion) {
    let account = Account {
        credentials: Some("key".to_owned().into()),
        ..Account::default()
    };
    let mut group = criterion.benchmark_group("outbound");
    for provider in [&SendGrid as &dyn Provider, &Mailgun, &Postmark, &SparkPost] {
        let message = message();
        group.bench_function(provider.name(), |bencher| {
            bencher.iter(|| provider.send(&account, black_box(&message)))
        });
    }
    group.finish();
}

fn texts(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("mime");
    for (name, file) in [("parse", 1_000), ("parse/1MB", 1_000_000)] {
        let raw = raw(file);
        group.throughput(Throughput::Bytes(raw.len() as u64));
        group.bench_function(name, |bencher| bencher.iter(|| parse(black_box(&raw))));
    }
    group.finish();
    let html = "<div><p>Guten&nbsp;Tag, <a href=\"https://shop.example/x\">Ihre Bestellung</a> ist <b>unterwegs</b>.</p><br></div>".repeat(100);
    let mut group = criterion.benchmark_group("html");
    group.throughput(Throughput::Bytes(html.len() as u64));
    group.bench_function("reduce", |bencher| {
        bencher.iter(|| text_of_html(black_box(&html), 128 * 1_024))
    });
    group.finish();
}

criterion_group!(benches, inbound, outbound, texts);
criterion_main!(benches);
