//! The provisioning API, without a server: requests in, envelopes out.

use hyper::header::HeaderValue;
use hyper::{HeaderMap, Method, StatusCode};
use nexus::api::auth::authenticate;
use nexus::api::provisioning::{Reply, Request, Target, answer};
use nexus::model::TenantId;
use nexus::protocol::envelope::{Code, Fault};
use nexus::provisioning::Provisioning;
use nexus::provisioning::access::{Access, Principal};
use nexus::provisioning::objects::Kind;
use serde_json::{Value, json};

use super::{NOW, OTHER, TENANT, act, draft, embedded};

pub(super) struct World {
    pub(super) provisioning: Provisioning,
    _dir: tempfile::TempDir,
}

pub(super) const ADMIN: &str = "aaaaaaaa-0000-4000-8000-000000000001";
pub(super) const OTHER_ADMIN: &str = "aaaaaaaa-0000-4000-8000-000000000002";
pub(super) const READER: &str = "aaaaaaaa-0000-4000-8000-000000000003";
const OPERATOR: &str = "aaaaaaaa-0000-4000-8000-000000000004";

pub(super) async fn world() -> World {
    let dir = tempfile::tempdir().unwrap();
    let provisioning = embedded(&dir).await;
    for (tenant, sid) in [(TENANT, "t1"), (OTHER, "t2")] {
        let body = draft(Kind::Tenant, json!({"sid": sid, "name": sid}));
        provisioning
            .directory()
            .create(&act(), tenant, body, None)
            .await
            .unwrap();
    }
    let all = ["nexus:admin:*", "nexus:channels:*", "nexus:routing:*"];
    let keys = [
        (TENANT, ADMIN, all.to_vec()),
        (OTHER, OTHER_ADMIN, all.to_vec()),
        (TENANT, READER, vec!["nexus:admin:read"]),
        (TENANT, OPERATOR, [&all[..], &["nexus:platform:*"]].concat()),
    ];
    for (tenant, key, permissions) in keys {
        let body = json!({"name": key, "type": "service", "key": key, "permissions": permissions});
        provisioning
            .directory()
            .create(&act(), tenant, draft(Kind::ApiKey, body), None)
            .await
            .unwrap();
    }
    World {
        provisioning,
        _dir: dir,
    }
}

fn principal(world: &World, key: &'static str) -> Principal {
    let mut headers = HeaderMap::new();
    headers.insert("x-api-key", HeaderValue::from_static(key));
    authenticate(
        &Access::default(),
        &world.provisioning.snapshots().load(),
        &headers,
        NOW,
    )
    .unwrap()
}

async fn call(
    world: &World,
    key: &'static str,
    method: Method,
    path: &str,
    body: Value,
) -> Result<Reply, Fault> {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let segments: Vec<&str> = path.split('/').collect();
    let target = Target::of(&segments).unwrap();
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    let request = Request {
        method: &method,
        target: &target,
        query,
        content_type: Some("application/json"),
        ccid: None,
        if_match: None,
        body: body.as_bytes(),
    };
    answer(
        world.provisioning.directory(),
        &principal(world, key),
        NOW,
        request,
    )
    .await
}

async fn get(world: &World, key: &'static str, path: &str) -> Result<Reply, Fault> {
    call(world, key, Method::GET, path, Value::Null).await
}

async fn post(world: &World, key: &'static str, path: &str, data: Value) -> Result<Reply, Fault> {
    call(world, key, Method::POST, path, json!({"data": data})).await
}

async fn put(world: &World, key: &'static str, path: &str, data: Value) -> Result<Reply, Fault> {
    call(world, key, Method::PUT, path, json!({"data": data})).await
}

async fn delete(world: &World, key: &'static str, path: &str) -> Result<Reply, Fault> {
    call(world, key, Method::DELETE, path, Value::Null).await
}

#[track_caller]
fn refused(result: Result<Reply, Fault>, code: Code) -> Fault {
    let fault = result.unwrap_err();
    assert_eq!(fault.code, code, "{fault:?}");
    fault
}

