//! The routes of `docs/openapi.yaml`, as far as the public listener serves them to somebody who must show a credential.

/// What a caller must show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    /// An API key alone.
    Key,
    /// An API key and the token of a chat.
    Chat,
    /// The token of an agent.
    Agent,
}

/// One operation.
#[derive(Debug, Clone)]
pub(super) struct Route {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) scheme: Scheme,
}

impl Route {
    /// Whether it is served to the services of the contact centre only.
    pub(super) fn is_internal(&self) -> bool {
        ["/nexus/v3/routing/", "/nexus/v3/esp", "/nexus/v3/campaign"]
            .iter()
            .any(|prefix| self.path.starts_with(prefix))
    }

    /// Whether it belongs to the customers' API.
    pub(super) fn is_chat(&self) -> bool {
        self.path.starts_with("/nexus/v3/chat/")
    }

    /// Whether the path names something that this test has made nothing of.
    pub(super) fn names_the_unknown(&self) -> bool {
        let known = ["{sessionId}", "{participantId}", "{number}", "{operation}"];
        let rest = known
            .iter()
            .fold(self.path.clone(), |path, name| path.replace(name, ""));
        rest.contains('{')
    }

    /// Whether the path names something that is a tenant's own.
    pub(super) fn names_an_id(&self) -> bool {
        self.path.replace("{operation}", "").contains('{')
    }
}

/// Reads the block style this document is written in: paths at two spaces, methods at four, their members at six.
pub(super) fn documented(text: &str) -> Vec<Route> {
    let (_, paths) = text
        .split_once("\npaths:\n")
        .or_else(|| text.split_once("paths:\n"))
        .unwrap();
    let mut found = Vec::new();
    let (mut path, mut method, mut elsewhere) = (String::new(), String::new(), false);
    for line in paths.lines() {
        let indent = line.len() - line.trim_start().len();
        let said = line.trim();
        match indent {
            0 if !said.is_empty() => break,
            2 if said.starts_with('/') => {
                path = format!("/nexus/v3{}", said.trim_end_matches(':'));
                elsewhere = false;
            }
            4 if said.starts_with("servers:") => elsewhere = true,
            4 => method = said.split(':').next().unwrap_or_default().to_uppercase(),
            6 if said.starts_with("servers:") => {
                elsewhere = true;
            }
            6 if said.starts_with("security:") && !elsewhere => {
                // Signed callbacks and the internal listener's callers have tests of their own.
                let scheme = if said.contains("clientKey") && !path.ends_with("/sessions") {
                    Scheme::Chat
                } else if said.contains("apiKey") {
                    Scheme::Key
                } else if said.contains("agentToken") {
                    Scheme::Agent
                } else {
                    continue;
                };
                let (method, path) = (method.clone(), path.clone());
                found.push(Route { method, path, scheme });
            }
            _ => {}
        }
    }
    found
}

/// Every operation, whoever may ask for it: method and path.
pub(super) fn operations(text: &str) -> Vec<(String, String)> {
    let (_, paths) = text.split_once("\npaths:\n").unwrap();
    let mut found = Vec::new();
    let mut path = String::new();
    for line in paths.lines() {
        let said = line.trim();
        match line.len() - line.trim_start().len() {
            0 if !said.is_empty() => break,
            2 if said.starts_with('/') => path = format!("/nexus/v3{}", said.trim_end_matches(':')),
            4 => {
                let method = said.trim_end_matches(':').to_uppercase();
                if ["GET", "POST", "PUT", "PATCH", "DELETE"].contains(&method.as_str()) {
                    found.push((method, path.clone()));
                }
            }
            _ => {}
        }
    }
    found
}
