//! The path table of the public listener: which handler a path belongs to, and the bounded name it has in metrics.

use crate::ingress::media;
use crate::ingress::messaging::Messaging;

use super::contacts::Contacts;
use super::dead_letters::DeadLetters;

/// Who answers under a path of the public listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Public {
    /// Connection 2.
    Widgets,
    /// Connection 3.
    Workspace,
    /// Connection 1.
    Messaging,
    /// Files at the addresses that were given out for them.
    Media,
    /// Secure e-mail.
    SecureMail,
    /// Connection 11.
    Aggregators,
    /// Tenants, keys and what else an administrator writes.
    Provisioning,
    /// What could not be delivered.
    DeadLetters,
    /// All that is kept of a contact.
    Contacts,
    /// The plug-in pages of Designer.
    Plugins,
    /// A page or a document in the binary.
    Page,
    /// Nobody.
    Nothing,
}

impl Public {
    /// The handler of a path.
    #[must_use]
    pub fn of(path: &str) -> Self {
        let under = |prefix: &str| {
            path.strip_prefix(prefix)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        if under("/nexus/v3/chat") || under("/chat/v3") {
            Self::Widgets
        } else if under("/nexus/v3/agents/me")
            || under("/nexus/v3/agents/ticket")
            || under("/nexus/v3/agentstream")
        {
            Self::Workspace
        } else if under("/admin/ux") {
            Self::Plugins
        } else if under("/ux") || path == "/" || path == "/openapi.yaml" || path == "/asyncapi.yaml" {
            Self::Page
        } else if under("/nexus/v3/securemail") {
            Self::SecureMail
        } else if under("/nexus/v3/aggregators") {
            Self::Aggregators
        } else if path.starts_with(media::PREFIX) {
            Self::Media
        } else if Messaging::serves(path) {
            Self::Messaging
        } else if DeadLetters::serves(path) {
            Self::DeadLetters
        } else if Contacts::serves(path) {
            Self::Contacts
        } else if under("/nexus/v3") {
            Self::Provisioning
        } else {
            Self::Nothing
        }
    }
}

/// The name of a path in metrics: a caller cannot invent one.
#[must_use]
pub fn name(path: &str) -> &'static str {
    match Public::of(path) {
        Public::Widgets => widget_name(path),
        Public::Workspace if path.ends_with("/ticket") => "/nexus/v3/agents/ticket",
        Public::Workspace if path.ends_with("/agentstream") => "/nexus/v3/agentstream",
        Public::Workspace => "/nexus/v3/agents/me",
        Public::Messaging if path.ends_with("/media") => "/nexus/v3/channels/{id}/media",
        Public::Messaging => "/nexus/v3/channels/{id}/messages",
        Public::Media => "/nexus/v3/media/{address}",
        Public::SecureMail => mail_name(path),
        Public::Aggregators => "/nexus/v3/aggregators/{provider}/{id}",
        Public::DeadLetters => "/nexus/v3/dead-letters",
        Public::Contacts if path.starts_with("/nexus/v3/contacts") => "/nexus/v3/contacts/{call}",
        Public::Contacts if path == "/nexus/v3/history/search" => "/nexus/v3/history/search",
        Public::Contacts => "/nexus/v3/history/{id}",
        Public::Provisioning => "/nexus/v3/{kind}",
        Public::Plugins if path.starts_with("/admin/ux/api") => "/admin/ux/api",
        Public::Plugins if path == "/admin/ux/loadplugin" => "/admin/ux/loadplugin",
        Public::Plugins => "/admin/ux",
        Public::Page => "/ux",
        Public::Nothing => "other",
    }
}

fn mail_name(path: &str) -> &'static str {
    let mut segments = path.split('/').skip(4);
    match (segments.next().unwrap_or(""), segments.next()) {
        ("", _) => "/nexus/v3/securemail",
        ("attachments", _) => "/nexus/v3/securemail/attachments",
        (_, None) => "/nexus/v3/securemail/{id}",
        (_, Some("attachments")) => "/nexus/v3/securemail/{id}/attachments/{number}",
        _ => "/nexus/v3/securemail/other",
    }
}

fn widget_name(path: &str) -> &'static str {
    let below = path
        .strip_prefix("/nexus/v3/chat")
        .or_else(|| path.strip_prefix("/chat/v3"));
    let rest = below
        .and_then(|below| below.strip_prefix("/sessions"))
        .unwrap_or("");
    let mut segments = rest.trim_matches('/').split('/');
    match (segments.next().unwrap_or(""), segments.next()) {
        ("", _) => "/nexus/v3/chat/sessions",
        (_, None) => "/nexus/v3/chat/sessions/{id}",
        (_, Some("messages")) => "/nexus/v3/chat/sessions/{id}/messages",
        (_, Some("images")) => "/nexus/v3/chat/sessions/{id}/images",
        (_, Some("userdata")) => "/nexus/v3/chat/sessions/{id}/userdata",
        (_, Some("participants")) => "/nexus/v3/chat/sessions/{id}/participants/{id}",
        _ => "/nexus/v3/chat/other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_prefix_has_its_handler() {
        assert_eq!(Public::of("/nexus/v3/chat/sessions"), Public::Widgets);
        assert_eq!(Public::of("/chat/v3/sessions/x/messages"), Public::Widgets);
        assert_eq!(Public::of("/nexus/v3/agentstream"), Public::Workspace);
        assert_eq!(Public::of("/nexus/v3/agents"), Public::Provisioning);
        assert_eq!(Public::of("/nexus/v3/channels/c-1"), Public::Provisioning);
        assert_eq!(Public::of("/nexus/v3/channels/c-1/messages"), Public::Messaging);
        assert_eq!(
            Public::of("/nexus/v3/aggregators/twilio/c-1/inbound"),
            Public::Aggregators
        );
        assert_eq!(Public::of("/nexus/v3/media/AQAB"), Public::Media);
        assert_eq!(Public::of("/nexus/v3/securemail"), Public::SecureMail);
        assert_eq!(Public::of("/nexus/v3/history/search"), Public::Contacts);
        assert_eq!(Public::of("/nexus/v3/contacts/erase"), Public::Contacts);
        assert_eq!(Public::of("/nexus/v3/apikeys/7"), Public::Provisioning);
        assert_eq!(Public::of("/ux/widget/"), Public::Page);
        assert_eq!(Public::of("/admin/ux/sr"), Public::Plugins);
        assert_eq!(Public::of("/wp-login.php"), Public::Nothing);
    }

    #[test]
    fn the_names_in_metrics_are_bounded_whatever_is_asked_for() {
        assert_eq!(name("/nexus/v3/chat/sessions"), "/nexus/v3/chat/sessions");
        assert_eq!(name("/nexus/v3/securemail"), "/nexus/v3/securemail");
        assert_eq!(name("/nexus/v3/securemail/7.1"), "/nexus/v3/securemail/{id}");
        assert_eq!(
            name("/chat/v3/sessions/0191-abc/messages"),
            "/nexus/v3/chat/sessions/{id}/messages"
        );
        assert_eq!(name("/nexus/v3/chat/sessions/x/y/z"), "/nexus/v3/chat/other");
        assert_eq!(name("/x/../../etc"), "other");
    }
}
