//! STOP, HELP and START: heard at once, answered once, honoured in every later session.

use serde_json::json;

use super::given::{
    CUSTOMER, INBOUND, More, OTHER_CUSTOMER, Site, Store, TWILIO_TOKEN, fields, redis, text, twilio,
    twilio_signs,
};
use super::journey::{sees, takes};
use crate::net_server::on_a_core;
use crate::outward::keeping::keep;
use crate::support::contacts::Contacts;

const WORDS: More<'static> = More {
    objects: r#"
[[tenant.templates]]
name = "opted-out-sms"
texts = { en = "planted: you will hear nothing more" }

[[tenant.templates]]
name = "help-sms"
texts = { en = "planted: this is the shop" }

[[tenant.templates]]
name = "opted-in-sms"
texts = { en = "planted: welcome back" }
"#,
    twilio: "",
    mailgun: "",
};

/// What was sent so far, in order, once there is this much of it.
fn sent(site: &Site, count: usize) -> Vec<String> {
    let seen = site.provider.seen(count);
    seen.iter().map(|one| fields(&one.body)["Body"].clone()).collect()
}

async fn a_stop_holds_in_every_session_until_a_start(mut site: Site) {
    let say = |sid: &str, words: &str| (TWILIO_TOKEN, INBOUND, text(sid, CUSTOMER, words));
    let told = twilio_signs(&[
        say("SM1", "planted hello"),
        say("SM2", "Help?"),
        say("SM3", "\u{ff33}\u{ff34}\u{ff2f}\u{ff30}!"),
        say("SM4", "stop"),
        say("SM5", "planted: me again"),
        say("SM6", "Start"),
        say("SM7", "start"),
    ]);
    let post = |site: &Site, which: usize| assert_eq!(told[which].post(site), 200);
    post(&site, 0);
    let mut alice = site.node().agent("alice", "sms").await;
    let session = takes(&mut alice).await;
    let says = |session: &str, words: &str| json!({"session": session, "message": words});
    alice.does("send-message", says(&session, "planted one")).await;
    sent(&site, 1);
    post(&site, 1);
    assert_eq!(sent(&site, 2)[1], "planted: this is the shop");
    // In full width, as some phones write it. It is confirmed once, though it comes twice and is said twice.
    post(&site, 2);
    assert_eq!(sent(&site, 3)[2], "planted: you will hear nothing more");
    post(&site, 2);
    post(&site, 3);
    alice.hears("stop").await;
    let refused = alice.command("send-message", says(&session, "planted two")).await;
    assert_ne!(refused["status"]["code"], 0, "{refused}");
    alice.does("complete", json!({"session": session})).await;
    drop(alice);

    // Another session, of another process: the customer writes, and is still written nothing.
    site.crash();
    post(&site, 4);
    let mut alice = site.node().agent("alice", "sms").await;
    let later = takes(&mut alice).await;
    assert_ne!(later, session);
    alice.does("send-message", says(&later, "planted three")).await;
    sees(&mut alice, "OptOut", 1).await;
    post(&site, 5);
    post(&site, 6);
    alice.hears("start").await;
    alice.does("send-message", says(&later, "planted four")).await;
    let all = [
        "planted one",
        "planted: this is the shop",
        "planted: you will hear nothing more",
        "planted: welcome back",
        "planted four",
    ];
    assert_eq!(sent(&site, 5), all);
    drop(alice);
    site.logs_hold_none_of(&[]);
}

/// Who has no session says STOP, and nobody is looked for.
async fn a_stop_of_a_stranger_is_confirmed_and_offered_to_nobody(mut site: Site) {
    let say = |sid: &str, from: &str, words: &str| (TWILIO_TOKEN, INBOUND, text(sid, from, words));
    let told = twilio_signs(&[
        say("SM1", CUSTOMER, "STOP"),
        say("SM2", OTHER_CUSTOMER, "planted: is anybody there?"),
        say("SM3", CUSTOMER, "planted: I changed my mind"),
    ]);
    let contacts = Contacts::start();
    keep(site.node(), &contacts.url(), None);
    let mut alice = site.node().agent("alice", "sms").await;
    assert_eq!(told[0].post(&site), 200);
    assert_eq!(sent(&site, 1), ["planted: you will hear nothing more"]);
    // Whoever writes after it is offered, and nothing was before.
    assert_eq!(told[1].post(&site), 200);
    let session = takes(&mut alice).await;
    assert_eq!(alice.texts(&session), ["planted: is anybody there?"]);
    contacts.stands(&session);
    assert_eq!(
        contacts.held().interactions.len(),
        1,
        "history hears of no stranger's STOP"
    );
    alice.does("complete", json!({"session": session})).await;
    drop(alice);
    // What was said holds after a crash, for the words that come next: those are offered.
    site.crash();
    // The development tenant is itself again after a start.
    keep(site.node(), &contacts.url(), None);
    let mut alice = site.node().agent("alice", "sms").await;
    assert_eq!(told[2].post(&site), 200);
    let session = takes(&mut alice).await;
    alice.hears("planted: I changed my mind").await;
    contacts.stands(&session);
    let words = json!({"session": session, "message": "planted: good to hear"});
    let refused = alice.command("send-message", words).await;
    assert_ne!(refused["status"]["code"], 0, "{refused}");
    assert_eq!(site.provider.count(), 1);
    drop(alice);
    site.logs_hold_none_of(&[]);
}

#[test]
fn a_stop_of_a_stranger_is_offered_to_nobody_on_the_embedded_default() {
    on_a_core(async {
        let site = Site::new(Store::Embedded, twilio, &WORDS);
        a_stop_of_a_stranger_is_confirmed_and_offered_to_nobody(site).await;
    });
}

#[test]
fn a_stop_of_a_stranger_is_offered_to_nobody_on_redis() {
    on_a_core(async {
        let site = Site::new(redis(), twilio, &WORDS);
        a_stop_of_a_stranger_is_confirmed_and_offered_to_nobody(site).await;
    });
}

#[test]
fn a_stop_holds_in_every_session_on_the_embedded_default() {
    on_a_core(async {
        a_stop_holds_in_every_session_until_a_start(Site::new(Store::Embedded, twilio, &WORDS)).await
    });
}

#[test]
fn a_stop_holds_in_every_session_on_redis() {
    on_a_core(async {
        a_stop_holds_in_every_session_until_a_start(Site::new(redis(), twilio, &WORDS)).await
    });
}
