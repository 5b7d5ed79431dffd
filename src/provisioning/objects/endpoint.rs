//! An entrance for customers.

use serde::{Deserialize, Serialize};

use super::{Kind, Object, Problems};
use crate::model::Media;
use crate::provisioning::snapshot::{Shelf, Shelves};

/// An entrance for customers: what a widget names when it opens a chat, and where its sessions go.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Endpoint {
    /// Name callers use.
    pub name: String,
    /// `live` or `async`.
    pub stream: String,
    /// Medium of the sessions it opens.
    pub media_type: Media,
    /// The channel it belongs to, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel_id: Option<String>,
    /// Queue its sessions wait in.
    pub queue: String,
    /// Off refuses new sessions; open ones go on.
    pub enabled: bool,
    /// Language of its customers where they do not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Name of the opening hours; absent means the queue's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opening_hours: Option<String>,
    /// Bot that answers first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bot: Option<String>,
}

impl Default for Endpoint {
    fn default() -> Self {
        Endpoint {
            name: String::new(),
            stream: "live".to_owned(),
            media_type: Media::Chat,
            channel_id: None,
            queue: String::new(),
            enabled: true,
            language: None,
            opening_hours: None,
            bot: None,
        }
    }
}

impl Object for Endpoint {
    const KIND: Kind = Kind::Endpoint;

    fn name(&self) -> &str {
        &self.name
    }

    fn validate(&self, problems: &mut Problems) {
        problems.name("name", &self.name);
        problems.one_of("stream", &self.stream, &["live", "async"]);
        problems.name("queue", &self.queue);
        if let Some(language) = &self.language {
            problems.language("language", language);
        }
    }

    fn shelf(shelves: &Shelves) -> &Shelf<Self> {
        &shelves.endpoints
    }

    fn shelf_mut(shelves: &mut Shelves) -> &mut Shelf<Self> {
        &mut shelves.endpoints
    }
}
