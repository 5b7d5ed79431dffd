//! Which commands an agent may send, by what the session is to them. What the session's machine will say, said in advance.

use crate::model::SupervisionMode;
use crate::protocol::agent::InteractionState;

const INVITED: &[&str] = &["accept", "reject", "transcript"];

const HOLDING: &[&str] = &[
    "send-message",
    "send-typing-started",
    "send-typing-stopped",
    "send-url",
    "send-custom-notification",
    "send-file",
    "update-nickname",
    "invite",
    "consult",
    "transfer",
    "remove-from-conference",
    "leave",
    "complete",
    "place-in-queue",
    "attach-user-data",
    "update-user-data",
    "delete-user-data",
    "set-comment",
    "transcript",
];

/// Holding while somebody else is being asked: only one can be asked at a time.
const ASKING: &[&str] = &[
    "send-message",
    "send-typing-started",
    "send-typing-stopped",
    "send-url",
    "send-custom-notification",
    "send-file",
    "update-nickname",
    "cancel-consult",
    "remove-from-conference",
    "leave",
    "complete",
    "place-in-queue",
    "attach-user-data",
    "update-user-data",
    "delete-user-data",
    "set-comment",
    "transcript",
];

const CONSULTING: &[&str] = &[
    "send-message",
    "send-typing-started",
    "send-typing-stopped",
    "send-url",
    "send-file",
    "update-nickname",
    "leave",
    "attach-user-data",
    "update-user-data",
    "delete-user-data",
    "set-comment",
    "transcript",
];

const MONITORING: &[&str] = &[
    "switch-to-coach",
    "switch-to-barge-in",
    "stop-monitoring",
    "transcript",
];

const COACHING: &[&str] = &[
    "send-message",
    "send-typing-started",
    "send-typing-stopped",
    "switch-to-monitor",
    "switch-to-barge-in",
    "stop-monitoring",
    "set-comment",
    "transcript",
];

const BARGED_IN: &[&str] = &[
    "send-message",
    "send-typing-started",
    "send-typing-stopped",
    "send-url",
    "send-file",
    "switch-to-monitor",
    "switch-to-coach",
    "stop-monitoring",
    "set-comment",
    "transcript",
];

const OVER: &[&str] = &["set-comment", "transcript"];

/// The commands for a state. `asking`: whether somebody is being offered the session.
pub(super) const fn of(
    state: InteractionState,
    mode: Option<SupervisionMode>,
    asking: bool,
) -> &'static [&'static str] {
    match (state, mode) {
        (InteractionState::Invited, _) => INVITED,
        (InteractionState::Processing, _) if asking => ASKING,
        (InteractionState::Processing, _) => HOLDING,
        (InteractionState::Consulting, _) => CONSULTING,
        (InteractionState::Monitoring, Some(SupervisionMode::BargeIn)) => BARGED_IN,
        (InteractionState::Monitoring, Some(SupervisionMode::Coach)) => COACHING,
        (InteractionState::Monitoring, _) => MONITORING,
        (InteractionState::Completed, _) => OVER,
        (InteractionState::Left | InteractionState::Canceled, _) => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_capability_is_a_command_of_the_stream() {
        let document = include_str!("../../../docs/asyncapi.yaml");
        for table in [
            INVITED, HOLDING, ASKING, CONSULTING, MONITORING, COACHING, BARGED_IN, OVER,
        ] {
            for name in table {
                assert!(document.contains(&format!("\n    {name}:\n")), "{name}");
            }
        }
    }
}
