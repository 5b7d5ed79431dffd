//! Connection 8: contact history holds what was said in the session, once, whatever the service does meanwhile.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::keeping::{Customer, PNG, guard, node, words};
use crate::net_server::on_a_core;
use crate::support::contacts::{Contacts, Fault};
use crate::support::part::eventually;

#[test]
fn history_holds_the_contact_and_the_transcript_and_agents_see_who_it_is() {
    on_a_core(async {
        let contacts = Contacts::start();
        let whole = node(&contacts.url(), None);
        whole.provision("pii-rules", json!({"name": "card", "pattern": "\\b\\d{16}\\b"}));
        let mut alice = whole.agent("alice", "chat").await;
        let ann = Customer::open(
            &whole,
            "data[firstName]=Ann&data[email]=ann%40example.com&data[userData][order]=77",
        );
        let session = ann.session.clone();
        alice.state(&session, "Invited").await;
        alice.does("accept", json!({"session": session})).await;
        alice.state(&session, "Processing").await;
        let knows = |frame: &Value| {
            let data = frame["interaction"]["userData"].as_array();
            let is = |one: &Value| one["key"] == "ContactId" && one["value"] == "0000DEMO0001";
            data.is_some_and(|data| data.iter().any(is))
        };
        if !alice.memory.seen.iter().any(knows) {
            alice.until("the contact", knows).await;
        }
        ann.says("card+4111111111111111+%3Cb%3E%22*%25%E2%80%AE");
        alice.hears("card 4111111111111111 <b>\"*%\u{202e}").await;
        let note = json!({"session": session, "message": "a regular", "visibility": "Agent"});
        alice.does("send-message", note).await;
        alice
            .does(
                "send-message",
                json!({"session": session, "message": "At your service"}),
            )
            .await;
        alice
            .does("set-comment", json!({"session": session, "disposition": "sold"}))
            .await;
        ann.leaves();
        contacts.stopped(&session);
        // What is remarked after the end is added.
        let late = json!({"session": session, "comment": "card 4111111111111111"});
        alice.does("set-comment", late).await;
        eventually("the remark", Duration::from_secs(20), || {
            let held = contacts.held();
            held.interactions[&session]["comment"] == "card ****************"
        });
        let kept = contacts.stopped(&session);
        assert_eq!(
            (&kept["contactId"], &kept["mediaType"], &kept["disposition"]),
            (&json!("0000DEMO0001"), &json!("chat"), &json!("sold"))
        );
        assert_eq!(kept["userData"], json!({"order": "77"}));
        let transcript = &kept["transcript"];
        assert_eq!(transcript["interactionId"], session.as_str());
        assert_eq!(transcript["complete"], true);

        // What is kept is what the agent was told, in order, masked.
        let told: Vec<String> = alice
            .texts(&session)
            .into_iter()
            .map(|text| text.replace("4111111111111111", "****************"))
            .collect();
        let kept: Vec<String> = words(transcript).into_iter().map(|(_, text, _)| text).collect();
        assert!(
            kept.len() >= 3 && told.len() <= kept.len() && kept[..told.len()] == told[..],
            "{kept:?} {told:?}"
        );
        let remark = ("Text".to_owned(), "a regular".to_owned(), true);
        assert!(words(transcript).contains(&remark));
        let joined = transcript["lines"].as_array().unwrap().iter();
        let names: Vec<&Value> = joined
            .filter(|line| line["type"] == "Joined")
            .map(|line| &line["from"]["name"])
            .collect();
        assert_eq!((names[0], names.len()), (&json!("Ann"), 2));
        assert_eq!(contacts.held().refused, Vec::<String>::new());
    });
}

#[test]
fn a_chat_goes_on_while_history_is_away_and_is_written_when_it_is_back() {
    let contacts = Contacts::start();
    let whole = node(&contacts.url(), None);
    contacts.fail([Fault::Silence]);
    let ann = Customer::open(&whole, "data[firstName]=Ann&data[phone]=%2B12025550101");
    eventually("the first request", Duration::from_secs(20), || {
        !contacts.held().seen.is_empty()
    });
    contacts.away(true);
    let began = Instant::now();
    ann.says("hello");
    ann.says("is+anybody+there");
    ann.leaves();
    assert!(
        began.elapsed() < Duration::from_secs(4),
        "the chat waited for history"
    );
    eventually("another attempt", Duration::from_secs(40), || {
        contacts.held().seen.len() > 1
    });
    assert!(contacts.held().interactions.is_empty());
    contacts.away(false);
    let kept = contacts.stopped(&ann.session);
    // Between what the service says.
    let lines = kept["transcript"]["lines"].as_array().unwrap().iter();
    let texts: Vec<&str> = lines
        .filter(|line| line["from"]["role"] == "Customer")
        .filter_map(|line| line["text"].as_str())
        .collect();
    assert_eq!(texts, ["hello", "is anybody there"]);
}

#[test]
fn an_interaction_that_was_refused_at_first_is_created_when_it_ends() {
    let contacts = Contacts::start();
    let whole = node(&contacts.url(), None);
    contacts.fail([Fault::Status(400)]);
    // Nobody can be told by a first name: no contact is asked for.
    let ann = Customer::open(&whole, "data[firstName]=Ann");
    eventually("the refusal", Duration::from_secs(20), || {
        !contacts.held().seen.is_empty()
    });
    ann.leaves();
    let kept = contacts.stopped(&ann.session);
    assert_eq!(kept["contactId"], Value::Null);
    assert!(contacts.held().contacts.is_empty());
}

