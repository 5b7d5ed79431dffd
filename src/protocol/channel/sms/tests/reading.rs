//! What callbacks say, provider by provider.

use serde_json::{Value, json};

use super::given::Call;
use crate::model::{DeliveryStatus, Millis};
use crate::protocol::channel::{
    Attachment, AttachmentSource, Callback, Inbound, Receipt, Reference, Unreadable,
};

fn only(said: Result<Vec<Callback>, Unreadable>) -> Callback {
    let mut said = said.unwrap();
    assert_eq!(said.len(), 1, "{said:?}");
    said.remove(0)
}

fn message(call: &Call, name: &str) -> Inbound {
    match only(call.inbound(name)) {
        Callback::Message(message) => *message,
        other => panic!("{name}: {other:?}"),
    }
}

fn receipt(call: &Call, name: &str) -> Receipt {
    match only(call.status(name)) {
        Callback::Receipt(receipt) => receipt,
        other => panic!("{name}: {other:?}"),
    }
}

fn ours(status: DeliveryStatus, at: Option<u64>) -> Receipt {
    Receipt {
        reference: Reference::Ours("our-1".into()),
        status,
        code: None,
        detail: None,
        at: at.map(Millis),
    }
}

fn file(url: &str, mime: Option<&str>) -> Attachment {
    Attachment {
        source: AttachmentSource::Url(url.into()),
        name: None,
        mime: mime.map(str::to_owned),
    }
}

/// What every provider's plain message comes to.
fn plain(id: &str, at: Option<u64>) -> Inbound {
    Inbound {
        id: id.into(),
        from: "+12025550101".into(),
        to: "+12025550199".into(),
        at: at.map(Millis),
        text: "Hi & bye".into(),
        ..Inbound::default()
    }
}

const AT: u64 = 1_700_000_000_000;

#[test]
fn each_dialect_comes_to_the_same_message() {
    let twilio = "MessageSid=1&From=%2B12025550101&To=%2B12025550199&Body=Hi+%26+bye&NumMedia=0";
    assert_eq!(
        message(&Call::form("twilio", "inbound", twilio), "twilio"),
        plain("1", None)
    );

    let vonage = "msisdn=12025550101&to=12025550199&messageId=1&text=Hi+%26+bye&type=text&message-timestamp=2023-11-14+22:13:20";
    for call in [
        Call::get("vonage", "inbound", vonage),
        Call::form("vonage", "inbound", vonage),
    ] {
        assert_eq!(message(&call, "vonage"), plain("1", Some(AT)));
    }

    let infobip = json!({"results": [{"messageId": "1", "from": "12025550101", "to": "12025550199", "text": "Hi & bye",
        "cleanText": "& bye", "keyword": "HI", "receivedAt": "2023-11-14T22:13:20.000+0000", "smsCount": 1,
        "price": {"pricePerMessage": 0, "currency": "EUR"}, "callbackData": "x"}], "messageCount": 1, "pendingMessageCount": 0});
    assert_eq!(
        message(&Call::json("infobip", "inbound", &infobip), "infobip"),
        plain("1", Some(AT))
    );

    let sinch = json!({"type": "mo_text", "id": "1", "from": "12025550101", "to": "12025550199", "body": "Hi & bye",
        "received_at": "2023-11-14T22:13:20.000Z", "operator_id": "31000"});
    assert_eq!(
        message(&Call::json("sinch", "inbound", &sinch), "sinch"),
        plain("1", Some(AT))
    );

    let bird = "id=1&originator=12025550101&recipient=12025550199&body=Hi+%26+bye&createdDatetime=2023-11-14T22:13:20%2B00:00";
    assert_eq!(
        message(&Call::form("messagebird", "inbound", bird), "messagebird"),
        plain("1", Some(AT))
    );
    let bird = json!({"id": "1", "originator": 12_025_550_101_u64, "recipient": "12025550199", "body": "Hi & bye",
        "createdDatetime": "2023-11-14T22:13:20+00:00"});
    assert_eq!(
        message(&Call::json("messagebird", "inbound", &bird), "messagebird"),
        plain("1", Some(AT))
    );

    let bandwidth = json!([{"type": "message-received", "time": "2023-11-14T22:13:21Z", "description": "Incoming message received",
        "to": "+12025550199", "message": {"id": "1", "owner": "+12025550199", "applicationId": "a",
        "time": "2023-11-14T22:13:20Z", "segmentCount": 1, "direction": "in", "to": ["+12025550199"],
        "from": "+12025550101", "text": "Hi & bye", "media": []}}]);
    assert_eq!(
        message(&Call::json("bandwidth", "inbound", &bandwidth), "bandwidth"),
        plain("1", Some(AT))
    );

    let kaleyra =
        "source=2025550101&destination=2025550199&message=Hi+%26+bye&messageId=1&timestamp=1700000000";
    for call in [
        Call::get("kaleyra", "inbound", kaleyra),
        Call::form("kaleyra", "inbound", kaleyra),
    ] {
        assert_eq!(message(&call, "kaleyra"), plain("1", Some(AT)));
    }
}

