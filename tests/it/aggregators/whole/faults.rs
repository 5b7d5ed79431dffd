//! Providers that fail in every way a peer can: each answer of an agent meets one of them first. Nothing is lost, nothing leaves in other
//! bytes, and nothing leaves again once it was accepted.

use std::collections::BTreeSet;
use std::sync::Mutex;

use serde_json::json;

use super::given::{FORM, INBOUND, More, Site, Store, TWILIO_TOKEN, fields, text, twilio, twilio_signs};
use super::journey::{sees_in, shown_in, takes};
use super::mailgun::{Mail, mailgun, parts};
use crate::net_server::on_a_core;
use crate::support::receiver::{Say, Seen};
use crate::workspace::desktop::Desktop;

/// An agent with room for a customer of every fault by both media.
const DORA: &str = r#"
[[tenant.agents]]
login = "dora"
nickname = "Dora"
token = "dora-development-token"
capacity = { sms = 8, email = 8 }
"#;

/// A way to fail, by its name.
pub(super) type Fault = (&'static str, fn() -> Say);

/// What the first attempt for each customer meets.
pub(super) const FAULTS: [Fault; 8] = [
    ("a redirect", || {
        Say::json(302, "").with("location", "http://127.0.0.1:9/elsewhere")
    }),
    ("silence", Say::never),
    ("drops", Say::in_drops),
    ("a reset", Say::reset),
    ("garbage", Say::garbled),
    ("a page of somebody else's", || {
        Say::json(200, "<html>please sign in</html>")
    }),
    ("no time", || Say::json(429, "{}").with("retry-after", "1")),
    ("trouble", || Say::json(503, "").with("retry-after", "1")),
];

/// To whom a request is, by either provider.
fn to(seen: &Seen) -> String {
    match seen.header("content-type") == FORM {
        true => fields(&seen.body)["To"].clone(),
        false => {
            let parts = parts(seen);
            parts.iter().find(|(name, _)| name == "to").unwrap().1.clone()
        }
    }
}

fn number(n: usize) -> String {
    format!("+1202555014{n}")
}

fn mailbox(n: usize) -> String {
    format!("ann{n}.planted@customer.example")
}

/// Fails for everybody once.
fn judge() -> impl Fn(&Seen) -> Say + Send + Sync + 'static {
    let met = Mutex::new(BTreeSet::new());
    move |seen| {
        let to = to(seen);
        let which = (0..FAULTS.len())
            .find(|n| to == number(*n) || to == mailbox(*n))
            .unwrap();
        match (
            met.lock().unwrap().insert(to),
            seen.header("content-type") == FORM,
        ) {
            (true, _) => (FAULTS[which].1)(),
            (false, true) => twilio(seen),
            (false, false) => mailgun(seen),
        }
    }
}

async fn dora(site: &Site) -> Desktop {
    let mut dora = site.node().agent("dora", "sms").await;
    dora.does("ready", json!({"media": "email"})).await;
    dora
}

#[test]
fn whatever_a_provider_does_each_answer_arrives_and_none_leaves_again_once_it_was_accepted() {
    on_a_core(async {
        let more = More {
            objects: DORA,
            ..More::default()
        };
        let mut site = Site::new(Store::Embedded, judge(), &more);
        let mut agent = dora(&site).await;
        let texts: Vec<_> = (0..FAULTS.len())
            .map(|n| {
                (
                    TWILIO_TOKEN,
                    INBOUND,
                    text(&format!("SM{n}"), &number(n), "planted hello"),
                )
            })
            .collect();
        let texts = twilio_signs(&texts);
        let mut open = Vec::new();
        for (n, hello) in texts.iter().enumerate() {
            assert_eq!(hello.post(&site), 200);
            open.push((number(n), FAULTS[n].0, takes(&mut agent).await));
            let mail = Mail {
                from: &mailbox(n),
                id: &format!("m{n}@customer.example"),
                subject: "Order 7",
                answers: None,
                text: "planted hello",
            };
            assert_eq!(mail.post(&site, &format!("{n}").repeat(50)), 200);
            open.push((mailbox(n), FAULTS[n].0, takes(&mut agent).await));
        }
        for (_, _, session) in &open {
            let answer = json!({"session": session, "message": "planted answer"});
            agent.does("send-message", answer).await;
        }
        let seen = site.provider.seen(2 * open.len());
        for (customer, fault, session) in &open {
            let of: Vec<_> = seen.iter().filter(|seen| to(seen) == *customer).collect();
            assert_eq!(of.len(), 2, "{customer}: {fault}");
            assert_eq!(of[0].body, of[1].body, "{customer}: the same again after {fault}");
            sees_in(&mut agent, session, "Sent", 1).await;
            assert_eq!(shown_in(&agent, session), ["Sent"], "{customer}: {fault}");
        }
        drop(agent);
        // Whoever takes it up next knows what was accepted.
        site.crash();
        let mut agent = dora(&site).await;
        for (customer, fault, session) in &open {
            let goodbye = json!({"session": session, "message": "planted goodbye"});
            agent.does("send-message", goodbye).await;
            sees_in(&mut agent, session, "Sent", 2).await;
            let last = site
                .provider
                .seen(0)
                .iter()
                .filter(|seen| to(seen) == *customer)
                .count();
            assert_eq!(last, 3, "{customer}: {fault}");
        }
        drop(agent);
        site.logs_hold_none_of(&["customer.example", "Order 7"]);
    });
}
