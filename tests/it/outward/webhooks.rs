//! Connection 12: subscribers hear what started and what finished, signed, once it is so, in order.

use serde_json::{Value, json};

use crate::support::part::hmac;
use crate::support::receiver::{Receiver, Say};
use crate::support::whole::Whole;

const KEY: &str = "11111111-2222-4333-8444-555555555555";

/// A customer opens a chat and leaves it; the session's id.
pub(super) fn a_chat(whole: &Whole) -> String {
    let form = ("content-type", "application/x-www-form-urlencoded");
    let body = b"data[firstName]=Ann&data[endpoint]=web";
    let (status, answer) = whole.send(
        "POST",
        "/nexus/v3/chat/sessions",
        &[("x-api-key", KEY), form],
        body,
    );
    assert_eq!(status, 200, "{answer}");
    let token = answer["data"]["clientToken"].as_str().unwrap().to_owned();
    let session = answer["data"]["entity"]["id"].as_str().unwrap().to_owned();
    let claims = token.split('.').nth(1).unwrap();
    let claims = base64_of(claims);
    let participant = claims["participantId"].as_str().unwrap().to_owned();
    let path = format!("/nexus/v3/chat/sessions/{session}/participants/{participant}");
    let headers = [("x-api-key", KEY), ("x-nexus-client-key", token.as_str()), form];
    let (status, answer) = whole.send("DELETE", &path, &headers, b"operationId=1");
    assert_eq!(status, 200, "{answer}");
    session
}

fn base64_of(text: &str) -> Value {
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::STANDARD_NO_PAD
        .decode(text.trim_end_matches('='))
        .unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

pub(crate) fn event(seen: &crate::support::receiver::Seen) -> Value {
    seen.json()["data"]["entities"][0].clone()
}

#[test]
fn a_subscriber_hears_of_a_chat_that_starts_and_finishes() {
    let hook = Receiver::start(Say::json(200, r#"{"status":{"code":0}}"#));
    let whole = Whole::start(&["listen.public.url=https://digital.example.com"]);
    let url = hook.url("/some/interactions/webhook/path");
    whole.provision(
        "webhooks",
        json!({"name": "all", "url": url, "secret": "demo-webhook-secret"}),
    );
    let session = a_chat(&whole);
    let seen = hook.seen(2);
    assert_eq!(
        (&event(&seen[0])["event"], &event(&seen[1])["event"]),
        (&json!("STARTED"), &json!("FINISHED"))
    );
    for one in &seen {
        assert_eq!(
            one.header("x-hub-signature"),
            hmac("sha1", "demo-webhook-secret", &one.body)
        );
        let entity = &event(one)["entity"];
        assert_eq!(
            (&entity["mediaType"], &entity["interactionSubtype"]),
            (&json!("chat"), &json!("InboundNew"))
        );
        let uri = format!("https://digital.example.com/nexus/v3/chat/sessions/{session}/{session}");
        assert_eq!(entity["selfUri"], uri);
    }
    assert_ne!(seen[0].json()["operationId"], seen[1].json()["operationId"]);
}

#[test]
fn only_200_is_success_and_the_same_notice_comes_again_before_the_next() {
    let hook = Receiver::start(Say::json(200, ""));
    hook.script([
        Say::json(204, ""),
        Say::json(302, "").with("location", "/elsewhere"),
        Say::reset(),
        Say::garbled(),
        Say::json(200, ""),
    ]);
    let whole = Whole::start(&[]);
    whole.provision(
        "webhooks",
        json!({"name": "all", "url": hook.url("/"), "secret": "s", "retryTimeoutMs": 200, "retryAttempts": 5}),
    );
    a_chat(&whole);
    let seen = hook.seen(6);
    assert!(
        seen[..5]
            .iter()
            .all(|one| (&one.path, &one.body) == (&seen[0].path, &seen[0].body)),
        "one body over all attempts"
    );
    assert_eq!(event(&seen[0])["event"], "STARTED");
    assert_eq!(event(&seen[5])["event"], "FINISHED");
}

#[test]
fn an_endpoint_that_answers_410_is_switched_off() {
    let hook = Receiver::start(Say::json(410, ""));
    let whole = Whole::start(&[]);
    let id = whole.provision(
        "webhooks",
        json!({"name": "gone", "url": hook.url("/"), "secret": "s"}),
    );
    a_chat(&whole);
    hook.seen(1);
    let path = format!("/nexus/v3/webhooks/{id}");
    let headers = [("x-api-key", crate::support::whole::ADMIN_KEY)];
    crate::support::part::eventually(
        "the endpoint to be off",
        std::time::Duration::from_secs(20),
        || whole.send("GET", &path, &headers, b"").1["data"]["enabled"] == false,
    );
    let page = crate::support::process::get(whole.admin, "/metrics").1;
    assert!(page.contains("nexus_webhooks_disabled_total 1\n"), "{page}");
    assert!(whole.nexus.kept_log().contains("webhook switched off"));
}
