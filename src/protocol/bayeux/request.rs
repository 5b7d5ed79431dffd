//! The messages we send, each request an array.

use serde_json::{Map, Value, json};

/// Where each goes below the address of the server.
pub(super) const HANDSHAKE: &str = "/handshake";
pub(super) const CONNECT: &str = "/connect";
pub(super) const SUBSCRIBE: &str = "/subscribe";
pub(super) const UNSUBSCRIBE: &str = "/unsubscribe";
pub(super) const DISCONNECT: &str = "/disconnect";

pub(super) fn handshake(id: u64) -> Vec<u8> {
    array(vec![json!({
        "channel": "/meta/handshake",
        "version": "1.0",
        "minimumVersion": "1.0",
        "supportedConnectionTypes": ["long-polling"],
        "ext": {"ack": true},
        "id": id.to_string(),
    })])
}

/// `ack` is the last batch delivered, where the server keeps batches. `hold` asks to be held no longer than so many
/// milliseconds.
pub(super) fn connect(id: u64, client_id: &str, ack: Option<u64>, hold: Option<u64>) -> Vec<u8> {
    let mut message = json!({
        "channel": "/meta/connect",
        "clientId": client_id,
        "connectionType": "long-polling",
        "id": id.to_string(),
    });
    if let Some(ack) = ack {
        message["ext"] = json!({"ack": ack});
    }
    if let Some(hold) = hold {
        message["advice"] = json!({"timeout": hold});
    }
    array(vec![message])
}

/// One message, that subscribes to or gives up these channels.
pub(super) fn subscription(subscribe: bool, id: u64, client_id: &str, channels: &[String]) -> Value {
    let channel = if subscribe {
        "/meta/subscribe"
    } else {
        "/meta/unsubscribe"
    };
    let subscription = match channels {
        [one] => json!(one),
        several => json!(several),
    };
    let mut message = Map::new();
    message.insert("channel".to_owned(), json!(channel));
    message.insert("clientId".to_owned(), json!(client_id));
    message.insert("subscription".to_owned(), subscription);
    message.insert("id".to_owned(), json!(id.to_string()));
    Value::Object(message)
}

pub(super) fn disconnect(id: u64, client_id: &str) -> Vec<u8> {
    array(vec![json!({
        "channel": "/meta/disconnect",
        "clientId": client_id,
        "id": id.to_string(),
    })])
}

pub(super) fn array(messages: Vec<Value>) -> Vec<u8> {
    Value::Array(messages).to_string().into_bytes()
}
