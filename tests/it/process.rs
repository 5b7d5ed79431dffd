//! The life of the process as an operator sees it: exit codes, signals, health, metrics.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};
use serde_json::{Value, json};

use crate::support::part::{Signal, eventually, free_port};
use crate::support::process::{Nexus, get, nexus, request};

/// Waits until the node takes traffic; gives its admin address.
fn ready(node: &mut Nexus) -> SocketAddr {
    let admin = node.address("admin");
    node.ready(admin);
    admin
}

#[test]
fn check_config_prints_every_value_with_its_origin_and_no_secret() {
    let output = nexus(
        &["--set", "agent.ping=10s", "check-config"],
        &[
            ("NEXUS__AGENT__DEAD", "30s"),
            ("NEXUS__POSTGRES__PASSWORD", "hunter2"),
        ],
    );
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout).unwrap();
    for line in [
        "agent.ping = \"10s\"  # --set",
        "agent.dead = \"30s\"  # NEXUS__AGENT__DEAD",
        "agent.grace = \"1m\"  # default",
        "postgres.password = \"***\"  # NEXUS__POSTGRES__PASSWORD",
    ] {
        assert!(
            text.lines().any(|found| found == line),
            "{line} is not in\n{text}"
        );
    }
    assert!(!text.contains("hunter2"));
}

#[test]
fn bad_settings_end_the_process_with_78_and_every_mistake() {
    for command in ["check-config", "serve", "migrate"] {
        let output = nexus(
            &["--set", "agent.pnig=10s", "--set", "cores.count=many", command],
            &[],
        );
        assert_eq!(output.status.code(), Some(78), "{command}");
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(text.contains("2 problems in the settings"), "{text}");
        assert!(text.contains("did you mean `agent.ping`?"), "{text}");
        assert!(text.contains("cores.count: expected a whole number"), "{text}");
    }
}

#[test]
fn a_filter_that_is_none_is_a_bad_setting() {
    let output = nexus(&["--set", "telemetry.log===", "serve"], &[]);
    assert_eq!(output.status.code(), Some(78));
}

#[test]
fn the_version_names_the_crypto_provider() {
    let output = nexus(&["--version"], &[]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.starts_with("nexus 0.") && text.contains("aws-lc-rs"),
        "{text}"
    );
}

#[test]
fn health_tells_live_ready_and_started_with_details_on_request() {
    let mut node = Nexus::start(&[]);
    let admin = ready(&mut node);
    assert_eq!(
        get(admin, "/health/live"),
        (200, "{\"status\":\"live\"}\n".to_owned())
    );
    assert_eq!(get(admin, "/health/startup").0, 200);
    let (_, body) = get(admin, "/health/ready?verbose=1");
    let details: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(details["status"], "ready");
    assert_eq!(details["phase"], "running");
    assert_eq!(details["waitingFor"], json!([]));
}

#[test]
fn a_server_asks_for_no_huge_pages() {
    let mut node = Nexus::start(&[]);
    ready(&mut node);
    let status = node.status();
    assert!(status.contains("THP_enabled:\t0"), "{status}");
}

#[test]
fn metrics_are_shown_under_the_names_others_query() {
    let mut node = Nexus::start(&[]);
    let admin = node.address("admin");
    let (status, page) = get(admin, "/metrics");
    assert_eq!(status, 200);
    for name in [
        "nexus_request_total ",
        "nexus_process_resident_memory_bytes ",
        "socket_io_connected ",
    ] {
        assert!(page.contains(&format!("\n{name}")), "{name} is not in\n{page}");
    }
}

/// One request on an open connection, and its whole answer.
fn exchange(connection: &mut (impl Read + Write), path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    connection.write_all(request.as_bytes()).unwrap();
    let (mut answer, mut byte) = (Vec::new(), [0]);
    while !answer.ends_with(b"\r\n\r\n") {
        connection.read_exact(&mut byte).unwrap();
        answer.push(byte[0]);
    }
    let head = String::from_utf8(answer).unwrap().to_ascii_lowercase();
    let length = head.split("content-length: ").nth(1).unwrap();
    let length = length.lines().next().unwrap().parse().unwrap();
    let mut body = vec![0; length];
    connection.read_exact(&mut body).unwrap();
    head + std::str::from_utf8(&body).unwrap()
}

