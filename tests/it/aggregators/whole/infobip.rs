//! Infobip: one callback with several texts, and receipts that name our ids.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::given::{CUSTOMER, INFOBIP_PAIR, OTHER_CUSTOMER, PUBLIC, Site};
use super::journey::{FILE, sees, sends_a_file, shown, takes};
use crate::net_server::on_a_core;
use crate::support::process::get;
use crate::support::receiver::{Say, Seen};

const PATH: &str = "/nexus/v3/aggregators/infobip/ch-infobip";

/// Infobip's interface: takes what its documentation lists and nothing else.
pub(super) fn infobip(seen: &Seen) -> Say {
    let refuse = |why: &str| {
        let exception = json!({"messageId": "BAD_REQUEST", "text": why});
        Say::json(
            400,
            &json!({"requestError": {"serviceException": exception}}).to_string(),
        )
    };
    if seen.header("authorization") != "App planted-infobip-key" {
        return Say::json(
            401,
            r#"{"requestError":{"serviceException":{"messageId":"UNAUTHORIZED"}}}"#,
        );
    }
    if (seen.method.as_str(), seen.path.as_str()) != ("POST", "/sms/3/messages") {
        return Say::json(404, "{}");
    }
    let body = seen.json();
    let knows = |value: &Value, names: &[&str]| {
        let object = value.as_object();
        object.is_some_and(|object| object.keys().all(|name| names.contains(&name.as_str())))
    };
    let message = &body["messages"][0];
    let sound = knows(&body, &["messages"])
        && body["messages"].as_array().is_some_and(|all| all.len() == 1)
        && knows(message, &["sender", "destinations", "content", "webhooks"])
        && knows(&message["destinations"][0], &["to", "messageId"])
        && knows(&message["content"], &["text"])
        && knows(&message["webhooks"], &["delivery", "contentType", "callbackData"])
        && knows(&message["webhooks"]["delivery"], &["url"]);
    if !sound {
        return refuse("unknown field");
    }
    let status = json!({"groupId": 1, "groupName": "PENDING", "id": 26, "name": "PENDING_ACCEPTED", "description": "accepted"});
    let one =
        json!({"messageId": message["destinations"][0]["messageId"], "status": status, "destination": "x"});
    Say::json(200, &json!({"bulkId": "b-1", "messages": [one]}).to_string())
}

fn posted(site: &Site, what: &str, pair: &str, body: &Value) -> u16 {
    let basic = format!("Basic {}", STANDARD.encode(pair));
    let headers = [
        ("content-type", "application/json"),
        ("authorization", basic.as_str()),
    ];
    site.post(&format!("{PATH}/{what}"), &headers, body.to_string().as_bytes())
}

fn result(id: &str, from: &str, text: &str) -> Value {
    json!({"messageId": id, "from": &from[1..], "to": "12025550198", "text": text, "cleanText": text, "keyword": "",
           "receivedAt": "2026-11-26T02:00:00.000+0000", "smsCount": 1, "price": {"pricePerMessage": 0, "currency": "EUR"}})
}

fn report(message: &str, ours: &str, group: &str, name: &str) -> Value {
    json!({"bulkId": "b-1", "messageId": message, "callbackData": ours, "to": "12025550147", "sentAt": "2026-11-26T02:00:01.000+0000",
           "doneAt": "2026-11-26T02:00:02.000+0000", "smsCount": 1, "status": {"groupId": 3, "groupName": group, "id": 5, "name": name},
           "error": {"groupId": 0, "groupName": "OK", "id": 0, "name": "NO_ERROR", "description": "No Error", "permanent": false}})
}

