//! What every provisioning store does. Each store's own module runs [`all`] over a fresh instance.

use std::collections::BTreeMap;

use nexus::model::TenantId;
use nexus::provisioning::objects::Kind;
use nexus::provisioning::{
    AuditAction, Change, Clash, Expect, KeyPurpose, KeyRecord, ObjectId, Row, SealedBytes, Store, StoreError,
    Write,
};
use serde_json::{Value, json};

use super::{NOW, OTHER, TENANT};

pub(crate) async fn all(store: &dyn Store) {
    store.prepare().await.unwrap();
    tenants(store).await;
    rows_come_back_as_they_went(store).await;
    ids_and_names_are_unique(store).await;
    a_writer_must_have_seen_what_it_replaces(store).await;
    a_write_is_whole_or_nothing(store).await;
    pages_follow_each_other(store).await;
    keys_are_kept(store).await;
    no_more_webhooks_hear_than_can(store).await;
    every_write_is_audited_and_told(store).await;
    a_tenant_takes_along_what_it_has(store).await;
    audit_entries_end(store).await;
}

async fn tenants(store: &dyn Store) {
    for (tenant, sid) in [(TENANT, "t1"), (OTHER, "t2")] {
        put(store, tenant_row(tenant, sid)).await.unwrap();
    }
    let orphan = row(
        Kind::Queue,
        TenantId(uuid::Uuid::from_u128(99)),
        "q",
        "q",
        json!({"name": "q"}),
    );
    assert_clash(put(store, orphan).await, Clash::NoTenant);
    assert_clash(
        put(store, tenant_row(TenantId(uuid::Uuid::from_u128(98)), "t1")).await,
        Clash::NameTaken,
    );
}

async fn rows_come_back_as_they_went(store: &dyn Store) {
    let mut bodies = BTreeMap::new();
    for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::Tenant) {
        let body = full_body(kind);
        let mut row = row(
            kind,
            TENANT,
            &format!("full-{kind}"),
            full_name(kind),
            body.clone(),
        );
        for (i, spec) in (0u8..).zip(kind.secrets()) {
            row.secrets
                .insert(spec.field.to_owned(), SealedBytes(vec![kind as u8, i, 0, 255]));
        }
        let version = put(store, row.clone()).await.unwrap();
        row.version = version;
        bodies.insert(kind, row);
    }
    for (kind, expected) in bodies {
        let found = store.read(kind, TENANT, &expected.id).await.unwrap().unwrap();
        assert_eq!(found, expected, "{kind}");
        assert_eq!(
            store.find(kind, TENANT, full_name(kind)).await.unwrap(),
            Some(expected.clone())
        );
        assert_eq!(
            store.read(kind, OTHER, &expected.id).await.unwrap(),
            None,
            "another tenant's {kind}"
        );
        assert_eq!(
            store.find(kind, OTHER, full_name(kind)).await.unwrap(),
            None,
            "another tenant's {kind}"
        );
        let image = store.image().await.unwrap();
        assert!(image.rows.contains(&expected), "{kind} is in the image");
    }
}

