//! The embedded store.

use nexus::provisioning::{EmbeddedStore, Store as _, StoreError};

use super::conformance;

#[tokio::test]
async fn the_embedded_store_conforms() {
    let dir = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(&dir.path().join("p.redb")).unwrap();
    conformance::all(&store).await;
}

#[tokio::test]
async fn what_was_written_is_there_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("p.redb");
    let store = EmbeddedStore::open(&path).unwrap();
    conformance::put(&store, conformance::tenant_row(super::TENANT, "t1"))
        .await
        .unwrap();
    let before = store.image().await.unwrap();
    drop(store);
    let store = EmbeddedStore::open(&path).unwrap();
    assert_eq!(store.image().await.unwrap(), before);
    assert_eq!(*store.watch().borrow(), before.version);
}

#[tokio::test]
async fn a_second_process_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("p.redb");
    let _first = EmbeddedStore::open(&path).unwrap();
    let Err(StoreError::Unavailable(why)) = EmbeddedStore::open(&path) else {
        panic!("opened twice");
    };
    assert!(why.contains("another process"), "{why}");
}
