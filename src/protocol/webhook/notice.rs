//! The body of a notice. The same notice has the same bytes at every attempt.

use bytes::Bytes;
use serde::Serialize;
use uuid::{Builder, Uuid};

use crate::model::{Digest, LogId, Media};
use crate::protocol::channel::hex;

/// What happened to an interaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Event {
    /// It exists in contact history and was submitted to a queue.
    Started,
    /// Its processing was stopped.
    Finished,
}

/// One notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice<'n> {
    /// What happened.
    pub event: Event,
    /// To which session; a session is one interaction, which has the same id.
    pub session: LogId,
    /// Its medium.
    pub media: Media,
    /// Its subtype.
    pub subtype: &'n str,
    /// The base of our public addresses, without a slash at its end.
    pub base: &'n str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Wrapped<'n> {
    operation_id: Uuid,
    data: Data<'n>,
}

#[derive(Serialize)]
struct Data<'n> {
    entities: [Changed<'n>; 1],
}

#[derive(Serialize)]
struct Changed<'n> {
    event: Event,
    entity: Entity<'n>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Entity<'n> {
    id: LogId,
    media_type: &'static str,
    interaction_subtype: &'n str,
    self_uri: String,
}

/// The body.
#[must_use]
pub fn body(operation: Uuid, notice: &Notice<'_>) -> Bytes {
    let session = notice.session;
    let wrapped = Wrapped {
        operation_id: operation,
        data: Data {
            entities: [Changed {
                event: notice.event,
                entity: Entity {
                    id: session,
                    media_type: if notice.media == Media::Email {
                        "email"
                    } else {
                        "chat"
                    },
                    interaction_subtype: notice.subtype,
                    self_uri: format!("{}/nexus/v3/chat/sessions/{session}/{session}", notice.base),
                },
            }],
        },
    };
    let Ok(bytes) = serde_json::to_vec(&wrapped) else {
        unreachable!("plain data with text keys always has a JSON form")
    };
    bytes.into()
}

/// The id of a notice over all attempts: the receiver's key to recognise a repeat.
#[must_use]
pub fn operation_id(effect: &str) -> Uuid {
    let digest = Digest::of(&[b"operation", effect.as_bytes()]);
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest.0[..16]);
    Builder::from_custom_bytes(bytes).into_uuid()
}

/// `X-B3-TraceId` of a notice, the same over all attempts.
#[must_use]
pub fn trace_id(effect: &str) -> String {
    hex(&Digest::of(&[b"trace", effect.as_bytes()]).0[..8])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::hub_signature;

    #[test]
    fn the_contracts_vector_holds() {
        let body = concat!(
            r#"{"operationId":"0d2c7d7e-6f0e-4b3e-9a57-0f6f5a1d2c11","data":{"entities":[{"event":"STARTED","entity":"#,
            r#"{"id":"5b0f4b6e-2f51-4a5c-8f3b-6d7c1a9e0b22","mediaType":"chat","interactionSubtype":"InboundNew","#,
            r#""selfUri":"https://digital.example.com/nexus/v3/chat/sessions/3c9d0b1a-7e44-4f5d-9d53-0a4a2f6b8c33/"#,
            r#"5b0f4b6e-2f51-4a5c-8f3b-6d7c1a9e0b22"}}]}}"#
        );
        let signed = hub_signature::sha1(b"demo-webhook-secret", body.as_bytes());
        assert_eq!(signed, "sha1=fad5a70721a3f3da4e6d5681d895ace47ad41d43");
        let standard = crate::protocol::webhook::sign(
            "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX",
            "msg_0001",
            1_700_000_000,
            body.as_bytes(),
        );
        assert_eq!(
            standard.as_deref(),
            Some("v1,ifVpkCUj0pf3wyMvkgqCrDZgiUiuuJAq7NP/+uCDxGQ=")
        );
    }

    #[test]
    fn a_notice_has_the_documented_shape_and_the_same_bytes_each_time() {
        let notice = Notice {
            event: Event::Finished,
            session: LogId::from_bytes([0x11; 16]),
            media: Media::Sms,
            subtype: "SMS",
            base: "https://digital.example.com",
        };
        let operation = operation_id("x.1.0");
        let one = body(operation, &notice);
        assert_eq!(one, body(operation_id("x.1.0"), &notice));
        assert_ne!(operation, operation_id("x.1.1"));
        let json: serde_json::Value = serde_json::from_slice(&one).unwrap();
        let changed = &json["data"]["entities"][0];
        assert_eq!(changed["event"], "FINISHED");
        assert_eq!(changed["entity"]["mediaType"], "chat");
        assert_eq!(changed["entity"]["interactionSubtype"], "SMS");
    }
}
