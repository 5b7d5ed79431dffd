//! Which numbers a channel takes and writes to, and how much in a while.

use serde_json::{Value, json};

use super::given::{
    CUSTOMER, INBOUND, More, OTHER_CUSTOMER, Site, Store, TWILIO_TOKEN, fields, text, twilio, twilio_signs,
};
use super::journey::takes;
use crate::net_server::on_a_core;

const STOPPED: &str = "nexus_texts_stopped_total";
/// A number of a range that costs a fortune.
const PREMIUM: &str = "+19005550147";

fn failed(code: &'static str) -> impl Fn(&Value) -> bool {
    move |frame| {
        let lines = frame["messages"].as_array();
        lines.is_some_and(|lines| {
            lines
                .iter()
                .any(|line| line["delivery"]["status"] == "Failed" && line["delivery"]["code"] == code)
        })
    }
}

#[test]
fn a_number_is_written_to_as_often_as_its_cap_allows_and_the_agent_sees_what_was_not() {
    on_a_core(async {
        let more = More {
            twilio: "config = { perNumber = { most = 2, withinSec = 3600 }, maxSegments = 2 }",
            ..More::default()
        };
        let site = Site::new(Store::Embedded, twilio, &more);
        let told = twilio_signs(&[(TWILIO_TOKEN, INBOUND, text("SM1", CUSTOMER, "planted hello"))]);
        assert_eq!(told[0].post(&site), 200);
        let mut alice = site.node().agent("alice", "sms").await;
        let session = takes(&mut alice).await;
        // 307 characters of GSM 7-bit are three messages, and so are 135 of anything else: neither is anybody's.
        for (words, encoding) in [("p".repeat(307), "gsm7"), ("ж".repeat(135), "ucs2")] {
            let refused = alice
                .command("send-message", json!({"session": session, "message": words}))
                .await;
            assert_eq!(refused["status"]["code"], 41301, "{refused}");
            let why = refused["status"]["detail"].as_str().unwrap();
            assert!(why.contains(&format!("3 segments ({encoding})")), "{why}");
        }
        let one = "planted one ".repeat(14);
        for words in [one.as_str(), "planted two", "planted three"] {
            alice
                .does("send-message", json!({"session": session, "message": words}))
                .await;
        }
        let too_many = failed("too-many");
        if !alice.memory.seen.iter().any(&too_many) {
            alice.until("too many", too_many).await;
        }
        let sent = site.provider.seen(2);
        let sent: Vec<String> = sent.iter().map(|one| fields(&one.body)["Body"].clone()).collect();
        assert_eq!(sent, [one.as_str(), "planted two"]);
        let deliveries = alice
            .memory
            .seen
            .iter()
            .filter_map(|frame| frame["messages"].as_array());
        let segments = deliveries
            .flatten()
            .filter(|line| line["delivery"]["status"] == "Sent");
        let mut segments: Vec<u64> = segments
            .map(|line| line["delivery"]["segments"].as_u64().unwrap())
            .collect();
        segments.sort_unstable();
        assert_eq!(segments, [1, 2]);
        assert_eq!(
            site.counted(
                "nexus_text_segments_total",
                &[r#"provider="twilio""#, r#"encoding="gsm7""#]
            ),
            3
        );
        assert_eq!(
            site.counted(STOPPED, &[r#"direction="out""#, r#"reason="too-many""#]),
            1
        );
        drop(alice);
        site.logs_hold_none_of(&[]);
    });
}

#[test]
fn a_refused_number_opens_nothing_and_floods_are_sent_back_but_a_stop_passes() {
    on_a_core(async {
        let more = More {
            twilio: r#"config = { allowedPrefixes = ["+1"], refusedPrefixes = ["+1900"] }"#,
            ..More::default()
        };
        let mut site = Site::new(Store::Embedded, twilio, &more);
        site.kill();
        site.settings
            .push("limits.texts.received=1/min burst 2".to_owned());
        site.settings.push("cores.count=1".to_owned());
        site.start();
        let say = |sid: &str, from: &str, words: &str| (TWILIO_TOKEN, INBOUND, text(sid, from, words));
        let told = twilio_signs(&[
            say("SM1", PREMIUM, "planted: call me"),
            say("SM2", "+8821234567", "planted: from a satellite"),
            say("SM3", CUSTOMER, "planted one"),
            say("SM4", CUSTOMER, "planted two"),
            say("SM5", CUSTOMER, "planted three"),
            say("SM6", CUSTOMER, "STOP"),
            say("SM7", OTHER_CUSTOMER, "planted four"),
        ]);
        let answers: Vec<u16> = told.iter().map(|callback| callback.post(&site)).collect();
        assert_eq!(answers, [200, 200, 200, 200, 503, 200, 200]);
        let stopped = |reason: &str| site.counted(STOPPED, &[r#"direction="in""#, reason]);
        assert_eq!(
            (stopped(r#"reason="number""#), stopped(r#"reason="too-many""#)),
            (2, 1)
        );
        let mut alice = site.node().agent("alice", "sms").await;
        let (first, second) = (takes(&mut alice).await, takes(&mut alice).await);
        let mut texts = [alice.texts(&first), alice.texts(&second)];
        texts.sort_by_key(Vec::len);
        assert_eq!(texts[0], ["planted four"]);
        assert_eq!(texts[1], ["planted one", "planted two", "STOP"]);
        drop(alice);
        site.logs_hold_none_of(&[PREMIUM, "satellite"]);
    });
}
