//! Connection 8: contact history holds what was said in the session, once, whatever the service does meanwhile.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::net_server::on_a_core;
use crate::support::contacts::{Contacts, Fault};
use crate::support::part::eventually;
use crate::support::whole::{ADMIN_KEY, CCID, Whole};

const KEY: &str = "11111111-2222-4333-8444-555555555555";
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

/// A node whose development tenant keeps its history at `url`.
fn node(url: &str, dialect: Option<&str>) -> Whole {
    let whole = Whole::start(&[]);
    let tenant = json!({"data": {"sid": "dev", "name": "Development", "region": "local", "timeZone": "Europe/Berlin",
        "staticAgentTokens": true, "ucsUrl": url, "ucsDialect": dialect}});
    let headers = [("x-api-key", ADMIN_KEY), ("content-type", "application/json")];
    let path = format!("/nexus/v3/tenants/{CCID}");
    let (status, answer) = whole.send("PUT", &path, &headers, tenant.to_string().as_bytes());
    assert_eq!(status, 200, "{answer}");
    whole
}

struct Customer<'w> {
    whole: &'w Whole,
    token: String,
    session: String,
    participant: String,
}

impl<'w> Customer<'w> {
    fn open(whole: &'w Whole, data: &str) -> Self {
        let body = format!("data[endpoint]=web&{data}");
        let headers = [("x-api-key", KEY), FORM];
        let (status, answer) = whole.send("POST", "/nexus/v3/chat/sessions", &headers, body.as_bytes());
        assert_eq!(status, 200, "{answer}");
        let token = answer["data"]["clientToken"].as_str().unwrap().to_owned();
        let claims = token.split('.').nth(1).unwrap().trim_end_matches('=');
        use base64::Engine as _;
        let claims = base64::engine::general_purpose::STANDARD_NO_PAD
            .decode(claims)
            .unwrap();
        let claims: Value = serde_json::from_slice(&claims).unwrap();
        Self {
            whole,
            session: answer["data"]["entity"]["id"].as_str().unwrap().to_owned(),
            participant: claims["participantId"].as_str().unwrap().to_owned(),
            token,
        }
    }

    fn send(&self, method: &str, below: &str, body: &str) {
        let path = format!("/nexus/v3/chat/sessions/{}/{below}", self.session);
        let headers = [
            ("x-api-key", KEY),
            ("x-nexus-client-key", self.token.as_str()),
            FORM,
        ];
        let (status, answer) = self.whole.send(method, &path, &headers, body.as_bytes());
        assert_eq!(status, 200, "{answer}");
    }

    fn says(&self, text: &str) {
        let body = format!("operationId=1&data[type]=Text&data[text]={text}");
        self.send("POST", "messages", &body);
    }

    fn leaves(&self) {
        let below = format!("participants/{}", self.participant);
        self.send("DELETE", &below, "operationId=1");
    }
}

/// (type, text, audience) of the lines that have words.
fn words(transcript: &Value) -> Vec<(String, String, bool)> {
    let lines = transcript["lines"].as_array().unwrap();
    let words = lines.iter().filter_map(|line| {
        let text = line["text"].as_str()?.to_owned();
        Some((
            line["type"].as_str()?.to_owned(),
            text,
            line["audience"] == "agents",
        ))
    });
    words.collect()
}

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
    let texts: Vec<String> = words(&kept["transcript"])
        .into_iter()
        .map(|(_, text, _)| text)
        .collect();
    // Between what the service says at the beginning and at the end.
    assert_eq!(texts[1..3], ["hello", "is anybody there"], "{texts:?}");
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
