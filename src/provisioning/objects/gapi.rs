//! A link to GWS or its authentication service.

use serde::{Deserialize, Serialize};

use super::{Kind, Object, Problems};
use crate::provisioning::snapshot::{Shelf, Shelves};

/// A link to GWS or its authentication service; the columns of `nex_gapis` (contract 7.1). `apikey` and
/// `clientsecret` are write-only.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct GapiLink {
    /// Name shown to administrators.
    pub name: String,
    /// Address of the service.
    pub url: String,
    /// Our client id there.
    pub clientid: String,
    /// Address of the authentication service inside the cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authinturl: Option<String>,
    /// Address of the authentication service for browsers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authexturl: Option<String>,
    /// Region it serves.
    pub region: String,
    /// Whether GWS routes the tenant's sessions; otherwise the built-in router does.
    pub routing: bool,
}

impl Object for GapiLink {
    const KIND: Kind = Kind::GapiLink;

    fn name(&self) -> &str {
        &self.name
    }

    fn validate(&self, problems: &mut Problems) {
        problems.required("name", &self.name, 128);
        if self.url.is_empty() {
            problems.missing("url");
        } else {
            problems.url("url", &self.url);
        }
        problems.required("clientid", &self.clientid, 256);
        if let Some(url) = &self.authinturl {
            problems.url("authinturl", url);
        }
        if let Some(url) = &self.authexturl {
            problems.url("authexturl", url);
        }
        problems.bounded("region", &self.region, 64);
    }

    fn shelf(shelves: &Shelves) -> &Shelf<Self> {
        &shelves.gapis
    }

    fn shelf_mut(shelves: &mut Shelves) -> &mut Shelf<Self> {
        &mut shelves.gapis
    }
}
