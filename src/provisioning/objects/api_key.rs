//! A key for `x-api-key`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Kind, Object, Permission, Problems};
use crate::provisioning::snapshot::{Shelf, Shelves};

/// A key a caller presents as `x-api-key`. Its value is kept as a digest and shown once, when it is made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct ApiKey {
    /// Name shown to administrators.
    pub name: String,
    /// Off refuses the key at once.
    pub enabled: bool,
    /// What it is for; cannot change later.
    #[serde(rename = "type")]
    pub usage: ApiKeyUse,
    /// What its bearer may do.
    pub permissions: Vec<Permission>,
    /// When it stops working; absent means never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
}

/// The kinds of key the administration page knows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ApiKeyUse {
    /// Customer chat.
    #[default]
    Chat,
    /// Secure e-mail.
    SecureMail,
    /// Another service of the contact centre.
    Service,
}

impl ApiKeyUse {
    /// The area that a key of this kind may not be given.
    const fn foreign(self) -> Option<&'static str> {
        match self {
            Self::Chat => Some("securemail"),
            Self::SecureMail => Some("chat"),
            Self::Service => None,
        }
    }
}

impl Default for ApiKey {
    fn default() -> Self {
        ApiKey {
            name: String::new(),
            enabled: true,
            usage: ApiKeyUse::default(),
            permissions: Vec::new(),
            expires: None,
        }
    }
}

impl Object for ApiKey {
    const KIND: Kind = Kind::ApiKey;

    fn name(&self) -> &str {
        &self.name
    }

    fn validate(&self, problems: &mut Problems) {
        problems.required("name", &self.name, 128);
        if self.permissions.is_empty() {
            problems.missing("permissions");
        }
        problems.at_most("permissions", self.permissions.len(), 64);
        if let Some(area) = self.usage.foreign() {
            let strays = self
                .permissions
                .iter()
                .any(|permission| permission.area() == area);
            if strays {
                problems.bad(
                    "permissions",
                    "a key is for chats or for secure mail, not for both",
                );
            }
        }
    }

    fn shelf(shelves: &Shelves) -> &Shelf<Self> {
        &shelves.api_keys
    }

    fn shelf_mut(shelves: &mut Shelves) -> &mut Shelf<Self> {
        &mut shelves.api_keys
    }
}
