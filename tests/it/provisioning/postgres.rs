//! The PostgreSQL store, and nodes that share one.

use std::sync::Arc;
use std::time::Duration;

use nexus::model::Millis;
use nexus::provisioning::declare::{self, Outcome};
use nexus::provisioning::objects::{Bot, Kind};
use nexus::provisioning::{
    Backend, DirectoryError, PostgresSettings, PostgresStore, Provisioning, Settings, Store, StoreError, Tls,
    Usual,
};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;

use super::{NOW, TENANT, act, conformance, draft, masters};
use crate::support::part::{Signal, signal};
use crate::support::postgres::Postgres;

fn settings(postgres: &Postgres) -> PostgresSettings {
    PostgresSettings {
        connect_timeout: Duration::from_millis(1500),
        statement_timeout: Duration::from_secs(2),
        ..PostgresSettings::new(SecretString::from(postgres.url()))
    }
}

async fn node(postgres: &Postgres, dir: &tempfile::TempDir, name: &str) -> Provisioning {
    let settings = Settings {
        backend: Backend::Postgres(settings(postgres)),
        masters: masters(),
        sealed_snapshot: Some(dir.path().join(name)),
        usual: Usual::default(),
    };
    Provisioning::start(settings, NOW).await.unwrap()
}

/// The longest a test waits for what must happen.
async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), what)
        .await
        .expect("it did not happen")
}

async fn at_version(node: &Provisioning, version: u64) {
    soon(node.snapshots().watch().wait_for(|seen| *seen >= version))
        .await
        .unwrap();
}

#[tokio::test]
async fn the_postgres_store_conforms() {
    let postgres = Postgres::start();
    let store = PostgresStore::connect(settings(&postgres)).unwrap();
    conformance::all(&store).await;
}

#[tokio::test]
async fn two_first_starts_at_once_migrate_once_and_share_keys() {
    let postgres = Postgres::start();
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = tokio::join!(node(&postgres, &dir, "a"), node(&postgres, &dir, "b"));
    let key = |node: &Provisioning| {
        let snapshot = node.snapshots().load_full();
        *snapshot
            .signing_keys(nexus::provisioning::SigningPurpose::Ticket)
            .current(NOW)
            .secret()
    };
    assert_eq!(key(&a), key(&b));
    assert_eq!(postgres.sql("SELECT count(*) FROM nex_migrations"), "11\n");
}

#[tokio::test]
async fn a_write_on_one_node_reaches_the_other_by_notice() {
    let postgres = Postgres::start();
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = (node(&postgres, &dir, "a").await, node(&postgres, &dir, "b").await);
    declare::apply(a.directory(), declare::DEVELOPMENT, &act())
        .await
        .unwrap();
    let version = a.snapshots().load().version();
    at_version(&b, version).await;
    let known = declare::development().unwrap();
    assert_eq!(
        b.snapshots().load().api_key(&known.api_key, NOW).unwrap().tenant,
        known.tenant
    );
}

#[tokio::test]
async fn what_changed_while_a_node_was_cut_off_is_found_when_it_is_back() {
    let mut postgres = Postgres::start();
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = (node(&postgres, &dir, "a").await, node(&postgres, &dir, "b").await);
    postgres.cut_connections();
    // The first write may meet a session that was cut; the pool finds a good one for the next.
    let report = loop {
        match declare::apply(a.directory(), declare::DEVELOPMENT, &act()).await {
            Ok(report) => break report,
            Err(_) => tokio::task::yield_now().await,
        }
    };
    assert!(!report.items.is_empty());
    at_version(&b, a.snapshots().load().version()).await;

    postgres.down();
    let before = b.snapshots().load().version();
    let refused = a
        .directory()
        .create(&act(), TENANT, draft(Kind::Queue, json!({"name": "q"})), None)
        .await;
    assert!(
        matches!(refused, Err(DirectoryError::Unavailable(_))),
        "{refused:?}"
    );
    postgres.up();
    // Written behind the nodes' backs, without notice.
    postgres.sql("UPDATE nex_queues SET priority = 77; UPDATE nex_version SET version = version + 1");
    at_version(&b, before + 1).await;
    let known = declare::development().unwrap();
    assert_eq!(
        b.snapshots()
            .load()
            .queue(known.tenant, "chat.inbound")
            .unwrap()
            .priority,
        77
    );
}

#[tokio::test]
async fn a_node_starts_while_the_database_is_down_and_catches_up_when_it_is_back() {
    let mut postgres = Postgres::start();
    let dir = tempfile::tempdir().unwrap();
    let first = node(&postgres, &dir, "a").await;
    declare::apply(first.directory(), declare::DEVELOPMENT, &act())
        .await
        .unwrap();
    drop(first);
    postgres.down();
    let cold = node(&postgres, &dir, "a").await;
    let known = declare::development().unwrap();
    assert!(cold.snapshots().load().api_key(&known.api_key, NOW).is_ok());
    let before = cold.snapshots().load().version();
    postgres.up();
    postgres.sql("UPDATE nex_apikeys SET enabled = false; UPDATE nex_version SET version = version + 1");
    at_version(&cold, before + 1).await;
    assert!(cold.snapshots().load().api_key(&known.api_key, NOW).is_err());
}

