//! A placeholder in canned responses.

use serde::{Deserialize, Serialize};

use super::{Kind, Object, Problems};
use crate::protocol::expression::{BadExpression, Expression};
use crate::provisioning::snapshot::{Shelf, Shelves};

/// A placeholder: `{name}` in a text stands for what `expression` gives, such as `contact.FirstName`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct FieldCode {
    /// What stands between the braces.
    pub name: String,
    /// Where its value comes from: `contact.…`, `agent.…`, `session.…`, `variable.…`, or a quoted text.
    pub expression: String,
    /// For administrators.
    pub description: String,
}

impl Object for FieldCode {
    const KIND: Kind = Kind::FieldCode;

    fn name(&self) -> &str {
        &self.name
    }

    fn validate(&self, problems: &mut Problems) {
        problems.name("name", &self.name);
        problems.required("expression", &self.expression, 1024);
        if Expression::parse(&self.expression).is_err() {
            problems.bad("expression", BadExpression.to_string());
        }
        problems.bounded("description", &self.description, 1024);
    }

    fn shelf(shelves: &Shelves) -> &Shelf<Self> {
        &shelves.field_codes
    }

    fn shelf_mut(shelves: &mut Shelves) -> &mut Shelf<Self> {
        &mut shelves.field_codes
    }
}
