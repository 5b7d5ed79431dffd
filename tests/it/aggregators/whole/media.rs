//! A file that an agent sends by text: fetched by whoever was given its address, through a crash, until its customer is erased.

use std::time::Duration;

use serde_json::json;

use super::given::{CUSTOMER, INBOUND, PUBLIC, Site, TWILIO_TOKEN, fields, text, twilio, twilio_signs};
use super::journey::{FILE, sees, sends_a_file, takes};
use crate::net_server::on_a_core;
use crate::support::part::eventually;
use crate::support::process::get;
use crate::support::receiver::{Say, Seen};
use crate::support::whole::ADMIN_KEY;

/// Twilio, for a message that is nothing but a file.
fn mms(seen: &Seen) -> Say {
    let fields = fields(&seen.body);
    let named: Vec<&str> = fields.keys().map(String::as_str).collect();
    match named == ["From", "MediaUrl", "StatusCallback", "To"] {
        true => Say::json(201, r#"{"sid":"MM-1","status":"queued"}"#),
        false => twilio(seen),
    }
}

async fn a_file_leaves_as_media_and_ends_with_its_customer(mut site: Site) {
    let told = twilio_signs(&[(
        TWILIO_TOKEN,
        INBOUND,
        text("SM1", CUSTOMER, "planted: the plan, please"),
    )]);
    assert_eq!(told[0].post(&site), 200);
    let mut alice = site.node().agent("alice", "sms").await;
    let session = takes(&mut alice).await;
    sends_a_file(&site, &mut alice, "alice", &session).await;
    let url = fields(&site.provider.seen(1)[0].body)["MediaUrl"].clone();
    let path = url.strip_prefix(PUBLIC).expect("an address of ours").to_owned();
    sees(&mut alice, "Sent", 1).await;
    drop(alice);
    site.crash();
    let node = site.node().addr;
    assert_eq!(
        get(node, &path),
        (200, FILE.to_owned()),
        "its address outlives the node"
    );
    assert_eq!(site.node().send("HEAD", &path, &[], b"").0, 200);
    for other in [
        format!("{path}A"),
        path[..path.len() - 1].to_owned(),
        format!("{path}/.."),
    ] {
        assert_eq!(get(node, &other).0, 404, "{other}");
    }
    let asked = json!({"data": {"phone": CUSTOMER}}).to_string();
    let headers = [("x-api-key", ADMIN_KEY), ("content-type", "application/json")];
    eventually("the erasure", Duration::from_secs(30), || {
        let answer = site
            .node()
            .send("POST", "/nexus/v3/contacts/erase", &headers, asked.as_bytes());
        answer.1["data"]["complete"] == true && get(node, &path).0 == 404
    });
    site.logs_hold_none_of(&["plan.txt", &path]);
}

#[test]
fn a_file_leaves_as_media_and_ends_with_its_customer_on_the_embedded_default() {
    on_a_core(a_file_leaves_as_media_and_ends_with_its_customer(Site::embedded(
        mms,
    )));
}

#[test]
fn a_file_leaves_as_media_and_ends_with_its_customer_on_redis() {
    on_a_core(a_file_leaves_as_media_and_ends_with_its_customer(Site::on_redis(
        mms,
    )));
}