#[tokio::test]
async fn a_dump_holds_no_planted_secret() {
    let postgres = Postgres::start();
    let dir = tempfile::tempdir().unwrap();
    let node = node(&postgres, &dir, "a").await;
    let directory = node.directory();
    let tenant = draft(
        Kind::Tenant,
        json!({"sid": "t1", "name": "t1", "staticAgentTokens": true}),
    );
    directory.create(&act(), TENANT, tenant, None).await.unwrap();
    let planted = "PLANTED-5f3a9c";
    let signing = "whsec_PLANTED5f3a9cAAAAAAAAAAAAAAAAAAA";
    let key = "5f3a9c00-0000-4000-8000-00000000f00d";
    let objects = [
        (
            Kind::Bot,
            json!({"name": "b", "type": "lex", "credentials": {"k": planted}}),
        ),
        (
            Kind::Service,
            json!({"name": "s", "provider": "kaleyra", "credentials": planted}),
        ),
        (
            Kind::Channel,
            json!({"name": "c", "secret": planted, "credentials": planted}),
        ),
        (
            Kind::Webhook,
            json!({"name": "w", "url": "https://example.com", "secret": planted, "signingSecret": signing}),
        ),
        (
            Kind::GapiLink,
            json!({"name": "g", "url": "http://gws", "clientid": "c", "apikey": planted,
            "clientsecret": planted}),
        ),
        (
            Kind::Agent,
            json!({"login": "a", "token": format!("{planted}-token")}),
        ),
        (
            Kind::ApiKey,
            json!({"name": "k", "key": key, "permissions": ["nexus:chat:*"]}),
        ),
    ];
    for (kind, body) in objects {
        directory
            .create(&act(), TENANT, draft(kind, body), None)
            .await
            .unwrap();
    }
    let dump = postgres.dump();
    assert!(dump.contains("kaleyra"), "the dump has the objects");
    assert!(!dump.contains(planted) && !dump.contains(signing));
    assert!(!dump.contains(key));
    // bytea is dumped in hexadecimal.
    let hex = |text: &str| text.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert!(!dump.contains(&hex(planted)));
    assert!(!dump.contains(&hex(key)));
    let snapshot = node.snapshots().load_full();
    let bot = snapshot.named::<Bot>(TENANT, "b").unwrap();
    assert!(
        snapshot
            .secret(bot, "credentials")
            .unwrap()
            .expose_secret()
            .contains(planted)
    );
}

#[tokio::test]
async fn a_sealed_value_moved_to_another_row_does_not_open() {
    let postgres = Postgres::start();
    let dir = tempfile::tempdir().unwrap();
    let node = node(&postgres, &dir, "a").await;
    let directory = node.directory();
    directory
        .create(
            &act(),
            TENANT,
            draft(Kind::Tenant, json!({"sid": "t1", "name": "t1"})),
            None,
        )
        .await
        .unwrap();
    for name in ["good", "evil"] {
        let body = json!({"name": name, "type": "lex", "credentials": name});
        directory
            .create(&act(), TENANT, draft(Kind::Bot, body), None)
            .await
            .unwrap();
    }
    let before = node.snapshots().load().version();
    postgres.sql(
        "UPDATE nex_bots SET credentials_enc = (SELECT credentials_enc FROM nex_bots WHERE name = 'good') \
         WHERE name = 'evil'; UPDATE nex_version SET version = version + 1",
    );
    at_version(&node, before + 1).await;
    let snapshot = node.snapshots().load_full();
    let evil = snapshot.named::<Bot>(TENANT, "evil").unwrap();
    assert!(snapshot.secret(evil, "credentials").is_err());
    assert!(
        snapshot
            .secret(snapshot.named::<Bot>(TENANT, "good").unwrap(), "credentials")
            .is_ok()
    );
}

#[tokio::test]
async fn the_declared_tenant_is_found_in_place_by_a_second_run() {
    let postgres = Postgres::start();
    let dir = tempfile::tempdir().unwrap();
    let node = node(&postgres, &dir, "a").await;
    let first = declare::apply(node.directory(), declare::DEVELOPMENT, &act())
        .await
        .unwrap();
    let version = node.snapshots().load().version();
    let second = declare::apply(node.directory(), declare::DEVELOPMENT, &act())
        .await
        .unwrap();
    assert_eq!(second.count(Outcome::Unchanged), first.items.len());
    assert_eq!(node.snapshots().load().version(), version);
}

