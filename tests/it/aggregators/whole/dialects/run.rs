//! Every row of the table at one node: a customer writes, an agent answers, the provider has no time at first, the node dies, and
//! what became of the answer is shown at it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::super::given::{More, PUBLIC, Site, Store, redis};
use super::super::journey::{sees_in, shown_in, takes};
use super::dialect::{ANSWER, Dialect, HELLO, Keys};
use super::mails::MAILS;
use super::texts::TEXTS;
use crate::net_server::on_a_core;
use crate::support::process::get;
use crate::support::receiver::{Say, Seen};
use crate::workspace::desktop::Desktop;

const FILE: &str = "planted plan";

/// An agent with room for a customer of every provider.
const DORA: &str = r#"
[[tenant.agents]]
login = "dora"
nickname = "Dora"
token = "dora-development-token"
capacity = { sms = 8, email = 8 }
"#;

fn dialects() -> impl Iterator<Item = &'static Dialect> {
    static ALL: ([Dialect; 5], [Dialect; 3]) = (TEXTS, MAILS);
    ALL.0.iter().chain(&ALL.1)
}

/// Whom a request is for, their paths say.
fn judge(seen: &Seen) -> Say {
    let whose = dialects().find(|dialect| seen.path.starts_with(dialect.called));
    whose.map_or_else(|| Say::json(404, ""), |dialect| (dialect.judge)(seen))
}

fn objects(keys: &Keys) -> String {
    let mut objects = DORA.to_owned();
    for dialect in dialects() {
        let (provider, media) = (dialect.provider, dialect.media);
        let endpoint = if media == "sms" { "texts" } else { "mails" };
        objects.push_str(&format!(
            "\n[[tenant.channels]]\nid = \"ch-{provider}\"\nname = \"Shop at {provider}\"\nmedia = \"{media}\"\nprovider = \"{provider}\"\n\
             endpoint = \"{endpoint}\"\nwebhookUrl = \"{{provider}}\"\nretryTimeoutMs = 200\n{}",
            dialect.channel.replace("{key}", &keys.public)
        ));
    }
    objects
}

async fn dora(site: &Site) -> Desktop {
    let mut dora = site.node().agent("dora", "sms").await;
    dora.does("ready", json!({"media": "email"})).await;
    dora
}

/// Takes a file to a session and sends it there.
async fn sends_a_file(site: &Site, agent: &mut Desktop, session: &str) {
    let body = format!(
        "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"plan.txt\"\r\nContent-Type: text/plain\r\n\r\n{FILE}\r\n--b--\r\n"
    );
    let headers = [
        ("authorization", "Bearer dora-development-token"),
        ("content-type", "multipart/form-data; boundary=b"),
    ];
    let path = format!("/nexus/v3/agents/me/interactions/{session}/files");
    let (status, stored) = site.node().send("POST", &path, &headers, body.as_bytes());
    assert_eq!(status, 200, "{stored}");
    let file = json!({"session": session, "mediaId": stored["data"]["mediaId"], "name": "plan.txt"});
    agent.does("send-file", file).await;
}

/// Either the file is there, or it can be fetched at the address that is.
fn arrives(site: &Site, file: &str, dialect: &Dialect) {
    let name = dialect.provider;
    if dialect.media == "email" {
        assert_eq!(STANDARD.decode(file).unwrap(), FILE.as_bytes(), "{name}");
        return;
    }
    let path = file
        .strip_prefix(PUBLIC)
        .unwrap_or_else(|| panic!("{name}: {file}"));
    assert_eq!(get(site.node().addr, path), (200, FILE.to_owned()), "{name}");
    let last = path.chars().last().unwrap();
    let forged = format!(
        "{}{}",
        &path[..path.len() - 1],
        if last == 'A' { 'B' } else { 'A' }
    );
    assert_eq!(get(site.node().addr, &forged).0, 404, "{name}");
}

async fn every_dialect_goes_both_ways(store: Store) {
    let keys = Keys::made();
    let objects = objects(&keys);
    let more = More {
        objects: &objects,
        ..More::default()
    };
    let mut site = Site::new(store, judge, &more);
    let mut agent = dora(&site).await;
    let mut open = Vec::new();
    for dialect in dialects() {
        let (name, (taken, refused)) = (dialect.provider, dialect.codes);
        let hello = (dialect.hello)();
        assert_eq!(
            hello.bare().make(&site, name),
            refused,
            "{name}: nothing vouches for it"
        );
        assert_eq!(hello.make(&site, name), taken, "{name}");
        let session = takes(&mut agent).await;
        agent.hears(HELLO).await;
        let (status, body) = dialect.busy;
        site.provider.script([Say::json(status, body)]);
        let before = site.provider.count();
        agent
            .does("send-message", json!({"session": session, "message": ANSWER}))
            .await;
        let seen = site.provider.seen(before + 2).split_off(before);
        assert_eq!(
            (&seen[0].path, &seen[0].body),
            (&seen[1].path, &seen[1].body),
            "{name}: the same again"
        );
        sees_in(&mut agent, &session, "Sent", 1).await;
        let told = (dialect.told)(&seen[1]);
        assert_eq!(
            told.to.trim_start_matches('+'),
            dialect.customer.trim_start_matches('+'),
            "{name}"
        );
        assert_eq!(told.words.trim_end(), ANSWER, "{name}");
        if let Some(answers) = &told.answers {
            assert_eq!(answers, &format!("<{name}@customer.example>"), "{name}");
        }
        let sent = site.provider.count();
        sends_a_file(&site, &mut agent, &session).await;
        let seen = site.provider.seen(sent + 1).split_off(sent);
        arrives(&site, &(dialect.file)(&seen[0]), dialect);
        sees_in(&mut agent, &session, "Sent", 2).await;
        open.push((dialect, session, told));
    }
    drop(agent);
    site.crash();
    let mut agent = dora(&site).await;
    for (dialect, session, told) in &open {
        let (name, (taken, refused)) = (dialect.provider, dialect.codes);
        let delivered = (dialect.delivered)(told, &keys);
        assert_eq!(
            delivered.bare().make(&site, name),
            refused,
            "{name}: nothing vouches for it"
        );
        assert_eq!(delivered.make(&site, name), taken, "{name}");
        sees_in(&mut agent, session, "Delivered", 1).await;
        // A provider that asks once more changes nothing.
        assert_eq!(delivered.make(&site, name), taken, "{name}");
        assert_eq!(agent.texts(session), [HELLO, ANSWER], "{name}");
        let mut shown = shown_in(&agent, session);
        shown.sort_unstable();
        assert_eq!(
            shown,
            ["Delivered", "Sent", "Sent"],
            "{name}: the answer and the file"
        );
    }
    assert_eq!(site.provider.count(), 3 * open.len(), "each was sent once");
    drop(agent);
    site.logs_hold_none_of(&["customer.example", "Order 7", "shop.example"]);
}

#[test]
fn every_other_dialect_goes_both_ways_on_the_embedded_default() {
    on_a_core(every_dialect_goes_both_ways(Store::Embedded));
}

#[test]
fn every_other_dialect_goes_both_ways_on_redis() {
    on_a_core(every_dialect_goes_both_ways(redis()));
}
