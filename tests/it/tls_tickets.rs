//! TLS sessions over nodes that share keys, judged by OpenSSL: one node's ticket is good on the other, also while keys change.

use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::support::part;
use crate::support::postgres::Postgres;
use crate::support::process::Nexus;
use crate::support::whole::{ADMIN_KEY, send};

/// What `openssl s_client` says of one connection, on which it asks for a page. It takes up the session in `from` and leaves the
/// one it was given in `to`.
fn visit(at: SocketAddr, version: &str, from: Option<&Path>, to: Option<&Path>) -> String {
    let mut command = Command::new(part::program("openssl", &[], "openssl"));
    command.args(["s_client", version, "-ign_eof", "-connect", &at.to_string()]);
    if let Some(from) = from {
        command.arg("-sess_in").arg(from);
    }
    if let Some(to) = to {
        command.arg("-sess_out").arg(to);
    }
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let request = b"GET /ux/widget/ HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n";
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), request).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("HTTP/1.1 200 OK"), "{said}");
    said
}

fn is_resumed(said: &str) -> bool {
    let (resumed, fresh) = (said.contains("\nReused, TLSv1."), said.contains("\nNew, TLSv1."));
    assert!(resumed != fresh, "{said}");
    resumed
}

/// The number of the key that a ticket in what OpenSSL says is sealed with.
fn key_of(said: &str) -> u8 {
    let (_, ticket) = said.split_once("TLS session ticket:\n").expect("a ticket");
    let first = ticket.lines().next().unwrap();
    // `    0000 - 00 00 … 00 01   ................`
    let hex = first.split(" - ").nth(1).unwrap();
    u8::from_str_radix(&hex[45..47], 16).unwrap_or_else(|_| panic!("{first}"))
}

#[test]
fn a_session_goes_on_at_another_node_before_and_after_keys_are_rotated() {
    let postgres = Postgres::start();
    let dir = tempfile::tempdir().unwrap();
    let master = dir.path().join("master.key");
    let file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&master)
        .unwrap();
    std::io::Write::write_all(&mut { file }, format!("{}=\n", "A".repeat(43)).as_bytes()).unwrap();
    let settings = [
        "store.mode=memory".to_owned(),
        "store.durability=none".to_owned(),
        format!("postgres.url={}", postgres.url()),
        format!("provisioning.master_key_file={}", master.display()),
    ];
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    let mut nodes = [(); 2].map(|()| {
        let mut nexus = Nexus::start(&settings);
        let admin = nexus.address("admin");
        nexus.ready(admin);
        nexus
    });
    let [a, b] = nodes.each_mut().map(|node| node.address("public"));
    let session = |name: &str| dir.path().join(name);

    for version in ["-tls1_3", "-tls1_2"] {
        let kept = session(version);
        let first = visit(a, version, None, Some(&kept));
        assert!(!is_resumed(&first));
        assert_eq!(key_of(&first), 1);
        assert!(
            is_resumed(&visit(a, version, Some(&kept), None)),
            "{version} where it began"
        );
        assert!(
            is_resumed(&visit(b, version, Some(&kept), None)),
            "{version} on the other node"
        );
    }

    let path = "/nexus/v3/keys/tls_ticket/rotate";
    let (status, answer) = send(nodes[0].plain(), "POST", path, &[("x-api-key", ADMIN_KEY)], b"");
    assert_eq!(
        (status, &answer["data"]["id"]),
        (200, &Value::from(2)),
        "{answer}"
    );
    // The new key waits until every node has had time to learn of it; what is given meanwhile is good as well.
    let fresh = session("fresh");
    part::eventually("tickets under the new key", Duration::from_secs(40), || {
        let said = visit(a, "-tls1_3", None, Some(&fresh));
        assert!(is_resumed(&visit(b, "-tls1_3", Some(&fresh), None)));
        key_of(&said) == 2
    });
    for old in ["-tls1_3", "-tls1_2"] {
        assert!(
            is_resumed(&visit(b, old, Some(&session(old)), None)),
            "{old} under the key before"
        );
    }
    // A node that shares nothing takes it for the stranger it is.
    let mut stranger = Nexus::start(&settings[..2]);
    let admin = stranger.address("admin");
    stranger.ready(admin);
    let stranger = stranger.address("public");
    assert!(!is_resumed(&visit(stranger, "-tls1_3", Some(&fresh), None)));
}
