//! A third-party bot.

use serde::{Deserialize, Serialize};

use super::{Kind, Object, Problems};
use crate::provisioning::snapshot::{Shelf, Shelves};

/// A third-party bot. `credentials` (a service account, a token) are write-only.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Bot {
    /// Name others refer to.
    pub name: String,
    /// `dialogflow-es`, `dialogflow-cx`, `lex`, `dialog-engine` or `webhook`.
    #[serde(rename = "type")]
    pub provider: String,
    /// Its address, where it has one of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// What else the provider needs, not secret.
    pub config: serde_json::Map<String, serde_json::Value>,
    /// Off takes no sessions.
    pub enabled: bool,
}

impl Default for Bot {
    fn default() -> Self {
        Bot {
            name: String::new(),
            provider: String::new(),
            url: None,
            config: serde_json::Map::new(),
            enabled: true,
        }
    }
}

impl Object for Bot {
    const KIND: Kind = Kind::Bot;

    fn name(&self) -> &str {
        &self.name
    }

    fn validate(&self, problems: &mut Problems) {
        problems.name("name", &self.name);
        problems.one_of(
            "type",
            &self.provider,
            &[
                "dialogflow-es",
                "dialogflow-cx",
                "lex",
                "dialog-engine",
                "webhook",
            ],
        );
        if let Some(url) = &self.url {
            problems.url("url", url);
        }
    }

    fn shelf(shelves: &Shelves) -> &Shelf<Self> {
        &shelves.bots
    }

    fn shelf_mut(shelves: &mut Shelves) -> &mut Shelf<Self> {
        &mut shelves.bots
    }
}
