//! What each provider's answer to a message means: its own codes, and what is no answer of its at all.

use super::*;
use crate::protocol::channel::registry::provider;

const AFTER: Option<Duration> = Some(Duration::from_secs(7));
const LATER: SendAnswer = SendAnswer::Later { after: AFTER };

/// Every provider, with an answer by which it takes a message under the id `id-1`, where it gives one.
const TAKEN: [(&str, u16, &str); 11] = [
    ("twilio", 201, r#"{"sid":"id-1","status":"queued"}"#),
    (
        "vonage",
        200,
        r#"{"messages":[{"status":"0","message-id":"id-1"}]}"#,
    ),
    (
        "infobip",
        200,
        r#"{"messages":[{"messageId":"id-1","status":{"groupName":"PENDING"}}]}"#,
    ),
    ("sinch", 201, r#"{"id":"id-1"}"#),
    ("messagebird", 201, r#"{"id":"id-1"}"#),
    ("bandwidth", 202, r#"{"id":"id-1"}"#),
    (
        "kaleyra",
        200,
        r#"{"httpApiResponse":{"code":"100","recipients":{"recipient":{"messageId":"id-1"}}}}"#,
    ),
    ("sendgrid", 202, ""),
    (
        "mailgun",
        200,
        r#"{"id":"<id-1>","message":"Queued. Thank you."}"#,
    ),
    (
        "postmark",
        200,
        r#"{"ErrorCode":0,"Message":"OK","MessageID":"id-1"}"#,
    ),
    (
        "sparkpost",
        200,
        r#"{"results":{"id":"id-1","total_accepted_recipients":1}}"#,
    ),
];

fn sent(name: &str, status: u16, body: &str) -> SendAnswer {
    provider(name).unwrap().sent(status, AFTER, body.as_bytes())
}

#[test]
fn only_what_will_never_be_taken_is_refused() {
    let meaning = |status| by_status(status, AFTER, || (None, Some("no".into())));
    assert_eq!(meaning(202), None);
    for later in [0, 301, 401, 402, 408, 425, 429, 500, 503, 599] {
        assert_eq!(meaning(later), Some(LATER), "{later}");
    }
    for never in [400, 403, 404, 422] {
        assert_eq!(meaning(never), Some(refused(never.to_string(), "no")), "{never}");
    }
}

#[test]
fn every_provider_takes_a_message_in_its_own_words() {
    for (name, status, body) in TAKEN {
        let reference = (name != "sendgrid").then(|| "id-1".to_owned());
        assert_eq!(
            sent(name, status, body),
            SendAnswer::Accepted { reference },
            "{name}"
        );
    }
}

/// A page of something that stands before the provider is not its word, whatever its status says: the message would be lost.
#[test]
fn what_is_no_answer_of_the_provider_is_not_taken_for_one() {
    for (name, taken, _) in TAKEN {
        for body in ["<html>please sign in</html>", "{}", "[]", "\0\u{1}", "{\"id\":"] {
            assert_eq!(sent(name, 200, body), LATER, "{name} {body}");
            assert_eq!(sent(name, taken, body), LATER, "{name} {taken} {body}");
        }
    }
}

#[test]
fn a_provider_without_time_or_elsewhere_or_unpaid_is_asked_again() {
    for (name, _, body) in TAKEN {
        for status in [301, 302, 307, 401, 402, 408, 425, 429, 500, 502, 503, 504] {
            assert_eq!(sent(name, status, body), LATER, "{name} {status}");
            assert_eq!(sent(name, status, "<html>"), LATER, "{name} {status}");
        }
    }
}

/// Codes by which providers say themselves that it is not the message's fault, under a status that says otherwise.
#[test]
fn a_code_for_trouble_that_passes_is_tried_again() {
    for (name, status, body) in [
        ("twilio", 400, r#"{"code":21611,"message":"queue is full"}"#),
        ("twilio", 403, r#"{"code":20005,"message":"Account not active"}"#),
        (
            "vonage",
            200,
            r#"{"messages":[{"status":"1","error-text":"Throttled"}]}"#,
        ),
        (
            "vonage",
            200,
            r#"{"messages":[{"status":"4","error-text":"Invalid credentials"}]}"#,
        ),
        (
            "vonage",
            200,
            r#"{"messages":[{"status":"5","error-text":"Internal"}]}"#,
        ),
        (
            "vonage",
            200,
            r#"{"messages":[{"status":"8","error-text":"Account barred"}]}"#,
        ),
        (
            "vonage",
            200,
            r#"{"messages":[{"status":"9","error-text":"Quota"}]}"#,
        ),
        (
            "vonage",
            200,
            r#"{"messages":[{"status":"10","error-text":"Binds"}]}"#,
        ),
        (
            "vonage",
            200,
            r#"{"messages":[{"status":"14","error-text":"Signature"}]}"#,
        ),
        (
            "messagebird",
            402,
            r#"{"errors":[{"code":25,"description":"not enough balance"}]}"#,
        ),
        ("bandwidth", 429, r#"{"type":"max-message-queue-size-exceeded"}"#),
        (
            "postmark",
            422,
            r#"{"ErrorCode":405,"Message":"Not allowed to send"}"#,
        ),
        ("postmark", 422, r#"{"ErrorCode":100,"Message":"Maintenance"}"#),
        (
            "sparkpost",
            420,
            r#"{"errors":[{"code":"2101","message":"limit"}]}"#,
        ),
    ] {
        assert_eq!(sent(name, status, body), LATER, "{name} {body}");
    }
}

#[test]
fn a_code_for_what_will_never_be_taken_ends_it_with_the_providers_words() {
    for (name, status, body, code, words) in [
        (
            "twilio",
            400,
            r#"{"code":21610,"message":"unsubscribed"}"#,
            "21610",
            "unsubscribed",
        ),
        (
            "twilio",
            400,
            r#"{"code":21614,"message":"not mobile"}"#,
            "21614",
            "not mobile",
        ),
        (
            "vonage",
            200,
            r#"{"messages":[{"status":"6","error-text":"Invalid"}]}"#,
            "6",
            "Invalid",
        ),
        (
            "vonage",
            200,
            r#"{"messages":[{"status":"7","error-text":"Barred"}]}"#,
            "7",
            "Barred",
        ),
        (
            "vonage",
            200,
            r#"{"messages":[{"status":"15","error-text":"Sender"}]}"#,
            "15",
            "Sender",
        ),
        (
            "infobip",
            200,
            r#"{"messages":[{"status":{"groupName":"REJECTED","name":"REJECTED_DESTINATION","description":"no"}}]}"#,
            "REJECTED_DESTINATION",
            "no",
        ),
        (
            "sinch",
            400,
            r#"{"code":"syntax_constraint_violation","text":"to"}"#,
            "syntax_constraint_violation",
            "to",
        ),
        (
            "messagebird",
            422,
            r#"{"errors":[{"code":10,"description":"recipient"}]}"#,
            "10",
            "recipient",
        ),
        (
            "bandwidth",
            400,
            r#"{"type":"request-validation","description":"to"}"#,
            "request-validation",
            "to",
        ),
        ("kaleyra", 200, r#"{"httpApiResponse":{"code":"104"}}"#, "104", ""),
        (
            "sendgrid",
            400,
            r#"{"errors":[{"message":"bad to","field":"to"}]}"#,
            "400",
            "bad to",
        ),
        (
            "sendgrid",
            413,
            r#"{"errors":[{"message":"too large"}]}"#,
            "413",
            "too large",
        ),
        (
            "mailgun",
            400,
            r#"{"message":"'to' parameter is not a valid address"}"#,
            "400",
            "'to' parameter is not a valid address",
        ),
        (
            "postmark",
            422,
            r#"{"ErrorCode":300,"Message":"Invalid email"}"#,
            "300",
            "Invalid email",
        ),
        (
            "postmark",
            422,
            r#"{"ErrorCode":406,"Message":"Inactive"}"#,
            "406",
            "Inactive",
        ),
        (
            "postmark",
            200,
            r#"{"ErrorCode":406,"Message":"Inactive"}"#,
            "406",
            "Inactive",
        ),
        (
            "sparkpost",
            422,
            r#"{"errors":[{"code":"1902","message":"rejected","description":"suppressed"}]}"#,
            "1902",
            "suppressed",
        ),
    ] {
        assert_eq!(sent(name, status, body), refused(code, words), "{name} {body}");
    }
}
