//! Mail: SendGrid, Postmark and SparkPost.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::dialect::{Callback, Dialect, HELLO, Told, is_called, is_exactly, is_with, text};
use crate::support::python::ask;
use crate::support::receiver::{Say, Seen};

const ANN: &str = "ann.planted@customer.example";
const SUBJECT: &str = "Order 7";

pub(super) const MAILS: [Dialect; 3] = [
    Dialect {
        provider: "sendgrid",
        media: "email",
        customer: ANN,
        // The key of what is signed, and the password of what is not.
        channel: r#"
address = "one@shop.example"
secret = "{key}\nshop:planted-password"
credentials = "planted-sendgrid-key"
"#,
        called: "/v3/mail/send",
        judge: sendgrid,
        busy: (429, r#"{"errors":[{"message":"too many requests"}]}"#),
        hello: || {
            let head = head("one@shop.example", "sendgrid");
            let envelope = json!({"to": ["one@shop.example"], "from": ANN}).to_string();
            let fields = [
                ("headers", head.as_str()),
                ("from", ANN),
                ("to", "one@shop.example"),
                ("subject", SUBJECT),
                ("text", HELLO),
                (
                    "charsets",
                    r#"{"to":"UTF-8","subject":"UTF-8","from":"UTF-8","text":"UTF-8"}"#,
                ),
                ("SPF", "pass"),
                ("dkim", "{}"),
                ("attachments", "0"),
                ("envelope", &envelope),
                ("sender_ip", "192.0.2.1"),
            ];
            let mut body = String::new();
            for (name, value) in fields {
                body.push_str(&format!(
                    "--xYzZY\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
                ));
            }
            body.push_str("--xYzZY--\r\n");
            Callback {
                content_type: "multipart/form-data; boundary=xYzZY",
                body,
                ..Callback::json("inbound", &Value::Null)
            }
            .by_password()
        },
        told: |seen| {
            let body = seen.json();
            told(
                &body["personalizations"][0]["to"][0]["email"],
                &body["content"][0]["value"],
                &body["custom_args"]["nexusId"],
                &body["headers"]["In-Reply-To"],
            )
        },
        file: |seen| text(&seen.json()["attachments"][0]["content"]),
        delivered: |told, keys| {
            let event = json!([{"event": "delivered", "email": ANN, "timestamp": 1_700_000_000, "sg_event_id": "e-1",
                "sg_message_id": "m-1.f", "smtp-id": "<x@y>", "response": "250 OK", "nexusId": told.ours}]);
            let since = SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap()
                .as_secs()
                .to_string();
            let question = json!([{"do": "sign", "timestamp": since, "body": event.to_string(), "private": keys.private}]);
            let signature = text(&ask("aggregators/mail.py", &question)[0]["signature"]);
            Callback::json("status", &event)
                .with("x-twilio-email-event-webhook-signature", signature)
                .with("x-twilio-email-event-webhook-timestamp", since)
        },
        codes: (200, 403),
    },
    Dialect {
        provider: "postmark",
        media: "email",
        customer: ANN,
        channel: r#"
address = "two@shop.example"
secret = "shop:planted-password"
credentials = "planted-server-token"
"#,
        called: "/email",
        judge: postmark,
        busy: (500, r#"{"ErrorCode":100,"Message":"maintenance"}"#),
        hello: || {
            let person = json!({"Email": ANN, "Name": "Ann", "MailboxHash": ""});
            let shop = json!({"Email": "two@shop.example", "Name": "", "MailboxHash": ""});
            let body = json!({"FromName": "Ann", "From": ANN, "FromFull": person, "To": "two@shop.example", "ToFull": [shop],
                "CcFull": [], "BccFull": [], "OriginalRecipient": "two@shop.example", "Subject": SUBJECT,
                "MessageID": "73e6d360-66eb-11e1-8e72-a8904824019b", "Date": "Thu, 26 Nov 2026 02:00:00 +0000", "TextBody": HELLO,
                "HtmlBody": "", "StrippedTextReply": "", "Tag": "", "MailboxHash": "", "MessageStream": "inbound", "Attachments": [],
                "Headers": [{"Name": "Return-Path", "Value": format!("<{ANN}>")}, {"Name": "Message-ID", "Value": "<postmark@customer.example>"}]});
            Callback::json("inbound", &body).by_password()
        },
        told: |seen| {
            let body = seen.json();
            let headers = body["Headers"].as_array().unwrap();
            let answers = headers.iter().find(|one| one["Name"] == "In-Reply-To").unwrap();
            told(
                &body["To"],
                &body["TextBody"],
                &body["Metadata"]["nexusId"],
                &answers["Value"],
            )
        },
        file: |seen| text(&seen.json()["Attachments"][0]["Content"]),
        delivered: |told, _| {
            let body = json!({"RecordType": "Delivery", "ServerID": 23, "MessageID": "pm-out-1", "MessageStream": "outbound", "Tag": "",
                "Recipient": ANN, "DeliveredAt": "2026-11-26T02:00:02Z", "Details": "", "Metadata": {"nexusId": told.ours}});
            Callback::json("status", &body).by_password()
        },
        // 403 would end its tries: a wrong password may yet be mended.
        codes: (200, 401),
    },
    Dialect {
        provider: "sparkpost",
        media: "email",
        customer: ANN,
        channel: r#"
address = "three@shop.example"
secret = "planted-relay-token\nshop:planted-password"
credentials = "planted-sparkpost-key"
"#,
        called: "/api/v1/transmissions",
        judge: sparkpost,
        busy: (420, r#"{"errors":[{"message":"exceeded sending limit"}]}"#),
        hello: || {
            let mail = format!(
                "{}\r\n{HELLO}\r\n",
                head("three@shop.example", "sparkpost").replace('\n', "\r\n")
            );
            let content = json!({"email_rfc822": mail, "email_rfc822_is_base64": false, "subject": SUBJECT, "text": HELLO,
                "to": ["three@shop.example"], "headers": []});
            let entry = json!({"content": content, "protocol": "smtp", "msg_from": ANN, "friendly_from": ANN,
                "rcpt_to": "three@shop.example", "webhook_id": "1"});
            Callback::json("inbound", &json!([{"msys": {"relay_message": entry}}]))
                .with("x-messagesystems-webhook-token", "planted-relay-token".to_owned())
        },
        told: |seen| {
            let body = seen.json();
            told(
                &body["recipients"][0]["address"]["email"],
                &body["content"]["text"],
                &body["metadata"]["nexusId"],
                &body["content"]["headers"]["In-Reply-To"],
            )
        },
        file: |seen| text(&seen.json()["content"]["attachments"][0]["data"]),
        delivered: |told, _| {
            let event = json!({"type": "delivery", "event_id": "92356927693813856", "timestamp": "1700000000", "rcpt_to": ANN,
                "message_id": "000443ee14578172be22", "transmission_id": "sp-out-1", "rcpt_meta": {"nexusId": told.ours}});
            Callback::json("status", &json!([{"msys": {"message_event": event}}]))
                .by_password()
                .with("x-messagesystems-batch-id", "batch-1".to_owned())
        },
        codes: (200, 403),
    },
];

/// The head of a mail.
fn head(to: &str, id: &str) -> String {
    format!(
        "From: Ann <{ANN}>\nTo: {to}\nSubject: {SUBJECT}\nMessage-ID: <{id}@customer.example>\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n"
    )
}

fn told(to: &Value, words: &Value, ours: &Value, answers: &Value) -> Told {
    Told {
        to: text(to),
        words: text(words),
        ours: text(ours),
        answers: Some(text(answers)),
    }
}

fn sendgrid(seen: &Seen) -> Say {
    let body = seen.json();
    let known = [
        "personalizations",
        "from",
        "subject",
        "content",
        "headers",
        "custom_args",
    ];
    let sound = is_called(
        seen,
        "/v3/mail/send",
        "authorization",
        "Bearer planted-sendgrid-key",
    ) && is_with(&body, &known, "attachments")
        && is_exactly(&body["personalizations"][0], &["to"])
        && is_exactly(&body["from"], &["email", "name"])
        && is_exactly(&body["content"][0], &["type", "value"])
        && body["subject"] == format!("Re: {SUBJECT}");
    match sound {
        true => Say::json(202, ""),
        false => Say::json(400, r#"{"errors":[{"message":"unknown field"}]}"#),
    }
}

fn postmark(seen: &Seen) -> Say {
    let body = seen.json();
    let known = [
        "From",
        "To",
        "Subject",
        "TextBody",
        "Headers",
        "Metadata",
        "MessageStream",
    ];
    let sound = is_called(seen, "/email", "x-postmark-server-token", "planted-server-token")
        && is_with(&body, &known, "Attachments")
        && body["From"] == "\"Shop at postmark\" <two@shop.example>"
        && body["Subject"] == format!("Re: {SUBJECT}");
    match sound {
        true => Say::json(200, &json!({"To": ANN, "SubmittedAt": "2026-11-26T02:00:01Z", "MessageID": "pm-out-1", "ErrorCode": 0, "Message": "OK"}).to_string()),
        false => Say::json(422, r#"{"ErrorCode":402,"Message":"Invalid JSON"}"#),
    }
}

fn sparkpost(seen: &Seen) -> Say {
    let body = seen.json();
    // The key stands alone, with no word before it.
    let sound = is_called(
        seen,
        "/api/v1/transmissions",
        "authorization",
        "planted-sparkpost-key",
    ) && is_exactly(&body, &["content", "recipients", "metadata", "options"])
        && is_with(
            &body["content"],
            &["from", "subject", "text", "headers"],
            "attachments",
        )
        && is_exactly(&body["options"], &["transactional", "perform_substitutions"])
        && body["content"]["subject"] == format!("Re: {SUBJECT}");
    match sound {
        true => Say::json(
            200,
            r#"{"results":{"total_rejected_recipients":0,"total_accepted_recipients":1,"id":"sp-out-1"}}"#,
        ),
        false => Say::json(
            422,
            r#"{"errors":[{"code":"1300","message":"invalid data format/type"}]}"#,
        ),
    }
}
