//! Every row of the table at one node: a customer writes, an agent answers, the provider has no time at first, the node dies, and
//! what became of the answer is shown at it.

use std::sync::Mutex;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::super::given::{More, PUBLIC, Site, Store, redis};
use super::super::journey::{FILE, sees_in, sends_a_file, shown_in, takes};
use super::dialect::{ANSWER, Dialect, HELLO, Keys};
use super::mails::MAILS;
use super::texts::TEXTS;
use crate::net_server::on_a_core;
use crate::support::process::get;
use crate::support::receiver::{Say, Seen};
use crate::workspace::desktop::Desktop;

/// An agent with room for a customer of every provider.
const DORA: &str = r#"
[[tenant.agents]]
login = "dora"
nickname = "Dora"
token = "dora-development-token"
capacity = { sms = 8, email = 8 }
"#;

pub(super) fn dialects() -> impl Iterator<Item = &'static Dialect> {
    static ALL: ([Dialect; 5], [Dialect; 3]) = (TEXTS, MAILS);
    ALL.0.iter().chain(&ALL.1)
}

/// Whom a request is for, their paths say. The first time each of them has no time.
fn judge() -> impl Fn(&Seen) -> Say + Send + Sync + 'static {
    let busy: Mutex<Vec<&str>> = Mutex::new(dialects().map(|dialect| dialect.provider).collect());
    move |seen| {
        let Some(dialect) = whose(seen) else {
            return Say::json(404, "");
        };
        let mut busy = busy.lock().unwrap();
        match busy.iter().position(|provider| *provider == dialect.provider) {
            Some(at) => {
                busy.swap_remove(at);
                Say::json(dialect.busy.0, dialect.busy.1)
            }
            None => (dialect.judge)(seen),
        }
    }
}

fn whose(seen: &Seen) -> Option<&'static Dialect> {
    dialects().find(|dialect| seen.path.starts_with(dialect.called))
}

/// What one provider was sent so far, once all of them together have seen so much.
fn sent(site: &Site, all: usize, dialect: &Dialect) -> Vec<Seen> {
    let seen = site.provider.seen(all).into_iter();
    seen.filter(|seen| seen.path.starts_with(dialect.called))
        .collect()
}

fn objects(keys: &Keys) -> String {
    let mut objects = DORA.to_owned();
    for dialect in dialects() {
        objects.push_str(&channel(dialect, "{provider}", keys));
    }
    objects
}

/// The channel of a row in the tenant's file; its provider is at `url`.
pub(super) fn channel(dialect: &Dialect, url: &str, keys: &Keys) -> String {
    let (provider, media) = (dialect.provider, dialect.media);
    let endpoint = if media == "sms" { "texts" } else { "mails" };
    format!(
        "\n[[tenant.channels]]\nid = \"ch-{provider}\"\nname = \"Shop at {provider}\"\nmedia = \"{media}\"\nprovider = \"{provider}\"\n\
         endpoint = \"{endpoint}\"\nwebhookUrl = \"{url}\"\nretryTimeoutMs = 200\n{}",
        dialect.channel.replace("{key}", &keys.public)
    )
}

async fn dora(site: &Site) -> Desktop {
    let mut dora = site.node().agent("dora", "sms").await;
    dora.does("ready", json!({"media": "email"})).await;
    dora
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
    let mut site = Site::new(store, judge(), &more);
    let mut agent = dora(&site).await;
    let all = dialects().count();
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
        let answer = json!({"session": session, "message": ANSWER});
        agent.does("send-message", answer).await;
        open.push((dialect, session));
    }
    let mut told = Vec::new();
    for (dialect, session) in &open {
        let name = dialect.provider;
        let seen = sent(&site, 2 * all, dialect);
        assert_eq!(
            (&seen[0].path, &seen[0].body),
            (&seen[1].path, &seen[1].body),
            "{name}: the same again"
        );
        let one = (dialect.told)(&seen[1]);
        assert_eq!(
            one.to.trim_start_matches('+'),
            dialect.customer.trim_start_matches('+'),
            "{name}"
        );
        assert_eq!(one.words.trim_end(), ANSWER, "{name}");
        if let Some(answers) = &one.answers {
            assert_eq!(answers, &format!("<{name}@customer.example>"), "{name}");
        }
        sees_in(&mut agent, session, "Sent", 1).await;
        sends_a_file(&site, &mut agent, "dora", session).await;
        told.push(one);
    }
    for (dialect, session) in &open {
        let seen = sent(&site, 3 * all, dialect);
        arrives(&site, &(dialect.file)(&seen[2]), dialect);
        sees_in(&mut agent, session, "Sent", 2).await;
    }
    drop(agent);
    site.crash();
    let mut agent = dora(&site).await;
    for ((dialect, session), told) in open.iter().zip(&told) {
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
    assert_eq!(site.provider.count(), 3 * all, "each was sent once");
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
