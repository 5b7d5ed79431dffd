//! Two tenants on one node, and calls by those who must not get through.

use std::net::SocketAddr;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::process::{Nexus, request};

use super::routes::{Route, Scheme};

/// Refused callers must be refused for what they lack, not for how many they are.
pub(super) const RATES: &[&str] = &[
    "limits.rates.refused=10000/s burst 10000",
    "limits.rates.create=10000/s burst 10000",
    "limits.rates.address=10000/s burst 10000",
];

pub(super) const OWN_KEY: &str = "00000000-0000-4000-8000-000000000001";
/// The first tenant itself.
pub(super) const OWN: &str = "7c1c0f0e-52a1-4a0b-9f38-1c2d3e4f5a6b";
pub(super) const CHAT_KEY: &str = "11111111-2222-4333-8444-555555555555";
pub(super) const OTHER_ADMIN: &str = "aaaaaaaa-0000-4000-8000-00000000000b";
const OTHER_CHAT: &str = "bbbbbbbb-0000-4000-8000-00000000000b";
const OTHER: &str = "0a0a0a0a-0000-4000-8000-00000000000b";
const OTHER_TOKEN: &str = "mallory-test-token";

/// A form with a file in it.
const PICTURE: &str = "--XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\
    Content-Type: text/plain\r\n\r\nhello\r\n--XX--\r\n";

/// Who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Caller {
    /// Shows nothing.
    Nothing,
    /// Shows what was never given out.
    Nonsense,
    /// Shows something good for other things only.
    Powerless,
    /// Is somebody, of another tenant.
    Foreign,
}

pub(super) struct World {
    node: Nexus,
    session: String,
    participant: String,
    token: String,
}

impl World {
    pub(super) fn start() -> Self {
        let mut node = Nexus::start(RATES);
        found_other(&mut node);
        let body = json!({"data": {"nickname": "Ann", "endpoint": "web"}});
        let (status, answer) = json(
            node.plain(),
            "POST",
            "/nexus/v3/chat/sessions",
            Some(CHAT_KEY),
            None,
            Some(body),
        );
        assert_eq!(status, 200, "{answer}");
        let data = &answer["data"];
        let token = data["clientToken"].as_str().unwrap().to_owned();
        let session = data["entity"]["id"].as_str().unwrap().to_owned();
        Self {
            node,
            session,
            participant: Uuid::new_v4().to_string(),
            token,
        }
    }

    /// Asks for the first tenant's things; the status.
    pub(super) fn call(&self, route: &Route, caller: Caller) -> u16 {
        let known = [
            ("{sessionId}", self.session.as_str()),
            ("{participantId}", self.participant.as_str()),
            ("{number}", "1"),
            (
                "{operation}",
                if route.path.contains("{sessionId}") {
                    "accept"
                } else {
                    "ready"
                },
            ),
        ];
        let mut path = route.path.clone();
        for (name, value) in known {
            path = path.replace(name, value);
        }
        // An id of a kind this table does not know names nothing.
        while let (Some(from), Some(to)) = (path.find('{'), path.find('}')) {
            path.replace_range(from..=to, "0f0f0f0f-0000-4000-8000-000000000000");
        }
        let credentials = match (caller, route.scheme) {
            (Caller::Nothing, _) => String::new(),
            (Caller::Nonsense, Scheme::Key) => "x-api-key: nonsense\r\n".to_owned(),
            (Caller::Nonsense, Scheme::Chat) => {
                format!("x-api-key: nonsense\r\nx-nexus-client-key: {}\r\n", self.token)
            }
            (Caller::Nonsense, Scheme::Agent) => "Authorization: Bearer nonsense\r\n".to_owned(),
            // A key for chats serves nothing else.
            (Caller::Powerless, Scheme::Key) if !route.is_chat() => format!("x-api-key: {CHAT_KEY}\r\n"),
            (Caller::Foreign, Scheme::Key) if !route.is_chat() => format!("x-api-key: {OTHER_ADMIN}\r\n"),
            // A key of services opens no chat; a key is no agent.
            (Caller::Powerless, Scheme::Key | Scheme::Chat) => {
                format!(
                    "x-api-key: {OTHER_ADMIN}\r\nx-nexus-client-key: {}\r\n",
                    self.token
                )
            }
            (Caller::Powerless, Scheme::Agent) => format!("x-api-key: {OWN_KEY}\r\n"),
            (Caller::Foreign, Scheme::Key) => format!("x-api-key: {OTHER_CHAT}\r\n"),
            (Caller::Foreign, Scheme::Chat) => {
                format!(
                    "x-api-key: {OTHER_CHAT}\r\nx-nexus-client-key: {}\r\n",
                    self.token
                )
            }
            (Caller::Foreign, Scheme::Agent) => format!("Authorization: Bearer {OTHER_TOKEN}\r\n"),
        };
        let body = match (route.method.as_str(), route.scheme) {
            ("GET", _) => "",
            // What is sent must be sound where it is looked at before the id is.
            _ if path.ends_with("/images") => PICTURE,
            (_, Scheme::Agent) => r#"{"data":{}}"#,
            _ => r#"{"data":{"type":"Text","text":"x"}}"#,
        };
        send(self.node.plain(), &route.method, &path, &credentials, body).0
    }
}

