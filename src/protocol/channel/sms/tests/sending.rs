//! What is sent to providers: exact bytes, the same each time, and no secret but where it belongs.

use secrecy::SecretString;
use serde_json::{Value, json};

use super::given::{NAMES, account, known};
use crate::protocol::channel::{Account, Attachment, AttachmentSource, HttpCall, Outbound, form};

fn message() -> Outbound {
    Outbound {
        id: "our-1".into(),
        from: "+12025550199".into(),
        to: "+12025550101".into(),
        text: "Grüße & more".into(),
        status_url: Some("https://digital.example.com/s".into()),
        ..Outbound::default()
    }
}

fn full(name: &str) -> Account {
    let (credentials, config): (Value, Value) = match name {
        "twilio" => (json!({"accountSid": "AC1", "authToken": "planted"}), json!({})),
        "vonage" => (json!({"apiKey": "k", "apiSecret": "planted"}), json!({})),
        "infobip" => (json!({"apiKey": "planted"}), json!({})),
        "sinch" => (
            json!({"apiToken": "planted"}),
            json!({"servicePlanId": "p/1", "region": "eu"}),
        ),
        "messagebird" => (json!({"accessKey": "planted"}), json!({})),
        "bandwidth" => (
            json!({"user": "u", "password": "planted"}),
            json!({"accountId": "5", "applicationId": "app"}),
        ),
        _ => (json!({"user": "u", "password": "planted"}), json!({})),
    };
    Account {
        credentials: Some(SecretString::from(credentials.to_string())),
        ..account(&[], config)
    }
}

fn send(name: &str) -> HttpCall {
    known(name).send(&full(name), &message()).unwrap()
}

fn header<'c>(call: &'c HttpCall, name: &str) -> &'c str {
    &call.headers.iter().find(|(known, _)| *known == name).unwrap().1
}

/// Where a call goes, without its scheme, which is always the same.
fn place(call: &HttpCall) -> &str {
    call.url.strip_prefix("https://").unwrap()
}

fn body(call: &HttpCall) -> Value {
    serde_json::from_slice(&call.body).unwrap()
}

#[test]
fn forms_are_sent_to_those_who_take_forms() {
    let call = send("twilio");
    assert_eq!(
        place(&call),
        "api.twilio.com/2010-04-01/Accounts/AC1/Messages.json"
    );
    assert_eq!(header(&call, "authorization"), "Basic QUMxOnBsYW50ZWQ=");
    assert_eq!(header(&call, "content-type"), "application/x-www-form-urlencoded");
    assert_eq!(
        &call.body[..],
        b"To=%2B12025550101&From=%2B12025550199&Body=Gr%C3%BC%C3%9Fe%20%26%20more&StatusCallback=https%3A%2F%2Fdigital.example.com%2Fs%3Fref%3Dour-1"
    );
    let call = send("vonage");
    assert_eq!(place(&call), "rest.nexmo.com/sms/json");
    let fields = form::pairs(&call.body).unwrap();
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (&**name, &**value)).collect();
    assert_eq!(
        fields,
        [
            ("from", "12025550199"),
            ("to", "12025550101"),
            ("text", "Grüße & more"),
            ("type", "text"),
            ("client-ref", "our-1"),
            ("status-report-req", "1"),
            ("callback", "https://digital.example.com/s"),
        ]
    );
    let call = send("kaleyra");
    assert_eq!(
        place(&call),
        "directtext.mgage.com/a2w_preRouter/httpApiRouter?reply_to=12025550199&body=Gr%C3%BC%C3%9Fe%20%26%20more&recipient=12025550101"
    );
    assert_eq!(
        (header(&call, "authorization"), call.body.len()),
        ("Basic dTpwbGFudGVk", 0)
    );
}

