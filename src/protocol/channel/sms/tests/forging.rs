//! What is not believed, and why.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::given::{Call, NAMES, NOW, SECRET, account, known, sha256, shared, signed, tag, token};
use crate::protocol::channel::{Account, Forged, hex};

fn everything() -> Vec<(&'static str, Call, Account)> {
    signed().into_iter().chain(shared()).collect()
}

#[test]
fn good_proof_is_believed_with_either_active_secret_and_not_without_it() {
    for (name, call, mut account) in everything() {
        assert_eq!(call.verify(name, &account), Ok(()), "{name} {call:?}");
        account.secrets.insert(0, "another:2".to_owned().into());
        assert_eq!(call.verify(name, &account), Ok(()), "{name}: the second secret");
        account.secrets.truncate(1);
        assert_eq!(
            call.verify(name, &account),
            Err(Forged::Wrong),
            "{name}: another secret"
        );
        account.secrets.clear();
        assert_eq!(
            call.verify(name, &account),
            Err(Forged::NoSecret),
            "{name}: no secret"
        );
    }
}

#[test]
fn a_header_that_is_missing_or_there_twice_is_not_believed() {
    for (name, call, account) in everything() {
        let proofs: Vec<usize> = (0..call.headers.len())
            .filter(|at| call.headers[*at].0 != "content-type")
            .collect();
        for at in proofs {
            let (mut without, mut twice) = (call.clone(), call.clone());
            without.headers.remove(at);
            twice.headers.push(call.headers[at].clone());
            assert_eq!(
                without.verify(name, &account),
                Err(Forged::Absent),
                "{name} without {at}"
            );
            assert_eq!(
                twice.verify(name, &account),
                Err(Forged::Absent),
                "{name} twice {at}"
            );
        }
    }
}

/// Each bit of everything that is signed and of the signature. A form can be written in several ways (`%2a`, `%2A`): then what
/// is believed must at least say the same.
#[test]
fn no_bit_can_be_changed() {
    for (name, call, account) in signed() {
        let said = call.inbound(name);
        let mut believed = 0;
        let mut check = |changed: Call, what: &str| {
            if changed.verify(name, &account).is_ok() {
                assert_eq!(changed.inbound(name), said, "{name}: {what} of {changed:?}");
                believed += 1;
            }
        };
        for (at, bit) in bits(&call.body) {
            let mut body = call.body.to_vec();
            body[at] ^= bit;
            check(
                Call {
                    body: Bytes::from(body),
                    ..call.clone()
                },
                "body",
            );
        }
        // Vonage and Sinch sign no address at all.
        let url = if ["vonage", "sinch"].contains(&name) {
            ""
        } else {
            call.url.as_str()
        };
        for changed in texts(url) {
            assert!(
                Call {
                    url: changed,
                    ..call.clone()
                }
                .verify(name, &account)
                .is_err(),
                "{name}: url"
            );
        }
        if name != "vonage" || call.method == "GET" {
            for query in texts(&call.query) {
                check(
                    Call {
                        query,
                        ..call.clone()
                    },
                    "query",
                );
            }
        }
        for at in 0..call.headers.len() {
            let signs = ["signature", "authorization"];
            if !signs.iter().any(|part| call.headers[at].0.contains(part)) {
                continue;
            }
            for value in texts(&call.headers[at].1) {
                let mut changed = call.clone();
                changed.headers[at].1 = value;
                check(changed, "header");
            }
        }
        assert!(believed <= 12, "{name}: {believed} changes believed");
    }
}

fn bits(bytes: &[u8]) -> impl Iterator<Item = (usize, u8)> + use<> {
    (0..bytes.len()).flat_map(|at| (0..8).map(move |bit| (at, 1 << bit)))
}

fn texts(text: &str) -> Vec<String> {
    let changed = bits(text.as_bytes()).filter_map(|(at, bit)| {
        let mut bytes = text.as_bytes().to_vec();
        bytes[at] ^= bit;
        String::from_utf8(bytes).ok()
    });
    changed.collect()
}

