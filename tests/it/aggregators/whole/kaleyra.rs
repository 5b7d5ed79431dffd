//! Kaleyra: forms and queries, vouched for by a token at the end of the path.

use serde_json::json;

use super::given::{CUSTOMER, FORM, More, Site, Store, fields, form};
use super::journey::{sees, shown, takes};
use crate::net_server::on_a_core;
use crate::support::receiver::{Say, Seen};

const PATH: &str = "/nexus/v3/aggregators/kaleyra/ch-kaleyra";
const TOKEN: &str = "planted-path-token";

/// Kaleyra's router: takes what is known of it and nothing else.
fn router(seen: &Seen) -> Say {
    let (path, query) = seen.path.split_once('?').unwrap_or((&seen.path, ""));
    let fields = fields(query.as_bytes());
    let known = ["reply_to", "body", "recipient"];
    let sound = (seen.method.as_str(), path) == ("POST", "/a2w_preRouter/httpApiRouter")
        && seen.header("authorization").starts_with("Basic ")
        && fields.len() == known.len()
        && known.iter().all(|name| fields.contains_key(*name));
    if !sound {
        return Say::json(200, r#"{"httpApiResponse":{"code":"104"}}"#);
    }
    let one = json!({"mobileNumber": fields["recipient"], "messageId": "k-out-1"});
    let answer = json!({"code": "100", "recipients": {"recipient": one}});
    Say::json(200, &json!({"httpApiResponse": answer}).to_string())
}

fn site() -> Site {
    // The development tenant's file names its own provider; this one is added to it.
    let channel = r#"
[[tenant.channels]]
id = "ch-kaleyra"
name = "Shop by short code"
media = "sms"
provider = "kaleyra"
address = "40404"
endpoint = "texts"
webhookUrl = "{provider}"
secret = "planted-path-token"
credentials = '{"user": "shop", "password": "planted-kaleyra-password"}'
retryTimeoutMs = 200
config = { auth = "token" }
"#;
    let more = More {
        objects: channel,
        ..More::default()
    };
    Site::new(Store::Embedded, router, &more)
}

#[test]
fn a_token_in_the_path_lets_texts_and_receipts_in() {
    on_a_core(async {
        let site = site();
        let message = form(
            &json!({"source": &CUSTOMER[2..], "destination": "40404", "message": "planted hello", "messageId": "k-1",
                    "timestamp": "2026-11-26T02:00:00Z"}),
        );
        let post = |tail: &str, body: &str| {
            site.post(
                &format!("{PATH}/{tail}"),
                &[("content-type", FORM)],
                body.as_bytes(),
            )
        };
        assert_eq!(post("inbound", &message), 403);
        assert_eq!(post("inbound/another-token", &message), 403);
        assert_eq!(post(&format!("inbound/{TOKEN}/more"), &message), 404);
        assert_eq!(post(&format!("inbound/{TOKEN}"), &message), 200);
        let mut alice = site.node().agent("alice", "sms").await;
        let session = takes(&mut alice).await;
        let answer = json!({"session": session, "message": "planted answer"});
        alice.does("send-message", answer).await;
        let seen = site.provider.seen(1);
        let query = fields(seen[0].path.split_once('?').unwrap().1.as_bytes());
        assert_eq!(query["recipient"], CUSTOMER[1..]);
        sees(&mut alice, "Sent", 1).await;
        // Their receipts are queries as well, and name their id.
        let receipt = format!("{PATH}/status/{TOKEN}?messageId=k-out-1&status=DELIVRD");
        assert_eq!(site.node().send("GET", &receipt, &[], b"").0, 200);
        sees(&mut alice, "Delivered", 1).await;
        assert_eq!(shown(&alice), ["Sent", "Delivered"]);
        drop(alice);
        site.logs_hold_none_of(&[TOKEN]);
    });
}
