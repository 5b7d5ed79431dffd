//! A value field codes and templates may use.

use serde::{Deserialize, Serialize};

use super::{Kind, Object, Problems};
use crate::provisioning::snapshot::{Shelf, Shelves};

/// A value of the tenant that field codes and templates may use. Not for secrets: it can be read back.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct CustomVariable {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// For administrators.
    pub description: String,
}

impl Object for CustomVariable {
    const KIND: Kind = Kind::CustomVariable;

    fn name(&self) -> &str {
        &self.name
    }

    fn validate(&self, problems: &mut Problems) {
        problems.name("name", &self.name);
        problems.bounded("value", &self.value, 8192);
        problems.bounded("description", &self.description, 1024);
    }

    fn shelf(shelves: &Shelves) -> &Shelf<Self> {
        &shelves.custom_variables
    }

    fn shelf_mut(shelves: &mut Shelves) -> &mut Shelf<Self> {
        &mut shelves.custom_variables
    }
}
