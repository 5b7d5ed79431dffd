//! A file that an agent sends by text: fetched by whoever was given its address, through a crash, until its customer is erased.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::given::{
    CUSTOMER, INBOUND, More, PUBLIC, Site, Store, TWILIO_TOKEN, fields, text, twilio, twilio_signs,
};
use super::journey::{FILE, sees, sends_a_file, takes};
use crate::net_server::on_a_core;
use crate::support::part::eventually;
use crate::support::process::get;
use crate::support::receiver::{Receiver, Say, Seen};
use crate::support::whole::ADMIN_KEY;
use crate::workspace::desktop::Desktop;

/// Twilio, for a message that is nothing but a file.
fn mms(seen: &Seen) -> Say {
    let fields = fields(&seen.body);
    let named: Vec<&str> = fields.keys().map(String::as_str).collect();
    match named == ["From", "MediaUrl", "StatusCallback", "To"] {
        true => Say::json(201, r#"{"sid":"MM-1","status":"queued"}"#),
        false => twilio(seen),
    }
}

/// What customers send.
const PICTURE: &str = "planted picture";

/// Twilio keeps files for its accounts alone, and sends on to where they lie. Whoever keeps them there is shown no credentials; an address
/// inside the house leads nowhere.
async fn a_file_is_fetched_where_its_provider_sends_on_to() {
    let keeper = Receiver::judging(|seen| match seen.header("authorization") {
        "" => Say::json(200, PICTURE),
        _ => Say::json(400, "credentials"),
    });
    let kept = keeper.url("/kept");
    let pair = STANDARD.encode(format!("AC1:{TWILIO_TOKEN}"));
    let judge = move |seen: &Seen| match (seen.path.as_str(), seen.header("authorization")) {
        ("/media/1", known) if known == format!("Basic {pair}") => {
            Say::json(307, "").with("location", "/media/2")
        }
        ("/media/2", _) => Say::json(302, "").with("location", &kept),
        ("/media/3", _) => Say::json(302, "").with("location", "http://169.254.169.254/latest"),
        ("/media/4", _) => Say::json(302, "").with("location", "/media/4"),
        _ => Say::json(401, ""),
    };
    let site = Site::new(Store::Embedded, judge, &More::default());
    let mut message = text("SM1", CUSTOMER, "planted: look");
    message["NumMedia"] = json!("3");
    for (n, which) in [1, 4, 3].into_iter().enumerate() {
        message[format!("MediaUrl{n}")] = json!(site.provider.url(&format!("/media/{which}")));
        message[format!("MediaContentType{n}")] = json!("text/plain");
    }
    let told = twilio_signs(&[(TWILIO_TOKEN, INBOUND, message)]);
    assert_eq!(told[0].post(&site), 200);
    let mut alice = site.node().agent("alice", "sms").await;
    takes(&mut alice).await;
    let files = |frame: &Value| {
        let lines = frame["messages"].as_array().into_iter().flatten();
        lines.filter(|line| line["file"].is_object()).count()
    };
    let seen = |desktop: &Desktop| desktop.memory.seen.iter().map(files).sum::<usize>();
    if seen(&alice) == 0 {
        alice.until("the file", |frame| files(frame) > 0).await;
    }
    // The first and where it sends on; the second goes round no more than a few times; the third leads nowhere.
    site.provider.seen(7);
    assert_eq!((seen(&alice), keeper.count()), (1, 1));
    drop(alice);
    site.logs_hold_none_of(&["/media/", "/kept"]);
}

#[test]
fn a_file_is_fetched_where_its_provider_sends_on_to_and_nowhere_inside() {
    on_a_core(a_file_is_fetched_where_its_provider_sends_on_to());
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
