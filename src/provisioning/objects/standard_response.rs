//! A canned response.

use serde::{Deserialize, Serialize};

use super::{Kind, Object, Problems, Texts};
use crate::model::Media;
use crate::provisioning::snapshot::{Shelf, Shelves};

/// A canned response an agent, a strategy or a bot may send; texts may hold field codes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct StandardResponse {
    /// Name, unique in the tenant.
    pub name: String,
    /// Path of categories, `/`-separated.
    pub category: String,
    /// What an agent types to get it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shortcut: Option<String>,
    /// The text per language.
    pub texts: Texts,
    /// Media it suits; empty means all.
    pub media_types: Vec<Media>,
    /// Words it is found by.
    pub keywords: Vec<String>,
}

impl Object for StandardResponse {
    const KIND: Kind = Kind::StandardResponse;

    fn name(&self) -> &str {
        &self.name
    }

    fn validate(&self, problems: &mut Problems) {
        problems.required("name", &self.name, 128);
        problems.bounded("category", &self.category, 512);
        self.texts.validate("texts", problems);
        problems.at_most("mediaTypes", self.media_types.len(), 32);
        problems.at_most("keywords", self.keywords.len(), 64);
    }

    fn shelf(shelves: &Shelves) -> &Shelf<Self> {
        &shelves.standard_responses
    }

    fn shelf_mut(shelves: &mut Shelves) -> &mut Shelf<Self> {
        &mut shelves.standard_responses
    }
}
