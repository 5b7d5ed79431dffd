//! Kaleyra, formerly mGage, "direct text" (contract 11.1).
//!
//! `secret`: `user:password` of HTTP Basic, or the token at the end of the path (`…/inbound/{token}`). `credentials`: `{"user", "password"}`. `url`: where
//! they are called. `config`: `auth` (`basic` as usual, or `token`).
//!
//! Only their sending is known. What they send is a proposal of ours: fields `source, destination, message, messageId, timestamp`
//! of a message and `messageId, status, errorCode` of a receipt, as a query, a form or JSON. Whether they send again is not known
//! either, so callbacks are spooled. Their numbers are North American: ten digits lack the country code 1. They have no field for
//! our id, so a receipt names theirs.

use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;

use super::address::{Address, NotAnAddress, address};
use super::words::{links, words};
use crate::model::DeliveryStatus;
use crate::protocol::channel::fields::{Fields, message_id};
use crate::protocol::channel::instant::instant;
use crate::protocol::channel::outcome::{by_status, refused};
use crate::protocol::channel::proof;
use crate::protocol::channel::{
    Account, Attachment, AttachmentSource, Callback, CallbackRequest, Forged, HttpCall, Inbound, Outbound,
    Provider, Receipt, Reference, SendAnswer, Unreadable,
};
use crate::protocol::channel::{call, form};

/// See the module.
#[derive(Debug)]
pub struct Kaleyra;

/// What says that a message was taken.
const TAKEN: &str = "100";

impl Provider for Kaleyra {
    fn name(&self) -> &'static str {
        "kaleyra"
    }

    fn verify(&self, request: &CallbackRequest<'_>, account: &Account) -> Result<(), Forged> {
        match account.setting("auth").unwrap_or("basic") {
            "basic" => proof::basic(request, account),
            "token" => {
                let (_, token) = request.url.rsplit_once('/').ok_or(Forged::Absent)?;
                if ["", "inbound", "status"].contains(&token) {
                    return proof::one_of(account, |_| true).and(Err(Forged::Absent));
                }
                proof::one_of(account, |secret| proof::same(secret, token.as_bytes()))
            }
            _ => Err(Forged::Wrong),
        }
    }

    fn token_in_path(&self) -> bool {
        true
    }

    fn inbound(&self, request: &CallbackRequest<'_>) -> Result<Vec<Callback>, Unreadable> {
        let fields = Fields::of(request)?;
        let from = fields.get("source").ok_or(Unreadable("no sender"))?;
        let from = national(from).map_err(|_| Unreadable("the sender is no address"))?;
        let to = fields.get("destination");
        let media = fields.get("content_url").map(|url| Attachment {
            source: AttachmentSource::Url(url.to_owned()),
            name: None,
            mime: None,
        });
        Ok(vec![Callback::Message(Box::new(Inbound {
            id: message_id(fields.get("messageId"))?,
            automatic: !from.is_answerable(),
            from: from.into(),
            to: to
                .and_then(|to| national(to).ok())
                .map_or_else(String::new, String::from),
            at: fields.get("timestamp").and_then(instant),
            text: fields.get("message").unwrap_or_default().to_owned(),
            attachments: media.into_iter().collect(),
            ..Inbound::default()
        }))])
    }

    fn status(&self, request: &CallbackRequest<'_>) -> Result<Vec<Callback>, Unreadable> {
        let fields = Fields::of(request)?;
        let id = message_id(fields.get("messageId"))?;
        let word = fields
            .get("status")
            .ok_or(Unreadable("no status"))?
            .to_ascii_uppercase();
        let status = match &*word {
            "QUEUED" | "ACCEPTED" | "ACCEPTD" => DeliveryStatus::Queued,
            "SENT" | "ENROUTE" => DeliveryStatus::Sent,
            "DELIVERED" | "DELIVRD" => DeliveryStatus::Delivered,
            "UNDELIVERED" | "UNDELIV" | "EXPIRED" | "DELETED" => DeliveryStatus::Undelivered,
            "FAILED" | "REJECTED" | "REJECTD" => DeliveryStatus::Failed,
            _ => return Ok(vec![Callback::Ignored("unknown-status")]),
        };
        let receipt = Receipt {
            reference: Reference::Theirs(id),
            status,
            code: None,
            detail: None,
            at: fields.get("timestamp").and_then(instant),
        };
        let code = fields.get("errorCode").filter(|_| status.is_failure());
        Ok(vec![Callback::Receipt(receipt.because(code, None))])
    }

    fn hardly_retries(&self) -> bool {
        true
    }

    fn fetches_files(&self) -> bool {
        true
    }

    fn send(&self, account: &Account, message: &Outbound) -> Result<HttpCall, String> {
        let user = account.credential("user").ok_or_else(|| call::lacks("user"))?;
        let password = account
            .credential("password")
            .ok_or_else(|| call::lacks("password"))?;
        let bare = |number: &str| {
            national(number).map_or_else(|_| number.to_owned(), |known| known.digits().to_owned())
        };
        let (from, to, text) = (bare(&message.from), bare(&message.to), words(message, false));
        let mut query = vec![("reply_to", from.as_str()), ("body", &text), ("recipient", &to)];
        if let Some(link) = links(message).next() {
            query.extend([("channel", "multimedia"), ("content_url", link)]);
        }
        let origin = account.origin("directtext.mgage.com");
        Ok(HttpCall {
            method: "POST",
            url: format!("{origin}/a2w_preRouter/httpApiRouter?{}", form::encode(&query)),
            headers: vec![
                ("authorization", call::basic(&user, &password)),
                ("accept", "application/json".to_owned()),
            ],
            body: Bytes::new(),
        })
    }

    fn sent(&self, status: u16, retry_after: Option<Duration>, body: &[u8]) -> SendAnswer {
        if let Some(answer) = by_status(status, retry_after, || (None, None)) {
            return answer;
        }
        match answer(body) {
            Some((code, reference)) if code == TAKEN => SendAnswer::Accepted { reference },
            Some((code, _)) => refused(code, ""),
            // An answer without a code did not come from their router.
            None => SendAnswer::Later { after: retry_after },
        }
    }
}

