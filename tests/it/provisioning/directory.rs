//! What administrators do, over the embedded store.

use nexus::model::Millis;
use nexus::provisioning::declare::{self, Outcome};
use nexus::provisioning::objects::{Bot, Kind};
use nexus::provisioning::secret::MasterKeys;
use nexus::provisioning::{
    Clash, DirectoryError, EmbeddedStore, KeyRefusal, Provisioning, SigningPurpose, StartError, Store as _,
};
use secrecy::ExposeSecret as _;
use serde_json::json;

use super::{NOW, OTHER, TENANT, act, draft, embedded, master_line, masters};

async fn with_tenant(dir: &tempfile::TempDir) -> Provisioning {
    let provisioning = embedded(dir).await;
    for (tenant, sid) in [(TENANT, "t1"), (OTHER, "t2")] {
        let body = json!({"sid": sid, "name": sid, "staticAgentTokens": true});
        provisioning
            .directory()
            .create(&act(), tenant, draft(Kind::Tenant, body), None)
            .await
            .unwrap();
    }
    provisioning
}

#[tokio::test]
async fn a_made_api_key_works_at_once_and_is_kept_nowhere() {
    let dir = tempfile::tempdir().unwrap();
    let provisioning = with_tenant(&dir).await;
    let body = json!({"name": "widget", "permissions": ["nexus:consumer:*"]});
    let written = provisioning
        .directory()
        .create(&act(), TENANT, draft(Kind::ApiKey, body), None)
        .await
        .unwrap();
    let key = written.made.unwrap();
    let snapshot = provisioning.snapshots().load();
    let grant = snapshot.api_key(key.expose_secret(), NOW).unwrap();
    assert_eq!((grant.tenant, &grant.id), (TENANT, &written.row.id));
    assert!(grant.allows("consumer", "create"));
    assert!(!written.row.view().to_string().contains(key.expose_secret()));
    for entry in std::fs::read_dir(dir.path()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        let secret = key.expose_secret().split('.').nth(1).unwrap().as_bytes();
        assert!(!bytes.windows(secret.len()).any(|window| window == secret));
    }
}

#[tokio::test]
async fn a_key_is_refused_when_wrong_disabled_expired_or_of_a_disabled_tenant() {
    let dir = tempfile::tempdir().unwrap();
    let provisioning = with_tenant(&dir).await;
    let directory = provisioning.directory();
    let value = "00000000-0000-4000-8000-0000000000aa";
    let body = |enabled: bool, expires: &str| json!({"name": "k", "key": value, "permissions": ["nexus:chat:*"], "enabled": enabled, "expires": expires});
    let first = draft(Kind::ApiKey, body(true, "2030-01-01T00:00:00Z"));
    let id = directory
        .create(&act(), TENANT, first, None)
        .await
        .unwrap()
        .row
        .id;
    let ask = |at| {
        provisioning
            .snapshots()
            .load_full()
            .api_key(value, at)
            .map(|grant| grant.tenant)
    };
    assert_eq!(ask(NOW), Ok(TENANT));
    assert_eq!(ask(Millis(1_893_456_000_000)), Err(KeyRefusal::Expired));
    let snapshot = provisioning.snapshots().load_full();
    let unknown = snapshot
        .api_key("00000000-0000-4000-8000-0000000000ab", NOW)
        .unwrap_err();
    assert_eq!(unknown, KeyRefusal::Unknown);
    assert_eq!(
        snapshot.api_key("' OR 1=1", NOW).unwrap_err(),
        KeyRefusal::Malformed
    );

    let off = draft(Kind::ApiKey, body(false, "2030-01-01T00:00:00Z"));
    directory.replace(&act(), TENANT, &id, &off, None).await.unwrap();
    assert_eq!(ask(NOW), Err(KeyRefusal::Disabled));
    let on = draft(Kind::ApiKey, body(true, "2030-01-01T00:00:00Z"));
    directory.replace(&act(), TENANT, &id, &on, None).await.unwrap();
    let tenant = draft(Kind::Tenant, json!({"sid": "t1", "name": "t1", "enabled": false}));
    directory
        .replace(
            &act(),
            TENANT,
            &TENANT.to_string().parse().unwrap(),
            &tenant,
            None,
        )
        .await
        .unwrap();
    assert_eq!(ask(NOW), Err(KeyRefusal::TenantDisabled));
}