#[test]
fn a_shared_secret_is_compared_whole() {
    for (name, call, account) in shared() {
        let header = call.headers.len() - 1;
        let value = call.headers[header].1.clone();
        if call.headers[header].0 == "content-type" {
            for changed in [call.url.clone() + "x", call.url[..call.url.len() - 1].to_owned()] {
                assert_eq!(
                    Call {
                        url: changed,
                        ..call.clone()
                    }
                    .verify(name, &account),
                    Err(Forged::Wrong)
                );
            }
            let bare = call.url.trim_end_matches(SECRET).to_owned();
            assert_eq!(
                Call {
                    url: bare,
                    ..call.clone()
                }
                .verify(name, &account),
                Err(Forged::Absent)
            );
            continue;
        }
        for changed in [
            value.clone() + "x",
            value[..value.len() - 1].to_owned(),
            String::new(),
        ] {
            let mut forged = call.clone();
            forged.headers[header].1 = changed;
            assert_eq!(forged.verify(name, &account), Err(Forged::Wrong), "{name}");
        }
    }
}

#[test]
fn an_old_and_a_future_callback_are_stale() {
    for (name, call, account) in signed() {
        let at = |seconds: i64| {
            let now = crate::model::Millis(NOW.0.saturating_add_signed(seconds * 1_000));
            call.asks(now, |request| known(name).verify(request, &account))
        };
        // Twilio signs no time.
        let timed = name != "twilio";
        for seconds in [-301, 301] {
            let verdict = if timed { Err(Forged::Stale) } else { Ok(()) };
            assert_eq!(at(seconds), verdict, "{name} {seconds}");
        }
        let bounds = if name == "messagebird" {
            [-11, 50]
        } else {
            [-300, 300]
        };
        assert_eq!(bounds.map(at), [Ok(()), Ok(())], "{name}");
    }
}

#[test]
fn the_algorithm_is_the_configured_one_whatever_the_caller_says() {
    for (name, call, _) in signed() {
        let other = match name {
            "twilio" => json!({"signature": "md5"}),
            "vonage" => json!({"signature": "none"}),
            "messagebird" => json!({"algorithm": "none"}),
            _ => json!({"auth": "none"}),
        };
        // A token where a parameter is configured is no proof at all.
        let verdict = call.verify(name, &account(&[SECRET], other));
        assert!(
            matches!(verdict, Err(Forged::Wrong | Forged::Absent)),
            "{name}: {verdict:?}"
        );
    }
    let claims = |call: &Call| {
        json!({"iss": "MessageBird", "nbf": 1_699_999_990, "exp": 1_700_000_050,
               "url_hash": sha256(call.url.as_bytes()), "payload_hash": sha256(&call.body)})
    };
    let call = Call::form("messagebird", "inbound", "id=m1");
    let unsigned = token("none", SECRET, &claims(&call));
    let unsigned = unsigned.rsplit_once('.').unwrap().0.to_owned() + ".";
    for forged in [
        unsigned,
        token("HS512", SECRET, &claims(&call)),
        "a.b.c".into(),
        "x".repeat(9_000),
    ] {
        let call = call.clone().with("messagebird-signature-jwt", forged);
        assert_eq!(
            call.verify("messagebird", &account(&[SECRET], json!({}))),
            Err(Forged::Wrong)
        );
    }
}

#[test]
fn twilio_signs_with_the_port_or_without() {
    let account = account(&[SECRET], json!({}));
    let mut call = Call::form("twilio", "inbound", "MessageSid=SM1");
    for (configured, called) in [
        ("https://a.example/in", "https://a.example:443/in"),
        ("https://a.example:8443/in", "https://a.example/in"),
        ("https://a.example:8443/in", "https://a.example:8443/in"),
        ("http://a.example/in", "http://a.example:80/in"),
    ] {
        let text = format!("{called}MessageSidSM1");
        let signature = STANDARD.encode(tag(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, SECRET, &text));
        call.url = configured.into();
        assert_eq!(
            call.clone()
                .with("x-twilio-signature", signature)
                .verify("twilio", &account),
            Ok(())
        );
    }
}

#[test]
fn twilio_sorts_and_counts_equal_fields_once() {
    let account = account(&[SECRET], json!({}));
    let mut call = Call::form("twilio", "inbound", "b=2&b=1&a=&b=2&c=%2B+%F0%9F%98%80");
    call.query = "x=1&y=2".into();
    let text = format!("{}?x=1&y=2ab1b2c+ 😀", call.url);
    let signature = STANDARD.encode(tag(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, SECRET, &text));
    assert_eq!(
        call.with("x-twilio-signature", signature)
            .verify("twilio", &account),
        Ok(())
    );
}

