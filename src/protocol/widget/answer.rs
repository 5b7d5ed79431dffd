//! The bodies of answers, put together from messages that are encoded already.

use bytes::{BufMut, Bytes, BytesMut};
use serde::Serialize;

use crate::model::{LogId, Millis};
use crate::protocol::envelope::{CallIds, Dialect, success};

/// How long an ended chat is still answered for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Linger {
    /// So long it answers as before, so that its last words are read by every tab.
    pub closing_ms: u64,
    /// Then, until so long after its end, it says that it is over.
    pub over_ms: u64,
}

impl Default for Linger {
    fn default() -> Self {
        Self {
            closing_ms: 10_000,
            over_ms: 60_000,
        }
    }
}

/// What a poll is told about the end of a chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndPhase {
    /// It goes on.
    Open,
    /// It has ended and its last words are still given out.
    Closing,
    /// No messages and `chatEnded`.
    Over,
    /// There is no such session.
    Gone,
}

impl EndPhase {
    /// The phase at `now` of a chat that ended at `closed`.
    #[must_use]
    pub fn at(closed: Option<Millis>, now: Millis, linger: &Linger) -> Self {
        match closed.map(|closed| now.since(closed)) {
            None => Self::Open,
            Some(since) if since < linger.closing_ms => Self::Closing,
            Some(since) if since < linger.over_ms => Self::Over,
            Some(_) => Self::Gone,
        }
    }
}

/// The answer to a poll: message objects, oldest first.
#[must_use]
pub fn messages<'a>(
    ids: &CallIds<'_>,
    lines: impl Iterator<Item = &'a Bytes> + Clone,
    chat_ended: bool,
) -> Bytes {
    const FRAME: usize = 160;
    let length: usize = lines.clone().map(|line| line.len() + 1).sum();
    let ids_length = ids.reference.len() + ids.operation.map_or(0, str::len);
    let mut out = BytesMut::with_capacity(FRAME + ids_length + length);
    out.put_slice(b"{\"referenceId\":");
    put_text(&mut out, ids.reference);
    if let Some(operation) = ids.operation {
        out.put_slice(b",\"operationId\":");
        put_text(&mut out, operation);
    }
    out.put_slice(b",\"status\":{\"code\":\"SUCCESS\"},\"data\":{\"messages\":[");
    for (place, line) in lines.enumerate() {
        if place > 0 {
            out.put_u8(b',');
        }
        out.put_slice(line);
    }
    out.put_slice(if chat_ended {
        b"],\"chatEnded\":true}}"
    } else {
        b"],\"chatEnded\":false}}"
    });
    out.freeze()
}

fn put_text(out: &mut BytesMut, text: &str) {
    let plain = text
        .bytes()
        .all(|byte| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\');
    if plain {
        out.put_u8(b'"');
        out.put_slice(text.as_bytes());
        out.put_u8(b'"');
    } else {
        // Text into memory cannot fail.
        out.put_slice(&serde_json::to_vec(text).unwrap_or_else(|_| b"\"\"".to_vec()));
    }
}

/// The answer to a create: the token, and the entity that older clients read.
#[must_use]
pub fn created(ids: &CallIds<'_>, session: LogId, client_token: &str) -> Bytes {
    let id = session.to_string();
    let data = Created {
        entity: Entity {
            self_uri: format!("/nexus/v3/chat/sessions/{id}"),
            id,
        },
        client_token,
    };
    success(Dialect::Chat, ids, &data)
}

#[derive(Serialize)]
struct Created<'a> {
    entity: Entity,
    #[serde(rename = "clientToken")]
    client_token: &'a str,
}

#[derive(Serialize)]
struct Entity {
    id: String,
    #[serde(rename = "selfUri")]
    self_uri: String,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const IDS: CallIds<'_> = CallIds {
        reference: "r-1",
        operation: Some("a\"b\\c\u{1}é"),
    };

    #[test]
    fn a_poll_reads_as_the_widget_expects() {
        let lines = [
            Bytes::from_static(b"{\"index\":\"1\"}"),
            Bytes::from_static(b"{\"index\":\"2\"}"),
        ];
        let json: Value = serde_json::from_slice(&messages(&IDS, lines.iter(), false)).unwrap();
        assert_eq!(
            json,
            json!({
                "referenceId": "r-1", "operationId": "a\"b\\c\u{1}é", "status": {"code": "SUCCESS"},
                "data": {"messages": [{"index": "1"}, {"index": "2"}], "chatEnded": false},
            })
        );
    }

    #[test]
    fn the_end_is_an_answer_without_messages() {
        let json: Value = serde_json::from_slice(&messages(&IDS, [].iter(), true)).unwrap();
        assert_eq!(json["data"], json!({"messages": [], "chatEnded": true}));
    }

    #[test]
    fn an_ended_chat_lingers_ten_seconds_says_so_until_sixty_and_is_gone() {
        let closed = Some(Millis(1_000));
        let linger = Linger::default();
        let at = |ms: u64| EndPhase::at(closed, Millis(1_000 + ms), &linger);
        assert_eq!(EndPhase::at(None, Millis(9), &linger), EndPhase::Open);
        assert_eq!((at(0), at(9_999)), (EndPhase::Closing, EndPhase::Closing));
        assert_eq!((at(10_000), at(59_999)), (EndPhase::Over, EndPhase::Over));
        assert_eq!(at(60_000), EndPhase::Gone);
    }

    #[test]
    fn a_create_names_token_and_entity() {
        let session = LogId::from_bytes([7; 16]);
        let json: Value = serde_json::from_slice(&created(&IDS, session, "a.b.c")).unwrap();
        assert_eq!(json["data"]["clientToken"], "a.b.c");
        assert_eq!(json["data"]["entity"]["id"], session.to_string());
        assert_eq!(
            json["data"]["entity"]["selfUri"],
            format!("/nexus/v3/chat/sessions/{session}")
        );
    }
}