#[tokio::test]
async fn a_secret_comes_back_to_us_and_to_no_reader() {
    let dir = tempfile::tempdir().unwrap();
    let provisioning = with_tenant(&dir).await;
    let directory = provisioning.directory();
    let body = json!({"name": "faq", "type": "lex", "credentials": {"secretAccessKey": "planted-9d1c"}});
    let row = directory
        .create(&act(), TENANT, draft(Kind::Bot, body), None)
        .await
        .unwrap()
        .row;
    assert!(!row.view().to_string().contains("planted-9d1c"));
    assert_eq!(row.view()["hasCredentials"], true);
    assert!(!format!("{row:?}").contains("planted-9d1c"));

    let snapshot = provisioning.snapshots().load_full();
    let bot = snapshot.named::<Bot>(TENANT, "faq").unwrap();
    let secret = snapshot.secret(bot, "credentials").unwrap();
    assert_eq!(secret.expose_secret(), r#"{"secretAccessKey":"planted-9d1c"}"#);

    // Not mentioned, it stays; null clears it.
    let renamed = draft(Kind::Bot, json!({"name": "faq2", "type": "lex"}));
    directory
        .replace(&act(), TENANT, &row.id, &renamed, None)
        .await
        .unwrap();
    let snapshot = provisioning.snapshots().load_full();
    let bot = snapshot.named::<Bot>(TENANT, "faq2").unwrap();
    assert!(snapshot.secret(bot, "credentials").is_ok());
    let cleared = draft(
        Kind::Bot,
        json!({"name": "faq2", "type": "lex", "credentials": null}),
    );
    directory
        .replace(&act(), TENANT, &row.id, &cleared, None)
        .await
        .unwrap();
    let snapshot = provisioning.snapshots().load_full();
    assert!(
        !snapshot
            .named::<Bot>(TENANT, "faq2")
            .unwrap()
            .has_secret("credentials")
    );
}

#[tokio::test]
async fn a_webhook_that_would_not_be_heard_of_is_refused_when_it_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let provisioning = with_tenant(&dir).await;
    let directory = provisioning.directory();
    let hook = |name: &str, more: serde_json::Value| {
        let mut body = json!({"name": name, "url": "https://crm.example.com/hook", "secret": "s"});
        body.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        draft(Kind::Webhook, body)
    };
    let mut first = None;
    for n in 0..16 {
        let written = directory
            .create(
                &act(),
                TENANT,
                hook(&format!("h{n}"), json!({"mediaTypes": ["chat"]})),
                None,
            )
            .await
            .unwrap();
        first.get_or_insert(written.row.id);
    }
    let first = first.unwrap();
    let refused = directory
        .create(&act(), TENANT, hook("h16", json!({})), None)
        .await
        .unwrap_err();
    let DirectoryError::Invalid(problems) = refused else {
        panic!("{refused:?}");
    };
    let said = problems.to_string();
    assert!(
        said.contains("at most 16 webhooks of a tenant hear of STARTED of chat"),
        "{said}"
    );
    assert!(
        said.contains("FINISHED of chat") && !said.contains("email"),
        "{said}"
    );
    // What hears of something else, or of nothing, or is another tenant's takes nobody's place.
    for (tenant, name, more) in [
        (TENANT, "mails", json!({"mediaTypes": ["email"]})),
        (TENANT, "off", json!({"enabled": false})),
        (OTHER, "theirs", json!({})),
    ] {
        directory
            .create(&act(), tenant, hook(name, more), None)
            .await
            .unwrap();
    }
    // Nor can it be switched on, or declared in a file, before another makes room.
    let off = provisioning.snapshots().load();
    let off = off
        .named::<nexus::provisioning::objects::Webhook>(TENANT, "off")
        .unwrap()
        .id
        .clone();
    let on = hook("off", json!({"mediaTypes": ["chat"]}));
    assert!(matches!(
        directory.replace(&act(), TENANT, &off, &on, None).await,
        Err(DirectoryError::Invalid(_))
    ));
    let file = format!(
        "[[tenant]]\nccid = \"{}\"\nsid = \"t1\"\nname = \"t1\"\nstaticAgentTokens = true\n[[tenant.webhooks]]\nname = \"off\"\n\
         url = \"https://crm.example.com/hook\"\nsecret = \"s\"\n",
        TENANT.0
    );
    assert!(declare::apply(directory, &file, &act()).await.is_err());
    directory
        .delete(&act(), Kind::Webhook, TENANT, &first)
        .await
        .unwrap();
    directory.replace(&act(), TENANT, &off, &on, None).await.unwrap();
}

