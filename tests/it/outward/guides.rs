//! The guides' examples, run as they stand.

use std::process::Command;

use crate::net_server::on_a_core;
use crate::support::contacts::Contacts;
use crate::support::part;
use crate::support::postgres::Postgres;
use crate::support::receiver::{Receiver, Say};
use crate::support::redis::RedisServer;
use crate::support::whole::Whole;
use crate::support::{node, process};

use super::keeping::Customer;

/// The shell examples of a guide, in order.
fn examples(guide: &str) -> Vec<String> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("docs")
        .join(guide);
    let text = std::fs::read_to_string(path).unwrap();
    let blocks = text.split("```sh\n").skip(1);
    blocks
        .map(|block| block.split("```").next().unwrap().to_owned())
        .collect()
}

/// Runs an example in a folder of its own and returns what it printed.
fn run(script: &str, whole: &Whole, folder: &std::path::Path) -> String {
    run_with(script, &[("NEXUS", &format!("http://{}", whole.addr))], folder)
}

/// The same where it is told of these addresses.
fn run_with(script: &str, addresses: &[(&str, &str)], folder: &std::path::Path) -> String {
    part::program("curl", &[], "curl");
    let output = Command::new("sh")
        .args(["-e", "-c", script])
        .current_dir(folder)
        .env("NODE_PATH", node::modules())
        .envs(addresses.iter().copied())
        .output()
        .unwrap();
    assert!(output.status.success(), "{script}\n{}", part::printed(&output));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Runs an example that provisions. The node holds its store alone, so this is done before it runs.
fn provision(script: &str, store: &str, folder: &std::path::Path) {
    let nexus = format!("{} --set {store}", env!("CARGO_BIN_EXE_nexus"));
    let provision = script.replace("nexus provision", &format!("{nexus} provision"));
    let output = Command::new("sh")
        .args(["-e", "-c", &provision])
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", part::printed(&output));
}

#[test]
fn the_aggregator_guide_works_as_it_stands() {
    let data = tempfile::tempdir().unwrap();
    let store = format!("store.data_dir={}", data.path().display());
    let examples = examples("aggregators.md");
    provision(&examples[0], &store, data.path());
    let whole = Whole::start(&[&store, "listen.public.url=https://digital.example.com"]);
    assert_eq!(run(&examples[1], &whole, data.path()), "200\n");
    // The same again is the same.
    assert_eq!(run(&examples[1], &whole, data.path()), "200\n");
    let page = process::get(whole.admin, "/metrics").1;
    assert!(page.contains("nexus_log_repeats_total 1\n"), "{page}");
}

#[test]
fn the_messaging_guide_works_as_it_stands() {
    let data = tempfile::tempdir().unwrap();
    let store = format!("store.data_dir={}", data.path().display());
    let examples = examples("messaging.md");
    provision(&examples[0], &store, data.path());
    let whole = Whole::start(&[&store]);
    let said = run(&examples[1], &whole, data.path());
    let answer: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(answer["status"]["code"], 0, "{answer}");
    assert!(answer["data"]["sessionId"].is_string(), "{answer}");
}

#[test]
fn the_secure_mail_guide_works_as_it_stands() {
    let whole = Whole::start(&[]);
    let folder = tempfile::tempdir().unwrap();
    run(&examples("securemail.md")[0], &whole, folder.path());
    let read = |name: &str| -> serde_json::Value {
        let text = std::fs::read_to_string(folder.path().join(name)).unwrap();
        serde_json::from_str(&text).unwrap()
    };
    let (sent, list, mail) = (read("sent.json"), read("list.json"), read("mail.json"));
    assert_eq!(list["data"]["messages"][0]["id"], sent["data"]["id"], "{list}");
    assert_eq!(mail["data"]["text"], "Is this right?");
    assert_eq!(mail["data"]["attachments"][0]["name"], "statement.txt");
}

#[test]
fn the_webhook_guide_works_as_it_stands() {
    let whole = Whole::start(&[]);
    let folder = tempfile::tempdir().unwrap();
    let said = run(&examples("webhooks.md")[0], &whole, folder.path());
    let answer: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(answer["data"]["url"], "https://crm.example.com/hook", "{answer}");
    assert!(!said.contains("demo-webhook-secret"), "secrets are write-only");
}

#[test]
fn the_history_guide_works_as_it_stands() {
    on_a_core(async {
        let contacts = Contacts::start();
        let whole = Whole::start(&[]);
        let folder = tempfile::tempdir().unwrap();
        let examples = examples("history.md");
        let set_up = examples[0].replace("http://127.0.0.1:8080", &contacts.url());
        run(&set_up, &whole, folder.path());
        let mut alice = whole.agent("alice", "chat").await;
        let ann = Customer::open(&whole, "data[firstName]=Ann&data[email]=ann%40example.com");
        alice.state(&ann.session, "Invited").await;
        part::eventually("the interaction", std::time::Duration::from_secs(30), || {
            contacts.held().interactions.contains_key(&ann.session)
        });
        let asked = format!("SESSION={}\n{}", ann.session, examples[1]);
        let said = run(&asked, &whole, folder.path());
        let answer: serde_json::Value = serde_json::from_str(&said).unwrap();
        assert_eq!(answer["data"]["contactId"], "0000DEMO0001", "{answer}");
    });
}

/// A program that ends with its test.
struct Running(std::process::Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_bot_guide_works_as_it_stands() {
    let whole = Whole::start(&[]);
    let folder = tempfile::tempdir().unwrap();
    let examples = examples("bots.md");
    let port = part::free_port().to_string();
    let (write, start) = examples[0].split_once("python3 bot.py &").unwrap();
    assert!(start.trim().is_empty());
    run(&write.replace("9000", &port), &whole, folder.path());
    let python = part::program("python3", &[], "python3");
    let bot = Command::new(python)
        .arg("bot.py")
        .current_dir(folder.path())
        .spawn();
    let _bot = Running(bot.unwrap());
    let patience = std::time::Duration::from_secs(30);
    part::eventually("the bot", patience, || {
        std::net::TcpStream::connect(format!("127.0.0.1:{port}")).is_ok()
    });
    run(&examples[1].replace("9000", &port), &whole, folder.path());
    let ann = Customer::open_at(&whole, "helpdesk", "data[firstName]=Ann");
    let hears = |text: &str| ann.reads().iter().any(|(_, said)| said == text);
    part::eventually("the greeting", patience, || {
        pace();
        hears("Hello. What is it about?\n1. A bill\n2. Something else")
    });
    ann.says("1");
    part::eventually("the hand-over", patience, || {
        pace();
        hears("One moment.")
    });
}

/// A chat may be asked about ten times a second.
fn pace() {
    let (_open, closed) = std::sync::mpsc::channel::<()>();
    let _ = closed.recv_timeout(std::time::Duration::from_millis(150));
}

#[test]
fn the_designer_guide_works_as_it_stands() {
    let internal = format!("127.0.0.1:{}", part::free_port());
    let whole = Whole::start(&[&format!("listen.internal.address={internal}")]);
    let folder = tempfile::tempdir().unwrap();
    let ann = Customer::open(&whole, "data[firstName]=Ann");
    ann.says("my bicycle");
    let examples = examples("designer.md");
    let with = |script: &str| format!("INTERNAL=http://{internal}\nSESSION={}\n{script}", ann.session);
    run(&with(&examples[0]), &whole, folder.path());
    let seen = std::fs::read_to_string(folder.path().join("conversation.json")).unwrap();
    assert!(seen.contains("my bicycle"), "{seen}");
    let said = run(&with(&examples[1]), &whole, folder.path());
    assert!(
        said.contains("my bicycle") && said.contains("What is it about?"),
        "{said}"
    );
    assert!(ann.reads().iter().any(|(_, text)| text == "What is it about?"));
}

#[test]
fn the_gws_guide_works_as_it_stands() {
    let whole = Whole::start(&[]);
    let folder = tempfile::tempdir().unwrap();
    let said = run(&examples("gws.md")[0], &whole, folder.path());
    let answer: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(answer["data"]["routing"], true, "{answer}");
    assert!(!said.contains("demo-client-secret"), "secrets are write-only");
}

fn read(folder: &std::path::Path, name: &str) -> serde_json::Value {
    let text = std::fs::read_to_string(folder.join(name)).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The texts of an answer with messages.
fn texts(answer: &serde_json::Value) -> Vec<&str> {
    let messages = answer["data"]["messages"].as_array().unwrap();
    messages
        .iter()
        .filter_map(|message| message["text"].as_str())
        .collect()
}

#[test]
fn the_chat_guide_works_as_it_stands() {
    let whole = Whole::start(&[]);
    let folder = tempfile::tempdir().unwrap();
    run(&examples("widgets.md")[0], &whole, folder.path());
    let messages = read(folder.path(), "messages.json");
    assert!(texts(&messages).contains(&"Is anybody there?"), "{messages}");
}

#[test]
fn the_agent_guide_works_as_it_stands() {
    node::require("ws");
    let whole = Whole::start(&[]);
    let folder = tempfile::tempdir().unwrap();
    let examples = examples("workspace.md");
    let (write, start) = examples[0].split_once("node agent.js &").unwrap();
    assert!(start.trim().is_empty());
    run(write, &whole, folder.path());
    let agent = Command::new(part::program("node", &[], "nodejs npm"))
        .arg("agent.js")
        .current_dir(folder.path())
        .env("NODE_PATH", node::modules())
        .env("NEXUS", format!("http://{}", whole.addr))
        .spawn();
    let _agent = Running(agent.unwrap());
    let ann = Customer::open(&whole, "data[firstName]=Ann");
    part::eventually("the agent's words", std::time::Duration::from_secs(30), || {
        pace();
        ann.reads().iter().any(|(_, said)| said == "How can I help you?")
    });
}

#[test]
fn the_campaign_guide_works_as_it_stands() {
    node::require("ws");
    let client = Receiver::start(Say::json(200, "{}"));
    let internal = format!("127.0.0.1:{}", part::free_port());
    let whole = Whole::start(&[&format!("listen.internal.address={internal}")]);
    let folder = tempfile::tempdir().unwrap();
    let addresses = [
        ("NEXUS", format!("http://{}", whole.addr)),
        ("INTERNAL", format!("http://{internal}")),
    ];
    let addresses = addresses.each_ref().map(|(name, value)| (*name, value.as_str()));
    let examples = examples("campaigns.md");
    let batch = examples[0].replace("http://127.0.0.1:9001/", &client.url("/"));
    run_with(&batch, &addresses, folder.path());
    assert_eq!(read(folder.path(), "accepted.json")["data"]["accepted"], 1);
    assert_eq!(client.seen(1)[0].json()["text"], "Ten percent off until Friday");
    assert_eq!(
        run_with(&examples[1], &addresses, folder.path()),
        "b-1 9001 Sent\n"
    );
}

#[test]
fn the_cluster_guide_works_as_it_stands() {
    let (redis, postgres) = (RedisServer::start(), Postgres::start());
    let folder = tempfile::tempdir().unwrap();
    let examples = examples("cluster.md");
    let prepare = examples[0]
        .replace("redis://127.0.0.1:6379", &redis.url())
        .replace("postgres://nexus@127.0.0.1:5432/nexus", &postgres.url())
        .replace("\nnexus ", &format!("\n{} ", env!("CARGO_BIN_EXE_nexus")));
    run_with(&prepare, &[], folder.path());
    let effective = std::fs::read_to_string(folder.path().join("effective.txt")).unwrap();
    assert!(effective.contains("store.mode"), "{effective}");
    let file = folder.path().join("cluster.toml");
    let key = format!(
        "provisioning.master_key_file={}",
        folder.path().join("master-key").display()
    );
    let nodes = [(); 2].map(|()| {
        let mut nexus = process::Nexus::start_with_file(&file, &[&key]);
        let admin = nexus.address("admin");
        nexus.ready(admin);
        nexus
    });
    let [a, b] = nodes.each_ref().map(|nexus| format!("http://{}", nexus.plain()));
    run_with(&examples[1], &[("A", &a), ("B", &b)], folder.path());
    let messages = read(folder.path(), "messages.json");
    assert!(texts(&messages).contains(&"said at the other node"), "{messages}");
}
