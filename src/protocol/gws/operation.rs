//! Operations on interactions, in the vendor's vocabulary (contract section 3).

use serde_json::{Map, Value, json};

use crate::model::Media;
use crate::protocol::agent::to_key_values;

/// One operation on one interaction.
#[derive(Debug, Clone, PartialEq)]
pub struct Operation {
    /// The interaction's id, ASCII letters, digits and `-`.
    pub interaction: String,
    /// Its medium.
    pub media: Media,
    /// What to do.
    pub action: Action,
}

/// What may be done.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Let it wait in a queue; one that is not there yet is created.
    PlaceInQueue {
        /// Which.
        queue: String,
        /// Properties it gets.
        added: Map<String, Value>,
        /// Properties that change.
        changed: Map<String, Value>,
        /// Properties it loses.
        deleted: Vec<String>,
    },
    /// An agent takes it.
    Accept {
        /// The name the customer reads.
        nickname: String,
    },
    /// An agent does not.
    Reject,
    /// Send it to an agent.
    TransferAgent(String),
    /// Ask an agent in.
    Invite(String),
    /// Ask a queue in.
    InviteByQueue(String),
    /// Ask an agent aside.
    Consult(String),
    /// Ask a queue aside.
    ConsultByQueue(String),
    /// Ask no longer.
    CancelConsult(String),
    /// Leave it; what is left of it is settled elsewhere.
    Leave,
    /// It is over.
    Complete,
    /// Attach data.
    AttachUserData(Map<String, Value>),
    /// Change attached data.
    UpdateUserData(Map<String, Value>),
    /// Remove attached data, by key.
    DeleteUserData(Vec<String>),
    /// Remark something.
    SetComment(String),
}

/// A request, but for the address of the service and the credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Below the service's address.
    pub path: String,
    /// JSON; byte-identical each time.
    pub body: String,
}

impl Operation {
    /// The request, always a `POST`. `operation_id` comes back in events and is the same over all attempts.
    #[must_use]
    pub fn request(&self, operation_id: &str) -> Request {
        let (name, data) = self.action.wire();
        let path = format!(
            "/workspace/v3/media/{}/interactions/{}/{name}",
            self.media,
            self.interaction
                .chars()
                .filter(|c| c.is_ascii_alphanumeric() || *c == '-')
                .collect::<String>()
        );
        let body = json!({"data": data, "operationId": operation_id}).to_string();
        Request { path, body }
    }
}

impl Action {
    fn wire(&self) -> (&'static str, Value) {
        let list = |data: &Map<String, Value>| json!(to_key_values(data));
        let keys = |keys: &[String]| -> Value { keys.iter().map(|key| json!({"key": key})).collect() };
        match self {
            Self::PlaceInQueue {
                queue,
                added,
                changed,
                deleted,
            } => (
                "place-in-queue",
                json!({"queue": queue, "addedProperties": list(added), "changedProperties": list(changed),
                    "deletedProperties": keys(deleted)}),
            ),
            Self::Accept { nickname } => ("accept", json!({"nickname": nickname})),
            Self::Reject => ("reject", json!({})),
            Self::TransferAgent(agent) => ("transfer-agent", json!({"agentId": agent})),
            Self::Invite(agent) => ("invite", json!({"agentId": agent})),
            Self::InviteByQueue(queue) => ("invite-by-queue", json!({"queue": queue})),
            Self::Consult(agent) => ("consult", json!({"agentId": agent})),
            Self::ConsultByQueue(queue) => ("consult-by-queue", json!({"queue": queue})),
            Self::CancelConsult(agent) => ("cancel-consult", json!({"agentId": agent})),
            Self::Leave => ("leave", json!({"afterAction": "KeepAlive"})),
            Self::Complete => ("complete", json!({})),
            Self::AttachUserData(data) => ("attach-user-data", json!({"userData": list(data)})),
            Self::UpdateUserData(data) => ("update-user-data", json!({"userData": list(data)})),
            Self::DeleteUserData(names) => ("delete-user-data", json!({"userData": keys(names)})),
            Self::SetComment(comment) => ("set-comment", json!({"comment": comment})),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn operation(action: Action) -> Operation {
        Operation {
            interaction: "000A1aDEMO001".to_owned(),
            media: Media::Chat,
            action,
        }
    }

    #[test]
    fn an_interaction_is_put_into_a_queue_with_its_properties() {
        let mut added = Map::new();
        added.insert("Subject".to_owned(), json!("Order"));
        let request = operation(Action::PlaceInQueue {
            queue: "chat.inbound".to_owned(),
            added,
            changed: Map::new(),
            deleted: vec!["Old".to_owned()],
        })
        .request("op-1");
        assert_eq!(
            request.path,
            "/workspace/v3/media/chat/interactions/000A1aDEMO001/place-in-queue"
        );
        let body: Value = serde_json::from_str(&request.body).unwrap();
        assert_eq!(
            body,
            json!({"operationId": "op-1", "data": {"queue": "chat.inbound",
                "addedProperties": [{"key": "Subject", "type": "str", "value": "Order"}],
                "changedProperties": [], "deletedProperties": [{"key": "Old"}]}})
        );
    }

    #[test]
    fn an_id_cannot_lead_to_another_path() {
        let mut odd = operation(Action::Complete);
        odd.interaction = "../../logout?x#".to_owned();
        assert_eq!(
            odd.request("o").path,
            "/workspace/v3/media/chat/interactions/logoutx/complete"
        );
    }

    proptest! {
        #[test]
        fn a_request_is_the_same_each_time(comment in ".{0,80}", id in "[a-z0-9]{1,20}") {
            let operation = operation(Action::SetComment(comment));
            prop_assert_eq!(operation.request(&id), operation.request(&id));
        }
    }
}