async fn ids_and_names_are_unique(store: &dyn Store) {
    let queue = |tenant, id: &str, name: &str| row(Kind::Queue, tenant, id, name, json!({"name": name}));
    put(store, queue(TENANT, "u1", "unique")).await.unwrap();
    assert_clash(put(store, queue(TENANT, "u1", "other")).await, Clash::IdTaken);
    assert_clash(put(store, queue(TENANT, "u2", "unique")).await, Clash::NameTaken);
    put(store, queue(OTHER, "u1", "unique")).await.unwrap();

    let channel = |tenant, id: &str, name: &str| row(Kind::Channel, tenant, id, name, json!({"name": name}));
    put(store, channel(TENANT, "ch-1", "one")).await.unwrap();
    assert_clash(put(store, channel(OTHER, "ch-1", "one")).await, Clash::IdTaken);

    let key = |tenant, id: &str, digest: u8| {
        let mut row = row(Kind::ApiKey, tenant, id, id, json!({"name": id}));
        row.secrets
            .insert("key".to_owned(), SealedBytes(vec![digest; 32]));
        row
    };
    put(store, key(TENANT, "k1", 1)).await.unwrap();
    assert_clash(put(store, key(OTHER, "k2", 1)).await, Clash::SecretTaken);
    put(store, key(OTHER, "k2", 2)).await.unwrap();

    // A renamed object gives its name free, and a replaced secret its value.
    let version = version_of(store, Kind::Queue, "u1").await;
    replace(store, queue(TENANT, "u1", "renamed"), version)
        .await
        .unwrap();
    put(store, queue(TENANT, "u3", "unique")).await.unwrap();
    let version = version_of(store, Kind::ApiKey, "k1").await;
    replace(store, key(TENANT, "k1", 3), version).await.unwrap();
    put(store, key(TENANT, "k3", 1)).await.unwrap();
}

async fn a_writer_must_have_seen_what_it_replaces(store: &dyn Store) {
    let bot = |config: Value| {
        row(
            Kind::Bot,
            TENANT,
            "b1",
            "b1",
            json!({"name": "b1", "config": config}),
        )
    };
    assert_clash(replace(store, bot(json!({})), 1).await, Clash::Absent);
    let first = put(store, bot(json!({"n": 1}))).await.unwrap();
    let second = replace(store, bot(json!({"n": 2})), first).await.unwrap();
    assert!(second > first);
    assert_clash(replace(store, bot(json!({"n": 3})), first).await, Clash::Changed);
    let found = store.read(Kind::Bot, TENANT, &id("b1")).await.unwrap().unwrap();
    assert_eq!((found.version, &found.body["config"]["n"]), (second, &json!(2)));
}

async fn a_write_is_whole_or_nothing(store: &dyn Store) {
    let before = store.image().await.unwrap();
    let good = row(Kind::FieldCode, TENANT, "fc", "fc", json!({"name": "fc"}));
    let bad = row(Kind::Queue, TENANT, "u3", "taken", json!({"name": "taken"}));
    let changes = [good, bad].map(|row| Change::Put {
        row,
        expect: Expect::Absent,
        fields: Vec::new(),
    });
    assert_clash(write(store, changes.to_vec()).await, Clash::IdTaken);
    assert_eq!(store.image().await.unwrap().version, before.version);
    assert_eq!(
        store.read(Kind::FieldCode, TENANT, &id("fc")).await.unwrap(),
        None
    );
}

async fn pages_follow_each_other(store: &dyn Store) {
    for n in 0..7 {
        let name = format!("r{n}");
        put(
            store,
            row(Kind::PiiRule, OTHER, &name, &name, json!({"name": name})),
        )
        .await
        .unwrap();
    }
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let page = store
            .list(Kind::PiiRule, Some(OTHER), after.as_ref(), 3)
            .await
            .unwrap();
        assert!(page.len() <= 3);
        let Some(last) = page.last() else { break };
        after = Some(last.id.clone());
        seen.extend(page.into_iter().map(|row| row.name));
    }
    assert_eq!(seen, ["r0", "r1", "r2", "r3", "r4", "r5", "r6"]);
    let tenants = store.list(Kind::Tenant, None, None, 10).await.unwrap();
    assert_eq!(tenants.len(), 2);
    assert_eq!(
        store
            .list(Kind::Tenant, Some(TENANT), None, 10)
            .await
            .unwrap()
            .len(),
        1
    );
}

