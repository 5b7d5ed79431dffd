//! The way of a mail: written on the portal, answered by an agent, read on the portal.

use std::time::Duration;

use serde_json::{Value, json};

use super::portal::{ANN, Portal};
use crate::net_server::on_a_core;
use crate::outward::event;
use crate::support::part::{Signal, eventually};
use crate::support::receiver::{Receiver, Say};
use crate::support::redis::RedisServer;
use crate::support::whole::Whole;

const PDF: &[u8] = b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n";

/// From the first word to the last, with everything a portal and an agent do.
async fn the_whole_way(settings: &[&str]) {
    let hook = Receiver::start(Say::json(200, r#"{"status":{"code":0}}"#));
    let whole = Whole::start(settings);
    whole.provision(
        "webhooks",
        json!({"name": "mails", "url": hook.url("/"), "secret": "s", "mediaTypes": ["email"]}),
    );
    let portal = Portal(&whole);

    // The customer writes, with a file.
    let (status, file) = portal.upload("card.pdf", PDF);
    assert_eq!(status, 200, "{file}");
    let file = json!({"id": file["data"]["id"], "name": "card.pdf"});
    let mail = json!({"name": "Ann Lee", "subject": "My card", "text": "Please block it.", "attachments": [file],
                      "userData": {"tier": "gold"}});
    let sent = portal.send(ANN, mail);
    let session = sent["interactionId"].as_str().unwrap().to_owned();

    // It lies in the mailbox at once, and an agent is offered it.
    let page = portal.list(ANN, "&status=all&index=0&count=10");
    let line = &page["messages"][0];
    assert_eq!(
        (&line["id"], &line["direction"]),
        (&sent["id"], &json!("Inbound")),
        "{page}"
    );
    assert_eq!(
        (&line["subject"], &line["attachmentCount"]),
        (&json!("My card"), &json!(1))
    );
    let mut alice = whole.agent("alice", "email").await;
    let invited = alice.state(&session, "Invited").await;
    let data = invited["interaction"]["userData"].to_string();
    assert!(data.contains("My card") && data.contains("gold"), "{invited}");
    alice.does("accept", json!({"session": session})).await;
    alice.hears("Please block it.").await;

    // The agent answers; the answer is unread until the portal says otherwise, and the agent sees both.
    alice
        .does(
            "send-message",
            json!({"session": session, "message": "It is blocked."}),
        )
        .await;
    let shown =
        |status: &'static str| move |frame: &Value| frame["messages"][0]["delivery"]["status"] == status;
    alice.until("delivered", shown("Delivered")).await;
    let unread = portal.list(ANN, "&status=unread");
    let answer = &unread["messages"][0];
    assert_eq!(
        (&answer["subject"], &answer["direction"]),
        (&json!("Re: My card"), &json!("Outbound")),
        "{unread}"
    );
    assert_eq!(
        (&answer["from"], &answer["conversationId"]),
        (&json!("Alice"), &sent["conversationId"])
    );
    let one = format!("/{}?address={ANN}", answer["id"].as_str().unwrap());
    let read = portal.done("GET", &one, &Value::Null);
    assert_eq!(
        (&read["text"], &read["status"]),
        (&json!("It is blocked."), &json!("unread"))
    );
    for _ in 0..2 {
        portal.done("PUT", &one, &json!({"data": {"status": "read"}}));
    }
    assert_eq!(portal.done("GET", &one, &Value::Null)["status"], "read");
    alice.until("read", shown("Read")).await;
    assert!(portal.subjects(ANN, "&status=unread").is_empty());
    assert_eq!(portal.subjects(ANN, "&status=read"), ["Re: My card", "My card"]);

    // The file comes back as it went.
    let own = format!("/{}?address={ANN}", sent["id"].as_str().unwrap());
    let attachments = portal.done("GET", &own, &Value::Null)["attachments"].clone();
    assert_eq!(
        attachments,
        json!([{"number": 1, "name": "card.pdf", "mimetype": "application/pdf", "length": PDF.len()}])
    );
    let (head, bytes) = portal.fetch(&format!(
        "/{}/attachments/1?address={ANN}",
        sent["id"].as_str().unwrap()
    ));
    assert!(
        head.contains("200") && head.contains("nosniff") && head.contains("attachment"),
        "{head}"
    );
    assert_eq!(bytes, PDF);

    // An answer to the answer goes to whom they know.
    let reply = portal.send(ANN, json!({"text": "Thank you.", "replyTo": answer["id"]}));
    assert_eq!(reply["interactionId"], session.as_str());
    alice.hears("Thank you.").await;
    // What colleagues say to each other is no mail.
    alice
        .does(
            "send-message",
            json!({"session": session, "message": "psst", "visibility": "Agent"}),
        )
        .await;
    alice.does("complete", json!({"session": session})).await;

    // It started and finished as a mail.
    let told = hook.seen(2);
    for (one, wanted) in told.iter().zip(["STARTED", "FINISHED"]) {
        let changed = event(one);
        assert_eq!(
            (&changed["event"], &changed["entity"]["mediaType"]),
            (&json!(wanted), &json!("email"))
        );
        assert_eq!(changed["entity"]["id"], session.as_str());
    }

    // What is finished stays readable, and a late answer begins a new interaction of the same conversation.
    assert_eq!(
        portal.subjects(ANN, ""),
        ["Re: My card", "Re: My card", "My card"]
    );
    let late = portal.send(ANN, json!({"text": "One more thing.", "replyTo": answer["id"]}));
    assert_ne!(late["interactionId"], session.as_str());
    assert_eq!(late["conversationId"], sent["conversationId"]);
    assert_eq!(portal.subjects(ANN, "").len(), 4);
}

#[test]
fn a_mail_is_written_answered_and_read_on_the_embedded_default() {
    on_a_core(the_whole_way(&[]));
}

#[test]
fn a_mail_is_written_answered_and_read_over_redis() {
    let redis = RedisServer::start();
    let urls = format!("store.redis.urls={}", redis.url());
    on_a_core(async move { the_whole_way(&["store.mode=redis", &urls]).await });
}

#[test]
fn a_mailbox_is_paged_and_every_conversation_has_an_interaction_of_its_own() {
    let whole = Whole::start(&[]);
    let portal = Portal(&whole);
    let mut interactions = std::collections::BTreeSet::new();
    for n in 0..12 {
        let sent = portal.send(ANN, json!({"subject": format!("no. {n}"), "text": "hello"}));
        interactions.insert(sent["interactionId"].to_string());
    }
    assert_eq!(interactions.len(), 12);
    let first = portal.list(ANN, "&index=0&count=5");
    assert_eq!(
        (&first["more"], first["messages"].as_array().unwrap().len()),
        (&json!(true), 5)
    );
    let mut subjects = Vec::new();
    for index in [0, 5, 10] {
        subjects.extend(portal.subjects(ANN, &format!("&index={index}&count=5")));
    }
    let wanted: Vec<String> = (0..12).rev().map(|n| format!("no. {n}")).collect();
    assert_eq!(subjects, wanted, "newest first, each once");
    assert_eq!(portal.list(ANN, "&index=10&count=5")["more"], false);
    assert_eq!(portal.list(ANN, "&index=50")["messages"], json!([]));
}

#[test]
fn a_repeat_under_its_key_is_the_same_mail() {
    let whole = Whole::start(&[]);
    let portal = Portal(&whole);
    let body = |text: &str| json!({"operationId": "op-1", "data": {"address": ANN, "subject": "Once", "text": text}});
    let key = [("idempotency-key", "click-1")];
    let (status, first) = portal.ask_with("POST", "", &body("hello"), &key);
    assert_eq!((status, &first["operationId"]), (200, &json!("op-1")), "{first}");
    let (_, again) = portal.ask_with("POST", "", &body("hello"), &key);
    assert_eq!(again["data"], first["data"]);
    assert_eq!(portal.ask_with("POST", "", &body("other"), &key).0, 422);
    assert_eq!(portal.subjects(ANN, ""), ["Once"]);
}

#[test]
fn what_was_acknowledged_lies_in_the_mailbox_after_a_crash() {
    let data = tempfile::tempdir().unwrap();
    let setting = format!("store.data_dir={}", data.path().display());
    let mut written = 0;
    for _ in 0..3 {
        let whole = Whole::start(&[&setting]);
        for _ in 0..5 {
            Portal(&whole).send(ANN, json!({"subject": format!("no. {written}"), "text": "hello"}));
            written += 1;
        }
        whole.nexus.signal(Signal::Kill);
    }
    let whole = Whole::start(&[&setting]);
    let all = || Portal(&whole).subjects(ANN, "&count=100").len() == written;
    eventually("every mail", Duration::from_secs(20), all);
    assert_eq!(Portal(&whole).subjects(ANN, "&count=100")[0], "no. 14");
}
