//! The path tables: which handler a path belongs to, and the bounded name it has in metrics.

/// Who answers under a path of the public listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Public {
    /// Connection 2.
    Widgets,
    /// Connection 3.
    Workspace,
    /// Tenants, keys and what else an administrator writes.
    Provisioning,
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
        } else if under("/ux") || path == "/" || path == "/openapi.yaml" || path == "/asyncapi.yaml" {
            Self::Page
        } else if under("/nexus/v3") {
            Self::Provisioning
        } else {
            Self::Nothing
        }
    }
}

/// The name of a path in metrics: every id is one and the same placeholder, and what is not ours is one name.
#[must_use]
pub fn template(path: &str) -> String {
    if Public::of(path) == Public::Nothing {
        return "other".to_owned();
    }
    let mut name = String::with_capacity(path.len());
    for segment in path.split('/').skip(1).take(8) {
        name.push('/');
        name.push_str(if is_word(segment) { segment } else { "{id}" });
    }
    name
}

/// Words of the path tables; anything else a caller made up.
fn is_word(segment: &str) -> bool {
    const WORDS: [&str; 44] = [
        "nexus",
        "v3",
        "chat",
        "sessions",
        "messages",
        "images",
        "userdata",
        "participants",
        "agents",
        "me",
        "ticket",
        "agentstream",
        "ux",
        "widget",
        "workspace",
        "apikeys",
        "tenants",
        "endpoints",
        "channels",
        "services",
        "senders",
        "bots",
        "webhooks",
        "gapis",
        "standard-responses",
        "field-codes",
        "custom-variables",
        "pii-rules",
        "queues",
        "opening-hours",
        "templates",
        "retention",
        "blocked",
        "keys",
        "rotate",
        "media",
        "interactions",
        "transcript",
        "responses",
        "files",
        "config.json",
        "openapi.yaml",
        "asyncapi.yaml",
        "audit",
    ];
    WORDS.contains(&segment)
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
        assert_eq!(Public::of("/nexus/v3/apikeys/7"), Public::Provisioning);
        assert_eq!(Public::of("/ux/widget/"), Public::Page);
        assert_eq!(Public::of("/wp-login.php"), Public::Nothing);
    }

    #[test]
    fn the_names_in_metrics_are_bounded_whatever_is_asked_for() {
        let path = "/nexus/v3/chat/sessions/0191-abc/messages";
        assert_eq!(template(path), "/nexus/v3/chat/sessions/{id}/messages");
        assert_eq!(template("/x/../../etc"), "other");
        assert!(template(&"/nexus/v3/chat".repeat(500)).len() < 200);
    }
}
