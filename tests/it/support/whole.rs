//! A whole node as a process, with what an administrator, an agent and a third party do to it over HTTP.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

use super::process::Nexus;
use super::redis::RedisServer;
use crate::workspace::desktop::Desktop;

/// The development tenant.
pub(crate) const CCID: &str = "7c1c0f0e-52a1-4a0b-9f38-1c2d3e4f5a6b";
/// Its key for services and administration.
pub(crate) const ADMIN_KEY: &str = "00000000-0000-4000-8000-000000000001";

/// A running node of the development tenant whose customers' URLs may lead to loopback.
pub(crate) struct Whole {
    pub(crate) nexus: Nexus,
    pub(crate) addr: SocketAddr,
    pub(crate) admin: SocketAddr,
    _redis: Option<RedisServer>,
}

impl Whole {
    /// With `NEXUS_TEST_STORE=redis`, on a Redis of its own unless `settings` say where its log lives.
    pub(crate) fn start(settings: &[&str]) -> Self {
        let redis = std::env::var("NEXUS_TEST_STORE").is_ok_and(|store| store == "redis");
        let redis = redis && !settings.iter().any(|setting| setting.starts_with("store."));
        let redis = redis.then(RedisServer::start);
        let urls = redis
            .as_ref()
            .map(|redis| format!("store.redis.urls={}", redis.url()));
        let mut all = vec!["outbound.allow=127.0.0.0/8"];
        all.extend(settings);
        if let Some(urls) = &urls {
            all.extend(["store.mode=redis", urls]);
        }
        let mut nexus = Nexus::start(&all);
        let admin = nexus.address("admin");
        nexus.ready(admin);
        let addr = nexus.plain();
        Self {
            nexus,
            addr,
            admin,
            _redis: redis,
        }
    }

    /// One request; the body is sent as it is.
    pub(crate) fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> (u16, Value) {
        send(self.addr, method, path, headers, body)
    }

    /// Creates a provisioning object and returns its id.
    pub(crate) fn provision(&self, kind: &str, body: Value) -> String {
        let wrapped = serde_json::json!({"data": body});
        let path = format!("/nexus/v3/{kind}");
        let headers = [("x-api-key", ADMIN_KEY), ("content-type", "application/json")];
        let (status, answer) = self.send("POST", &path, &headers, wrapped.to_string().as_bytes());
        assert!(status == 200 || status == 201, "{kind}: {status} {answer}");
        answer["data"]["id"].as_str().expect("an id").to_owned()
    }

    /// An agent who is signed in and ready for a medium.
    pub(crate) async fn agent(&self, login: &str, media: &str) -> Desktop {
        let token = format!("Bearer {login}-development-token");
        let (status, answer) = self.send(
            "POST",
            "/nexus/v3/agents/ticket",
            &[("authorization", &token)],
            b"",
        );
        assert_eq!(status, 200, "{answer}");
        let ticket = answer["data"]["ticket"].as_str().expect("a ticket");
        let mut desktop = Desktop::at(self.addr, ticket).await;
        desktop.does("ready", serde_json::json!({"media": media})).await;
        desktop
    }
}

/// One request over a connection of its own: status and JSON.
pub(crate) fn send(
    addr: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> (u16, Value) {
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
    let mut stream = TcpStream::connect(addr).expect("a connection");
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .expect("a deadline");
    stream.write_all(head.as_bytes()).expect("the head to be sent");
    stream.write_all(body).expect("the body to be sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|code| code.parse().ok())
        .expect("a status");
    (status, serde_json::from_str(body).unwrap_or_default())
}
