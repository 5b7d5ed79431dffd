//! A pattern to mask.

use serde::{Deserialize, Serialize};

use super::{Kind, Object, Problems};
use crate::provisioning::snapshot::{Shelf, Shelves};

/// A pattern to mask in what is stored and shown. Patterns run in linear time: no look-around, no back-references.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct PiiRule {
    /// Name, unique in the tenant.
    pub name: String,
    /// The pattern.
    pub pattern: String,
    /// What takes the place of a match; `*` repeats over its length.
    pub replacement: String,
    /// Off masks nothing.
    pub enabled: bool,
    /// For administrators.
    pub description: String,
}

/// Bytes a compiled pattern may take; a tenant's patterns are compiled on every core.
const COMPILED_MAX: usize = 1 << 20;

impl PiiRule {
    /// Compiles the pattern.
    ///
    /// # Errors
    /// What the pattern engine says of it.
    pub fn compile(&self) -> Result<regex::Regex, regex::Error> {
        regex::RegexBuilder::new(&self.pattern)
            .size_limit(COMPILED_MAX)
            .build()
    }
}

impl Default for PiiRule {
    fn default() -> Self {
        PiiRule {
            name: String::new(),
            pattern: String::new(),
            replacement: "*".to_owned(),
            enabled: true,
            description: String::new(),
        }
    }
}

impl Object for PiiRule {
    const KIND: Kind = Kind::PiiRule;

    fn name(&self) -> &str {
        &self.name
    }

    fn validate(&self, problems: &mut Problems) {
        problems.required("name", &self.name, 128);
        problems.required("pattern", &self.pattern, 4096);
        if self.compile().is_err() {
            problems.bad("pattern", "not a pattern that runs in linear time");
        }
        problems.bounded("replacement", &self.replacement, 256);
    }

    fn shelf(shelves: &Shelves) -> &Shelf<Self> {
        &shelves.pii_rules
    }

    fn shelf_mut(shelves: &mut Shelves) -> &mut Shelf<Self> {
        &mut shelves.pii_rules
    }
}
