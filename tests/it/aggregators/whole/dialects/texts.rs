//! Text messages: Vonage, Sinch, MessageBird, Bandwidth and Kaleyra.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::super::given::{CUSTOMER, PUBLIC, fields, form};
use super::dialect::{Callback, Dialect, HELLO, Told, basic, is_called, is_exactly, is_with, text};
use crate::support::python::ask;
use crate::support::receiver::{Say, Seen};

const SCRIPT: &str = "aggregators/sms.py";

pub(super) const TEXTS: [Dialect; 5] = [
    Dialect {
        provider: "vonage",
        media: "sms",
        customer: CUSTOMER,
        channel: r#"
address = "+12025550191"
secret = "planted-vonage-secret"
credentials = '{"apiKey": "shop", "apiSecret": "planted-vonage-password"}'
"#,
        called: "/sms/json",
        judge: vonage,
        // Throttled: said with a status of 200.
        busy: (
            200,
            r#"{"message-count":"1","messages":[{"status":"1","error-text":"Throttled"}]}"#,
        ),
        hello: || {
            let fields = json!({"msisdn": &CUSTOMER[1..], "to": "12025550191", "messageId": "v-1", "text": HELLO, "type": "text",
                "keyword": "PLANTED", "message-timestamp": "2026-11-26 02:00:00", "timestamp": now(), "nonce": "n-1"});
            signed("inbound", fields)
        },
        told: |seen| {
            let fields = fields(&seen.body);
            told(&fields["to"], &fields["text"], &fields["client-ref"])
        },
        // None of it carries files but as an address among the words.
        file: |seen| fields(&seen.body)["text"].clone(),
        delivered: |told, _| {
            let fields = json!({"msisdn": &CUSTOMER[1..], "to": "12025550191", "messageId": "v-out-1", "status": "delivered", "err-code": "0",
                "scts": "2611260200", "client-ref": told.ours, "timestamp": now(), "nonce": "n-2"});
            signed("status", fields)
        },
        codes: (204, 403),
    },
    Dialect {
        provider: "sinch",
        media: "sms",
        customer: CUSTOMER,
        channel: r#"
address = "+12025550192"
secret = "shop:planted-password"
credentials = "planted-sinch-token"
config = { servicePlanId = "plan-1" }
"#,
        called: "/xms/v1/",
        judge: sinch,
        busy: (429, "{}"),
        hello: || {
            let body = json!({"type": "mo_text", "id": "s-1", "from": &CUSTOMER[1..], "to": "12025550192", "body": HELLO,
                "operator_id": "310012", "received_at": "2026-11-26T02:00:00.000Z", "sent_at": "2026-11-26T01:59:59.000Z"});
            Callback::json("inbound", &body).by_password()
        },
        told: |seen| {
            let body = seen.json();
            told(
                &text(&body["to"][0]),
                &text(&body["body"]),
                &text(&body["client_reference"]),
            )
        },
        file: |seen| text(&seen.json()["body"]),
        delivered: |told, _| {
            let body = json!({"type": "recipient_delivery_report_sms", "batch_id": "s-out-1", "recipient": told.to, "code": 0,
                "status": "Delivered", "at": "2026-11-26T02:00:02.000Z", "client_reference": told.ours});
            Callback::json("status", &body).by_password()
        },
        codes: (200, 403),
    },
    Dialect {
        provider: "messagebird",
        media: "sms",
        customer: CUSTOMER,
        channel: r#"
address = "+12025550193"
secret = "planted-messagebird-key"
credentials = "planted-access-key"
"#,
        called: "/messages",
        judge: messagebird,
        busy: (500, r#"{"errors":[{"code":99,"description":"internal"}]}"#),
        hello: || {
            let body = json!({"id": "mb-1", "originator": &CUSTOMER[1..], "recipient": "12025550193", "body": HELLO,
                "createdDatetime": "2026-11-26T02:00:00+00:00"});
            let body = form(&body);
            let token = sealed("inbound", &body);
            Callback {
                body,
                ..Callback::form("inbound", &json!({}))
            }
            .with(SEAL, token)
        },
        told: |seen| {
            let body = seen.json();
            told(
                &text(&body["recipients"][0]),
                &text(&body["body"]),
                &text(&body["reference"]),
            )
        },
        file: |seen| text(&seen.json()["body"]),
        // A query, of which the token names the digest.
        delivered: |told, _| {
            let query = form(
                &json!({"id": "mb-out-1", "reference": told.ours, "recipient": told.to, "status": "delivered",
                "statusDatetime": "2026-11-26T02:00:02+00:00"}),
            );
            let tail = format!("status?{query}");
            let token = sealed(&tail, "");
            Callback {
                method: "GET",
                body: String::new(),
                ..Callback::json(&tail, &Value::Null)
            }
            .with(SEAL, token)
        },
        codes: (200, 403),
    },
    Dialect {
        provider: "bandwidth",
        media: "sms",
        customer: CUSTOMER,
        channel: r#"
address = "+12025550194"
secret = "shop:planted-password"
credentials = '{"user": "shop", "password": "planted-bandwidth-password"}'
config = { accountId = "acc-1", applicationId = "app-1" }
"#,
        called: "/api/v2/users/",
        judge: bandwidth,
        busy: (429, r#"{"type":"message-rate-limit","description":"too many"}"#),
        hello: || {
            let message = json!({"id": "b-1", "owner": "+12025550194", "applicationId": "app-1", "time": "2026-11-26T02:00:00Z",
                "segmentCount": 1, "direction": "in", "to": ["+12025550194"], "from": CUSTOMER, "text": HELLO});
            let event = json!({"type": "message-received", "time": "2026-11-26T02:00:00Z", "description": "Incoming message received",
                "to": "+12025550194", "message": message});
            Callback::json("inbound", &json!([event])).by_password()
        },
        told: |seen| {
            let body = seen.json();
            told(&text(&body["to"][0]), &text(&body["text"]), &text(&body["tag"]))
        },
        file: |seen| text(&seen.json()["media"][0]),
        delivered: |told, _| {
            let message = json!({"id": "b-out-1", "owner": "+12025550194", "applicationId": "app-1", "time": "2026-11-26T02:00:01Z",
                "segmentCount": 1, "direction": "out", "to": [told.to], "from": "+12025550194", "text": "", "tag": told.ours});
            let event = json!({"type": "message-delivered", "time": "2026-11-26T02:00:02Z", "description": "ok", "to": told.to,
                "message": message});
            Callback::json("status", &json!([event])).by_password()
        },
        codes: (200, 403),
    },
    Dialect {
        provider: "kaleyra",
        media: "sms",
        customer: CUSTOMER,
        channel: r#"
address = "40404"
secret = "shop:planted-password"
credentials = '{"user": "shop", "password": "planted-kaleyra-password"}'
"#,
        called: "/a2w_preRouter/",
        judge: kaleyra,
        busy: (503, ""),
        hello: || {
            let fields = json!({"source": &CUSTOMER[2..], "destination": "40404", "message": HELLO, "messageId": "k-1",
                "timestamp": "2026-11-26T02:00:00Z"});
            Callback::form("inbound", &fields).by_password()
        },
        told: |seen| {
            let query = fields(seen.path.split_once('?').unwrap().1.as_bytes());
            told(&query["recipient"], &query["body"], "")
        },
        file: |seen| fields(seen.path.split_once('?').unwrap().1.as_bytes())["content_url"].clone(),
        // It has no field for our id: the receipt names its own.
        delivered: |_, _| {
            let fields = json!({"messageId": "k-out-1", "status": "DELIVRD"});
            Callback::form("status", &fields).by_password()
        },
        codes: (200, 403),
    },
];

const SEAL: &str = "messagebird-signature-jwt";

fn now() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    since.as_secs().to_string()
}

fn told(to: &str, words: &str, ours: &str) -> Told {
    Told {
        to: to.to_owned(),
        words: words.to_owned(),
        ours: ours.to_owned(),
        answers: None,
    }
}

/// Fields with the signature of Vonage's own package.
fn signed(tail: &str, mut fields: Value) -> Callback {
    let question = json!([{"do": "vonage_sign", "secret": "planted-vonage-secret", "method": "sha256", "fields": fields}]);
    fields["sig"] = ask(SCRIPT, &question)[0].clone();
    Callback::form(tail, &fields)
}

/// MessageBird's token about a call.
fn sealed(tail: &str, body: &str) -> String {
    let url = format!("{PUBLIC}/nexus/v3/aggregators/messagebird/ch-messagebird/{tail}");
    let question = json!([{"do": "messagebird_token", "secret": "planted-messagebird-key", "url": url, "body": body, "algorithm": "HS256"}]);
    text(&ask(SCRIPT, &question)[0]["token"])
}

fn vonage(seen: &Seen) -> Say {
    let known = [
        "from",
        "to",
        "text",
        "type",
        "client-ref",
        "callback",
        "status-report-req",
    ];
    let fields = fields(&seen.body);
    let sound = is_called(
        seen,
        "/sms/json",
        "authorization",
        &basic("shop:planted-vonage-password"),
    ) && fields.len() == known.len()
        && known.iter().all(|name| fields.contains_key(*name))
        && fields["from"] == "12025550191"
        && fields["type"] == "text"
        && fields["callback"] == format!("{PUBLIC}/nexus/v3/aggregators/vonage/ch-vonage/status");
    let part = match sound {
        true => {
            json!({"to": fields["to"], "message-id": "v-out-1", "status": "0", "remaining-balance": "1.0", "network": "310012"})
        }
        false => json!({"status": "2", "error-text": "Missing params"}),
    };
    Say::json(
        200,
        &json!({"message-count": "1", "messages": [part]}).to_string(),
    )
}

fn sinch(seen: &Seen) -> Say {
    let body = seen.json();
    let known = [
        "from",
        "to",
        "body",
        "delivery_report",
        "client_reference",
        "callback_url",
    ];
    let sound = is_called(
        seen,
        "/xms/v1/plan-1/batches",
        "authorization",
        "Bearer planted-sinch-token",
    ) && is_exactly(&body, &known)
        && body["delivery_report"] == "per_recipient"
        && body["from"] == "+12025550192";
    match sound {
        true => Say::json(201, r#"{"id":"s-out-1","type":"mt_text","canceled":false}"#),
        false => Say::json(400, r#"{"code":"syntax_invalid_json","text":"unknown"}"#),
    }
}

fn messagebird(seen: &Seen) -> Say {
    let body = seen.json();
    let known = [
        "originator",
        "recipients",
        "body",
        "reference",
        "datacoding",
        "reportUrl",
    ];
    let sound = is_called(seen, "/messages", "authorization", "AccessKey planted-access-key")
        && is_exactly(&body, &known)
        && body["datacoding"] == "auto";
    match sound {
        true => Say::json(
            201,
            r#"{"id":"mb-out-1","href":"https://messages.example.com/mb-out-1"}"#,
        ),
        false => Say::json(422, r#"{"errors":[{"code":9,"description":"unknown field"}]}"#),
    }
}

fn bandwidth(seen: &Seen) -> Say {
    let body = seen.json();
    let path = "/api/v2/users/acc-1/messages";
    let sound = is_called(
        seen,
        path,
        "authorization",
        &basic("shop:planted-bandwidth-password"),
    ) && is_with(&body, &["applicationId", "to", "from", "text", "tag"], "media")
        && body["applicationId"] == "app-1";
    match sound {
        true => Say::json(202, r#"{"id":"b-out-1","direction":"out","segmentCount":1}"#),
        false => Say::json(
            400,
            r#"{"type":"request-validation","description":"unknown field"}"#,
        ),
    }
}

fn kaleyra(seen: &Seen) -> Say {
    let (path, query) = seen.path.split_once('?').unwrap_or((&seen.path, ""));
    let fields = fields(query.as_bytes());
    let known = ["reply_to", "body", "recipient"];
    let sound = (seen.method.as_str(), path) == ("POST", "/a2w_preRouter/httpApiRouter")
        && seen.header("authorization") == basic("shop:planted-kaleyra-password")
        && known.iter().all(|name| fields.contains_key(*name))
        && match fields.get("channel").map(String::as_str) {
            None => fields.len() == known.len(),
            Some(kind) => {
                kind == "multimedia" && fields.len() == known.len() + 2 && fields.contains_key("content_url")
            }
        };
    if !sound {
        return Say::json(200, r#"{"httpApiResponse":{"code":"104"}}"#);
    }
    let one = json!({"mobileNumber": fields["recipient"], "messageId": "k-out-1"});
    let answer = json!({"code": "100", "recipients": {"recipient": [one]}});
    Say::json(200, &json!({"httpApiResponse": answer}).to_string())
}