#[test]
fn a_json_body_that_nothing_vouches_for_is_not_believed() {
    let account = account(&[SECRET], json!({}));
    let mut call = Call::json("twilio", "inbound", &json!({"MessageSid": "SM1"}));
    let digest = sha256(&call.body);
    for query in [
        String::new(),
        format!("bodySHA256={digest}&bodySHA256={digest}"),
        "bodySHA256=00".into(),
    ] {
        call.query = query;
        let joint = if call.query.is_empty() { "" } else { "?" };
        let text = format!("{}{joint}{}", call.url, call.query);
        let signature = STANDARD.encode(tag(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, SECRET, &text));
        let signed = call.clone().with("x-twilio-signature", signature);
        assert_eq!(
            signed.verify("twilio", &account),
            Err(Forged::Wrong),
            "{}",
            call.query
        );
    }
}

#[test]
fn a_token_of_vonage_must_name_the_body() {
    let account = account(&[SECRET], json!({"signature": "jwt"}));
    let call = Call::json("vonage", "inbound", &json!({"messageId": "1"}));
    let hash = sha256(&call.body);
    let verdict = |call: &Call, claims: Value| {
        let bearer = format!("Bearer {}", token("HS256", SECRET, &claims));
        call.clone()
            .with("authorization", bearer)
            .verify("vonage", &account)
    };
    assert_eq!(
        verdict(&call, json!({"iat": 1_700_000_000, "payload_hash": hash})),
        Ok(())
    );
    for claims in [
        json!({"iat": 1_700_000_000}),
        json!({"iat": 1_700_000_000, "payload_hash": ""}),
        json!({"iat": 1_700_000_000, "payload_hash": null}),
        json!({"iat": 1_700_000_000, "payload_hash": sha256(b"other")}),
        json!({"payload_hash": hash}),
    ] {
        assert_eq!(verdict(&call, claims.clone()), Err(Forged::Wrong), "{claims}");
    }
    let late = json!({"iat": 1_699_999_900, "exp": 1_699_999_999, "payload_hash": hash});
    assert_eq!(verdict(&call, late), Err(Forged::Stale));
    let query = Call::get("vonage", "inbound", "messageId=1");
    let empty = json!({"iat": 1_700_000_000, "payload_hash": sha256(b"")});
    assert_eq!(verdict(&query, empty), Err(Forged::Wrong));
}

#[test]
fn vonage_knows_its_old_digests_where_configured() {
    let query = "messageId=1&timestamp=1700000000&sig=";
    let text = b"&messageId=1&timestamp=1700000000";
    let plain = {
        use md5::{Digest, Md5};
        hex(&Md5::new().chain_update(text).chain_update(SECRET).finalize())
    };
    let call = Call::get("vonage", "status", &format!("{query}{plain}"));
    assert_eq!(
        call.verify("vonage", &account(&[SECRET], json!({"signature": "md5hash"}))),
        Ok(())
    );
    for other in ["md5", "sha1", "sha256"] {
        let account = account(&[SECRET], json!({"signature": other}));
        assert_eq!(call.verify("vonage", &account), Err(Forged::Wrong), "{other}");
    }
}

#[test]
fn vonage_fields_cannot_be_merged_repeated_or_left_without_a_time() {
    let account = account(&[SECRET], json!({}));
    let sig = |text: &str| hex(&tag(hmac::HMAC_SHA256, SECRET, text));
    // The text that is signed is the same as for two fields.
    let merged = format!(
        "messageId%3D1%26text=x&timestamp=1700000000&sig={}",
        sig("&messageId=1&text=x&timestamp=1700000000")
    );
    let twice = format!(
        "text=a&text=b&timestamp=1700000000&sig={}",
        sig("&text=a&text=b&timestamp=1700000000")
    );
    let timeless = format!("text=a&sig={}", sig("&text=a"));
    for query in [merged, twice, timeless] {
        assert_eq!(
            Call::get("vonage", "inbound", &query).verify("vonage", &account),
            Err(Forged::Wrong),
            "{query}"
        );
    }
    assert_eq!(
        Call::get("vonage", "inbound", "text=a").verify("vonage", &account),
        Err(Forged::Absent)
    );
}

