//! An address of a medium.

use serde::{Deserialize, Serialize};

use super::{Kind, Object, Problems};
use crate::model::Media;
use crate::protocol::channel::sms::rules::Rules;
use crate::protocol::securemail::{PROVIDER, SECUREBOX, is_securebox};
use crate::provisioning::snapshot::{Shelf, Shelves};

/// An address of a medium and how it is connected. `secret` signs and verifies its webhooks (several lines are several secrets, the first signs); `credentials` are
/// its provider's, where they differ from those of its service. Channel ids are unique over all tenants.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Channel {
    /// Name shown to administrators.
    pub name: String,
    /// The medium it carries.
    pub media: Media,
    /// `third-party` (the Third-Party Messaging API), `securemail` (a box of secure e-mail), or the aggregator's name.
    pub provider: String,
    /// Our number or mailbox.
    pub address: String,
    /// The provider account it uses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_id: Option<String>,
    /// Endpoint whose queue its sessions enter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Where what we say is posted to, for `third-party`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook_url: Option<String>,
    /// Milliseconds between attempts.
    pub retry_timeout_ms: u32,
    /// Attempts in all.
    pub retry_attempts: u32,
    /// Off refuses messages both ways.
    pub enabled: bool,
    /// What else the provider needs, not secret.
    pub config: serde_json::Map<String, serde_json::Value>,
}

impl Default for Channel {
    fn default() -> Self {
        Channel {
            name: String::new(),
            media: Media::Social,
            provider: "third-party".to_owned(),
            address: String::new(),
            service_id: None,
            endpoint: None,
            webhook_url: None,
            retry_timeout_ms: 10_000,
            retry_attempts: 3,
            enabled: true,
            config: serde_json::Map::new(),
        }
    }
}

/// What a rule of a channel's numbers looks like.
fn rule(name: &str) -> &'static str {
    match name {
        "allowedPrefixes" | "refusedPrefixes" => "not a list of prefixes such as +1 or +4479",
        _ => "not a cap such as { most = 20, withinSec = 60 }, at most a day",
    }
}

impl Object for Channel {
    const KIND: Kind = Kind::Channel;

    fn name(&self) -> &str {
        &self.name
    }

    fn validate(&self, problems: &mut Problems) {
        problems.required("name", &self.name, 128);
        problems.name("provider", &self.provider);
        problems.bounded("address", &self.address, 320);
        if let Some(url) = &self.webhook_url {
            problems.url("webhookUrl", url);
        }
        if self.provider == PROVIDER {
            if self.media != Media::Email {
                problems.bad("media", "secure mail is of the medium email");
            }
            let name = self.config.get(SECUREBOX);
            if name.is_some_and(|name| !name.as_str().is_some_and(is_securebox)) {
                problems.bad("config.securebox", "3 to 16 letters and digits");
            }
        }
        for name in Rules::of(&self.config).1 {
            problems.bad(format!("config.{name}"), rule(name));
        }
        problems.within("retryTimeoutMs", self.retry_timeout_ms.into(), 100, 86_400_000);
        problems.within("retryAttempts", self.retry_attempts.into(), 1, 100);
    }

    fn shelf(shelves: &Shelves) -> &Shelf<Self> {
        &shelves.channels
    }

    fn shelf_mut(shelves: &mut Shelves) -> &mut Shelf<Self> {
        &mut shelves.channels
    }
}
