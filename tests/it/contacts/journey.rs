//! A contact's conversations on a whole node: found by agents, given out and erased for an administrator, on both stores.

use std::time::Duration;

use serde_json::{Value, json};

use super::cluster::Cluster;
use crate::net_server::on_a_core;
use crate::outward::keeping::{Customer, PNG};
use crate::securemail::portal::Portal;
use crate::support::part::eventually;
use crate::support::whole::{ADMIN_KEY, Whole};

const ANN: &str = "ann@planted.example";
const ANN_OPENS: &str = "data[nickname]=Ann&data[email]=ann%40planted.example";
const AGENT: (&str, &str) = ("authorization", "Bearer alice-development-token");
const ADMIN: (&str, &str) = ("x-api-key", ADMIN_KEY);

fn post(whole: &Whole, path: &str, who: (&str, &str), data: &Value) -> (u16, Value) {
    let body = json!({"data": data}).to_string();
    let headers = [who, ("content-type", "application/json")];
    whole.send("POST", &format!("/nexus/v3/{path}"), &headers, body.as_bytes())
}

fn sessions(answer: &Value) -> Vec<String> {
    let listed = answer["data"]["sessions"].as_array().cloned().unwrap_or_default();
    let ids = listed.iter().filter_map(|session| session["sessionId"].as_str());
    ids.map(str::to_owned).collect()
}

async fn the_whole_way(settings: &[String]) {
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    let whole = Whole::start(&settings);
    let mut alice = whole.agent("alice", "chat").await;
    let ann = Customer::open(&whole, ANN_OPENS);
    alice.state(&ann.session, "Invited").await;
    alice.does("accept", json!({"session": ann.session})).await;
    alice.state(&ann.session, "Processing").await;
    ann.says("where+is+my+planted+zebra");
    ann.shows("a.png", PNG);
    let note = json!({"session": ann.session, "comment": "likes stripes"});
    alice.does("set-comment", note).await;
    ann.leaves();
    let bob = Customer::open(&whole, "data[nickname]=Bob&data[email]=bob%40planted.example");
    bob.says("my+planted+zebra+too");
    bob.leaves();
    let live = Customer::open(&whole, ANN_OPENS);
    live.says("still+here");
    Portal(&whole).send(ANN, json!({"subject": "planted subject", "text": "planted mail"}));

    // Found by agents: by words, and by whose it is.
    let search = |who: (&str, &str), data: Value| post(&whole, "history/search", who, &data);
    eventually("both in our history", Duration::from_secs(30), || {
        let (status, found) = search(AGENT, json!({"text": "planted ZEBRA"}));
        assert_eq!(status, 200, "{found}");
        sessions(&found) == [bob.session.clone(), ann.session.clone()]
    });
    let (_, found) = search(AGENT, json!({"email": "Ann@Planted.Example"}));
    assert_eq!(sessions(&found), [ann.session.as_str()]);
    assert_eq!(search(AGENT, json!({"eMail": ANN})).0, 400);
    let read = |session: &str| whole.send("GET", &format!("/nexus/v3/history/{session}"), &[AGENT], b"");
    let (status, told) = read(&ann.session);
    assert_eq!(
        (status, &told["data"]["comment"]),
        (200, &json!("likes stripes")),
        "{told}"
    );
    assert!(told.to_string().contains("where is my planted zebra"), "{told}");

    // Who was here before: the agent of a session sees its customer's earlier ones.
    alice.state(&live.session, "Invited").await;
    alice.does("accept", json!({"session": live.session})).await;
    alice.state(&live.session, "Processing").await;
    let earlier = format!("/nexus/v3/agents/me/interactions/{}/history", live.session);
    let (status, past) = whole.send("GET", &earlier, &[AGENT], b"");
    assert_eq!(
        (status, &past["data"]["interactions"][0]["id"]),
        (200, &json!(ann.session)),
        "{past}"
    );

    // Given out: what is over, what goes on, and the mail.
    let export = || post(&whole, "contacts/export", ADMIN, &json!({"mailbox": ANN}));
    let mut given = Value::Null;
    eventually("three sessions of ann's", Duration::from_secs(30), || {
        let (status, answer) = export();
        assert_eq!(status, 200, "{answer}");
        given = answer;
        sessions(&given).len() == 3
    });
    let text = given.to_string();
    for part in [
        "where is my planted zebra",
        "still here",
        "planted mail",
        "likes stripes",
        ANN,
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    assert!(!text.contains("zebra too"), "{text}");
    let page = json!({"email": ANN, "limit": 2});
    let (_, first) = post(&whole, "contacts/export", ADMIN, &page);
    let after = json!({"email": ANN, "limit": 2, "after": first["data"]["next"]});
    let (_, second) = post(&whole, "contacts/export", ADMIN, &after);
    assert_eq!((sessions(&first).len(), sessions(&second).len()), (2, 1));
    for (who, wanted) in [(AGENT, 403), (("x-api-key", "nonsense"), 401)] {
        for call in ["contacts/export", "contacts/erase"] {
            assert_eq!(
                post(&whole, call, who, &json!({"email": ANN})).0,
                wanted,
                "{call}"
            );
        }
    }
    assert_eq!(post(&whole, "contacts/erase", ADMIN, &json!({})).0, 400);

    // Erased, the one that goes on too; doing it again is harmless.
    let (status, done) = post(&whole, "contacts/erase", ADMIN, &json!({"email": ANN}));
    assert_eq!(
        (status, &done["data"]),
        (200, &json!({"erased": 3, "complete": true})),
        "{done}"
    );
    let (status, done) = post(&whole, "contacts/erase", ADMIN, &json!({"email": ANN}));
    assert_eq!(
        (status, &done["data"]),
        (200, &json!({"erased": 0, "complete": true})),
        "{done}"
    );
    assert_eq!(sessions(&export().1), Vec::<String>::new());
    assert_eq!(read(&ann.session).0, 404);
    let (_, found) = search(AGENT, json!({"text": "planted zebra"}));
    assert_eq!(sessions(&found), [bob.session.as_str()]);
    // The log still has every record; the words are gone from it, and from the memory of the node.
    let transcript = format!("/nexus/v3/agents/me/interactions/{}/transcript", ann.session);
    let (status, left) = whole.send("GET", &transcript, &[AGENT], b"");
    let left = left.to_string();
    assert!(
        status == 200 && left.contains("\"erased\":true"),
        "{status} {left}"
    );
    for part in ["zebra", "Ann", "a.png"] {
        assert!(!left.contains(part), "{part} is left: {left}");
    }
    let mails = Portal(&whole).list(ANN, "").to_string();
    assert!(!mails.contains("planted subject"), "{mails}");

    // Written down, without a name.
    let (status, audit) = whole.send("GET", "/nexus/v3/audit?limit=5", &[ADMIN], b"");
    let audit = audit.to_string();
    assert!(
        status == 200 && audit.contains("erased") && audit.contains("exported"),
        "{audit}"
    );
    assert!(!audit.contains("planted"), "{audit}");
}

#[test]
fn a_contact_is_found_given_out_and_erased_on_the_embedded_default() {
    on_a_core(the_whole_way(&[]));
}

#[test]
fn a_contact_is_found_given_out_and_erased_over_redis_and_postgres() {
    let cluster = Cluster::start();
    let settings = cluster.node("one");
    on_a_core(async move {
        the_whole_way(&settings).await;
        let dump = cluster.postgres.dump();
        assert!(
            !dump.contains("where is my planted"),
            "what was erased is in the database"
        );
        assert!(
            dump.contains("my planted zebra too"),
            "what was not is still there"
        );
    });
}