/// The least acceptable object of each kind.
fn least(kind: Kind) -> Value {
    match kind {
        Kind::Tenant => json!({"sid": "t3", "name": "Three"}),
        Kind::ApiKey => json!({"name": "k", "permissions": ["nexus:chat:*"]}),
        Kind::Endpoint => json!({"name": "e", "queue": "q"}),
        Kind::Sender => json!({"serviceId": "s", "address": "12345"}),
        Kind::Service => json!({"name": "s", "provider": "kaleyra"}),
        Kind::Bot => json!({"name": "b", "type": "lex"}),
        Kind::Webhook => json!({"name": "w", "url": "https://example.com/hook"}),
        Kind::GapiLink => json!({"name": "g", "url": "http://gws", "clientid": "nexus_client"}),
        Kind::StandardResponse | Kind::MessageTemplate => json!({"name": "n", "texts": {"en": "Hello"}}),
        Kind::FieldCode => json!({"name": "f", "expression": "contact.FirstName"}),
        Kind::PiiRule => json!({"name": "p", "pattern": "\\d{16}"}),
        Kind::Agent => json!({"login": "ann"}),
        Kind::Retention => json!({"name": "default"}),
        Kind::BlockedCustomer => json!({"address": "+12025550101"}),
        Kind::Channel | Kind::CustomVariable | Kind::Queue | Kind::OpeningHours => json!({"name": "n"}),
    }
}

fn within_a_tenant() -> impl Iterator<Item = Kind> {
    Kind::ALL.into_iter().filter(|kind| *kind != Kind::Tenant)
}

#[tokio::test]
async fn every_kind_is_made_read_listed_replaced_and_removed() {
    let world = world().await;
    for kind in within_a_tenant() {
        let made = post(&world, ADMIN, kind.path(), least(kind)).await.unwrap();
        assert_eq!(made.status, StatusCode::CREATED, "{kind}");
        let id = made.data["id"].as_str().unwrap().to_owned();
        let path = format!("{kind}/{id}");
        let read = get(&world, ADMIN, &path).await.unwrap();
        assert_eq!(read.version, made.version);
        let list = get(&world, ADMIN, kind.path()).await.unwrap();
        assert!(
            list.data["items"].as_array().unwrap().contains(&read.data),
            "{kind}"
        );
        // What is read can be sent back, and changes nothing.
        let same = put(&world, ADMIN, &path, read.data.clone()).await.unwrap();
        assert_eq!(same, read, "{kind}");
        delete(&world, ADMIN, &path).await.unwrap();
        refused(get(&world, ADMIN, &path).await, Code::NotFound);
        refused(delete(&world, ADMIN, &path).await, Code::NotFound);
    }
}

#[tokio::test]
async fn what_is_another_tenants_looks_like_nothing_at_all() {
    let world = world().await;
    for kind in within_a_tenant() {
        let made = post(&world, ADMIN, kind.path(), least(kind)).await.unwrap();
        let theirs = format!("{kind}/{}", made.data["id"].as_str().unwrap());
        let nothing = format!("{kind}/00000000-0000-4000-8000-0000000000ff");
        for method in [Method::GET, Method::PUT, Method::DELETE] {
            let body = json!({"data": least(kind)});
            let there = call(&world, OTHER_ADMIN, method.clone(), &theirs, body.clone()).await;
            let not_there = call(&world, OTHER_ADMIN, method.clone(), &nothing, body).await;
            let fault = refused(there, Code::NotFound);
            assert_eq!(Err(fault), not_there, "{method} {kind}");
        }
        let list = get(&world, OTHER_ADMIN, kind.path()).await.unwrap();
        assert!(
            !list.data["items"].as_array().unwrap().contains(&made.data),
            "{kind}"
        );
        refused(
            get(&world, OTHER_ADMIN, &format!("{kind}?ccid={TENANT}")).await,
            Code::NotFound,
        );
        let still = get(&world, ADMIN, &theirs).await.unwrap();
        assert_eq!(still.version, made.version, "{kind}");
    }
    refused(
        get(&world, OTHER_ADMIN, &format!("tenants/{TENANT}")).await,
        Code::NotFound,
    );
    let stolen = json!({"name": "k", "tenant": TENANT.to_string(), "permissions": ["nexus:chat:*"]});
    refused(post(&world, OTHER_ADMIN, "apikeys", stolen).await, Code::NotFound);
}