#[test]
fn the_documented_form_of_release_9_1_does_the_same() {
    let contacts = Contacts::start();
    let whole = node(&format!("{}/base", contacts.url()), Some("classic"));
    let ann = Customer::open(&whole, "data[firstName]=Ann&data[lastName]=Lee");
    ann.says("gr%C3%BC%C3%9Fe");
    eventually("the interaction", Duration::from_secs(20), || {
        contacts.held().interactions.contains_key(&ann.session)
    });
    ann.leaves();
    let kept = contacts.stopped(&ann.session);
    assert_eq!(kept["ContactId"], "0000DEMO0001");
    let text = kept["Transcript"].as_str().unwrap();
    let transcript: Value = serde_json::from_str(text).unwrap();
    assert_eq!(words(&transcript)[1].1, "grüße");
    assert_eq!(contacts.held().refused, Vec::<String>::new());
}

#[test]
fn what_was_done_but_not_answered_is_said_again_in_the_same_bytes_and_written_once() {
    for dialect in [None, Some("classic")] {
        let contacts = Contacts::start();
        let base = dialect.map_or("", |_| "/base");
        let whole = node(&format!("{}{base}", contacts.url()), dialect);
        contacts.cut_each_once();
        let ann = Customer::open(&whole, "data[firstName]=Ann&data[email]=ann%40example.com");
        ann.says("once");
        ann.shows("a.png", PNG);
        ann.leaves();
        // Each of the three changes was done, cut, said again and answered.
        eventually("every answer", Duration::from_secs(120), || {
            let held = contacts.held();
            let changes = held
                .answered
                .iter()
                .filter(|(method, path)| method != "GET" && !path.ends_with("dentify"));
            changes.count() >= 3
        });
        let held = contacts.held();
        let file = held.files.keys().next().unwrap().clone();
        let once = ["create", "stop"].map(|what| (format!("{what} {}", ann.session), 1));
        let once = once.into_iter().chain([(format!("file {file}"), 1)]).collect();
        assert_eq!(held.written, once);
        assert_eq!((held.contacts.len(), &held.files[&file].1[..]), (1, PNG));
        assert_eq!(held.refused, Vec::<String>::new());
        for (at, (method, path, body)) in held.seen.iter().enumerate() {
            let first = held
                .seen
                .iter()
                .position(|one| (&one.0, &one.1) == (method, path))
                .unwrap();
            assert_eq!(&held.seen[first].2, body, "{method} {path}");
            assert_eq!(held.keys[first].1, held.keys[at].1, "{method} {path}");
        }
    }
}

#[test]
fn an_overloaded_service_is_left_alone_as_long_as_it_asks() {
    let contacts = Contacts::start();
    let whole = node(&contacts.url(), None);
    contacts.fail([Fault::Busy, Fault::Status(503)]);
    let ann = Customer::open(&whole, "data[firstName]=Ann");
    ann.leaves();
    contacts.stopped(&ann.session);
    let held = contacts.held();
    assert!(held.seen.len() >= 4, "{:?}", held.seen);
    assert!(held.keys[1].0.duration_since(held.keys[0].0) >= Duration::from_secs(1));
    assert_eq!(held.written[&format!("create {}", ann.session)], 1);
}

#[test]
fn a_guarded_service_is_shown_a_token_and_a_new_one_when_that_is_withdrawn() {
    let contacts = Contacts::start();
    let whole = node(&contacts.url(), None);
    guard(&whole, &contacts);
    let ann = Customer::open(&whole, "data[firstName]=Ann");
    eventually("the interaction", Duration::from_secs(30), || {
        contacts.held().interactions.contains_key(&ann.session)
    });
    contacts.withdraw();
    ann.leaves();
    contacts.stopped(&ann.session);
    let held = contacts.held();
    assert!(held.tokens > held.withdrawn, "another token was asked for");
    assert_eq!(held.refused, Vec::<String>::new());
}

#[test]
fn what_an_agent_learns_of_the_customer_goes_to_the_contact() {
    on_a_core(async {
        for dialect in [None, Some("classic")] {
            let contacts = Contacts::start();
            let base = dialect.map_or("", |_| "/base");
            let whole = node(&format!("{}{base}", contacts.url()), dialect);
            let mut alice = whole.agent("alice", "chat").await;
            let ann = Customer::open(&whole, "data[firstName]=Ann&data[email]=ann%40example.com");
            let session = ann.session.clone();
            alice.state(&session, "Invited").await;
            alice.does("accept", json!({"session": session})).await;
            alice.state(&session, "Processing").await;
            eventually("the contact", Duration::from_secs(30), || {
                contacts.held().interactions.contains_key(&session)
            });
            let name = json!([{"key": "LastName", "type": "str", "value": "Lee"},
                {"key": "EmailAddress", "type": "str", "value": "ann@example.com"},
                {"key": "order", "type": "str", "value": "7"}]);
            let attach = json!({"session": session, "userData": name});
            alice.does("attach-user-data", attach).await;
            ann.leaves();
            contacts.stopped(&session);
            eventually("what was learned", Duration::from_secs(30), || {
                !contacts.held().learned.is_empty()
            });
            let held = contacts.held();
            assert_eq!(held.learned["0000DEMO0001"], json!({"LastName": "Lee"}));
            assert_eq!(held.refused, Vec::<String>::new());
        }
    });
}