/// As [`address`], ten digits being a number of North America.
fn national(text: &str) -> Result<Address, NotAnAddress> {
    let known = address(text)?;
    let written = text.trim();
    match &known {
        Address::Number(number)
            if number.len() == 11 && !written.starts_with('+') && !written.starts_with("00") =>
        {
            Ok(Address::Number(format!("+1{}", known.digits())))
        }
        _ => Ok(known),
    }
}

/// The code and the message id of an answer, which is JSON or XML of the same names.
fn answer(body: &[u8]) -> Option<(String, Option<String>)> {
    let text = std::str::from_utf8(body).ok()?;
    if text.trim_start().starts_with('<') {
        return Some((element(text, "code")?, element(text, "messageId")));
    }
    let whole: Value = serde_json::from_str(text).ok()?;
    let answer = whole.get("httpApiResponse").unwrap_or(&whole);
    let scalar = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let recipient = answer.pointer("/recipients/recipient");
    let recipient = recipient.and_then(|one| one.as_array().map_or(Some(one), |list| list.first()));
    let id = recipient.and_then(|one| one.get("messageId")).and_then(scalar);
    Some((scalar(answer.get("code")?)?, id))
}

/// The text of the first element with this name; none of the ones asked for holds others.
fn element(text: &str, name: &str) -> Option<String> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    let (inner, _) = rest.split_once(&format!("</{name}>"))?;
    Some(inner.trim().to_owned()).filter(|inner| !inner.is_empty() && !inner.contains(['<', '&']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_digits_are_north_american_unless_said_otherwise() {
        for (text, number) in [
            ("2025550101", "+12025550101"),
            ("(202) 555-0101", "+12025550101"),
            ("12025550101", "+12025550101"),
            ("+2025550101", "+2025550101"),
            ("40404", "40404"),
        ] {
            assert_eq!(national(text).unwrap().as_str(), number, "{text}");
        }
    }

    #[test]
    fn an_answer_is_read_as_json_and_as_xml() {
        let one = br#"{"httpApiResponse":{"code":"100","recipients":{"recipient":{"mobileNumber":"1","messageId":77}}}}"#;
        let list = br#"{"httpApiResponse":{"code":100,"recipients":{"recipient":[{"messageId":"77"}]}}}"#;
        let xml = b"<?xml version='1.0'?><httpApiResponse><code>100</code><recipients><recipient><messageId>77</messageId></recipient></recipients></httpApiResponse>";
        for body in [&one[..], list, xml] {
            let taken = SendAnswer::Accepted {
                reference: Some("77".into()),
            };
            assert_eq!(Kaleyra.sent(200, None, body), taken);
        }
        let refusal = br#"{"httpApiResponse":{"code":"104"}}"#;
        assert_eq!(Kaleyra.sent(200, None, refusal), refused("104", ""));
        assert_eq!(
            Kaleyra.sent(200, None, b"<html>hello</html>"),
            SendAnswer::Later { after: None }
        );
    }
}