#[tokio::test]
async fn secrets_go_in_and_never_come_out() {
    let world = world().await;
    let planted = "planted-secret-31c9";
    for kind in within_a_tenant() {
        let mut body = least(kind);
        for spec in kind.secrets() {
            let key = format!("31c90000-0000-4000-8000-0000000000{:02x}", kind as u8);
            body[spec.field] = match (kind, spec.field) {
                (Kind::ApiKey, _) => json!(key),
                (_, "signingSecret") => json!(format!("whsec_31c90000{}", "A".repeat(24))),
                _ => json!(format!("{planted}-{kind}")),
            };
        }
        let made = post(&world, ADMIN, kind.path(), body).await.unwrap();
        let read = get(
            &world,
            ADMIN,
            &format!("{kind}/{}", made.data["id"].as_str().unwrap()),
        )
        .await
        .unwrap();
        let list = get(&world, ADMIN, kind.path()).await.unwrap();
        for text in [
            made.data.to_string(),
            read.data.to_string(),
            list.data.to_string(),
        ] {
            assert!(
                !text.contains(planted) && !text.contains("31c90000"),
                "{kind}: {text}"
            );
        }
        for spec in kind.secrets() {
            assert_eq!(read.data[spec.shown_as], true, "{kind}");
        }
    }
    let audit = get(&world, ADMIN, "audit").await.unwrap();
    assert!(audit.data.to_string().contains("credentials"));
    assert!(!audit.data.to_string().contains(planted));
}

#[tokio::test]
async fn a_made_key_is_shown_once_and_works() {
    let world = world().await;
    let made = post(&world, ADMIN, "apikeys", least(Kind::ApiKey)).await.unwrap();
    let key = made.data["key"].as_str().unwrap().to_owned();
    let snapshot = world.provisioning.snapshots().load_full();
    assert_eq!(snapshot.api_key(&key, NOW).unwrap().tenant, TENANT);
    let path = format!("apikeys/{}", made.data["id"].as_str().unwrap());
    let read = get(&world, ADMIN, &path).await.unwrap();
    assert!(read.data.get("key").is_none());
    let other_type = json!({"name": "k", "type": "secureMail", "permissions": ["nexus:chat:*"]});
    refused(put(&world, ADMIN, &path, other_type).await, Code::BadValue);
    let second = json!({"name": "k2", "key": key, "permissions": ["nexus:chat:*"]});
    refused(
        post(&world, OTHER_ADMIN, "apikeys", second).await,
        Code::Duplicate,
    );
}

#[tokio::test]
async fn permissions_are_asked_for_every_act() {
    let world = world().await;
    assert!(get(&world, READER, "queues").await.is_ok());
    refused(
        post(&world, READER, "queues", least(Kind::Queue)).await,
        Code::Forbidden,
    );
    refused(get(&world, READER, "channels").await, Code::Forbidden);
    refused(
        post(&world, ADMIN, "tenants", least(Kind::Tenant)).await,
        Code::Forbidden,
    );
    refused(
        delete(&world, ADMIN, &format!("tenants/{TENANT}")).await,
        Code::Forbidden,
    );
    refused(
        call(&world, ADMIN, Method::POST, "keys/ticket/rotate", Value::Null).await,
        Code::Forbidden,
    );
    // Nobody gives what only operators have.
    let operator = json!({"name": "k", "permissions": ["nexus:platform:*"]});
    refused(
        post(&world, ADMIN, "apikeys", operator.clone()).await,
        Code::Forbidden,
    );
    assert!(post(&world, OPERATOR, "apikeys", operator).await.is_ok());
    // A tenant's administrator changes its name, not its limits.
    let path = format!("tenants/{TENANT}");
    put(&world, ADMIN, &path, json!({"sid": "t1", "name": "New"}))
        .await
        .unwrap();
    let limits = json!({"sid": "t1", "name": "New", "limits": {"openSessions": 9}});
    refused(put(&world, ADMIN, &path, limits.clone()).await, Code::Forbidden);
    put(&world, OPERATOR, &path, limits).await.unwrap();
}