async fn keys_are_kept(store: &dyn Store) {
    let key = |tenant, id, byte| KeyRecord {
        tenant,
        purpose: KeyPurpose::Data,
        id,
        active_from: NOW,
        wrapped: SealedBytes(vec![byte; 61]),
    };
    write(
        store,
        vec![
            Change::AddKey(key(Some(TENANT), 1, 1)),
            Change::AddKey(key(Some(OTHER), 1, 2)),
        ],
    )
    .await
    .unwrap();
    assert_clash(
        write(store, vec![Change::AddKey(key(Some(TENANT), 1, 3))]).await,
        Clash::IdTaken,
    );
    assert_clash(
        write(store, vec![Change::RewrapKey(key(Some(TENANT), 9, 3))]).await,
        Clash::Absent,
    );
    write(store, vec![Change::RewrapKey(key(Some(TENANT), 1, 4))])
        .await
        .unwrap();
    let image = store.image().await.unwrap();
    assert!(image.keys.contains(&key(Some(TENANT), 1, 4)));
    assert!(image.keys.contains(&key(Some(OTHER), 1, 2)));
    write(store, vec![Change::AddKey(key(Some(OTHER), 2, 5))])
        .await
        .unwrap();
    let drop = Change::DropKey {
        tenant: Some(OTHER),
        purpose: KeyPurpose::Data,
        id: 2,
    };
    write(store, vec![drop]).await.unwrap();
    assert!(
        !store
            .image()
            .await
            .unwrap()
            .keys
            .contains(&key(Some(OTHER), 2, 5))
    );
}

/// Sixteen hear of one event of one medium, whoever writes and however many at once.
async fn no_more_webhooks_hear_than_can(store: &dyn Store) {
    let hook = |n: usize, events: &[&str], medium: &str| {
        let name = format!("w{n}");
        let body = json!({"name": name, "events": events, "mediaTypes": [medium]});
        row(Kind::Webhook, OTHER, &name, &name, body)
    };
    let started = |n| hook(n, &["STARTED"], "chat");
    for n in 0..15 {
        put(store, started(n)).await.unwrap();
    }
    let racing = (15..18).map(|n| put(store, started(n)));
    let (stood, fell): (Vec<_>, Vec<_>) = futures_util::future::join_all(racing)
        .await
        .into_iter()
        .partition(Result::is_ok);
    assert_eq!((stood.len(), fell.len()), (1, 2), "{fell:?}");
    for refused in fell {
        assert_clash(refused, Clash::Crowded);
    }
    // Another event, another medium and another tenant have their own.
    put(store, hook(20, &["FINISHED"], "chat")).await.unwrap();
    let email = put(store, hook(21, &["STARTED"], "email")).await.unwrap();
    assert_clash(
        replace(store, hook(21, &["STARTED"], "chat"), email).await,
        Clash::Crowded,
    );
    // One leaves and another comes in one write.
    let leaves = version_of_other(store, "w0").await;
    let changes = vec![
        Change::Put {
            row: started(22),
            expect: Expect::Absent,
            fields: Vec::new(),
        },
        Change::Put {
            row: hook(0, &["FINISHED"], "chat"),
            expect: Expect::Version(leaves),
            fields: Vec::new(),
        },
    ];
    write(store, changes).await.unwrap();
    assert_clash(put(store, started(23)).await, Clash::Crowded);
}

async fn version_of_other(store: &dyn Store, text: &str) -> u64 {
    let row = store.read(Kind::Webhook, OTHER, &id(text)).await.unwrap();
    row.unwrap().version
}

async fn every_write_is_audited_and_told(store: &dyn Store) {
    let mut watch = store.watch();
    watch.borrow_and_update();
    let changed = row(
        Kind::CustomVariable,
        TENANT,
        "cv",
        "cv",
        json!({"name": "cv", "value": "1"}),
    );
    let version = write(
        store,
        vec![Change::Put {
            row: changed,
            expect: Expect::Absent,
            fields: vec!["name".into(), "value".into()],
        }],
    )
    .await
    .unwrap();
    watch.wait_for(|heard| *heard >= version).await.unwrap();
    let entries = store.audit(Some(TENANT), None, 1).await.unwrap();
    let entry = &entries[0];
    assert_eq!((entry.version, entry.action), (version, AuditAction::Created));
    assert_eq!(
        (entry.subject.as_str(), entry.id.as_str()),
        ("custom-variables", "cv")
    );
    assert_eq!((entry.actor.as_str(), entry.at), ("suite", NOW));
    assert_eq!(entry.fields, ["name", "value"]);
    assert!(
        store
            .audit(Some(OTHER), None, 100)
            .await
            .unwrap()
            .iter()
            .all(|e| e.tenant == Some(OTHER))
    );
    let older = store.audit(None, Some(version), 1).await.unwrap();
    assert!(older.iter().all(|entry| entry.version < version));
}

