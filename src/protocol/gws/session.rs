//! A session with the Workspace API (contract 7.2).

use serde_json::json;

use crate::model::Media;

/// Begins a session; its answer sets [`SESSION_COOKIE`].
pub const INITIALIZE: &str = "/workspace/v3/initialize-workspace";
/// Takes up channels.
pub const ACTIVATE: &str = "/workspace/v3/activate-channels";
/// What a session stands at.
pub const CURRENT_SESSION: &str = "/workspace/v3/current-session";
/// Ends a session.
pub const LOGOUT: &str = "/workspace/v3/logout";
/// Where events come by Bayeux.
pub const NOTIFICATIONS: &str = "/workspace/v3/notifications";
/// Every later call carries it.
pub const SESSION_COOKIE: &str = "WORKSPACE_SESSIONID";

/// The channels whose events concern us.
#[must_use]
pub const fn channels() -> [&'static str; 3] {
    [
        "/workspace/v3/initialization",
        "/workspace/v3/media",
        "/workspace/v3/media/*",
    ]
}

/// The body that takes up channels.
#[must_use]
pub fn activate_channels(agent: &str, place: &str, media: &[Media]) -> String {
    json!({"data": {"agentId": agent, "placeName": place, "channels": media}}).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_are_taken_up_by_their_names() {
        assert_eq!(
            activate_channels("nexus", "nexus", &[Media::Chat, Media::Sms]),
            r#"{"data":{"agentId":"nexus","channels":["chat","sms"],"placeName":"nexus"}}"#
        );
    }
}
