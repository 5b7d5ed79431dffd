//! A turn out, signed, and an answer in, for each dialect; and the claim of a service account, which a token saves.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use criterion::{Criterion, criterion_group, criterion_main};
use nexus::model::{LogId, Media, Millis};
use nexus::protocol::bot::{Grant, Line, Said, Turn, Voice, dialect};
use nexus::protocol::channel::Account;
use serde_json::json;

const NOW: Millis = Millis(1_732_345_678_901);

fn turn() -> Turn {
    let line = |voice| Line {
        voice,
        text: "Thank you, I have found your order. It left our house on Monday.".to_owned(),
        at: NOW,
    };
    Turn {
        session: LogId::from_bytes([7; 16]),
        n: 42,
        bot: "robo".to_owned(),
        media: Media::Chat,
        locale: Some("en-US".to_owned()),
        said: Said::Text("Where is my order, please?".to_owned()),
        user_data: json!({"orderId": "77", "topic": "shipping"})
            .as_object()
            .cloned()
            .unwrap_or_default(),
        history: [Voice::Bot, Voice::Customer]
            .into_iter()
            .cycle()
            .take(20)
            .map(line)
            .collect(),
    }
}

/// A key file as the service account's owner downloads it.
fn key_file() -> String {
    let pair = KeyPair::generate(KeySize::Rsa2048).ok();
    let der = pair.and_then(|pair| AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).ok());
    let text = der.map(|der| STANDARD.encode(der.as_ref())).unwrap_or_default();
    let label = "PRIVATE KEY";
    json!({"project_id": "demo", "private_key_id": "k1", "client_email": "bot@demo.example.com",
        "private_key": format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")})
    .to_string()
}

fn account(credentials: String, config: &serde_json::Value) -> Account {
    Account {
        url: Some("https://bot.example.com".to_owned()),
        credentials: Some(credentials.into()),
        config: config.as_object().cloned().unwrap_or_default(),
        ..Account::default()
    }
}

fn bots(criterion: &mut Criterion) {
    let keys = json!({"secret": "s", "signingSecret": "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"});
    let lex_keys = json!({"accessKeyId": "AKIDEXAMPLE", "secretAccessKey": "s"});
    let key_file = key_file();
    let es = json!({"queryResult": {"fulfillmentMessages": [{"text": {"text": ["It left on Monday."]}}],
        "intent": {"displayName": "order.status"}, "parameters": {"order": "77"}}});
    let cx = json!({"queryResult": {"responseMessages": [{"text": {"text": ["It left on Monday."]}}],
        "match": {"intent": {"displayName": "order.status"}}, "parameters": {"order": "77"}}});
    let lex = json!({"messages": [{"content": "It left on Monday.", "contentType": "PlainText"}],
        "sessionState": {"intent": {"name": "Order", "state": "InProgress", "slots": {}}}});
    let cases = [
        (
            "webhook",
            account(keys.to_string(), &json!({})),
            json!({"messages": [{"text": "It left on Monday."}], "userData": {"topic": "shipping"}}),
        ),
        ("dialogflow-es", account(key_file.clone(), &json!({})), es),
        ("dialogflow-cx", account(key_file, &json!({"agentId": "a"})), cx),
        (
            "lex",
            account(
                lex_keys.to_string(),
                &json!({"region": "eu-west-1", "botId": "B", "botAliasId": "A"}),
            ),
            lex,
        ),
    ];
    let (turn, token) = (turn(), "ya29.token".to_owned().into());
    let grant = Grant {
        now: NOW,
        token: Some(&token),
    };
    let mut group = criterion.benchmark_group("bots");
    for (name, account, answer) in &cases {
        let Some(dialect) = dialect(name) else { continue };
        assert!(dialect.call(account, &turn, &grant).is_ok(), "{name}");
        group.bench_function(format!("encode_sign/{name}"), |bencher| {
            bencher.iter(|| dialect.call(account, &turn, &grant));
        });
        let answer = answer.to_string();
        assert!(dialect.answer(account, 200, answer.as_bytes()).is_ok(), "{name}");
        group.bench_function(format!("decode/{name}"), |bencher| {
            bencher.iter(|| dialect.answer(account, 200, answer.as_bytes()));
        });
        if dialect.needs_token() {
            assert!(dialect.token_call(account, NOW).is_ok(), "{name}");
            group.bench_function(format!("claim/{name}"), |bencher| {
                bencher.iter(|| dialect.token_call(account, NOW));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, bots);
criterion_main!(benches);
