//! What history holds after a drain equals the session's log, on both stores.

use std::os::unix::fs::OpenOptionsExt as _;
use std::time::Duration;

use serde_json::Value;

use super::keeping::{Customer, PNG, keep, words};
use crate::support::contacts::Contacts;
use crate::support::part::{Signal, eventually};
use crate::support::postgres::Postgres;
use crate::support::redis::RedisServer;
use crate::support::whole::Whole;

#[test]
fn what_history_holds_after_a_drain_is_the_log_on_the_embedded_default() {
    let data = tempfile::tempdir().unwrap();
    through_a_drain(&[format!("store.data_dir={}", data.path().display())]);
}

#[test]
fn what_history_holds_after_a_drain_is_the_log_on_redis_and_postgres() {
    let (postgres, redis) = (Postgres::start(), RedisServer::start());
    let data = tempfile::tempdir().unwrap();
    let key = data.path().join("master.key");
    let mut private = std::fs::OpenOptions::new();
    private.write(true).create(true).mode(0o600);
    let line = format!("{}=\n", "A".repeat(43));
    std::io::Write::write_all(&mut private.open(&key).unwrap(), line.as_bytes()).unwrap();
    through_a_drain(&[
        format!("store.data_dir={}", data.path().display()),
        "store.mode=redis".to_owned(),
        format!("store.redis.urls={}", redis.url()),
        format!("postgres.url={}", postgres.url()),
        format!("provisioning.master_key_file={}", key.display()),
    ]);
}

/// Chats begin, go on and end while history is away; the node is stopped with all of it still to be told, and another tells it.
fn through_a_drain(settings: &[String]) {
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    let contacts = Contacts::start();
    let mut whole = Whole::start(&settings);
    keep(&whole, &contacts.url(), None);
    contacts.away(true);
    let mut chats = Vec::new();
    for chat in 0..4 {
        let ann = Customer::open(
            &whole,
            &format!("data[firstName]=Ann&data[email]=ann{chat}%40example.com"),
        );
        for line in 0..3 {
            ann.says(&format!("line+{line}+of+chat+{chat}"));
        }
        ann.says("that+is+all");
        // Another core may answer, and hear of it a moment later.
        let mut told = Vec::new();
        eventually("the last words", Duration::from_secs(20), || {
            told = ann.reads();
            told.iter().any(|(_, text)| text == "that is all")
        });
        ann.shows("a.png", PNG);
        assert!(told.len() >= 4, "{told:?}");
        ann.leaves();
        chats.push((ann.session.clone(), told));
    }
    whole.nexus.signal(Signal::Term);
    assert!(whole.nexus.ended().success(), "the drain ends well");
    drop(whole);
    assert!(contacts.held().interactions.is_empty());

    contacts.away(false);
    // The development tenant as it was changed, not as it is declared.
    let again = [&settings[..], &["provisioning.development_tenant=false"]].concat();
    let _again = Whole::start(&again);
    for (session, told) in chats {
        let kept = contacts.stopped(&session);
        let transcript = &kept["transcript"];
        assert_eq!(transcript["complete"], true);
        let lines = transcript["lines"].as_array().unwrap();
        let texts: Vec<(u64, String)> = lines
            .iter()
            .filter(|line| line["type"] == "Text")
            .map(|line| {
                (
                    line["n"].as_u64().unwrap(),
                    line["text"].as_str().unwrap().to_owned(),
                )
            })
            .collect();
        // What the customer was told, number for number; after it only what the service says at the end.
        assert_eq!(texts[..told.len()], told[..], "{texts:?}");
        // After it the picture, and what the service says at the end.
        let mut late = lines
            .iter()
            .filter(|line| line["n"].as_u64() > told.last().map(|(n, _)| *n));
        assert!(
            late.all(|line| line["from"].is_null() || line["type"] == "Left" || line["type"] == "File"),
            "{lines:?}"
        );
        let file: Vec<&Value> = lines.iter().filter(|line| line["type"] == "File").collect();
        assert_eq!(
            (file.len(), &file[0]["text"], words(transcript).len() > told.len()),
            (1, &Value::from("a.png"), true)
        );
        let held = contacts.held();
        let id = format!("{session}.{}", file[0]["n"]);
        assert_eq!(held.files[&id].1, PNG);
        assert_eq!(held.refused, Vec::<String>::new());
    }
}