#[test]
fn a_connection_rests_between_two_requests_and_is_answered_as_before() {
    let data = tempfile::tempdir().unwrap();
    let public = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let mut node = Nexus::start(&[
        &format!("store.data_dir={}", data.path().display()),
        &format!("listen.public.address={public}"),
    ]);
    let admin = ready(&mut node);
    let shows = |metric: &str, count: u32| {
        let line = format!("\n{metric} {count}\n");
        eventually(&line, Duration::from_secs(20), || {
            get(admin, "/metrics").1.contains(&line)
        });
    };
    let resting = |count| shows("nexus_connections_resting", count);

    let mut plain = TcpStream::connect(node.plain()).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    let certificate = data.path().join("development-certificate.pem");
    for certificate in CertificateDer::pem_file_iter(certificate).unwrap() {
        roots.add(certificate.unwrap()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let config = Arc::new(config);
    let connect = || {
        let name = ServerName::try_from("localhost").unwrap();
        let session = rustls::ClientConnection::new(Arc::clone(&config), name).unwrap();
        rustls::StreamOwned::new(session, TcpStream::connect(public).unwrap())
    };
    let mut secure = connect();

    for round in 0..3 {
        for page in ["/ux/widget/", "/nexus/v3/chat/nothing"] {
            let (first, second) = (exchange(&mut plain, page), exchange(&mut secure, page));
            let expected = if page.starts_with("/ux") { "200" } else { "404" };
            assert!(
                first.starts_with(&format!("http/1.1 {expected}")),
                "{round}: {first}"
            );
            assert!(
                second.starts_with(&format!("http/1.1 {expected}")),
                "{round}: {second}"
            );
        }
        resting(2);
    }
    shows("nexus_connections", 2);
    drop(plain);
    drop(secure);
    resting(0);
    shows("nexus_connections", 0);

    // A request whose record comes in two pieces with a rest in between is read whole.
    let mut slow = connect();
    let _ = exchange(&mut slow, "/ux/widget/");
    let request = b"GET /nexus/v3/chat/nothing HTTP/1.1\r\nHost: localhost\r\n\r\n";
    slow.conn.writer().write_all(request).unwrap();
    let mut record = Vec::new();
    while slow.conn.wants_write() {
        slow.conn.write_tls(&mut record).unwrap();
    }
    let (first, rest) = record.split_at(record.len() / 2);
    slow.sock.write_all(first).unwrap();
    resting(1);
    slow.sock.write_all(rest).unwrap();
    let mut status = [0; 12];
    slow.read_exact(&mut status).unwrap();
    assert_eq!(&status, b"HTTP/1.1 404");
}

#[test]
fn the_admin_listener_reads_nothing_but_its_own_paths() {
    let mut node = Nexus::start(&[]);
    let admin = node.address("admin");
    assert_eq!(get(admin, "/nexus/v3/chat/sessions").0, 404);
    let post = "POST /metrics HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    assert_eq!(request(admin, post).0, 405);
}

#[test]
fn a_stop_drains_and_ends_well() {
    for signal in [Signal::Term, Signal::Interrupt] {
        let mut node = Nexus::start(&[]);
        node.address("admin");
        node.signal(signal);
        node.line("the report of the drain", |line| {
            (line["message"] == "drained").then_some(())
        });
        assert_eq!(node.ended().code(), Some(0));
    }
}

#[test]
fn readiness_goes_before_the_listener_does() {
    let mut node = Nexus::start(&["drain.delay=20s", "drain.deadline=60s"]);
    let admin = ready(&mut node);
    node.signal(Signal::Term);
    eventually("unreadiness", Duration::from_secs(10), || {
        get(admin, "/health/ready").0 == 503
    });
    assert_eq!(get(admin, "/health/live").0, 200);
    // A second signal does not wait for the delay.
    node.signal(Signal::Term);
    assert_eq!(node.ended().code(), Some(143));
}

#[test]
fn a_hangup_reads_the_settings_again_and_unsound_ones_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nexus.toml");
    std::fs::write(&path, "[agent]\nping = \"10s\"\n").unwrap();
    let mut node = Nexus::start_with_file(&path, &[]);
    node.address("admin");
    node.signal(Signal::Hangup);
    node.line("settings read again", |line| {
        (line["message"] == "settings read again").then_some(())
    });
    std::fs::write(&path, "[agent]\nping = \"2h\"\n").unwrap();
    node.signal(Signal::Hangup);
    node.line("settings stay as they were", |line| {
        (line["message"] == "settings stay as they were").then_some(())
    });
    node.signal(Signal::Term);
    assert_eq!(node.ended().code(), Some(0));
}
