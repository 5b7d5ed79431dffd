//! An account with a provider.

use serde::{Deserialize, Serialize};

use super::{Kind, Object, Problems};
use crate::model::Media;
use crate::provisioning::snapshot::{Shelf, Shelves};

/// An account with an SMS or e-mail provider, shared by channels and senders. `credentials` are write-only.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Service {
    /// Name shown to administrators.
    pub name: String,
    /// The medium it carries.
    pub kind: Media,
    /// The provider's name.
    pub provider: String,
    /// The provider's address where it is not the usual one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// What else the provider needs, not secret.
    pub config: serde_json::Map<String, serde_json::Value>,
    /// Off sends nothing through it.
    pub enabled: bool,
}

impl Default for Service {
    fn default() -> Self {
        Service {
            name: String::new(),
            kind: Media::Sms,
            provider: String::new(),
            url: None,
            config: serde_json::Map::new(),
            enabled: true,
        }
    }
}

impl Object for Service {
    const KIND: Kind = Kind::Service;

    fn name(&self) -> &str {
        &self.name
    }

    fn validate(&self, problems: &mut Problems) {
        problems.required("name", &self.name, 128);
        problems.name("provider", &self.provider);
        if let Some(url) = &self.url {
            problems.url("url", url);
        }
    }

    fn shelf(shelves: &Shelves) -> &Shelf<Self> {
        &shelves.services
    }

    fn shelf_mut(shelves: &mut Shelves) -> &mut Shelf<Self> {
        &mut shelves.services
    }
}