#[tokio::test]
async fn a_repeated_put_writes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let provisioning = with_tenant(&dir).await;
    let directory = provisioning.directory();
    let body = || {
        draft(
            Kind::Bot,
            json!({"name": "faq", "type": "lex", "credentials": "same"}),
        )
    };
    let row = directory.create(&act(), TENANT, body(), None).await.unwrap().row;
    let again = directory
        .replace(&act(), TENANT, &row.id, &body(), None)
        .await
        .unwrap();
    assert!(!again.changed);
    assert_eq!(again.row.version, row.version);
    assert_eq!(provisioning.snapshots().load().version(), row.version);
}

#[tokio::test]
async fn a_writer_that_names_an_old_version_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let provisioning = with_tenant(&dir).await;
    let directory = provisioning.directory();
    let queue = |priority: i32| draft(Kind::Queue, json!({"name": "q", "priority": priority}));
    let row = directory
        .create(&act(), TENANT, queue(1), None)
        .await
        .unwrap()
        .row;
    directory
        .replace(&act(), TENANT, &row.id, &queue(2), Some(row.version))
        .await
        .unwrap();
    let late = directory
        .replace(&act(), TENANT, &row.id, &queue(3), Some(row.version))
        .await
        .unwrap_err();
    assert!(matches!(late, DirectoryError::Clash(Clash::Changed)));
}

#[tokio::test]
async fn nothing_of_another_tenant_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let provisioning = with_tenant(&dir).await;
    let directory = provisioning.directory();
    let queue = || draft(Kind::Queue, json!({"name": "q"}));
    let id = directory
        .create(&act(), TENANT, queue(), None)
        .await
        .unwrap()
        .row
        .id;
    let not_found =
        |result: Result<(), DirectoryError>| assert!(matches!(result, Err(DirectoryError::NotFound)));
    not_found(directory.read(Kind::Queue, OTHER, &id).await.map(drop));
    not_found(
        directory
            .replace(&act(), OTHER, &id, &queue(), None)
            .await
            .map(drop),
    );
    not_found(directory.delete(&act(), Kind::Queue, OTHER, &id).await);
    assert!(
        directory
            .list(Kind::Queue, Some(OTHER), None, 10)
            .await
            .unwrap()
            .is_empty()
    );
    assert!(provisioning.snapshots().load().queue(OTHER, "q").is_none());
    assert!(provisioning.snapshots().load().queue(TENANT, "q").is_some());
}

#[tokio::test]
async fn the_development_tenant_is_applied_once_and_then_found_in_place() {
    let dir = tempfile::tempdir().unwrap();
    let provisioning = embedded(&dir).await;
    let directory = provisioning.directory();
    let first = declare::apply(directory, declare::DEVELOPMENT, &act())
        .await
        .unwrap();
    assert_eq!(first.count(Outcome::Created), first.items.len());
    let version = provisioning.snapshots().load().version();
    let second = declare::apply(directory, declare::DEVELOPMENT, &act())
        .await
        .unwrap();
    assert_eq!(second.count(Outcome::Unchanged), first.items.len());
    assert_eq!(provisioning.snapshots().load().version(), version);

    let known = declare::development().unwrap();
    let snapshot = provisioning.snapshots().load_full();
    let grant = snapshot.api_key(&known.api_key, NOW).unwrap();
    assert_eq!(grant.tenant, known.tenant);
    assert!(snapshot.endpoint(grant.tenant, &known.endpoint).is_some());
    for (login, token) in &known.agents {
        assert_eq!(snapshot.agent_by_token(token).unwrap().login.as_str(), login);
    }
    assert_eq!(
        snapshot.agent_by_token("mallory-development-token").unwrap_err(),
        KeyRefusal::Unknown
    );
}

#[tokio::test]
async fn a_changed_declaration_changes_only_what_differs() {
    let dir = tempfile::tempdir().unwrap();
    let provisioning = embedded(&dir).await;
    let directory = provisioning.directory();
    let first = declare::apply(directory, declare::DEVELOPMENT, &act())
        .await
        .unwrap();
    let changed = declare::DEVELOPMENT.replace("displayName = \"Billing\"", "displayName = \"Accounts\"");
    let second = declare::apply(directory, &changed, &act()).await.unwrap();
    assert_eq!(second.count(Outcome::Updated), 1);
    assert_eq!(second.count(Outcome::Unchanged), first.items.len() - 1);
}

