//! The main job in a real browser: a customer and an agent talk, and a node is killed in the middle of it; and mail instead of a chat.

use serde_json::json;

use crate::support::chromium::browse;
use crate::support::part::free_port;
use crate::support::postgres::Postgres;
use crate::support::process::Nexus;
use crate::support::provisioned::master_key;
use crate::support::redis::RedisServer;

/// A node's arguments and its address, with data of its own below `data`.
fn node(data: &std::path::Path, settings: &[String]) -> serde_json::Value {
    let plain = format!("127.0.0.1:{}", free_port());
    let own = [
        "listen.admin.address=127.0.0.1:0".to_owned(),
        format!("listen.public.address=127.0.0.1:{}", free_port()),
        format!("listen.public.plain_address={plain}"),
        format!("listen.internal.address=127.0.0.1:{}", free_port()),
        format!("store.data_dir={}", data.display()),
        "telemetry.format=json".to_owned(),
    ];
    let args: Vec<String> = own
        .iter()
        .chain(settings)
        .flat_map(|setting| ["--set".to_owned(), setting.clone()])
        .collect();
    json!({ "args": args, "url": format!("http://{plain}") })
}

fn watch(name: &str, nodes: &[serde_json::Value]) {
    let nodes = json!(nodes).to_string();
    let environment = [
        ("NAME", name),
        ("NEXUS", env!("CARGO_BIN_EXE_nexus")),
        ("NODES", nodes.as_str()),
    ];
    let said = browse("journey.mjs", &environment);
    assert!(said.contains("journey complete"), "{said}");
}

#[test]
fn an_agent_answers_secure_mail_and_sees_what_was_earlier() {
    let mut nexus = Nexus::start(&[]);
    let admin = nexus.address("admin");
    nexus.ready(admin);
    let url = format!("http://{}", nexus.plain());
    let said = browse("securemail.mjs", &[("URL", &url)]);
    assert!(said.contains("journey complete"), "{said}");
}

#[test]
fn a_customer_and_an_agent_talk_through_a_crash_on_the_embedded_default() {
    let data = tempfile::tempdir().unwrap();
    watch("embedded", &[node(data.path(), &[])]);
}

#[test]
fn a_customer_and_an_agent_talk_through_a_crash_on_two_nodes_with_redis_and_postgres() {
    let (postgres, redis) = (Postgres::start(), RedisServer::start());
    let data = tempfile::tempdir().unwrap();
    let settings = [
        "store.mode=redis".to_owned(),
        format!("store.redis.urls={}", redis.url()),
        format!("postgres.url={}", postgres.url()),
        master_key(data.path()),
    ];
    let nodes = ["a", "b"].map(|name| node(&data.path().join(name), &settings));
    watch("cluster", &nodes);
}