#[test]
fn media_come_as_addresses_to_fetch() {
    let twilio = "MessageSid=1&From=%2B12025550101&NumMedia=2&MediaUrl0=https%3A%2F%2Fm.example%2F0&MediaContentType0=image%2Fpng&MediaUrl1=https%3A%2F%2Fm.example%2F1";
    let expected = [
        file("https://m.example/0", Some("image/png")),
        file("https://m.example/1", None),
    ];
    assert_eq!(
        message(&Call::form("twilio", "inbound", twilio), "twilio").attachments,
        expected
    );
    let sinch = json!({"type": "mo_media", "id": "1", "from": "12025550101", "body": {"subject": "Look", "message": "here",
        "media": [{"url": "https://m.example/0", "content_type": "image/png"}, {"status": "Failed"}]}});
    let read = message(&Call::json("sinch", "inbound", &sinch), "sinch");
    assert_eq!((read.subject.as_deref(), &*read.text), (Some("Look"), "here"));
    assert_eq!(read.attachments, expected[..1]);
    let bandwidth = json!([{"type": "message-received", "message": {"id": "1", "from": "+12025550101", "media": ["https://m.example/1"]}}]);
    assert_eq!(
        message(&Call::json("bandwidth", "inbound", &bandwidth), "bandwidth").attachments,
        expected[1..]
    );
    // A count is a claim.
    let flood = "MessageSid=1&From=%2B12025550101&NumMedia=18446744073709551615";
    assert!(
        message(&Call::form("twilio", "inbound", flood), "twilio")
            .attachments
            .is_empty()
    );
}

#[test]
fn messengers_short_codes_and_names_keep_their_address() {
    let call = |from: &str| {
        Call::form(
            "twilio",
            "inbound",
            &format!("MessageSid=1&From={from}&ProfileName=Ann"),
        )
    };
    let read = message(&call("whatsapp%3A%2B12025550101"), "twilio");
    assert_eq!(
        (&*read.from, read.subtype.as_deref()),
        ("whatsapp:+12025550101", Some("WhatsApp"))
    );
    assert_eq!(read.nickname.as_deref(), Some("Ann"));
    let read = message(&call("40404"), "twilio");
    assert_eq!((&*read.from, read.automatic), ("40404", false));
    // Nobody reads an answer to a name.
    assert!(message(&call("ACME"), "twilio").automatic);
}

#[test]
fn several_results_are_several_callbacks_and_a_flood_is_refused() {
    let result = json!({"messageId": "1", "from": "12025550101", "text": "x"});
    let call = Call::json("infobip", "inbound", &json!({"results": [result, result]}));
    assert_eq!(call.inbound("infobip").unwrap().len(), 2);
    let flood = Call::json("infobip", "inbound", &json!({"results": vec![result; 501]}));
    assert_eq!(flood.inbound("infobip"), Err(Unreadable("too many results")));
    let event = json!({"type": "message-sending", "message": {"tag": "our-1"}});
    let flood = Call::json("bandwidth", "status", &json!(vec![event; 501]));
    assert_eq!(flood.status("bandwidth"), Err(Unreadable("too many events")));
}