#[tokio::test]
async fn a_schema_of_another_release_is_refused_and_a_missing_one_named() {
    let postgres = Postgres::start();
    let mut unmigrated = settings(&postgres);
    unmigrated.migrate = false;
    let store = PostgresStore::connect(unmigrated.clone()).unwrap();
    let missing = store.prepare().await.unwrap_err();
    assert!(
        matches!(&missing, StoreError::Schema(why) if why.contains("nexus migrate")),
        "{missing}"
    );
    assert_eq!(PostgresStore::migrate(&unmigrated).await.unwrap(), 11);
    store.prepare().await.unwrap();
    assert_eq!(PostgresStore::migrate(&unmigrated).await.unwrap(), 0);

    postgres.sql("INSERT INTO nex_migrations (number, name, digest) VALUES (12, '0012_later', '')");
    assert!(matches!(store.prepare().await, Err(StoreError::Schema(_))));
    postgres.sql("DELETE FROM nex_migrations WHERE number = 12");
    postgres.sql("UPDATE nex_migrations SET digest = 'x' WHERE number = 3");
    assert!(matches!(store.prepare().await, Err(StoreError::Schema(_))));
}

#[tokio::test]
async fn concurrent_writers_take_turns_and_lose_nothing() {
    let postgres = Postgres::start();
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = (node(&postgres, &dir, "a").await, node(&postgres, &dir, "b").await);
    let tenant = draft(Kind::Tenant, json!({"sid": "t1", "name": "t1"}));
    a.directory().create(&act(), TENANT, tenant, None).await.unwrap();
    let id = TENANT.to_string();
    let created = a.snapshots().load().version();
    let writes = (0..20).map(|n| {
        let directory = Arc::clone(if n % 2 == 0 { a.directory() } else { b.directory() });
        async move {
            let body = json!({"name": format!("q{n}"), "priority": n});
            directory
                .create(&act(), TENANT, draft(Kind::Queue, body), None)
                .await
                .unwrap();
        }
    });
    futures_util::future::join_all(writes).await;
    let store = PostgresStore::connect(settings(&postgres)).unwrap();
    let image = store.image().await.unwrap();
    assert_eq!(image.version, created + 20);
    assert_eq!(
        image.rows.iter().filter(|row| row.kind == Kind::Queue).count(),
        20
    );
    let versions = store.audit(Some(TENANT), None, 100).await.unwrap();
    assert!(
        versions
            .windows(2)
            .all(|pair| pair[0].version > pair[1].version || pair[0].id != pair[1].id)
    );
    assert!(
        versions
            .iter()
            .any(|entry| entry.id == id && entry.at == Millis(NOW.0))
    );
}

#[tokio::test]
async fn tls_is_verified_and_never_given_up() {
    let dir = tempfile::tempdir().unwrap();
    let authority = |name: &str, text: String| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let ours = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let other = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let good = authority("good.pem", ours.cert.pem());
    let wrong = authority("wrong.pem", other.cert.pem());
    let empty = authority("empty.pem", String::new());
    let secure = Postgres::start_with_tls(&ours.cert.pem(), &ours.signing_key.serialize_pem());
    let with = |postgres: &Postgres, tls| PostgresSettings {
        tls,
        ..settings(postgres)
    };

    let store = PostgresStore::connect(with(&secure, Tls::Verified(good.clone()))).unwrap();
    store.prepare().await.unwrap();
    assert_eq!(
        secure.sql(
            "SELECT DISTINCT s.ssl FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid) \
        WHERE a.application_name = 'nexus'"
        ),
        "t\n"
    );
    let refused = PostgresStore::connect(with(&secure, Tls::Verified(wrong))).unwrap();
    assert!(matches!(refused.prepare().await, Err(StoreError::Unavailable(_))));
    assert!(matches!(
        PostgresStore::connect(with(&secure, Tls::Verified(empty))),
        Err(StoreError::Schema(_))
    ));

    // A server without TLS is not spoken to in clear.
    let plain = Postgres::start();
    let refused = PostgresStore::connect(with(&plain, Tls::Verified(good))).unwrap();
    assert!(matches!(refused.prepare().await, Err(StoreError::Unavailable(_))));
}

#[tokio::test]
async fn sessions_that_hang_are_replaced() {
    let postgres = Postgres::start();
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = (node(&postgres, &dir, "a").await, node(&postgres, &dir, "b").await);
    declare::apply(a.directory(), declare::DEVELOPMENT, &act())
        .await
        .unwrap();
    at_version(&b, a.snapshots().load().version()).await;
    let backends = postgres.sql("SELECT pid FROM pg_stat_activity WHERE application_name = 'nexus'");
    let backends: Vec<u32> = backends.lines().map(|pid| pid.parse().unwrap()).collect();
    assert!(!backends.is_empty());
    for pid in &backends {
        signal(*pid, Signal::Stop);
    }
    let known = declare::development().unwrap();
    let write = async {
        loop {
            let queue = draft(Kind::Queue, json!({"name": "after"}));
            match a.directory().create(&act(), known.tenant, queue, None).await {
                Ok(written) => break written.row.version,
                Err(DirectoryError::Unavailable(_)) => {}
                Err(error) => panic!("{error}"),
            }
        }
    };
    let version = soon(write).await;
    at_version(&b, version).await;
    assert!(b.snapshots().load().queue(known.tenant, "after").is_some());
    for pid in &backends {
        signal(*pid, Signal::Continue);
    }
}