async fn a_batch_is_taken_whole_and_a_report_about_many_is_shown_at_each(mut site: Site) {
    let texts = [
        result("i-1", CUSTOMER, "planted one"),
        result("i-2", OTHER_CUSTOMER, "planted two"),
        result("i-1", CUSTOMER, "planted one"),
        result("i-3", CUSTOMER, "planted three"),
    ];
    let batch = json!({"results": texts, "messageCount": 4, "pendingMessageCount": 0});
    assert_eq!(posted(&site, "inbound", "infobip:other", &batch), 403);
    assert_eq!(posted(&site, "inbound", INFOBIP_PAIR, &batch), 200);
    // Killed before anybody looked; sent again, for the provider may not have read the answer.
    site.crash();
    assert_eq!(posted(&site, "inbound", INFOBIP_PAIR, &batch), 200);

    let mut alice = site.node().agent("alice", "sms").await;
    let (first, second) = (takes(&mut alice).await, takes(&mut alice).await);
    let said = |session: &str| alice.texts(session);
    let mut all = [(said(&first), first), (said(&second), second)];
    all.sort();
    let [(one, session), (two, _)] = &all;
    assert_eq!(
        (one.as_slice(), two.as_slice()),
        (
            &["planted one".to_owned(), "planted three".to_owned()][..],
            &["planted two".to_owned()][..]
        )
    );
    for (_, session) in &all {
        let answer = json!({"session": session, "message": "planted answer"});
        alice.does("send-message", answer).await;
    }
    let seen = site.provider.seen(2);
    let sent: Vec<Value> = seen.iter().map(|one| one.json()["messages"][0].clone()).collect();
    assert!(
        sent.iter()
            .all(|one| one["webhooks"]["delivery"]["url"] == format!("{PUBLIC}{PATH}/status"))
    );
    sees(&mut alice, "Sent", 2).await;
    // It has no way for files but an address among the words.
    sends_a_file(&site, &mut alice, "alice", session).await;
    let given = site.provider.seen(3)[2].json()["messages"][0]["content"]["text"].clone();
    let path = given
        .as_str()
        .unwrap()
        .strip_prefix(PUBLIC)
        .expect("an address of ours");
    assert_eq!(get(site.node().addr, path), (200, FILE.to_owned()));
    sees(&mut alice, "Sent", 3).await;
    let ids: Vec<&str> = sent
        .iter()
        .map(|one| one["webhooks"]["callbackData"].as_str().unwrap())
        .collect();
    let reports = |group: &str, name: &str| {
        let each = ids.iter().map(|id| report(id, id, group, name));
        json!({"results": each.collect::<Vec<_>>()})
    };
    let delivered = reports("DELIVERED", "DELIVERED_TO_HANDSET");
    assert_eq!(posted(&site, "status", "infobip:other", &delivered), 403);
    assert_eq!(posted(&site, "status", INFOBIP_PAIR, &delivered), 200);
    sees(&mut alice, "Delivered", 2).await;
    assert_eq!(posted(&site, "status", INFOBIP_PAIR, &delivered), 200);
    assert_eq!(
        posted(
            &site,
            "status",
            INFOBIP_PAIR,
            &reports("PENDING", "PENDING_ENROUTE")
        ),
        200
    );
    // What is no report will never be one, and must not come back: it is answered as taken, and counted.
    assert_eq!(posted(&site, "status", INFOBIP_PAIR, &json!({"results": 7})), 200);
    assert_eq!(
        site.counted("hubpp_webhook_with_error_total", &[r#"channelId="ch-infobip""#]),
        1
    );
    // Whatever came before this text is told before it.
    let last = json!({"results": [result("i-4", CUSTOMER, "planted four")], "messageCount": 1});
    assert_eq!(posted(&site, "inbound", INFOBIP_PAIR, &last), 200);
    alice.hears("planted four").await;
    let mut fates = shown(&alice);
    fates.sort();
    assert_eq!(fates, ["Delivered", "Delivered", "Sent", "Sent", "Sent"]);
    assert_eq!(
        alice.texts(session),
        ["planted one", "planted three", "planted answer", "planted four"]
    );
    assert_eq!(site.provider.count(), 3);
    drop(alice);
    site.logs_hold_none_of(&[]);
}

#[test]
fn a_batch_of_infobip_goes_both_ways_on_the_embedded_default() {
    on_a_core(async {
        a_batch_is_taken_whole_and_a_report_about_many_is_shown_at_each(Site::embedded(infobip)).await;
    });
}

#[test]
fn a_batch_of_infobip_goes_both_ways_on_redis() {
    on_a_core(async {
        a_batch_is_taken_whole_and_a_report_about_many_is_shown_at_each(Site::on_redis(infobip)).await;
    });
}
