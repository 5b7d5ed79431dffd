//! How long what is kept.

use serde::{Deserialize, Serialize};

use super::{Kind, Object, Problems};
use crate::provisioning::snapshot::{Shelf, Shelves};

/// How long what is kept, in days. One a tenant, named `default`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Retention {
    /// Always `default`.
    pub name: String,
    /// Transcripts in our own history.
    pub transcript_days: u32,
    /// Uploaded files.
    pub media_days: u32,
    /// Dead letters; at most 30, for so long a store keeps them.
    pub dead_letter_days: u32,
    /// Audit entries.
    pub audit_days: u32,
}

impl Default for Retention {
    fn default() -> Self {
        Retention {
            name: "default".to_owned(),
            transcript_days: 30,
            media_days: 30,
            dead_letter_days: 30,
            audit_days: 400,
        }
    }
}

impl Object for Retention {
    const KIND: Kind = Kind::Retention;

    fn name(&self) -> &str {
        &self.name
    }

    fn validate(&self, problems: &mut Problems) {
        problems.one_of("name", &self.name, &["default"]);
        problems.within("transcriptDays", self.transcript_days.into(), 1, 3650);
        problems.within("mediaDays", self.media_days.into(), 1, 3650);
        problems.within("deadLetterDays", self.dead_letter_days.into(), 1, 30);
        problems.within("auditDays", self.audit_days.into(), 1, 3650);
    }

    fn shelf(shelves: &Shelves) -> &Shelf<Self> {
        &shelves.retention
    }

    fn shelf_mut(shelves: &mut Shelves) -> &mut Shelf<Self> {
        &mut shelves.retention
    }
}
