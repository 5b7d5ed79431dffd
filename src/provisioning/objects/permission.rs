//! Permissions of the form `nexus:<area>:<action|*>` (contract 1.4).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The areas a permission may name. `platform` is ours: it lets an operator act for any tenant.
const AREAS: [&str; 9] = [
    "consumer",
    "chat",
    "securemail",
    "campaign",
    "esp",
    "routing",
    "channels",
    "admin",
    "platform",
];

/// A granted permission, or one an operation asks for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Permission {
    area: String,
    action: String,
}

/// A text that is no permission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a permission reads nexus:<area>:<action|*> with a known area")]
pub struct PermissionError;

impl Permission {
    /// What it is about.
    pub fn area(&self) -> &str {
        &self.area
    }

    /// Whether holding `self` allows `action` in `area`.
    pub fn allows(&self, area: &str, action: &str) -> bool {
        self.area == area && (self.action == "*" || self.action == action)
    }
}

impl FromStr for Permission {
    type Err = PermissionError;

    fn from_str(text: &str) -> Result<Self, PermissionError> {
        let mut parts = text.split(':');
        let (Some("nexus"), Some(area), Some(action), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(PermissionError);
        };
        let word = |s: &str| {
            (1..=32).contains(&s.len())
                && s.bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        };
        if !AREAS.contains(&area) || !(action == "*" || word(action)) {
            return Err(PermissionError);
        }
        Ok(Permission {
            area: area.to_owned(),
            action: action.to_owned(),
        })
    }
}

impl TryFrom<String> for Permission {
    type Error = PermissionError;

    fn try_from(text: String) -> Result<Self, PermissionError> {
        text.parse()
    }
}

impl From<Permission> for String {
    fn from(permission: Permission) -> String {
        permission.to_string()
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "nexus:{}:{}", self.area, self.action)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_allows_every_action_of_its_area_and_of_no_other() {
        let all: Permission = "nexus:consumer:*".parse().unwrap();
        assert!(all.allows("consumer", "create"));
        assert!(!all.allows("admin", "create"));
        let one: Permission = "nexus:admin:read".parse().unwrap();
        assert!(one.allows("admin", "read"));
        assert!(!one.allows("admin", "write"));
    }

    #[test]
    fn only_the_grammar_is_accepted() {
        for bad in [
            "",
            "nexus",
            "nexus:*",
            "nexus:*:*",
            "nexus:cooking:*",
            "nexus:admin:",
            "nexus:admin:a:b",
            "genesys:admin:*",
            "nexus:admin:READ",
        ] {
            assert_eq!(bad.parse::<Permission>(), Err(PermissionError), "{bad}");
        }
    }
}
