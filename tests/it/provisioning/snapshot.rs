//! Snapshots: published on change, kept sealed, never older than before.

use nexus::model::{Media, Millis, TenantId};
use nexus::provisioning::objects::Kind;
use nexus::provisioning::secret::MasterKeys;
use nexus::provisioning::{
    AuditEntry, Image, ObjectId, Provisioning, Row, StartError, Store, StoreError, StoreFuture, Write,
    declare,
};
use std::path::Path;
use std::sync::Arc;
use tokio::sync::watch;

use super::{NOW, act, embedded, master_line, masters};

/// A store that is away.
struct Away(watch::Sender<u64>);

fn away<T: Send + 'static>() -> StoreFuture<'static, T> {
    Box::pin(async { Err(StoreError::Unavailable("connection refused".to_owned())) })
}

impl Store for Away {
    fn prepare(&self) -> StoreFuture<'_, ()> {
        away()
    }
    fn read<'a>(&'a self, _: Kind, _: TenantId, _: &'a ObjectId) -> StoreFuture<'a, Option<Row>> {
        away()
    }
    fn find<'a>(&'a self, _: Kind, _: TenantId, _: &'a str) -> StoreFuture<'a, Option<Row>> {
        away()
    }
    fn list<'a>(
        &'a self,
        _: Kind,
        _: Option<TenantId>,
        _: Option<&'a ObjectId>,
        _: usize,
    ) -> StoreFuture<'a, Vec<Row>> {
        away()
    }
    fn write(&self, _: Write) -> StoreFuture<'_, u64> {
        away()
    }
    fn image(&self) -> StoreFuture<'_, Image> {
        away()
    }
    fn audit(&self, _: Option<TenantId>, _: Option<u64>, _: usize) -> StoreFuture<'_, Vec<AuditEntry>> {
        away()
    }
    fn trim_audit(&self, _: Option<TenantId>, _: Millis) -> StoreFuture<'_, usize> {
        away()
    }
    fn watch(&self) -> watch::Receiver<u64> {
        self.0.subscribe()
    }
}

async fn start_away(sealed: &Path, masters: MasterKeys) -> Result<Provisioning, StartError> {
    Provisioning::start_on(
        Arc::new(Away(watch::Sender::new(0))),
        masters,
        Some(sealed.to_owned()),
        NOW,
    )
    .await
}

#[tokio::test]
async fn a_node_starts_from_its_sealed_snapshot_while_the_store_is_away() {
    let dir = tempfile::tempdir().unwrap();
    let provisioning = embedded(&dir).await;
    declare::apply(provisioning.directory(), declare::DEVELOPMENT, &act())
        .await
        .unwrap();
    let version = provisioning.snapshots().load().version();
    drop(provisioning);

    let sealed = dir.path().join("snapshot.sealed");
    let cold = start_away(&sealed, masters()).await.unwrap();
    let snapshot = cold.snapshots().load_full();
    assert_eq!(snapshot.version(), version);
    let known = declare::development().unwrap();
    assert!(snapshot.api_key(&known.api_key, NOW).is_ok());
    assert!(snapshot.agent_by_token(&known.agents[0].1).is_ok());
    let refused = declare::apply(cold.directory(), declare::DEVELOPMENT, &act()).await;
    assert!(refused.is_err(), "a write while the store is away");
}

#[tokio::test]
async fn the_sealed_snapshot_shows_nothing_and_opens_only_whole_and_under_its_master_key() {
    let dir = tempfile::tempdir().unwrap();
    let provisioning = embedded(&dir).await;
    declare::apply(provisioning.directory(), declare::DEVELOPMENT, &act())
        .await
        .unwrap();
    drop(provisioning);
    let sealed = dir.path().join("snapshot.sealed");
    let bytes = std::fs::read(&sealed).unwrap();
    assert!(!bytes.windows(12).any(|window| window == b"chat.inbound"));

    let other = MasterKeys::from_text(&master_line(9)).unwrap();
    assert!(matches!(
        start_away(&sealed, other).await,
        Err(StartError::NothingToStartFrom { .. })
    ));
    std::fs::write(&sealed, &bytes[..bytes.len() - 1]).unwrap();
    assert!(matches!(
        start_away(&sealed, masters()).await,
        Err(StartError::NothingToStartFrom { .. })
    ));
    std::fs::remove_file(&sealed).unwrap();
    assert!(matches!(
        start_away(&sealed, masters()).await,
        Err(StartError::NothingToStartFrom { .. })
    ));
}

#[tokio::test]
async fn who_watches_hears_of_a_new_snapshot() {
    let dir = tempfile::tempdir().unwrap();
    let provisioning = embedded(&dir).await;
    let mut watch = provisioning.snapshots().watch();
    let before = *watch.borrow_and_update();
    declare::apply(provisioning.directory(), declare::DEVELOPMENT, &act())
        .await
        .unwrap();
    watch.changed().await.unwrap();
    assert!(*watch.borrow() > before);
}

#[tokio::test]
async fn what_the_tenant_decided_is_asked_in_one_call() {
    let dir = tempfile::tempdir().unwrap();
    let provisioning = embedded(&dir).await;
    declare::apply(provisioning.directory(), declare::DEVELOPMENT, &act())
        .await
        .unwrap();
    let tenant = declare::development().unwrap().tenant;
    let block = super::draft(
        Kind::BlockedCustomer,
        serde_json::json!({"address": "+12025550101", "media": "sms"}),
    );
    provisioning
        .directory()
        .create(&act(), tenant, block, None)
        .await
        .unwrap();
    let snapshot = provisioning.snapshots().load_full();

    assert!(snapshot.is_blocked(tenant, Media::Sms, "+12025550101", NOW));
    assert!(!snapshot.is_blocked(tenant, Media::Email, "+12025550101", NOW));
    assert!(!snapshot.is_blocked(tenant, Media::Sms, "+12025550102", NOW));
    // A Sunday and a Monday, at noon.
    let (sunday, monday) = (Millis(1_760_263_200_000), Millis(1_760_349_600_000));
    assert!(!snapshot.is_open(tenant, Some("office"), sunday));
    assert!(snapshot.is_open(tenant, Some("office"), monday));
    assert!(snapshot.is_open(tenant, Some("always"), sunday));
    assert!(snapshot.is_open(tenant, Some("nowhere"), sunday) && snapshot.is_open(tenant, None, sunday));
    let text = snapshot
        .text(tenant, "queue-position", Some("de-CH"), &[("position", "3")])
        .unwrap();
    assert_eq!(text, "Sie sind Nummer 3 in der Warteschlange.");
    assert_eq!(snapshot.text(tenant, "no-such-occasion", None, &[]), None);
}