/// Another tenant with its keys and an agent who may do everything there.
pub(super) fn found_other(node: &mut Nexus) {
    let admin = node.address("admin");
    node.ready(admin);
    let plain = node.plain();
    let tenant = json!({"data": {"ccid": OTHER, "sid": "other", "name": "Other", "staticAgentTokens": true}});
    let objects = [
        (
            "apikeys",
            json!({"name": "admin", "type": "service", "key": OTHER_ADMIN,
            "permissions": ["nexus:admin:*", "nexus:channels:*", "nexus:routing:*", "nexus:securemail:*"]}),
        ),
        (
            "apikeys",
            json!({"name": "chat", "type": "chat", "key": OTHER_CHAT, "permissions": ["nexus:consumer:*"]}),
        ),
        ("queues", json!({"name": "chat.inbound"})),
        ("endpoints", json!({"name": "web", "queue": "chat.inbound"})),
        (
            "agents",
            json!({"login": "mallory", "token": OTHER_TOKEN, "roles": ["agent", "supervisor"]}),
        ),
    ];
    let (status, answer) = json(
        plain,
        "POST",
        "/nexus/v3/tenants",
        Some(OWN_KEY),
        Some(OTHER),
        Some(tenant),
    );
    assert!(matches!(status, 200 | 201), "{answer}");
    for (collection, object) in objects {
        let path = format!("/nexus/v3/{collection}");
        let body = json!({"data": object});
        let (status, answer) = json(plain, "POST", &path, Some(OWN_KEY), Some(OTHER), Some(body));
        assert!(matches!(status, 200 | 201), "{collection}: {answer}");
    }
}

/// One JSON call: status and answer.
pub(super) fn json(
    node: SocketAddr,
    method: &str,
    path: &str,
    key: Option<&str>,
    tenant: Option<&str>,
    body: Option<Value>,
) -> (u16, Value) {
    let key = key.map(|key| format!("x-api-key: {key}\r\n")).unwrap_or_default();
    let tenant = tenant.map(|id| format!("x-ccid: {id}\r\n")).unwrap_or_default();
    let body = body.map(|body| body.to_string()).unwrap_or_default();
    let (status, answer) = send(node, method, path, &format!("{key}{tenant}"), &body);
    (status, serde_json::from_str(&answer).unwrap_or(Value::Null))
}

fn send(node: SocketAddr, method: &str, path: &str, fields: &str, body: &str) -> (u16, String) {
    let kind = if body.is_empty() {
        String::new()
    } else if body == PICTURE {
        let length = body.len();
        format!("Content-Type: multipart/form-data; boundary=XX\r\nContent-Length: {length}\r\n")
    } else {
        format!(
            "Content-Type: application/json\r\nContent-Length: {}\r\n",
            body.len()
        )
    };
    request(
        node,
        &format!("{method} {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n{fields}{kind}\r\n{body}"),
    )
}
