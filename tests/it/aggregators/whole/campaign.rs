//! A campaign by mail: what became of it, up to the link that was followed and the answer that came.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};

use super::given::Site;
use super::journey::takes;
use super::mailgun::{ANN, Mail, event, header, mailgun, read};
use crate::net_server::on_a_core;
use crate::support::part::{eventually, free_port};
use crate::support::whole::{ADMIN_KEY, CCID, send};

const BATCHES: &str = "/nexus/v3/campaigns/spring/batches";
const HEADERS: [(&str, &str); 3] = [
    ("x-api-key", ADMIN_KEY),
    ("x-ccid", CCID),
    ("content-type", "application/json"),
];

/// Waits until the batch stands so.
fn until(internal: SocketAddr, counts: &Value) {
    eventually(&counts.to_string(), Duration::from_secs(30), || {
        let (status, batch) = send(internal, "GET", &format!("{BATCHES}/b-1"), &HEADERS, b"");
        status == 200 && batch["data"]["counts"] == *counts
    });
}

#[test]
fn a_campaign_hears_that_its_mail_was_opened_followed_and_answered() {
    on_a_core(async {
        let mut site = Site::embedded(mailgun);
        site.kill();
        let internal = SocketAddr::from(([127, 0, 0, 1], free_port()));
        site.settings.push(format!("listen.internal.address={internal}"));
        site.start();
        let message = json!({"recordHandle": "9001", "to": ANN.to_uppercase(), "subject": "Planted offer", "text": "planted: look"});
        let batch = json!({"data": {"batchId": "b-1", "media": "email", "from": "help@shop.example", "messages": [message]}});
        let (status, answer) = send(internal, "POST", BATCHES, &HEADERS, batch.to_string().as_bytes());
        assert_eq!(status, 202, "{answer}");
        let mail = read(&site.provider.seen(1)[0]);
        let sent = header(&mail, "message-id").unwrap();
        until(internal, &json!({"Sent": 1}));
        let ours = sent.trim_matches(['<', '>']).split('@').next().unwrap();
        for (token, said, counts) in [
            ("a", "opened", json!({"Opened": 1})),
            ("b", "clicked", json!({"Clicked": 1})),
            // What comes late moves nothing back.
            ("c", "delivered", json!({"Clicked": 1})),
        ] {
            assert_eq!(event(&site, &token.repeat(50), said, ours), 200);
            until(internal, &counts);
        }
        let reply = Mail {
            from: ANN,
            id: "m1@customer.example",
            subject: "Re: Planted offer",
            answers: Some(sent.trim_matches(['<', '>'])),
            text: "planted: tell me more",
        };
        assert_eq!(reply.post(&site, &"d".repeat(50)), 200);
        until(internal, &json!({"Replied": 1}));
        let mut alice = site.node().agent("alice", "email").await;
        let session = takes(&mut alice).await;
        assert_eq!(alice.texts(&session), [reply.text]);
        drop(alice);
        site.logs_hold_none_of(&["customer.example", "offer"]);
    });
}
