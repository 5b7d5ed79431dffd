//! The plug-in pages of Designer: their session, what they may reach, and the pages themselves in a real browser.

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::support::chromium::browse;
use crate::support::http::call;
use crate::support::process::Nexus;

/// The development tenant's administrator.
const TOKEN: &str = "sue-development-token";
const JSON: (&str, &str) = ("content-type", "application/json");
const GUARD: (&str, &str) = ("x-nexus-plugin", "1");

fn start() -> Nexus {
    let mut nexus = Nexus::start(&["store.mode=memory", "store.durability=none"]);
    let admin = nexus.address("admin");
    nexus.ready(admin);
    nexus
}

fn load(address: SocketAddr, plugin: &str, token: &str) -> (u16, String, Value) {
    let body = json!({"plugin": plugin, "token": token}).to_string();
    call(address, "POST", "/admin/ux/loadplugin", &[JSON], &body)
}

/// The cookie that an answer sets, as a browser sends it back.
fn cookie(head: &str) -> String {
    let line = head
        .lines()
        .find(|line| line.to_ascii_lowercase().starts_with("set-cookie:"))
        .unwrap();
    let value = line.split_once(':').unwrap().1.trim();
    value.split(';').next().unwrap().to_owned()
}

#[test]
fn a_token_becomes_a_cookie_that_no_script_and_no_other_site_can_use() {
    let nexus = start();
    let at = nexus.plain();
    let (status, head, told) = load(at, "nexussr", TOKEN);
    assert_eq!(
        (status, &told["data"]["url"]),
        (200, &json!("/admin/ux/sr/")),
        "{told}"
    );
    for word in ["HttpOnly", "SameSite=Strict", "Path=/admin/ux;", "Max-Age=1800"] {
        assert!(head.contains(word), "{word} in {head}");
    }
    assert!(!head.contains(TOKEN), "the token is sealed");
    let cookie = cookie(&head);
    let kept = ("cookie", cookie.as_str());
    let list = "/admin/ux/api/standard-responses";
    let (status, _, told) = call(at, "GET", list, &[kept, GUARD], "");
    assert_eq!((status, told["data"]["items"].is_array()), (200, true), "{told}");

    // What another site can make a browser send is not enough.
    assert_eq!(call(at, "GET", list, &[kept], "").0, 403);
    let cross = ("sec-fetch-site", "cross-site");
    assert_eq!(call(at, "GET", list, &[kept, GUARD, cross], "").0, 403);
    let form = ("content-type", "application/x-www-form-urlencoded");
    let posted = call(
        at,
        "POST",
        "/admin/ux/loadplugin",
        &[form],
        "plugin=nexussr&token=x",
    );
    assert_eq!(posted.0, 415);

    // The cookie opens four collections and nothing else.
    assert_eq!(
        call(at, "GET", "/admin/ux/api/apikeys", &[kept, GUARD], "").0,
        404
    );
    assert_eq!(
        call(
            at,
            "GET",
            "/admin/ux/api/standard-responses/../apikeys",
            &[kept, GUARD],
            ""
        )
        .0,
        404
    );
    assert_eq!(
        call(at, "GET", "/nexus/v3/standard-responses", &[kept, GUARD], "").0,
        401
    );
    let forged = format!("{cookie}x");
    assert_eq!(
        call(at, "GET", list, &[("cookie", forged.as_str()), GUARD], "").0,
        401
    );
    assert_eq!(call(at, "GET", list, &[GUARD], "").0, 401);
}

#[test]
fn only_a_good_token_loads_a_plug_in_and_only_what_it_permits_is_offered() {
    let nexus = start();
    let at = nexus.plain();
    assert_eq!(load(at, "nexussr", "no-such-token").0, 401);
    assert_eq!(load(at, "nexusxx", TOKEN).0, 400);
    assert_eq!(call(at, "POST", "/admin/ux/loadplugin", &[JSON], "{").0, 400);
    assert_eq!(call(at, "GET", "/admin/ux/loadplugin", &[], "").0, 405);
    let (_, head, _) = load(at, "nexusfc", "bob-development-token");
    let cookie = cookie(&head);
    let headers = [JSON, GUARD, ("cookie", cookie.as_str())];
    let (_, _, told) = call(at, "GET", "/admin/ux/api/session", &headers, "");
    assert_eq!(
        told["data"]["may"],
        json!({"create": false, "update": false, "delete": false}),
        "{told}"
    );
    let body = r#"{"data":{"name":"x","expression":"'x'"}}"#;
    assert_eq!(
        call(at, "POST", "/admin/ux/api/field-codes", &headers, body).0,
        403
    );
    let (_, head, _) = call(at, "DELETE", "/admin/ux/api/session", &headers, "");
    assert!(head.contains("Max-Age=0"), "{head}");
}

#[test]
fn a_preview_is_what_the_engine_would_do() {
    let nexus = start();
    let at = nexus.plain();
    let cookie = cookie(&load(at, "nexuspii", TOKEN).1);
    let headers = [JSON, GUARD, ("cookie", cookie.as_str())];
    let preview = |data: Value| {
        call(
            at,
            "POST",
            "/admin/ux/api/preview",
            &headers,
            &json!({ "data": data }).to_string(),
        )
    };
    let (_, _, told) =
        preview(json!({"kind": "pii-rules", "pattern": r"\d{4}", "replacement": "*", "sample": "pin 1234"}));
    assert_eq!(told["data"]["text"], "pin ****", "{told}");
    let (status, _, told) =
        preview(json!({"kind": "pii-rules", "pattern": r"(a)\1", "replacement": "*", "sample": "aa"}));
    assert_eq!((status, &told["status"]["code"]), (400, &json!(40003)), "{told}");
    let (_, _, told) =
        preview(json!({"kind": "standard-responses", "sample": "Dear {contact.FirstName}, {company}"}));
    assert_eq!(told["data"]["text"], "Dear Ann, Example & Co.", "{told}");
    let (_, _, told) = preview(json!({"kind": "field-codes", "expression": "agent.nickname"}));
    assert_eq!(told["data"]["text"], "Alice", "{told}");
}

#[test]
fn each_page_lists_creates_edits_previews_and_deletes() {
    let nexus = start();
    let url = format!("http://{}", nexus.plain());
    let said = browse("plugins.mjs", &[("URL", &url), ("TOKEN", TOKEN)]);
    assert!(said.contains("four pages complete"), "{said}");
}