async fn a_tenant_takes_along_what_it_has(store: &dyn Store) {
    let gone = |kind, tenant, text: &str| Change::Delete {
        kind,
        tenant,
        id: id(text),
    };
    assert_clash(
        write(store, vec![gone(Kind::Queue, OTHER, "u3")]).await,
        Clash::Absent,
    );
    write(store, vec![gone(Kind::Tenant, TENANT, &TENANT.to_string())])
        .await
        .unwrap();
    let image = store.image().await.unwrap();
    assert!(image.rows.iter().all(|row| row.tenant != TENANT));
    assert!(image.keys.iter().all(|key| key.tenant != Some(TENANT)));
    assert!(image.rows.iter().any(|row| row.tenant == OTHER));
    // What was unique over all tenants is free again.
    put(
        store,
        row(Kind::Channel, OTHER, "ch-1", "one", json!({"name": "one"})),
    )
    .await
    .unwrap();
}

async fn audit_entries_end(store: &dyn Store) {
    let (ours, theirs) = (
        store.audit(Some(TENANT), None, 1000).await.unwrap(),
        store.audit(Some(OTHER), None, 1000),
    );
    let theirs = theirs.await.unwrap();
    assert_eq!(
        store.trim_audit(Some(TENANT), NOW).await.unwrap(),
        0,
        "none is from before now"
    );
    assert_eq!(
        store.trim_audit(Some(TENANT), NOW.plus(1)).await.unwrap(),
        ours.len()
    );
    assert!(store.audit(Some(TENANT), None, 1000).await.unwrap().is_empty());
    assert_eq!(store.audit(Some(OTHER), None, 1000).await.unwrap(), theirs);
}

pub(crate) fn row(kind: Kind, tenant: TenantId, id_text: &str, name: &str, body: Value) -> Row {
    Row {
        kind,
        tenant,
        id: id(id_text),
        name: name.to_owned(),
        body: complete(kind, body),
        secrets: BTreeMap::new(),
        version: 0,
        created: NOW,
        updated: NOW,
    }
}

/// What the directory would store: every field, defaults included.
fn complete(kind: Kind, body: Value) -> Value {
    let mut full = full_body(kind);
    if let (Value::Object(full), Value::Object(body)) = (&mut full, body) {
        full.extend(body);
    }
    full
}

/// The natural key within [`full_body`].
fn full_name(kind: Kind) -> &'static str {
    if kind == Kind::Retention {
        "default"
    } else {
        "full"
    }
}

