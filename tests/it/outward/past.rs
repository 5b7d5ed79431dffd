//! What an agent sees of a customer's past.

use std::time::Duration;

use serde_json::{Value, json};

use super::keeping::{Customer, guard, node};
use crate::net_server::on_a_core;
use crate::support::contacts::{Contacts, Fault};
use crate::support::part::eventually;
use crate::support::whole::Whole;

const ANN: &str = "data[firstName]=Ann&data[email]=ann%40example.com";

fn past(whole: &Whole, session: &str, query: &str, agent: &str) -> (u16, Value) {
    let path = format!("/nexus/v3/agents/me/interactions/{session}/history{query}");
    let token = format!("Bearer {agent}-development-token");
    whole.send("GET", &path, &[("authorization", &token)], b"")
}

#[test]
fn an_agent_sees_what_the_contact_did_before_a_page_at_a_time() {
    on_a_core(async {
        for dialect in [None, Some("classic")] {
            let contacts = Contacts::start();
            let base = dialect.map_or("", |_| "/base");
            let whole = node(&format!("{}{base}", contacts.url()), dialect);
            guard(&whole, &contacts);
            whole.provision("pii-rules", json!({"name": "card", "pattern": "\\b\\d{16}\\b"}));
            let mut alice = whole.agent("alice", "chat").await;
            let mut before = Vec::new();
            for _ in 0..3 {
                let ann = Customer::open(&whole, ANN);
                let session = ann.session.clone();
                alice.state(&session, "Invited").await;
                alice.does("accept", json!({"session": session})).await;
                alice.state(&session, "Processing").await;
                let comment = json!({"session": session, "comment": "card 4111111111111111"});
                alice.does("set-comment", comment).await;
                ann.leaves();
                contacts.stopped(&session);
                alice.command("complete", json!({"session": session})).await;
                before.insert(0, session);
            }
            let ann = Customer::open(&whole, ANN);
            let session = ann.session.clone();
            alice.state(&session, "Invited").await;
            alice.does("accept", json!({"session": session})).await;
            alice.state(&session, "Processing").await;
            eventually("the contact", Duration::from_secs(30), || {
                contacts.held().interactions.contains_key(&session)
            });
            let (status, first) = past(&whole, &session, "?limit=2", "alice");
            assert_eq!(
                (status, &first["data"]["contactId"]),
                (200, &json!("0000DEMO0001")),
                "{first}"
            );
            let ids = |page: &Value| {
                let all = page["data"]["interactions"].as_array().unwrap().iter();
                all.map(|one| one["id"].as_str().unwrap().to_owned())
                    .collect::<Vec<_>>()
            };
            // The session itself is not its own past.
            assert_eq!(ids(&first), before[..1], "{first}");
            assert_eq!(
                first["data"]["interactions"][0]["comment"],
                "card ****************"
            );
            let next = first["data"]["next"].as_str().unwrap();
            let (_, second) = past(&whole, &session, &format!("?limit=2&cursor={next}"), "alice");
            assert_eq!(ids(&second), before[1..], "{second}");
            // An agent who is not in the session learns nothing of its customer.
            assert!(matches!(past(&whole, &session, "", "bob").0, 403 | 404));
            assert_eq!(contacts.held().refused, Vec::<String>::new());
        }
    });
}

#[test]
fn a_service_that_is_away_holds_up_nobody_and_a_contact_the_customer_claims_is_not_looked_up() {
    on_a_core(async {
        let contacts = Contacts::start();
        let whole = node(&contacts.url(), None);
        let mut alice = whole.agent("alice", "chat").await;
        let claimed = Customer::open(
            &whole,
            "data[firstName]=Eve&data[userData][ContactId]=0000DEMO0001",
        );
        let session = claimed.session.clone();
        alice.state(&session, "Invited").await;
        alice.does("accept", json!({"session": session})).await;
        alice.state(&session, "Processing").await;
        let (status, none) = past(&whole, &session, "", "alice");
        assert_eq!(
            (status, &none["data"]),
            (200, &json!({"interactions": []})),
            "{none}"
        );
        let reads = |contacts: &Contacts| contacts.held().seen.iter().filter(|one| one.0 == "GET").count();
        assert_eq!(reads(&contacts), 0);
        claimed.leaves();

        let ann = Customer::open(&whole, ANN);
        let session = ann.session.clone();
        alice.state(&session, "Invited").await;
        alice.does("accept", json!({"session": session})).await;
        alice.state(&session, "Processing").await;
        eventually("the contact", Duration::from_secs(30), || {
            contacts.held().interactions.contains_key(&session)
        });
        contacts.fail([Fault::Busy, Fault::Silence, Fault::Garbage]);
        for _ in 0..3 {
            let (status, answer) = past(&whole, &session, "", "alice");
            assert_eq!(
                (status, &answer["status"]["code"]),
                (503, &json!(50301)),
                "{answer}"
            );
        }
        // The conversation goes on.
        ann.says("hello");
        alice.hears("hello").await;
    });
}