#[test]
fn json_is_sent_to_those_who_take_json() {
    let call = send("infobip");
    assert_eq!(
        (place(&call), header(&call, "authorization")),
        ("api.infobip.com/sms/3/messages", "App planted")
    );
    let expected = json!({"messages": [{
        "sender": "12025550199",
        "destinations": [{"to": "12025550101", "messageId": "our-1"}],
        "content": {"text": "Grüße & more"},
        "webhooks": {"delivery": {"url": "https://digital.example.com/s"}, "contentType": "application/json", "callbackData": "our-1"},
    }]});
    assert_eq!(body(&call), expected);

    let call = send("sinch");
    assert_eq!(place(&call), "eu.sms.api.sinch.com/xms/v1/p%2F1/batches");
    assert_eq!(header(&call, "authorization"), "Bearer planted");
    let expected = json!({"from": "+12025550199", "to": ["+12025550101"], "body": "Grüße & more", "client_reference": "our-1",
        "delivery_report": "per_recipient", "callback_url": "https://digital.example.com/s"});
    assert_eq!(body(&call), expected);

    let call = send("messagebird");
    assert_eq!(
        (place(&call), header(&call, "authorization")),
        ("rest.messagebird.com/messages", "AccessKey planted")
    );
    let expected = json!({"originator": "+12025550199", "recipients": ["12025550101"], "body": "Grüße & more",
        "reference": "our-1", "datacoding": "auto", "reportUrl": "https://digital.example.com/s"});
    assert_eq!(body(&call), expected);

    let call = send("bandwidth");
    assert_eq!(place(&call), "messaging.bandwidth.com/api/v2/users/5/messages");
    let expected = json!({"applicationId": "app", "to": ["+12025550101"], "from": "+12025550199", "text": "Grüße & more", "tag": "our-1"});
    assert_eq!(body(&call), expected);
}

#[test]
fn every_attempt_has_the_same_bytes_and_prints_none_of_them() {
    for name in NAMES {
        let first = send(name);
        assert_eq!(first, send(name));
        let printed = format!("{first:?}");
        assert!(
            !printed.contains("planted") && !printed.contains("2025550101"),
            "{printed}"
        );
    }
}

#[test]
fn what_an_account_lacks_is_said_by_name() {
    for (name, lacks) in [
        ("twilio", "accountSid"),
        ("vonage", "apiKey"),
        ("infobip", "apiKey"),
        ("sinch", "apiToken"),
        ("messagebird", "accessKey"),
        ("bandwidth", "user"),
        ("kaleyra", "user"),
    ] {
        let refusal = known(name).send(&Account::default(), &message()).unwrap_err();
        assert_eq!(refusal, format!("the account has no `{lacks}`"), "{name}");
    }
}

#[test]
fn a_service_replaces_the_number_and_media_travel_where_they_can() {
    let mut account = full("twilio");
    account.config.insert("messagingServiceSid".into(), json!("MG1"));
    let mut message = message();
    message.text = String::new();
    message.status_url = Some("https://digital.example.com/s?x=1".into());
    message.attachments = vec![Attachment {
        source: AttachmentSource::Url("https://files.example.com/a".into()),
        name: None,
        mime: None,
    }];
    let call = known("twilio").send(&account, &message).unwrap();
    let fields = form::pairs(&call.body).unwrap();
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (&**name, &**value)).collect();
    assert_eq!(
        fields,
        [
            ("To", "+12025550101"),
            ("MessagingServiceSid", "MG1"),
            ("MediaUrl", "https://files.example.com/a"),
            ("StatusCallback", "https://digital.example.com/s?x=1&ref=our-1"),
        ]
    );
    let call = known("bandwidth").send(&full("bandwidth"), &message).unwrap();
    assert_eq!(body(&call)["media"], json!(["https://files.example.com/a"]));
    let call = known("sinch").send(&full("sinch"), &message).unwrap();
    assert_eq!(body(&call)["body"], "https://files.example.com/a");
}

#[test]
fn a_text_outside_the_basic_alphabet_is_declared() {
    let mut message = message();
    message.text = "Привет".into();
    let call = known("vonage").send(&full("vonage"), &message).unwrap();
    assert!(
        form::pairs(&call.body)
            .unwrap()
            .contains(&("type".into(), "unicode".into()))
    );
}
