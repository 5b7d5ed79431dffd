//! A sender id.

use serde::{Deserialize, Serialize};

use super::{Kind, Object, Problems};
use crate::provisioning::snapshot::{Shelf, Shelves};

/// A sender id of the tenant: short code, long code or e-mail address, on a provider account.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Sender {
    /// The provider account it belongs to.
    pub service_id: String,
    /// The number or address itself.
    pub address: String,
    /// `shortCode`, `longCode`, `tollFree`, `alphanumeric` or `email`.
    pub kind: String,
    /// Off sends nothing from it.
    pub enabled: bool,
}

impl Default for Sender {
    fn default() -> Self {
        Sender {
            service_id: String::new(),
            address: String::new(),
            kind: "longCode".to_owned(),
            enabled: true,
        }
    }
}

impl Object for Sender {
    const KIND: Kind = Kind::Sender;

    fn name(&self) -> &str {
        &self.address
    }

    fn validate(&self, problems: &mut Problems) {
        problems.required("serviceId", &self.service_id, 128);
        problems.required("address", &self.address, 320);
        problems.one_of(
            "kind",
            &self.kind,
            &["shortCode", "longCode", "tollFree", "alphanumeric", "email"],
        );
    }

    fn shelf(shelves: &Shelves) -> &Shelf<Self> {
        &shelves.senders
    }

    fn shelf_mut(shelves: &mut Shelves) -> &mut Shelf<Self> {
        &mut shelves.senders
    }
}
