//! The provisioning API over HTTP: credentials, envelopes, statuses.

use std::sync::Arc;

use hyper::HeaderMap;
use hyper::header::{AUTHORIZATION, HeaderValue};
use nexus::api::auth::authenticate;
use nexus::api::provisioning::ProvisioningApi;
use nexus::net::http::Body;
use nexus::protocol::envelope::Code;
use nexus::provisioning::access::Access;
use nexus::provisioning::declare;
use nexus::runtime::Clock;
use serde_json::{Value, json};

use super::rest::{ADMIN, OTHER_ADMIN, READER, World, world};
use super::{NOW, act, embedded};

async fn http(
    world: &World,
    method: &str,
    path: &str,
    key: Option<&str>,
    body: &str,
) -> (u16, HeaderMap, Value) {
    let directory = Arc::clone(world.provisioning.directory());
    let api = ProvisioningApi::new(directory, Arc::new(Access::default()), Clock::system(), 4096);
    let mut request = hyper::Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", "application/json");
    if let Some(key) = key {
        request = request.header("x-api-key", key);
    }
    let response = api
        .call(request.body(Body::whole(body.to_owned())).unwrap())
        .await;
    let body = serde_json::from_slice(response.body().as_bytes().unwrap()).unwrap();
    (response.status().as_u16(), response.headers().clone(), body)
}

#[tokio::test]
async fn over_http_every_answer_has_the_numeric_envelope() {
    let world = world().await;
    let queue = r#"{"data":{"name":"q"}}"#;
    let (status, headers, made) = http(&world, "POST", "/nexus/v3/queues", Some(ADMIN), queue).await;
    assert_eq!(
        (status, &made["status"]["code"], &made["data"]["name"]),
        (201, &json!(0), &json!("q"))
    );
    assert_eq!(
        headers["etag"].to_str().unwrap(),
        format!("\"{}\"", made["data"]["version"])
    );
    let path = format!("/nexus/v3/queues/{}", made["data"]["id"].as_str().unwrap());
    let (status, _, read) = http(&world, "GET", &path, Some(ADMIN), "").await;
    assert_eq!((status, &read["data"]), (200, &made["data"]));

    let large = format!(r#"{{"data":{{"name":"{}"}}}}"#, "x".repeat(5000));
    let cases = [
        ("GET", "/nexus/v3/queues", None, "", 401, 40101),
        ("GET", "/nexus/v3/nowhere", None, "", 401, 40101),
        ("GET", "/nexus/v3/queues", Some("nonsense"), "", 401, 40102),
        ("GET", "/nexus/v3/nowhere", Some(ADMIN), "", 404, 40401),
        ("GET", "/nexus/v3/queues/%ff", Some(ADMIN), "", 404, 40401),
        ("GET", path.as_str(), Some(OTHER_ADMIN), "", 404, 40401),
        ("POST", "/nexus/v3/queues", Some(ADMIN), "{", 400, 40001),
        ("POST", "/nexus/v3/queues", Some(ADMIN), "{}", 400, 40002),
        ("POST", "/nexus/v3/queues", Some(ADMIN), queue, 409, 40902),
        (
            "POST",
            "/nexus/v3/queues",
            Some(ADMIN),
            large.as_str(),
            413,
            41301,
        ),
        ("POST", "/nexus/v3/queues", Some(READER), queue, 403, 40301),
        ("DELETE", "/nexus/v3/queues", Some(ADMIN), "", 405, 40501),
    ];
    for (method, path, key, body, status, code) in cases {
        let (got, headers, answer) = http(&world, method, path, key, body).await;
        assert_eq!(
            (got, &answer["status"]["code"]),
            (status, &json!(code)),
            "{method} {path}"
        );
        assert!(answer.get("data").is_none(), "{method} {path}");
        if status == 405 {
            assert_eq!(headers["allow"], "GET, POST");
        }
    }
}

#[tokio::test]
async fn credentials_are_asked_for_and_checked() {
    let dir = tempfile::tempdir().unwrap();
    let provisioning = embedded(&dir).await;
    declare::apply(provisioning.directory(), declare::DEVELOPMENT, &act())
        .await
        .unwrap();
    let known = declare::development().unwrap();
    let snapshot = provisioning.snapshots().load_full();
    let ask = |pairs: &[(&'static str, &str)]| {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_str(value).unwrap());
        }
        authenticate(&Access::default(), &snapshot, &headers, NOW)
    };
    let authorization = AUTHORIZATION.as_str();
    let (sue, alice) = (
        format!("Bearer {}", known.agents[2].1),
        format!("bearer {}", known.agents[0].1),
    );
    let key = known.api_key.as_str();
    assert_eq!(ask(&[]).unwrap_err().code, Code::NoCredentials);
    assert_eq!(
        ask(&[("x-api-key", "nonsense")]).unwrap_err().code,
        Code::BadApiKey
    );
    assert_eq!(
        ask(&[("x-api-key", key), ("x-api-key", key)]).unwrap_err().code,
        Code::BadApiKey
    );
    assert_eq!(
        ask(&[(authorization, "Basic YTpi")]).unwrap_err().code,
        Code::BadToken
    );
    assert_eq!(
        ask(&[(authorization, "Bearer")]).unwrap_err().code,
        Code::BadToken
    );
    assert_eq!(
        ask(&[(authorization, &sue), ("x-api-key", "nonsense")])
            .unwrap_err()
            .code,
        Code::BadApiKey
    );
    let admin = ask(&[(authorization, &sue)]).unwrap();
    assert!(admin.allows("admin", "create") && !admin.is_operator());
    assert_eq!(admin.agent().unwrap().as_str(), "sue");
    let agent = ask(&[(authorization, &alice), ("x-api-key", key)]).unwrap();
    assert!(agent.allows("routing", "read") && !agent.allows("admin", "read"));
    assert!(ask(&[("x-api-key", key)]).unwrap().allows("consumer", "create"));
}
