//! What GWS tells on its channels.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::protocol::agent::KeyValue;

/// The longest id or name that is taken, in bytes.
const MAX_NAME: usize = 512;
/// The most attached keys that are taken.
const MAX_KEYS: usize = 500;

/// One event.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Where the beginning of the session stands.
    Initialization(InitializationState),
    /// An interaction is now as told.
    Interaction(Box<Interaction>),
    /// An operation failed after it had been accepted.
    Failed {
        /// Which.
        operation: String,
        /// GWS's code, 0 where it gave none.
        code: i64,
    },
    /// Something that does not concern us; the name is for a metric.
    Other(&'static str),
}

/// Where the beginning of a session stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InitializationState {
    /// Under way.
    Running,
    /// Done.
    Complete,
    /// It will not be.
    Failed,
}

/// An interaction as GWS sees it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Interaction {
    /// Its id.
    pub id: String,
    /// Its medium, as GWS names it.
    pub media: String,
    /// `Invited`, `Processing`, `Completed` and so on.
    pub state: String,
    /// Where it waits.
    pub queue: Option<String>,
    /// The agent it is meant for: login or number, whichever GWS gave.
    pub agent: Option<String>,
    /// What is attached.
    pub user_data: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    #[serde(default)]
    message_type: String,
    #[serde(default)]
    state: Option<String>,
    #[serde(default)]
    interaction: Option<WireInteraction>,
    #[serde(default)]
    operation_id: Option<String>,
    #[serde(default)]
    status: Option<WireStatus>,
    #[serde(default)]
    data: Option<WireData>,
}

#[derive(Deserialize)]
struct WireData {
    #[serde(default)]
    state: Option<String>,
}

#[derive(Deserialize)]
struct WireStatus {
    #[serde(default)]
    code: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireInteraction {
    id: String,
    #[serde(default)]
    mediatype: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    queue: Option<String>,
    #[serde(default)]
    agent_id: Option<Value>,
    #[serde(default)]
    user_data: Vec<KeyValue>,
    #[serde(default)]
    chat: Option<WireChat>,
}

#[derive(Deserialize)]
struct WireChat {
    #[serde(default)]
    participants: Vec<WireParticipant>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireParticipant {
    #[serde(default, rename = "type")]
    role: String,
    #[serde(default)]
    agent_id: Option<Value>,
}

/// Reads the `data` of a message; `None` for what is no event.
#[must_use]
pub fn event(data: &[u8]) -> Option<Event> {
    let wire: Wire = serde_json::from_slice(data).ok()?;
    Some(match wire.message_type.as_str() {
        kind if kind.starts_with("WorkspaceInitialization") => {
            let state = wire.state.or(wire.data.and_then(|data| data.state));
            Event::Initialization(match state.as_deref() {
                Some("Complete") => InitializationState::Complete,
                Some("Failed") => InitializationState::Failed,
                None if kind.ends_with("Complete") => InitializationState::Complete,
                _ => InitializationState::Running,
            })
        }
        "InteractionStateChanged" => Event::Interaction(Box::new(interaction(wire.interaction?)?)),
        "EventError" => Event::Failed {
            operation: bounded(wire.operation_id?)?,
            code: wire.status.map_or(0, |status| status.code),
        },
        "MessageLogUpdated" => Event::Other("messages"),
        "ChannelStateChanged" => Event::Other("channel"),
        _ => Event::Other("unknown"),
    })
}

fn interaction(wire: WireInteraction) -> Option<Interaction> {
    let participants = wire.chat.map(|chat| chat.participants).unwrap_or_default();
    let inside = participants
        .into_iter()
        .find(|participant| participant.role == "Agent" && participant.agent_id.is_some());
    let agent = wire
        .agent_id
        .or_else(|| inside.and_then(|participant| participant.agent_id));
    let keys = wire.user_data.into_iter().take(MAX_KEYS);
    Some(Interaction {
        id: bounded(wire.id)?,
        media: bounded(wire.mediatype).unwrap_or_default(),
        state: bounded(wire.state).unwrap_or_default(),
        queue: wire.queue.and_then(bounded),
        agent: agent.and_then(name),
        user_data: keys.map(|entry| (entry.key, entry.value)).collect(),
    })
}

/// A login as text, or a number.
fn name(value: Value) -> Option<String> {
    match value {
        Value::String(text) => bounded(text),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn bounded(text: String) -> Option<String> {
    let sound = !text.is_empty() && text.len() <= MAX_NAME && !text.chars().any(char::is_control);
    sound.then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn an_interaction_names_its_agent_by_itself_or_among_its_participants() {
        let told = json!({"messageType": "InteractionStateChanged", "notificationType": "StatusChange",
            "interaction": {"id": "000A1aDEMO001", "mediatype": "chat", "state": "Invited", "queue": "chat.inbound",
                "ticketId": 7, "userData": [{"key": "FirstName", "type": "str", "value": "Ann"}],
                "chat": {"participants": [{"type": "Customer"}, {"type": "Agent", "agentId": "anna"}]}}});
        let Some(Event::Interaction(interaction)) = event(told.to_string().as_bytes()) else {
            panic!("an interaction");
        };
        assert_eq!(interaction.agent.as_deref(), Some("anna"));
        assert_eq!(interaction.user_data["FirstName"], "Ann");

        let told =
            json!({"messageType": "InteractionStateChanged", "interaction": {"id": "x", "agentId": 101}});
        let Some(Event::Interaction(interaction)) = event(told.to_string().as_bytes()) else {
            panic!("an interaction");
        };
        assert_eq!(interaction.agent.as_deref(), Some("101"));
    }

    #[test]
    fn the_beginning_of_a_session_is_told_in_two_forms() {
        for told in [
            json!({"messageType": "WorkspaceInitializationComplete", "state": "Complete", "data": {"user": {}}}),
            json!({"messageType": "WorkspaceInitializationComplete", "data": {"state": "Complete"}}),
            json!({"messageType": "WorkspaceInitializationComplete"}),
        ] {
            assert_eq!(
                event(told.to_string().as_bytes()),
                Some(Event::Initialization(InitializationState::Complete))
            );
        }
        assert_eq!(
            event(br#"{"messageType":"WorkspaceInitializationProgress","state":"Executing"}"#),
            Some(Event::Initialization(InitializationState::Running))
        );
    }

    #[test]
    fn what_is_not_understood_is_not_guessed_at() {
        assert_eq!(
            event(br#"{"messageType":"SomethingNew"}"#),
            Some(Event::Other("unknown"))
        );
        assert_eq!(event(br#"{"messageType":"InteractionStateChanged"}"#), None);
        assert_eq!(event(b"7"), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = event(&bytes);
        }

        #[test]
        fn json_like_bytes_do_not_either(
            text in r#"\{"messageType":"(InteractionStateChanged|EventError|WorkspaceInitializationX)"(,"(interaction|state|data|operationId|status)":(\{"id":"a"\}|"x"|7|null)){0,4}\}"#
        ) {
            let _ = event(text.as_bytes());
        }
    }
}
