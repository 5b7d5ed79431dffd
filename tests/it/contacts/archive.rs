//! Our own history over both stores: one suite.

use std::collections::BTreeSet;

use nexus::log::archive::{Archive, Asked, EmbeddedArchive, Keep, PostgresArchive, words};
use nexus::model::{ContactKey, ContactKind, LogId, Media, MediaId, Millis, Spread, TenantId};
use nexus::postgres::{Database, PostgresSettings};
use nexus::provisioning::PostgresStore;
use secrecy::SecretString;
use uuid::Uuid;

use crate::net_server::on_a_core;
use crate::support::postgres::Postgres;

const TENANT: TenantId = TenantId(Uuid::from_u128(1));
const OTHER: TenantId = TenantId(Uuid::from_u128(2));
const NOW: Millis = Millis(1_760_000_000_000);

fn session(n: u64) -> LogId {
    LogId::session(NOW.plus(n * 1_000), [7; 10], Spread::of(&[b"x"]))
}

fn contact(tenant: TenantId, address: &str) -> ContactKey {
    ContactKey::of(tenant, ContactKind::Email, address).unwrap()
}

/// A session of somebody's that began, or one that is over with what was said in it.
fn known(tenant: TenantId, n: u64, address: &str, said: Option<&str>) -> Keep {
    Keep {
        tenant,
        session: session(n),
        media: Media::Chat,
        began: NOW.plus(n * 1_000),
        ended: said.map(|_| NOW.plus(n * 1_000 + 500)),
        expires: NOW.plus(1_000_000 + n),
        contacts: BTreeSet::from([contact(tenant, address)]),
        files: BTreeSet::new(),
        document: said.map(|said| (format!("{{\"said\":\"{said}\"}}"), words([said]))),
    }
}

fn asked(tenant: TenantId) -> Asked {
    Asked {
        tenant,
        contacts: Vec::new(),
        words: BTreeSet::new(),
        kept: false,
        below: None,
        limit: 10,
    }
}

async fn found(archive: &dyn Archive, asked: Asked) -> Vec<LogId> {
    let found = archive.find(asked).await.unwrap();
    found.into_iter().map(|summary| summary.session).collect()
}

async fn conforms(archive: &dyn Archive) {
    // Found by contact while it goes on, by words once they are kept.
    archive
        .keep(known(TENANT, 1, "ann@x.example", None))
        .await
        .unwrap();
    let of_ann = |kept: bool| Asked {
        contacts: vec![contact(TENANT, "ann@x.example")],
        kept,
        ..asked(TENANT)
    };
    assert_eq!(found(archive, of_ann(false)).await, [session(1)]);
    assert_eq!(found(archive, of_ann(true)).await, []);
    let mut over = known(TENANT, 1, "ann@x.example", Some("Where is my zebra?"));
    over.files.insert(MediaId(Uuid::from_u128(9)));
    for _ in 0..2 {
        archive.keep(over.clone()).await.unwrap();
    }
    assert_eq!(found(archive, of_ann(true)).await, [session(1)]);
    // What is learned later is added, and what is there stays.
    let mut later = known(TENANT, 1, "anna@x.example", None);
    later.files.insert(MediaId(Uuid::from_u128(10)));
    archive.keep(later).await.unwrap();
    let kept = archive.read(TENANT, session(1)).await.unwrap().unwrap();
    assert_eq!(
        kept.document.as_deref(),
        Some("{\"said\":\"Where is my zebra?\"}")
    );
    assert_eq!(kept.summary.ended, Some(NOW.plus(1_500)));
    assert_eq!(kept.files.len(), 2);
    assert_eq!(found(archive, of_ann(false)).await, [session(1)]);

    // Newest first, page by page, each once whoever of several contacts it has.
    for n in 2..=4 {
        archive
            .keep(known(TENANT, n, "anna@x.example", Some("zebra crossing")))
            .await
            .unwrap();
    }
    let both = Asked {
        contacts: vec![
            contact(TENANT, "ann@x.example"),
            contact(TENANT, "anna@x.example"),
        ],
        limit: 3,
        ..asked(TENANT)
    };
    assert_eq!(
        found(archive, both.clone()).await,
        [session(4), session(3), session(2)]
    );
    let rest = Asked {
        below: Some(session(2)),
        ..both
    };
    assert_eq!(found(archive, rest).await, [session(1)]);

    // By words, all of them, in whatever case.
    let says = |text: &str| Asked {
        words: words([text]),
        ..asked(TENANT)
    };
    assert_eq!(found(archive, says("MY zebra")).await, [session(1)]);
    assert_eq!(found(archive, says("zebra")).await.len(), 4);
    assert_eq!(found(archive, says("giraffe")).await, []);

    // Another tenant's is not there.
    archive
        .keep(known(OTHER, 5, "ann@x.example", Some("zebra")))
        .await
        .unwrap();
    assert_eq!(found(archive, says("zebra")).await.len(), 4);
    assert_eq!(archive.read(OTHER, session(1)).await.unwrap(), None);
    archive.remove(OTHER, session(1)).await.unwrap();
    assert!(archive.read(TENANT, session(1)).await.unwrap().is_some());

    // What is removed is found by nothing, and removing it again is done.
    for _ in 0..2 {
        archive.remove(TENANT, session(1)).await.unwrap();
    }
    assert_eq!(archive.read(TENANT, session(1)).await.unwrap(), None);
    assert_eq!(found(archive, of_ann(false)).await, []);
    assert_eq!(found(archive, says("my")).await, []);

    // What is past its time goes, and nothing else.
    assert_eq!(archive.expire(NOW, 10).await.unwrap(), 0);
    assert_eq!(archive.expire(NOW.plus(1_000_004), 1).await.unwrap(), 1);
    assert_eq!(archive.expire(NOW.plus(1_000_004), 10).await.unwrap(), 1);
    assert_eq!(found(archive, asked(TENANT)).await, [session(4)]);
    assert_eq!(archive.expire(NOW.plus(2_000_000), 10).await.unwrap(), 2);
    assert_eq!(found(archive, says("zebra")).await, []);
}

#[test]
fn the_embedded_archive_conforms_and_is_there_after_a_restart() {
    on_a_core(async {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("history.redb");
        let archive = EmbeddedArchive::open(Some(&file)).unwrap();
        conforms(&archive).await;
        archive
            .keep(known(TENANT, 9, "ann@x.example", Some("still here")))
            .await
            .unwrap();
        drop(archive);
        let mut again = EmbeddedArchive::open(Some(&file));
        while again.is_err() {
            // The thread that writes lets go of the file a moment later.
            tokio::task::yield_now().await;
            again = EmbeddedArchive::open(Some(&file));
        }
        assert!(again.unwrap().read(TENANT, session(9)).await.unwrap().is_some());
    });
}

#[test]
fn the_archive_of_a_cluster_conforms() {
    let postgres = Postgres::start();
    on_a_core(async {
        let settings = PostgresSettings::new(SecretString::from(postgres.url()));
        PostgresStore::migrate(&settings).await.unwrap();
        conforms(&*PostgresArchive::new(Database::new(&settings, 2).unwrap())).await;
    });
    // The address itself stands nowhere.
    assert!(!postgres.dump().contains("x.example"));
}