#[tokio::test]
async fn an_operator_makes_a_tenant_and_acts_for_it() {
    let world = world().await;
    let made = post(&world, OPERATOR, "tenants", least(Kind::Tenant))
        .await
        .unwrap();
    let ccid: TenantId = made.data["ccid"].as_str().unwrap().parse().unwrap();
    let body = json!({"enabled": true, "tenant": ccid.to_string(), "name": "CX Contact key",
        "permissions": ["nexus:campaign:*"]});
    let key = post(&world, OPERATOR, "apikeys", body).await.unwrap();
    let value = key.data["key"].as_str().unwrap();
    assert_eq!(
        world
            .provisioning
            .snapshots()
            .load()
            .api_key(value, NOW)
            .unwrap()
            .tenant,
        ccid
    );
    let bot = json!({"name": "b", "type": "lex", "credentials": "sealed under its own key"});
    post(&world, OPERATOR, &format!("bots?ccid={ccid}"), bot)
        .await
        .unwrap();
    assert_eq!(
        get(&world, OPERATOR, "tenants").await.unwrap().data["items"]
            .as_array()
            .unwrap()
            .len(),
        3
    );
    assert_eq!(
        get(&world, ADMIN, "tenants").await.unwrap().data["items"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    delete(&world, OPERATOR, &format!("tenants/{ccid}"))
        .await
        .unwrap();
    assert!(world.provisioning.snapshots().load().api_key(value, NOW).is_err());
}

#[tokio::test]
async fn pages_follow_each_other_to_the_end() {
    let world = world().await;
    for n in 0..5 {
        post(&world, ADMIN, "queues", json!({"name": format!("q{n}")}))
            .await
            .unwrap();
    }
    let mut names = Vec::new();
    let mut path = "queues?limit=2".to_owned();
    loop {
        let page = get(&world, ADMIN, &path).await.unwrap();
        names.extend(
            page.data["items"]
                .as_array()
                .unwrap()
                .iter()
                .map(|item| item["name"].to_string()),
        );
        let Some(next) = page.data["next"].as_str() else {
            break;
        };
        path = format!("queues?limit=2&after={next}");
    }
    names.sort();
    assert_eq!(names, ["\"q0\"", "\"q1\"", "\"q2\"", "\"q3\"", "\"q4\""]);
}

#[tokio::test]
async fn every_mistake_is_named_and_no_value_is_repeated() {
    let world = world().await;
    let fault = refused(
        post(
            &world,
            ADMIN,
            "webhooks",
            json!({"url": "ftp://secret-host/", "events": ["EXPLODED"]}),
        )
        .await,
        Code::MissingField,
    );
    let detail = fault.detail.unwrap();
    for expected in ["name", "url", "events"] {
        assert!(detail.contains(expected), "{detail}");
    }
    assert!(
        !detail.contains("secret-host") && !detail.contains("EXPLODED"),
        "{detail}"
    );
    refused(
        put(&world, ADMIN, "queues/none", least(Kind::Queue)).await,
        Code::NotFound,
    );
    refused(
        call(&world, ADMIN, Method::PATCH, "queues", Value::Null).await,
        Code::MethodNotAllowed,
    );
    refused(get(&world, ADMIN, "queues?colour=red").await, Code::BadValue);
    post(&world, ADMIN, "queues", least(Kind::Queue)).await.unwrap();
    refused(
        post(&world, ADMIN, "queues", least(Kind::Queue)).await,
        Code::Duplicate,
    );
}

#[tokio::test]
async fn keys_rotate_over_the_api() {
    let world = world().await;
    let rotated = call(&world, OPERATOR, Method::POST, "keys/resume/rotate", Value::Null)
        .await
        .unwrap();
    assert_eq!(rotated.data, json!({"purpose": "resume", "id": 2}));
    let rewrapped = call(&world, OPERATOR, Method::POST, "keys/rewrap", Value::Null)
        .await
        .unwrap();
    assert_eq!(rewrapped.data, json!({"wrappedAnew": 0}));
    post(
        &world,
        ADMIN,
        "bots",
        json!({"name": "b", "type": "lex", "credentials": "x"}),
    )
    .await
    .unwrap();
    let sealed = call(&world, ADMIN, Method::POST, "keys/data/rotate", Value::Null)
        .await
        .unwrap();
    assert_eq!(sealed.data, json!({"sealedAnew": 1}));
}

#[tokio::test]
async fn a_stale_if_match_changes_nothing() {
    let world = world().await;
    let made = post(&world, ADMIN, "queues", json!({"name": "q"})).await.unwrap();
    let id = made.data["id"].as_str().unwrap().to_owned();
    put(
        &world,
        ADMIN,
        &format!("queues/{id}"),
        json!({"name": "q", "priority": 1}),
    )
    .await
    .unwrap();
    let target = Target::of(&["queues", &id]).unwrap();
    let stale = format!("\"{}\"", made.version.unwrap());
    let request = Request {
        method: &Method::PUT,
        target: &target,
        query: "",
        content_type: None,
        ccid: None,
        if_match: Some(&stale),
        body: br#"{"data":{"name":"q","priority":2}}"#,
    };
    let done = answer(
        world.provisioning.directory(),
        &principal(&world, ADMIN),
        NOW,
        request,
    )
    .await;
    refused(done, Code::Conflict);
    let read = get(&world, ADMIN, &format!("queues/{id}")).await.unwrap();
    assert_eq!(read.data["priority"], 1);
}
