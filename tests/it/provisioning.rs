//! Provisioning over real stores: one conformance suite, and what the parts do together.

mod conformance;
mod directory;
mod embedded;
mod http;
mod postgres;
mod rest;
mod snapshot;

use std::sync::Arc;

use nexus::model::{Millis, TenantId};
use nexus::provisioning::objects::Kind;
use nexus::provisioning::secret::MasterKeys;
use nexus::provisioning::{Act, Draft, EmbeddedStore, Provisioning, Store};
use serde_json::Value;
use uuid::Uuid;

pub(crate) const NOW: Millis = Millis(1_760_000_000_000);
pub(crate) const TENANT: TenantId = TenantId(Uuid::from_u128(0x0a11_ce00_0000_4000_8000_0000_0000_0001));
pub(crate) const OTHER: TenantId = TenantId(Uuid::from_u128(0x0a11_ce00_0000_4000_8000_0000_0000_0002));

/// A master key that is the same in every test.
pub(crate) fn masters() -> MasterKeys {
    MasterKeys::from_text(&master_line(7)).unwrap()
}

pub(crate) fn master_line(byte: u8) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode([byte; 32])
}

pub(crate) fn act() -> Act {
    Act {
        actor: "test".to_owned(),
        at: NOW,
    }
}

pub(crate) fn draft(kind: Kind, body: Value) -> Draft {
    let Value::Object(body) = body else {
        unreachable!("tests give objects")
    };
    Draft::parse(kind, body).unwrap()
}

/// Provisioning over an embedded store, kept as long as the directory is.
pub(crate) async fn embedded(dir: &tempfile::TempDir) -> Provisioning {
    let store: Arc<dyn Store> = Arc::new(EmbeddedStore::open(&dir.path().join("provisioning.redb")).unwrap());
    Provisioning::start_on(store, masters(), Some(dir.path().join("snapshot.sealed")), NOW)
        .await
        .unwrap()
}