#[tokio::test]
async fn signing_keys_rotate_while_old_signatures_stay_good() {
    let dir = tempfile::tempdir().unwrap();
    let provisioning = embedded(&dir).await;
    let directory = provisioning.directory();
    let old = *provisioning
        .snapshots()
        .load()
        .signing_keys(SigningPurpose::Ticket)
        .current(NOW)
        .secret();
    let id = directory
        .rotate_signing_key(&act(), SigningPurpose::Ticket)
        .await
        .unwrap();
    let snapshot = provisioning.snapshots().load_full();
    let ring = snapshot.signing_keys(SigningPurpose::Ticket);
    // Until every node can know it, the new key only verifies.
    assert_eq!(ring.current(NOW.plus(9_000)).secret(), &old);
    assert_eq!(ring.current(NOW.plus(10_000)).id, id);
    assert_eq!(ring.find(1).unwrap().secret(), &old);

    // Once nothing it signed can be valid, a replaced key goes.
    let later = |ms| nexus::provisioning::Act {
        actor: "test".to_owned(),
        at: NOW.plus(ms),
    };
    directory
        .rotate_signing_key(&later(4_000_000), SigningPurpose::Ticket)
        .await
        .unwrap();
    let snapshot = provisioning.snapshots().load_full();
    let ids: Vec<u32> = snapshot
        .signing_keys(SigningPurpose::Ticket)
        .iter()
        .map(|key| key.id)
        .collect();
    assert_eq!(ids, [3, 2]);
}

#[tokio::test]
async fn the_master_key_rotates_under_running_nodes() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("provisioning.redb");
    let provisioning = with_tenant(&dir).await;
    let body = json!({"name": "faq", "type": "lex", "credentials": "planted-77"});
    provisioning
        .directory()
        .create(&act(), TENANT, draft(Kind::Bot, body), None)
        .await
        .unwrap();
    drop(provisioning);

    // Both keys readable, the new one first: everything is wrapped anew.
    let both = MasterKeys::from_text(&format!("{},{}", master_line(8), master_line(7))).unwrap();
    let open = || reopened(&path);
    let provisioning = Provisioning::start_on(open().await, both, None, NOW)
        .await
        .unwrap();
    let count = provisioning.directory().rewrap_keys(&act()).await.unwrap();
    assert_eq!(count, 7, "five shared keys and one of each tenant");
    assert_eq!(provisioning.directory().rewrap_keys(&act()).await.unwrap(), 0);
    drop(provisioning);

    // The new key alone is enough, and the old one alone is not.
    let new = MasterKeys::from_text(&master_line(8)).unwrap();
    let provisioning = Provisioning::start_on(open().await, new, None, NOW)
        .await
        .unwrap();
    let snapshot = provisioning.snapshots().load_full();
    let bot = snapshot.named::<Bot>(TENANT, "faq").unwrap();
    assert_eq!(
        snapshot.secret(bot, "credentials").unwrap().expose_secret(),
        "planted-77"
    );
    drop(provisioning);
    let old = Provisioning::start_on(open().await, masters(), None, NOW).await;
    assert!(matches!(old, Err(StartError::Snapshot(_))));
}

#[tokio::test]
async fn a_new_data_key_seals_everything_anew() {
    let dir = tempfile::tempdir().unwrap();
    let provisioning = with_tenant(&dir).await;
    let directory = provisioning.directory();
    for name in ["a", "b"] {
        let body = json!({"name": name, "type": "lex", "credentials": name});
        directory
            .create(&act(), TENANT, draft(Kind::Bot, body), None)
            .await
            .unwrap();
    }
    assert_eq!(directory.rotate_data_key(&act(), TENANT).await.unwrap(), 2);
    let snapshot = provisioning.snapshots().load_full();
    for name in ["a", "b"] {
        let bot = snapshot.named::<Bot>(TENANT, name).unwrap();
        assert_eq!(snapshot.secret(bot, "credentials").unwrap().expose_secret(), name);
    }
}

/// The store's last user may still be letting go of the file on another thread.
async fn reopened(path: &std::path::Path) -> std::sync::Arc<dyn nexus::provisioning::Store> {
    for _ in 0..1000 {
        if let Ok(store) = EmbeddedStore::open(path) {
            store.prepare().await.unwrap();
            return std::sync::Arc::new(store);
        }
        tokio::task::yield_now().await;
    }
    panic!("the file stays open");
}
