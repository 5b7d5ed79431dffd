//! Every documented route, by every kind of caller that must not get through: with nothing, with nonsense, without the permission,
//! and of another tenant. The routes come from `docs/openapi.yaml` and from the kinds of provisioning, so that a new one is in.

mod callers;
mod routes;

use nexus::provisioning::objects::Kind;
use serde_json::json;

use crate::support::process::Nexus;

use self::callers::{Caller, OWN_KEY, World};
use self::routes::{Route, Scheme};

#[test]
fn nobody_gets_through_a_documented_route_who_may_not() {
    let world = World::start();
    let routes = routes::documented(include_str!("../../../docs/openapi.yaml"));
    assert!(routes.len() >= 15, "{routes:#?}");
    let mut wrong = Vec::new();
    let mut asked = 0;
    for route in &routes {
        for caller in [
            Caller::Nothing,
            Caller::Nonsense,
            Caller::Powerless,
            Caller::Foreign,
        ] {
            let Some(wanted) = expected(route, caller) else {
                continue;
            };
            asked += 1;
            let status = world.call(route, caller);
            if !wanted.contains(&status) {
                wrong.push(format!(
                    "{} {} as {caller:?}: {status}, not {wanted:?}",
                    route.method, route.path
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(asked >= 40, "only {asked} calls");
}

/// Operations whose callers show something else than a key or a token; each has tests of its own.
const OTHERWISE: [&str; 4] = [
    // Signed.
    "/nexus/v3/channels/",
    "/nexus/v3/aggregators/",
    // The address itself is signed.
    "/nexus/v3/media/",
    // A cookie of the page.
    "/nexus/v3/admin/ux/",
];

#[test]
fn every_documented_operation_is_asked_for() {
    let text = include_str!("../../../docs/openapi.yaml");
    let asked: Vec<(String, String)> = routes::documented(text)
        .into_iter()
        .map(|route| (route.method, route.path))
        .collect();
    let left: Vec<_> = routes::operations(text)
        .into_iter()
        .filter(|operation| !asked.contains(operation))
        .filter(|(_, path)| !OTHERWISE.iter().any(|prefix| path.starts_with(prefix)))
        .collect();
    assert!(left.is_empty(), "{left:#?}");
}

/// What a caller must be told; `None` where the route has nothing to refuse to them.
fn expected(route: &Route, caller: Caller) -> Option<&'static [u16]> {
    match caller {
        Caller::Nothing | Caller::Nonsense => Some(&[401]),
        // What the internal listener serves is nothing here, whoever asks.
        Caller::Powerless if route.is_internal() => Some(&[403, 404]),
        // An id that can be nothing's may be said to be nothing's before anything else.
        Caller::Powerless if route.names_the_unknown() => Some(&[403, 404]),
        Caller::Powerless => Some(&[403]),
        // Where no id is named there is nothing of another tenant's to be had.
        Caller::Foreign => route.names_an_id().then_some(&[404]),
    }
}

#[test]
fn nobody_gets_at_a_provisioning_object_who_may_not() {
    let mut node = Nexus::start(callers::RATES);
    callers::found_other(&mut node);
    let plain = node.plain();
    for kind in Kind::ALL {
        let collection = format!("/nexus/v3/{}", kind.path());
        let (status, answer) = callers::json(
            plain,
            "GET",
            &format!("{collection}?limit=1"),
            Some(OWN_KEY),
            None,
            None,
        );
        assert_eq!(status, 200, "{kind}: {answer}");
        // An object of the first tenant, or a name nobody has: the other tenant must not see the difference.
        let known = answer["data"]["items"][0]["id"].as_str();
        let id = match kind {
            Kind::Tenant => callers::OWN,
            _ => known.unwrap_or("0f0f0f0f-0000-4000-8000-000000000000"),
        };
        let item = format!("{collection}/{id}");
        for (method, path, body) in [
            ("GET", &item, None),
            ("PUT", &item, Some(json!({"data": {}}))),
            ("DELETE", &item, None),
        ] {
            let ask = |key: Option<&str>| callers::json(plain, method, path, key, None, body.clone()).0;
            assert_eq!(ask(None), 401, "{method} {path}");
            assert_eq!(ask(Some("nonsense")), 401, "{method} {path}");
            assert_eq!(ask(Some(callers::CHAT_KEY)), 403, "{method} {path}");
            let foreign = ask(Some(callers::OTHER_ADMIN));
            // Tenants themselves are an operator's.
            let wanted: &[u16] = match (kind, method) {
                (Kind::Tenant, _) => &[400, 403, 404],
                // A body is judged before what it is for; that tells nothing.
                (_, "PUT") => &[400, 404],
                _ => &[404],
            };
            assert!(wanted.contains(&foreign), "{method} {path}: {foreign}");
        }
        for (method, body) in [("GET", None), ("POST", Some(json!({"data": {}})))] {
            let ask =
                |key: Option<&str>| callers::json(plain, method, &collection, key, None, body.clone()).0;
            assert_eq!(ask(None), 401, "{method} {collection}");
            assert_eq!(ask(Some(callers::CHAT_KEY)), 403, "{method} {collection}");
        }
    }
}

#[test]
fn the_document_is_read_as_it_is_written() {
    let routes = routes::documented(
        "paths:\n  /a/{sessionId}:\n    get:\n      security: [{ agentToken: [] }]\n    post:\n      security: []\n  /b:\n    \
         servers: [{ url: http://internal }]\n    get:\n      security: [{ apiKey: [] }]\ncomponents:\n  x:\n",
    );
    assert_eq!(routes.len(), 1);
    assert_eq!(
        (routes[0].method.as_str(), routes[0].path.as_str()),
        ("GET", "/nexus/v3/a/{sessionId}")
    );
    assert_eq!(routes[0].scheme, Scheme::Agent);
}