#[test]
fn a_message_without_id_or_sender_is_unreadable() {
    for (name, body) in [
        ("infobip", json!({"results": [{"from": "12025550101"}]})),
        ("infobip", json!({"results": [{"messageId": "1"}]})),
        ("infobip", json!([])),
        ("sinch", json!({"type": "mo_text", "from": "12025550101"})),
        ("sinch", json!({"type": "mo_text", "id": "1", "from": "+"})),
        (
            "bandwidth",
            json!([{"type": "message-received", "message": {"id": "1"}}]),
        ),
        ("bandwidth", json!({"type": "message-received"})),
        ("twilio", json!({"From": "+12025550101"})),
        ("vonage", json!({"messageId": "1", "msisdn": "12025550101"})),
        (
            "vonage",
            json!({"messageId": "x".repeat(201), "msisdn": "12025550101", "text": "x"}),
        ),
        ("messagebird", json!({"id": "a\nb", "originator": "12025550101"})),
        ("kaleyra", json!({"messageId": "1", "source": ["12025550101"]})),
    ] {
        assert!(
            Call::json(name, "inbound", &body).inbound(name).is_err(),
            "{name} {body}"
        );
    }
}

#[test]
fn each_status_word_has_its_meaning() {
    use DeliveryStatus::{Delivered, Failed, OptOut, Queued, Read, Sent, Undelivered};
    let table: [(&str, &[(&str, DeliveryStatus)]); 6] = [
        (
            "twilio",
            &[
                ("accepted", Queued),
                ("scheduled", Queued),
                ("queued", Queued),
                ("sending", Queued),
                ("sent", Sent),
                ("delivered", Delivered),
                ("undelivered", Undelivered),
                ("failed", Failed),
                ("read", Read),
                ("canceled", Failed),
                ("partially_delivered", Delivered),
            ],
        ),
        (
            "vonage",
            &[
                ("accepted", Sent),
                ("buffered", Sent),
                ("delivered", Delivered),
                ("expired", Undelivered),
                ("failed", Failed),
                ("rejected", Failed),
            ],
        ),
        (
            "infobip",
            &[
                ("PENDING", Queued),
                ("DELIVERED", Delivered),
                ("UNDELIVERABLE", Undelivered),
                ("EXPIRED", Undelivered),
                ("REJECTED", Failed),
            ],
        ),
        (
            "sinch",
            &[
                ("Queued", Queued),
                ("Dispatched", Sent),
                ("Delivered", Delivered),
                ("Rejected", Failed),
                ("Aborted", Failed),
                ("Expired", Undelivered),
            ],
        ),
        (
            "messagebird",
            &[
                ("scheduled", Queued),
                ("sent", Sent),
                ("buffered", Sent),
                ("delivered", Delivered),
                ("expired", Undelivered),
                ("delivery_failed", Undelivered),
            ],
        ),
        (
            "bandwidth",
            &[
                ("message-sending", Sent),
                ("message-delivered", Delivered),
                ("message-failed", Failed),
            ],
        ),
    ];
    for (name, words) in table {
        for (word, status) in words {
            let receipt = receipt(&report(name, word), name);
            assert_eq!(
                (&receipt.reference, receipt.status),
                (&Reference::Ours("our-1".into()), *status),
                "{name} {word}"
            );
        }
        let strange = report(name, "surprising");
        assert!(
            matches!(only(strange.status(name)), Callback::Ignored(_)),
            "{name}"
        );
    }
    let stopped = "MessageSid=1&MessageStatus=failed&ErrorCode=21610";
    assert_eq!(
        receipt(&Call::form("twilio", "status", stopped), "twilio").status,
        OptOut
    );
}

