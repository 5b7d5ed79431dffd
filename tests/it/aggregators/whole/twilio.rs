//! Twilio: both ways, its receipts, and everything that must not pass.

use serde_json::json;

use super::given::{
    CUSTOMER, FOREIGN_TOKEN, INBOUND, Site, TWILIO_TOKEN, fields, text, twilio, twilio_signs,
};
use super::journey::{sees, shown, takes};
use crate::net_server::on_a_core;

const HELLO: &str = "planted hello, is my order on its way?";
const AGAIN: &str = "planted: are you there?";
const ANSWER: &str = "planted answer: it left this morning";

async fn a_text_is_answered_and_its_fate_is_shown(mut site: Site) {
    let told = twilio_signs(&[
        (TWILIO_TOKEN, INBOUND, text("SM1", CUSTOMER, HELLO)),
        (TWILIO_TOKEN, INBOUND, text("SM2", CUSTOMER, AGAIN)),
    ]);
    assert_eq!(told[0].post(&site), 200);
    let mut alice = site.node().agent("alice", "sms").await;
    let session = takes(&mut alice).await;
    alice.hears(HELLO).await;

    // The same callback again is the same message.
    assert_eq!(told[0].post(&site), 200);
    assert_eq!(told[1].post(&site), 200);
    alice.hears(AGAIN).await;
    assert_eq!(alice.texts(&session), [HELLO, AGAIN]);

    alice
        .does("send-message", json!({"session": session, "message": ANSWER}))
        .await;
    let sent = fields(&site.provider.seen(1)[0].body);
    assert_eq!((sent["To"].as_str(), sent["Body"].as_str()), (CUSTOMER, ANSWER));
    sees(&mut alice, "Sent", 1).await;
    drop(alice);
    // The first had to find an agent; nothing follows from the second, and nothing is kept for it.
    assert_eq!(site.counted("nexus_effects_total", &[r#"kind="heard""#]), 1);

    // Between the acceptance and the receipt the node is killed. Nothing is sent again.
    site.crash();
    let status = sent["StatusCallback"].strip_prefix(super::given::PUBLIC).unwrap();
    let receipt = |status: &str| json!({"MessageSid": "SMx", "MessageStatus": status, "To": CUSTOMER});
    let receipts = twilio_signs(&[
        (TWILIO_TOKEN, status, receipt("delivered")),
        (TWILIO_TOKEN, status, receipt("sent")),
        (TWILIO_TOKEN, status, receipt("read")),
    ]);
    let mut alice = site.node().agent("alice", "sms").await;
    alice.hears(AGAIN).await;
    assert_eq!(receipts[0].post(&site), 200);
    sees(&mut alice, "Delivered", 1).await;
    // One that comes late changes nothing, and neither does the same once more.
    assert_eq!(receipts[1].post(&site), 200);
    assert_eq!(receipts[0].post(&site), 200);
    assert_eq!(receipts[2].post(&site), 200);
    sees(&mut alice, "Read", 1).await;
    assert_eq!(shown(&alice), ["Sent", "Delivered", "Read"]);
    assert_eq!(alice.texts(&session), [HELLO, AGAIN, ANSWER]);
    assert_eq!(site.provider.count(), 1, "sent once");
    site.logs_hold_none_of(&["order on its way"]);
}

#[test]
fn a_text_is_answered_and_its_fate_is_shown_on_the_embedded_default() {
    on_a_core(async { a_text_is_answered_and_its_fate_is_shown(Site::embedded(twilio)).await });
}

#[test]
fn a_text_is_answered_and_its_fate_is_shown_on_redis() {
    on_a_core(async { a_text_is_answered_and_its_fate_is_shown(Site::on_redis(twilio)).await });
}

/// What is not the account's, not for this channel, or not new.
async fn what_is_not_believed_changes_nothing_and_is_counted(site: Site) {
    let foreign = "/nexus/v3/aggregators/twilio/ch-foreign";
    let told = twilio_signs(&[
        (TWILIO_TOKEN, INBOUND, text("SM1", CUSTOMER, HELLO)),
        (
            FOREIGN_TOKEN,
            INBOUND,
            text("SM2", CUSTOMER, "planted by another tenant"),
        ),
        (
            TWILIO_TOKEN,
            INBOUND,
            text("SM1", CUSTOMER, "planted under the same id"),
        ),
        (
            TWILIO_TOKEN,
            "/nexus/v3/aggregators/twilio/ch-nowhere/inbound",
            text("SM3", CUSTOMER, "x"),
        ),
        (
            TWILIO_TOKEN,
            "/nexus/v3/aggregators/infobip/ch-twilio/inbound",
            text("SM3", CUSTOMER, "x"),
        ),
        (
            TWILIO_TOKEN,
            INBOUND,
            json!({"MessageSid": "SM4", "To": "+12025550199", "Body": "planted by nobody"}),
        ),
    ]);
    assert_eq!(told[0].post(&site), 200);
    let mut alice = site.node().agent("alice", "sms").await;
    let session = takes(&mut alice).await;
    alice
        .does("send-message", json!({"session": session, "message": ANSWER}))
        .await;
    let sent = fields(&site.provider.seen(1)[0].body);
    sees(&mut alice, "Sent", 1).await;

    let changed = super::given::Signed {
        body: told[0].body.replace("hello", "h%65llo!"),
        ..told[0].clone()
    };
    assert_eq!((changed.post(&site), told[1].post(&site)), (403, 403));
    let bare = site.post(
        INBOUND,
        &[("content-type", super::given::FORM)],
        told[0].body.as_bytes(),
    );
    assert_eq!(bare, 403);
    // The same id with other words: the first stands.
    assert_eq!(told[2].post(&site), 200);
    assert_eq!((told[3].post(&site), told[4].post(&site)), (404, 404));
    assert_eq!(told[5].post(&site), 400);
    // Another tenant, who may sign for its own channel, speaks about a message that is not its.
    let ours = sent["StatusCallback"].rsplit_once('?').unwrap().1;
    let path = format!("{foreign}/status?{ours}");
    let wrong = twilio_signs(&[
        (
            FOREIGN_TOKEN,
            &path,
            json!({"MessageSid": "SMx", "MessageStatus": "failed"}),
        ),
        (
            TWILIO_TOKEN,
            &path,
            json!({"MessageSid": "SMx", "MessageStatus": "failed"}),
        ),
    ]);
    assert_eq!((wrong[0].post(&site), wrong[1].post(&site)), (200, 403));

    let about = r#"channelId="ch-twilio""#;
    let wrong_signature = "hubpp_webhook_invalid_signature_total";
    assert_eq!(
        site.counted("hubpp_webhook_undefined_signature_total", &[about]),
        1
    );
    assert_eq!(site.counted(wrong_signature, &[about]), 2);
    assert_eq!(site.counted(wrong_signature, &[r#"channelId="ch-foreign""#]), 1);
    assert_eq!(site.counted("hubpp_webhook_unknown_channel_total", &[]), 2);
    // The one without a sender, and the one under a known id.
    assert_eq!(site.counted("hubpp_webhook_with_error_total", &[about]), 2);
    assert_eq!(
        site.counted("hubpp_webhook_with_error_total", &[r#"channelId="ch-foreign""#]),
        1
    );
    assert_eq!(site.counted("hubpp_webhook_received_total", &[about]), 6);

    // A good one afterwards: nothing stands between.
    let last = twilio_signs(&[(TWILIO_TOKEN, INBOUND, text("SM9", CUSTOMER, AGAIN))]);
    assert_eq!(last[0].post(&site), 200);
    alice.hears(AGAIN).await;
    assert_eq!(alice.texts(&session), [HELLO, ANSWER, AGAIN]);
    assert_eq!(shown(&alice), ["Sent"]);
    let sessions = alice
        .memory
        .seen
        .iter()
        .filter(|frame| frame.get("interaction").is_some());
    assert!(
        sessions
            .map(|frame| &frame["log"])
            .all(|log| log == session.as_str())
    );
    drop(alice);
    site.logs_hold_none_of(&["order on its way", "another tenant"]);
}

#[test]
fn what_is_not_believed_changes_nothing_on_the_embedded_default() {
    on_a_core(async { what_is_not_believed_changes_nothing_and_is_counted(Site::embedded(twilio)).await });
}

#[test]
fn what_is_not_believed_changes_nothing_on_redis() {
    on_a_core(async { what_is_not_believed_changes_nothing_and_is_counted(Site::on_redis(twilio)).await });
}