/// An acceptable body with every field that a kind's typed columns know.
fn full_body(kind: Kind) -> Value {
    let given = match kind {
        Kind::Tenant => {
            json!({"sid": "full", "name": "Full", "allRegions": ["a", "b"], "ucsUrl": "http://ucs:8080", "ucsDialect": "classic",
            "limits": {"openSessions": 5}})
        }
        Kind::ApiKey => {
            json!({"name": "full", "permissions": ["nexus:chat:*"], "expires": "2030-01-02T03:04:05Z"})
        }
        Kind::Endpoint => {
            json!({"name": "full", "queue": "q", "channelId": "ch", "language": "en", "bot": "b"})
        }
        Kind::Channel => {
            json!({"name": "full", "media": "sms", "provider": "twilio", "address": "+12025550199",
            "serviceId": "s", "endpoint": "e", "webhookUrl": "https://example.com/", "config": {"a": {"b": null}}})
        }
        Kind::Service => {
            json!({"name": "full", "kind": "email", "provider": "sparkpost", "url": "https://example.com",
            "config": {"list": [1, 2.5, "x"]}})
        }
        Kind::Sender => json!({"serviceId": "s", "address": "full", "kind": "shortCode"}),
        Kind::Bot => json!({"name": "full", "type": "lex", "config": {"locale": "de"}, "enabled": false}),
        Kind::Webhook => json!({"name": "full", "url": "https://example.com/", "events": ["STARTED"],
            "mediaTypes": ["chat"], "retryTimeoutMs": 1000, "retryAttempts": 5}),
        Kind::GapiLink => json!({"name": "full", "url": "http://gws", "clientid": "nexus_client",
            "authinturl": "http://in", "authexturl": "https://ext", "region": "eu", "routing": true}),
        Kind::StandardResponse => json!({"name": "full", "category": "A/B", "shortcut": "s",
            "texts": {"en": "Hi", "de": "Hallo – „du“"}, "mediaTypes": ["chat"], "keywords": ["k"]}),
        Kind::FieldCode => json!({"name": "full", "expression": "contact.FirstName", "description": "d"}),
        Kind::CustomVariable => json!({"name": "full", "value": "v", "description": "d"}),
        Kind::PiiRule => json!({"name": "full", "pattern": "\\d+", "replacement": "#"}),
        Kind::Agent => json!({"login": "full", "skills": {"a": 3}, "capacity": {"chat": 2, "sms": 1},
            "queues": ["q"], "groups": ["g"], "roles": ["agent", "supervisor"], "autoAccept": true}),
        Kind::Queue => json!({"name": "full", "priority": -5, "skills": {"a": 1}, "maxWaiting": 10,
            "openingHours": "always"}),
        Kind::OpeningHours => json!({"name": "full", "weekly": {"monday": ["09:00-17:00"]},
            "holidays": [{"date": "2026-12-25", "name": "x", "hours": []}], "timeZone": "Europe/Berlin"}),
        Kind::MessageTemplate => json!({"name": "full", "texts": {"en": "Hi"}}),
        Kind::Retention => json!({"name": "default", "transcriptDays": 7}),
        Kind::BlockedCustomer => json!({"address": "full", "media": "sms", "until": "2030-01-02T03:04:05Z"}),
    };
    super::draft(kind, given).body
}

pub(crate) fn tenant_row(tenant: TenantId, sid: &str) -> Row {
    row(
        Kind::Tenant,
        tenant,
        &tenant.to_string(),
        sid,
        json!({"sid": sid, "name": sid}),
    )
}

fn id(text: &str) -> ObjectId {
    text.parse().unwrap()
}

async fn version_of(store: &dyn Store, kind: Kind, text: &str) -> u64 {
    store
        .read(kind, TENANT, &id(text))
        .await
        .unwrap()
        .unwrap()
        .version
}

pub(crate) async fn put(store: &dyn Store, row: Row) -> Result<u64, StoreError> {
    write(
        store,
        vec![Change::Put {
            row,
            expect: Expect::Absent,
            fields: Vec::new(),
        }],
    )
    .await
}

async fn replace(store: &dyn Store, row: Row, seen: u64) -> Result<u64, StoreError> {
    write(
        store,
        vec![Change::Put {
            row,
            expect: Expect::Version(seen),
            fields: Vec::new(),
        }],
    )
    .await
}

async fn write(store: &dyn Store, changes: Vec<Change>) -> Result<u64, StoreError> {
    store
        .write(Write {
            actor: "suite".to_owned(),
            at: NOW,
            changes,
        })
        .await
}

#[track_caller]
fn assert_clash(result: Result<u64, StoreError>, expected: Clash) {
    match result {
        Err(StoreError::Clash(clash)) => assert_eq!(clash, expected),
        other => panic!("expected {expected:?}, got {other:?}"),
    }
}
