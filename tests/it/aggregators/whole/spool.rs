//! Redis is away: what a provider would hardly send again waits on the node's disk, and is told in order afterwards.

use std::time::Duration;

use serde_json::json;

use super::given::{
    CUSTOMER, INBOUND, More, OTHER_CUSTOMER, Signed, Site, Store, TWILIO_TOKEN, redis, text, twilio,
    twilio_signs,
};
use super::journey::takes;
use crate::net_server::on_a_core;
use crate::support::part::eventually;

const HELD: &str = "nexus_spool_entries";
const SPOOLED: &str = "nexus_spooled_total";

/// A node on Redis with a spool of at most so many bytes.
fn site(most: &str) -> (Site, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let mut site = Site::new(redis(), twilio, &More::default());
    site.kill();
    site.settings.push(format!(
        "aggregators.spool_directory={}",
        folder.path().join("spool").display()
    ));
    site.settings.push(format!("aggregators.spool_max={most}"));
    site.start();
    (site, folder)
}

fn say(sid: &str, from: &str, words: &str) -> (&'static str, &'static str, serde_json::Value) {
    (TWILIO_TOKEN, INBOUND, text(sid, from, words))
}

fn stop_redis(site: &mut Site) {
    let Store::Redis(server) = &mut site.store else {
        panic!("a site on redis")
    };
    server.kill();
}

fn start_redis(site: &mut Site) {
    let Store::Redis(server) = &mut site.store else {
        panic!("a site on redis")
    };
    server.restart();
}

fn answers(site: &Site, told: &[Signed]) -> Vec<u16> {
    told.iter().map(|callback| callback.post(site)).collect()
}

#[test]
fn what_came_while_redis_was_away_is_told_in_order_through_a_crash_and_a_stop_is_not_answered() {
    on_a_core(async {
        let (mut site, _folder) = site("1MiB");
        let told = twilio_signs(&[
            say("SM1", CUSTOMER, "planted before"),
            say("SM2", CUSTOMER, "planted one"),
            say("SM3", CUSTOMER, "planted two"),
            say("SM4", OTHER_CUSTOMER, "planted elsewhere"),
            say("SM5", CUSTOMER, "STOP"),
            say("SM6", CUSTOMER, "planted three"),
            say("SM7", CUSTOMER, "planted after"),
        ]);
        assert_eq!(told[0].post(&site), 200);
        stop_redis(&mut site);
        // The first one again, too: the provider cannot know that it was taken.
        assert_eq!(answers(&site, &told[..4]), [200, 200, 200, 200]);
        assert_eq!(told[4].post(&site), 503);
        assert_eq!(told[1].post(&site), 200);
        assert_eq!(site.counted(HELD, &[]), 5);
        site.kill();
        start_redis(&mut site);
        site.start();
        eventually("an empty spool", Duration::from_secs(30), || {
            site.counted(HELD, &[]) == 0
        });
        assert_eq!(site.counted(SPOOLED, &[r#"outcome="fed""#]), 5);
        let mut alice = site.node().agent("alice", "sms").await;
        let (first, second) = (takes(&mut alice).await, takes(&mut alice).await);
        let mut texts = [alice.texts(&first), alice.texts(&second)];
        texts.sort_by_key(Vec::len);
        assert_eq!(texts[0], ["planted elsewhere"]);
        assert_eq!(texts[1], ["planted before", "planted one", "planted two"]);

        // Away again, and back under the same process: the stop that was not answered is now.
        stop_redis(&mut site);
        assert_eq!(told[5].post(&site), 200);
        start_redis(&mut site);
        eventually("an empty spool", Duration::from_secs(30), || {
            site.counted(HELD, &[]) == 0
        });
        assert_eq!(answers(&site, &told[4..]), [200, 200, 200]);
        alice.hears("planted after").await;
        let session = if alice.texts(&first).len() > 1 {
            &first
        } else {
            &second
        };
        let all = [
            "planted before",
            "planted one",
            "planted two",
            "planted three",
            "STOP",
            "planted after",
        ];
        assert_eq!(alice.texts(session), all);
        let refused = alice
            .command(
                "send-message",
                json!({"session": session, "message": "planted answer"}),
            )
            .await;
        assert_ne!(refused["status"]["code"], 0, "{refused}");
        drop(alice);
        site.logs_hold_none_of(&["elsewhere"]);
    });
}

#[test]
fn a_spool_that_is_full_takes_nothing_and_says_so() {
    on_a_core(async {
        let (mut site, _folder) = site("1500B");
        let told: Vec<_> = (0..4)
            .map(|n| {
                say(
                    ["SM1", "SM2", "SM3", "SM4"][n],
                    CUSTOMER,
                    "planted: a text of usual length",
                )
            })
            .collect();
        let told = twilio_signs(&told);
        stop_redis(&mut site);
        let answers = answers(&site, &told);
        let taken = answers.iter().filter(|status| **status == 200).count();
        assert!((1..4).contains(&taken), "{answers:?}");
        assert!(
            answers[taken..].iter().all(|status| *status == 503),
            "{answers:?}"
        );
        start_redis(&mut site);
        eventually("an empty spool", Duration::from_secs(30), || {
            site.counted(HELD, &[]) == 0
        });
        // There is room again, and nothing to keep.
        assert_eq!(told[3].post(&site), 200);
        let mut alice = site.node().agent("alice", "sms").await;
        let session = takes(&mut alice).await;
        assert_eq!(alice.texts(&session).len(), taken + 1);
        drop(alice);
        site.logs_hold_none_of(&["usual length"]);
    });
}