fn report(name: &str, word: &str) -> Call {
    let body: Value = match name {
        "twilio" => {
            let mut call = Call::form(name, "status", &format!("MessageSid=1&MessageStatus={word}"));
            call.query = "ref=our-1".into();
            return call;
        }
        "vonage" => {
            return Call::get(
                name,
                "status",
                &format!("messageId=1&status={word}&client-ref=our-1"),
            );
        }
        "messagebird" => return Call::get(name, "status", &format!("id=1&status={word}&reference=our-1")),
        "infobip" => {
            json!({"results": [{"messageId": "1", "callbackData": "our-1", "status": {"groupName": word}}]})
        }
        "sinch" => {
            json!({"type": "recipient_delivery_report_sms", "batch_id": "1", "client_reference": "our-1", "status": word, "code": 0})
        }
        _ => json!([{"type": word, "message": {"id": "1", "tag": "our-1"}}]),
    };
    Call::json(name, "status", &body)
}

#[test]
fn a_receipt_carries_time_code_and_words() {
    let twilio = Call::form(
        "twilio",
        "status",
        "MessageSid=SM1&MessageStatus=undelivered&ErrorCode=30003",
    );
    let expected = Receipt {
        reference: Reference::Theirs("SM1".into()),
        code: Some("30003".into()),
        ..ours(DeliveryStatus::Undelivered, None)
    };
    assert_eq!(receipt(&twilio, "twilio"), expected);

    let infobip = json!({"results": [{"bulkId": "b", "messageId": "1", "to": "12025550101", "doneAt": "2023-11-14T22:13:20.000+0000",
        "smsCount": 1, "callbackData": "our-1", "status": {"groupId": 5, "groupName": "REJECTED", "id": 6, "name": "REJECTED_NETWORK",
        "description": "Network is forbidden"}, "error": {"groupId": 0, "groupName": "OK", "id": 0, "name": "NO_ERROR", "description": "No Error"}}]});
    let expected = Receipt {
        code: Some("REJECTED_NETWORK".into()),
        detail: Some("Network is forbidden".into()),
        ..ours(DeliveryStatus::Failed, Some(AT))
    };
    assert_eq!(
        receipt(&Call::json("infobip", "status", &infobip), "infobip"),
        expected
    );

    let bandwidth = json!([{"type": "message-failed", "time": "2023-11-14T22:13:20Z", "description": "forbidden to country",
        "errorCode": 4432, "to": "+52345678903", "message": {"id": "1", "tag": "our-1"}}]);
    let expected = Receipt {
        code: Some("4432".into()),
        detail: Some("forbidden to country".into()),
        ..ours(DeliveryStatus::Failed, Some(AT))
    };
    assert_eq!(
        receipt(&Call::json("bandwidth", "status", &bandwidth), "bandwidth"),
        expected
    );

    let sinch = json!({"type": "delivery_report_sms", "batch_id": "b-1", "statuses": [{"code": 401, "status": "Dispatched", "count": 1}]});
    let expected = Receipt {
        reference: Reference::Theirs("b-1".into()),
        ..ours(DeliveryStatus::Sent, None)
    };
    assert_eq!(receipt(&Call::json("sinch", "status", &sinch), "sinch"), expected);

    let kaleyra = Call::get(
        "kaleyra",
        "status",
        "messageId=77&status=UNDELIV&errorCode=4&timestamp=1700000000",
    );
    let expected = Receipt {
        reference: Reference::Theirs("77".into()),
        code: Some("4".into()),
        ..ours(DeliveryStatus::Undelivered, Some(AT))
    };
    assert_eq!(receipt(&kaleyra, "kaleyra"), expected);
}

#[test]
fn both_kinds_are_read_where_one_address_gets_both() {
    for name in ["vonage", "sinch", "bandwidth"] {
        let word = if name == "vonage" {
            "delivered"
        } else if name == "sinch" {
            "Delivered"
        } else {
            "message-delivered"
        };
        assert!(
            matches!(only(report(name, word).inbound(name)), Callback::Receipt(_)),
            "{name}"
        );
    }
}

#[test]
fn a_query_beside_a_signed_body_is_not_read() {
    let mut call = Call::form("vonage", "inbound", "messageId=1&msisdn=12025550101&text=good");
    call.query = "text=forged&messageId=2".into();
    let read = message(&call, "vonage");
    assert_eq!((&*read.id, &*read.text), ("1", "good"));
}
