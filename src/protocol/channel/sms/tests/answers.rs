//! What is answered to providers, and what their answers mean.

use std::time::Duration;

use serde_json::{Value, json};

use super::given::known;
use crate::protocol::channel::SendAnswer;
use crate::protocol::channel::outcome::refused;

#[test]
fn each_provider_is_answered_so_that_it_stops_or_tries_again() {
    // name, accepted, unreadable, later, hardly retries
    for (name, accepted, unreadable, spooled) in [
        ("twilio", 200, 400, true),
        ("vonage", 204, 204, false),
        ("infobip", 200, 200, false),
        ("sinch", 200, 400, false),
        ("messagebird", 200, 200, false),
        ("bandwidth", 200, 200, false),
        ("kaleyra", 200, 400, true),
    ] {
        let provider = known(name);
        assert_eq!(provider.accepted().status, accepted, "{name}");
        assert_eq!(provider.unreadable().status, unreadable, "{name}");
        assert_eq!(
            (provider.forged().status, provider.later().status),
            (403, 503),
            "{name}"
        );
        assert_eq!(provider.hardly_retries(), spooled, "{name}");
    }
    assert_eq!(&known("twilio").accepted().body[..], b"<Response/>");
}

fn sent(name: &str, status: u16, body: &Value) -> SendAnswer {
    known(name).sent(status, Some(Duration::from_secs(3)), body.to_string().as_bytes())
}

#[test]
fn an_acceptance_gives_the_providers_id() {
    for (name, status, body) in [
        (
            "twilio",
            201,
            json!({"sid": "id-1", "status": "queued", "error_code": null}),
        ),
        (
            "vonage",
            200,
            json!({"message-count": "1", "messages": [{"to": "1", "message-id": "id-1", "status": "0"}]}),
        ),
        (
            "infobip",
            200,
            json!({"messages": [{"messageId": "id-1", "status": {"groupName": "PENDING"}}]}),
        ),
        ("sinch", 201, json!({"id": "id-1", "to": ["1"]})),
        (
            "messagebird",
            201,
            json!({"id": "id-1", "recipients": {"totalCount": 1}}),
        ),
        ("bandwidth", 202, json!({"id": "id-1", "segmentCount": 1})),
        (
            "kaleyra",
            200,
            json!({"httpApiResponse": {"code": "100", "recipients": {"recipient": {"messageId": "id-1"}}}}),
        ),
    ] {
        let accepted = SendAnswer::Accepted {
            reference: Some("id-1".into()),
        };
        assert_eq!(sent(name, status, &body), accepted, "{name}");
        let later = SendAnswer::Later {
            after: Some(Duration::from_secs(3)),
        };
        for busy in [429, 500, 503] {
            assert_eq!(sent(name, busy, &body), later, "{name} {busy}");
        }
    }
}

#[test]
fn a_refusal_gives_the_providers_code_and_words() {
    for (name, status, body, code, words) in [
        (
            "twilio",
            400,
            json!({"code": 21211, "message": "Invalid To", "status": 400}),
            "21211",
            "Invalid To",
        ),
        (
            "vonage",
            200,
            json!({"messages": [{"status": "29", "error-text": "Non-whitelisted"}]}),
            "29",
            "Non-whitelisted",
        ),
        (
            "infobip",
            400,
            json!({"requestError": {"serviceException": {"messageId": "BAD_REQUEST", "text": "no"}}}),
            "BAD_REQUEST",
            "no",
        ),
        (
            "infobip",
            200,
            json!({"messages": [{"messageId": "1", "status": {"groupName": "REJECTED", "name": "REJECTED_NETWORK", "description": "no"}}]}),
            "REJECTED_NETWORK",
            "no",
        ),
        (
            "sinch",
            400,
            json!({"code": "syntax_invalid_json", "text": "no"}),
            "syntax_invalid_json",
            "no",
        ),
        (
            "messagebird",
            422,
            json!({"errors": [{"code": 9, "description": "no (correct) recipients"}]}),
            "9",
            "no (correct) recipients",
        ),
        (
            "bandwidth",
            400,
            json!({"type": "request-validation", "description": "no"}),
            "request-validation",
            "no",
        ),
        ("kaleyra", 403, json!({}), "403", ""),
    ] {
        assert_eq!(sent(name, status, &body), refused(code, words), "{name}");
    }
}

#[test]
fn a_message_of_which_a_part_is_gone_is_not_sent_again() {
    let halves = json!({"messages": [{"status": "1"}, {"status": "0", "message-id": "id-2"}]});
    let accepted = SendAnswer::Accepted {
        reference: Some("id-2".into()),
    };
    assert_eq!(sent("vonage", 200, &halves), accepted);
    let throttled = json!({"messages": [{"status": "1", "error-text": "Throttled"}]});
    assert!(matches!(
        sent("vonage", 200, &throttled),
        SendAnswer::Later { .. }
    ));
}