#[test]
fn messagebird_names_the_url_and_the_body_if_there_is_one() {
    let account = account(&[SECRET], json!({}));
    let verdict = |call: &Call, claims: Value| {
        let signature = token("HS256", SECRET, &claims);
        call.clone()
            .with("messagebird-signature-jwt", signature)
            .verify("messagebird", &account)
    };
    let query = Call::get("messagebird", "status", "id=m1&status=sent");
    let (nbf, exp) = (1_699_999_990, 1_700_000_050);
    let url = sha256(format!("{}?{}", query.url, query.query).as_bytes());
    let good = json!({"iss": "MessageBird", "nbf": nbf, "exp": exp, "url_hash": url});
    assert_eq!(verdict(&query, good), Ok(()));
    for wrong in [
        json!({"iss": "MessageBird", "nbf": nbf, "exp": exp, "url_hash": sha256(query.url.as_bytes())}),
        json!({"iss": "MessageBird", "nbf": nbf, "exp": exp}),
        json!({"iss": "Other", "nbf": nbf, "exp": exp, "url_hash": url}),
        json!({"iss": "MessageBird", "exp": exp, "url_hash": url}),
        json!({"iss": "MessageBird", "nbf": nbf, "url_hash": url}),
        json!({"iss": "MessageBird", "nbf": nbf, "exp": exp, "url_hash": url, "payload_hash": sha256(b"")}),
    ] {
        assert_eq!(verdict(&query, wrong.clone()), Err(Forged::Wrong), "{wrong}");
    }
    let post = Call::form("messagebird", "inbound", "id=m1");
    let bodiless =
        json!({"iss": "MessageBird", "nbf": nbf, "exp": exp, "url_hash": sha256(post.url.as_bytes())});
    assert_eq!(verdict(&post, bodiless), Err(Forged::Wrong));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn no_bytes_break_a_dialect(
        body in prop_oneof![any::<Vec<u8>>(), "[a-zA-Z&=%+0-9\\[\\]{}\":,]{0,80}".prop_map(String::into_bytes)],
        query in "[a-zA-Z&=%+0-9]{0,40}",
        json in any::<bool>(),
        post in any::<bool>(),
        header in "\\PC{0,60}",
        kind in 0..6usize,
    ) {
        let content_type = if json { "application/json" } else { "application/x-www-form-urlencoded" };
        let mut call = Call::post("x", "inbound", content_type, body);
        call.method = if post { "POST" } else { "GET" };
        call.query = query;
        let names = ["authorization", "x-twilio-signature", "messagebird-signature-jwt", "x-sinch-webhook-signature",
                     "x-sinch-webhook-signature-nonce", "x-sinch-webhook-signature-timestamp"];
        for name in names {
            call.headers.push((name.into(), header.clone()));
        }
        let config = [json!({}), json!({"auth": "header", "signature": "jwt"}), json!({"auth": "hmac", "signature": "md5"}),
                      json!({"auth": "token", "signature": "md5hash"}), json!({"signature": "sha512"}), json!({"signature": "sha1"})];
        let account = account(&[SECRET], config[kind].clone());
        for name in NAMES {
            let provider = known(name);
            call.asks(NOW, |request| {
                assert!(provider.verify(request, &account).is_err(), "{name}");
                let _ = (provider.inbound(request), provider.status(request), provider.replay_id(request));
                let _ = provider.sent(200, None, request.body);
                let _ = provider.sent(422, None, request.body);
            });
        }
    }

    #[test]
    fn no_shape_of_json_breaks_a_dialect(body in shapes()) {
        let call = Call::json("x", "inbound", &body);
        for provider in NAMES.map(known) {
            call.asks(NOW, |request| {
                let _ = (provider.inbound(request), provider.status(request));
                let _ = provider.sent(200, None, request.body);
            });
        }
    }
}

/// JSON with the names that dialects look for, in the wrong places too.
fn shapes() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        prop_oneof![
            Just("mo_text"),
            Just("message-received"),
            Just("delivery_report_sms"),
            Just("delivered")
        ]
        .prop_map(Value::from),
    ];
    let names = "results|messages|message|type|id|messageId|from|to|text|body|status|statuses|media|tag|batch_id|httpApiResponse|recipients|recipient|code";
    leaf.prop_recursive(4, 48, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(names, inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}
