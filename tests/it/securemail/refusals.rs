//! Who gets nothing: other keys, other addresses, other boxes, and what is no mail.

use serde_json::{Value, json};

use super::portal::{ANN, BASE, KEY, Portal};
use crate::support::whole::Whole;

const CHAT_KEY: &str = "11111111-2222-4333-8444-555555555555";

#[test]
fn a_key_for_chats_opens_no_mailbox_and_a_key_for_mail_no_chat() {
    let whole = Whole::start(&[]);
    let path = format!("{BASE}?address={ANN}");
    let ask = |key: &str| whole.send("GET", &path, &[("x-api-key", key)], b"");
    assert_eq!(ask(KEY).0, 200);
    let (status, refused) = ask(CHAT_KEY);
    assert_eq!(
        (status, &refused["status"]["code"]),
        (403, &json!("FAILURE")),
        "{refused}"
    );
    let (status, unknown) = ask("99999999-2222-4333-8444-555555555555");
    assert_eq!(
        (status, &unknown["status"]["code"]),
        (401, &json!("INVALID_CONTACT_CENTER"))
    );
    let form = ("content-type", "application/x-www-form-urlencoded");
    let (status, _) = whole.send(
        "POST",
        "/nexus/v3/chat/sessions",
        &[("x-api-key", KEY), form],
        b"data[firstName]=Ann&data[endpoint]=web",
    );
    assert_eq!(status, 403);
    // Nor can a key be made that is both.
    for (kind, permission) in [("chat", "nexus:securemail:*"), ("secureMail", "nexus:chat:*")] {
        let body = json!({"data": {"name": "both", "type": kind, "permissions": [permission]}});
        let headers = [
            ("x-api-key", crate::support::whole::ADMIN_KEY),
            ("content-type", "application/json"),
        ];
        let (status, answer) = whole.send("POST", "/nexus/v3/apikeys", &headers, body.to_string().as_bytes());
        assert_eq!(status, 400, "{kind}: {answer}");
    }
    // One that may only read writes nothing.
    let reader = "33333333-2222-4333-8444-555555555555";
    whole.provision(
        "apikeys",
        json!({"name": "reader", "type": "secureMail", "key": reader, "permissions": ["nexus:securemail:read"]}),
    );
    assert_eq!(ask(reader).0, 200);
    let body = json!({"data": {"address": ANN, "text": "x"}}).to_string();
    let headers = [("x-api-key", reader), ("content-type", "application/json")];
    assert_eq!(whole.send("POST", BASE, &headers, body.as_bytes()).0, 403);
}

#[test]
fn a_mail_is_shown_to_its_address_in_its_box_and_to_nobody_else() {
    let whole = Whole::start(&[]);
    whole.provision(
        "channels",
        json!({"name": "Private", "media": "email", "provider": "securemail", "endpoint": "securemail",
               "config": {"securebox": "private1"}}),
    );
    let portal = Portal(&whole);
    let (status, file) = portal.upload("a.txt", b"hello");
    assert_eq!(status, 200, "{file}");
    let attachments = json!([file["data"]["id"]]);
    let sent = portal.send(
        ANN,
        json!({"subject": "Secret", "text": "words", "attachments": attachments}),
    );
    let id = sent["id"].as_str().unwrap();
    let get = |rest: &str| portal.ask("GET", rest, &Value::Null).0;
    assert_eq!(
        get(&format!("/{id}?address=ANN@mail.example")),
        200,
        "capitals do not count"
    );
    for (rest, what) in [
        (format!("/{id}?address=bob@mail.example"), "another address"),
        (format!("/{id}?address={ANN}&securebox=private1"), "another box"),
        (
            format!("/{id}/attachments/1?address=bob@mail.example"),
            "a file of another address",
        ),
        (
            format!("/{id}/attachments/2?address={ANN}"),
            "a file there is none of",
        ),
        (
            format!("/{}9?address={ANN}", &id[..id.len() - 1]),
            "a number there is none of",
        ),
    ] {
        assert_eq!(get(&rest), 404, "{what}");
    }
    assert_eq!(
        portal
            .ask(
                "PUT",
                &format!("/{id}?address=bob@mail.example"),
                &json!({"data": {"status": "read"}})
            )
            .0,
        404
    );
    let stolen = json!({"data": {"address": "bob@mail.example", "text": "x", "replyTo": id}});
    assert_eq!(portal.ask("POST", "", &stolen).0, 404);
    assert!(portal.subjects("bob@mail.example", "").is_empty());
    assert!(portal.subjects(ANN, "&securebox=private1").is_empty());
    portal.send(
        ANN,
        json!({"securebox": "private1", "subject": "Other", "text": "words"}),
    );
    assert_eq!(portal.subjects(ANN, "&securebox=private1"), ["Other"]);
    assert_eq!(portal.subjects(ANN, ""), ["Secret"]);
    assert_eq!(get(&format!("?address={ANN}&securebox=nobody1")), 404);
}

#[test]
fn what_is_no_mail_is_refused_by_name_and_changes_nothing() {
    let whole = Whole::start(&[]);
    let portal = Portal(&whole);
    let none = "0191f5e0-7c1a-4b2c-8d3e-4f5a6b7c8d9e";
    for (data, field) in [
        (json!({"text": "x"}), "address"),
        (json!({"address": "ann", "text": "x"}), "address"),
        (json!({"address": ANN}), "text"),
        (json!({"address": ANN, "text": "x", "replyTo": "7"}), "replyTo"),
        (
            json!({"address": ANN, "text": "x", "attachments": [none]}),
            "attachments",
        ),
    ] {
        let (status, answer) = portal.ask("POST", "", &json!({"data": data}));
        assert_eq!(
            (status, &answer["status"]["code"]),
            (400, &json!("INVALID_PARAMETER")),
            "{answer}"
        );
        assert_eq!(answer["status"]["detail"], field);
    }
    for rest in [
        "",
        "?address=ann",
        &format!("?address={ANN}&status=new"),
        &format!("?address={ANN}&count=0"),
    ] {
        assert_eq!(portal.ask("GET", rest, &Value::Null).0, 400, "{rest}");
    }
    let (status, answer) = portal.upload("a.html", b"<html><script>alert(1)</script></html>");
    assert_eq!(
        (status, &answer["status"]["code"]),
        (415, &json!("INVALID_FILE_TYPE")),
        "{answer}"
    );
    assert_eq!(portal.ask("DELETE", "", &Value::Null).0, 405);
    assert!(portal.subjects(ANN, "").is_empty());
}
