//! The JSON in which our own webhook bots answer, and that other bots may put into a custom payload as member `nexus`.
//!
//! ```json
//! {"messages": [{"text": "Which order?"}],
//!  "quickReplies": [{"label": "The last one", "payload": "last"}],
//!  "userData": {"intent": "order-status"},
//!  "handover": {"queue": "billing", "skills": ["french"], "reason": "asks for a refund"},
//!  "end": false}
//! ```
//!
//! Every member may be absent or null; unknown members are passed over, so that a bot may be newer than we are. A member of
//! the wrong type makes the whole answer unreadable.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::answer::{BotAnswer, BotFault, Handover};

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Payload {
    messages: Option<Vec<Message>>,
    quick_replies: Option<Vec<QuickReply>>,
    user_data: Option<Map<String, Value>>,
    handover: Option<Sent>,
    end: Option<bool>,
}

#[derive(Deserialize)]
struct Message {
    text: String,
}

#[derive(Deserialize)]
struct QuickReply {
    label: String,
    payload: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Sent {
    queue: Option<String>,
    skills: Option<Vec<String>>,
    reason: Option<String>,
}

impl From<Sent> for Handover {
    fn from(sent: Sent) -> Self {
        Self {
            queue: sent.queue,
            skills: sent.skills.unwrap_or_default(),
            reason: sent.reason,
        }
    }
}

/// Adds what a whole body says.
pub(super) fn read(answer: &mut BotAnswer, body: &[u8]) -> Result<(), BotFault> {
    let unreadable = |_| BotFault::Unreadable("not the documented JSON");
    // By way of a map: an array would do for an object otherwise.
    let members: Map<String, Value> = serde_json::from_slice(body).map_err(unreadable)?;
    add(
        answer,
        Payload::deserialize(Value::Object(members)).map_err(unreadable)?,
    );
    Ok(())
}

/// Adds what member `nexus` of a custom payload says; other members are for other eyes.
pub(super) fn read_custom(answer: &mut BotAnswer, custom: &Value) -> Result<(), BotFault> {
    if let Some(ours) = custom.get("nexus") {
        let payload = Some(ours)
            .filter(|ours| ours.is_object())
            .and_then(|ours| Payload::deserialize(ours).ok());
        let unreadable = BotFault::Unreadable("`nexus` of a payload is not the documented JSON");
        add(answer, payload.ok_or(unreadable)?);
    }
    Ok(())
}

/// A hand-over as an object with `queue`, `skills` and `reason`, all optional; something else still is a hand-over.
pub(super) fn handover(metadata: &Value) -> Handover {
    Sent::deserialize(metadata)
        .map(Handover::from)
        .unwrap_or_default()
}

fn add(answer: &mut BotAnswer, payload: Payload) {
    answer
        .texts
        .extend(payload.messages.into_iter().flatten().map(|message| message.text));
    let replies = payload.quick_replies.into_iter().flatten();
    answer.quick_replies.extend(replies.map(|reply| {
        let payload = reply.payload.unwrap_or_else(|| reply.label.clone());
        (reply.label, payload)
    }));
    answer.user_data.extend(payload.user_data.into_iter().flatten());
    if let Some(sent) = payload.handover {
        answer.handover = Some(sent.into());
    }
    answer.end |= payload.end.unwrap_or(false);
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may end at the first surprise")]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(body: &str) -> Result<BotAnswer, BotFault> {
        let mut answer = BotAnswer::default();
        read(&mut answer, body.as_bytes()).map(|()| answer)
    }

    #[test]
    fn what_a_bot_says_is_read_and_what_it_leaves_out_is_nothing() {
        let answer = of(
            r#"{"messages":[{"text":"Hi","more":1}],"quickReplies":[{"label":"Yes"},{"label":"No","payload":"n"}],
                "userData":{"a":1},"handover":{"queue":"q","skills":["s"]},"end":true,"newer":{}}"#,
        )
        .unwrap();
        assert_eq!(answer.texts, ["Hi"]);
        assert_eq!(answer.quick_replies[0], ("Yes".to_owned(), "Yes".to_owned()));
        assert_eq!(answer.quick_replies[1].1, "n");
        assert_eq!(answer.user_data["a"], 1);
        assert_eq!(answer.handover.unwrap().queue.as_deref(), Some("q"));
        assert!(answer.end);
        assert_eq!(
            of(r#"{"messages":null,"end":null}"#).unwrap(),
            BotAnswer::default()
        );
    }

    #[test]
    fn a_wrong_type_makes_the_whole_answer_unreadable() {
        for body in [
            "",
            "[]",
            "7",
            r#"{"messages":"Hi"}"#,
            r#"{"messages":[{}]}"#,
            r#"{"end":1}"#,
            "{",
            r#"{"userData":[]}"#,
        ] {
            assert!(of(body).is_err(), "{body}");
        }
    }

    #[test]
    fn only_our_member_of_a_custom_payload_counts() {
        let mut answer = BotAnswer::default();
        read_custom(&mut answer, &json!({"messages": 1, "nexus": {"end": true}})).unwrap();
        assert!(answer.end && answer.texts.is_empty());
        assert!(read_custom(&mut answer, &json!({"nexus": 5})).is_err());
        assert_eq!(handover(&json!("please")), Handover::default());
    }
}
