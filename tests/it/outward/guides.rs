//! The guides' examples, run as they stand.

use std::process::Command;

use crate::support::part;
use crate::support::whole::Whole;

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
    part::program("curl", &[], "curl");
    let output = Command::new("sh")
        .args(["-e", "-c", script])
        .current_dir(folder)
        .env("NEXUS", format!("http://{}", whole.addr))
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
    let page = crate::support::process::get(whole.admin, "/metrics").1;
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
