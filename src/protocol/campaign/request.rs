//! The batch as it is posted: what it holds, and what is refused of it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::model::{Digest, Media};
use crate::protocol::channel::hex;
use crate::protocol::envelope::{Code, Fault};

/// Bytes of a batch.
pub const BATCH_MAX: usize = 4 * 1_024 * 1_024;
/// Messages of a batch.
pub const RECORDS_MAX: usize = 1_000;
/// Characters of a record's name.
const HANDLE: usize = 128;
/// Characters of a mail's or a messenger's text.
const TEXT: usize = 16_000;
/// Characters of a text message: ten segments.
const SMS: usize = 1_530;
/// Characters of a subject.
const SUBJECT: usize = 998;
/// Bytes of one message as it is kept.
const MESSAGE: usize = 100 * 1_024;

/// A batch of messages by one medium.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct BatchRequest {
    /// The caller's name of it: a repeat is told by it.
    pub batch_id: String,
    /// By which medium: all but chat.
    pub media: Media,
    /// Our number or mailbox; absent: the only one of that medium.
    #[serde(default)]
    pub from: Option<String>,
    /// Whether it only tries the campaign out.
    #[serde(default)]
    pub test: bool,
    /// The messages.
    pub messages: Vec<CampaignMessage>,
}

/// One message of a batch.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct CampaignMessage {
    /// The caller's name of it, unique within the batch.
    pub record_handle: String,
    /// The customer's address.
    pub to: String,
    /// The words.
    pub text: String,
    /// Of a mail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// HTML of a mail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub html: Option<String>,
    /// The name beside our address, of a mail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from_name: Option<String>,
    /// Where answers to a mail go, if not to our address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<String>,
    /// What else travels, for a custom client.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub user_data: Map<String, Value>,
}

impl std::fmt::Debug for CampaignMessage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Addresses and words do not belong in logs.
        write!(f, "CampaignMessage({:?})", self.record_handle)
    }
}

#[derive(Deserialize)]
struct Wrapped {
    data: BatchRequest,
}

impl BatchRequest {
    /// Reads `{"data":{…}}`.
    ///
    /// # Errors
    /// 400: it is not JSON, not of this shape, or the batch as a whole breaks a bound.
    pub fn parse(body: &[u8]) -> Result<Self, Fault> {
        let Wrapped { data } = serde_json::from_slice(body).map_err(|error| {
            // The parser's own words may repeat what the caller sent.
            let code = match error.classify() {
                serde_json::error::Category::Data => Code::BadValue,
                _ => Code::Malformed,
            };
            Fault::new(code).detail(format!("line {} column {}", error.line(), error.column()))
        })?;
        let bad = |what: &'static str| Fault::new(Code::BadValue).detail(what);
        if !is_name(&data.batch_id) {
            return Err(bad("data.batchId"));
        }
        if data.media == Media::Chat {
            return Err(bad("data.media"));
        }
        if data.messages.is_empty() || data.messages.len() > RECORDS_MAX {
            return Err(bad("data.messages"));
        }
        Ok(data)
    }

    /// The same for every repeat of the batch, however it is spelled.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let bytes = serde_json::to_vec(self).unwrap_or_default();
        hex(&Digest::of(&[&bytes]).0[..16])
    }

    /// Why each message will not be sent, in order; `None` for one that will be tried.
    #[must_use]
    pub fn refusals(&self) -> Vec<Option<&'static str>> {
        let mut seen = std::collections::HashSet::new();
        let judge = |message: &CampaignMessage, fresh: bool| {
            if message.record_handle.is_empty() || message.record_handle.chars().count() > HANDLE {
                return Some("bad_handle");
            }
            if !fresh {
                return Some("duplicate");
            }
            message.refusal(self.media)
        };
        self.messages
            .iter()
            .map(|message| judge(message, seen.insert(message.record_handle.as_str())))
            .collect()
    }
}

impl CampaignMessage {
    fn refusal(&self, media: Media) -> Option<&'static str> {
        if !is_address(media, &self.to) {
            return Some("bad_address");
        }
        let html = self.html.as_deref().unwrap_or_default();
        if self.text.trim().is_empty() && (media != Media::Email || html.trim().is_empty()) {
            return Some("empty");
        }
        let longest = if media == Media::Sms { SMS } else { TEXT };
        let subject = self.subject.as_deref().unwrap_or_default();
        let name = self.from_name.as_deref().unwrap_or_default();
        if self.text.chars().count() > longest
            || subject.chars().count() > SUBJECT
            || self.stored().len() > MESSAGE
        {
            return Some("too_long");
        }
        if self
            .reply_to
            .as_deref()
            .is_some_and(|to| !is_address(Media::Email, to))
        {
            return Some("bad_header");
        }
        // A line break in a header would begin another one.
        if subject.chars().chain(name.chars()).any(char::is_control) {
            return Some("bad_header");
        }
        None
    }

    /// As it is kept until it is sent.
    #[must_use]
    pub fn stored(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads [`Self::stored`].
    #[must_use]
    pub fn read(stored: &[u8]) -> Option<Self> {
        serde_json::from_slice(stored).ok()
    }
}

/// Whether a text may name a campaign or a batch: 1 to 64 of letters, digits, `.`, `_`, `-`.
#[must_use]
pub fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

fn is_address(media: Media, to: &str) -> bool {
    let plain = !to.is_empty() && to.len() <= 320 && !to.chars().any(|c| c.is_control() || c.is_whitespace());
    match media {
        Media::Sms => to.strip_prefix('+').is_some_and(|digits| {
            (7..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit())
        }),
        Media::Email => {
            plain
                && !to.contains([',', ';', '<', '>', '"'])
                && to.split_once('@').is_some_and(|(local, host)| {
                    !local.is_empty() && host.contains('.') && !host.contains('@')
                })
        }
        Media::Chat | Media::Social => plain,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn batch(media: &str, messages: &str) -> BatchRequest {
        let body = format!(r#"{{"data":{{"batchId":"b-17","media":"{media}","messages":{messages}}}}}"#);
        BatchRequest::parse(body.as_bytes()).unwrap()
    }

    #[test]
    fn each_message_is_judged_by_itself() {
        let long = "x".repeat(SMS + 1);
        let asked = batch(
            "sms",
            &format!(
                r#"[{{"recordHandle":"1","to":"+12025550101","text":"hi"}},
                    {{"recordHandle":"1","to":"+12025550102","text":"hi"}},
                    {{"recordHandle":"2","to":"12025550101","text":"hi"}},
                    {{"recordHandle":"3","to":"+12025550101","text":" "}},
                    {{"recordHandle":"4","to":"+12025550101","text":"{long}"}},
                    {{"to":"+12025550101","text":"hi"}}]"#
            ),
        );
        let expected = [
            None,
            Some("duplicate"),
            Some("bad_address"),
            Some("empty"),
            Some("too_long"),
            Some("bad_handle"),
        ];
        assert_eq!(asked.refusals(), expected);
    }

    #[test]
    fn a_mail_may_be_html_only_and_carries_no_line_break_in_its_header() {
        let asked = batch(
            "email",
            r#"[{"recordHandle":"1","to":"ann@example.com","html":"<p>hi</p>","subject":"Hello"},
                {"recordHandle":"2","to":"ann@example.com","text":"hi","subject":"a\r\nBcc: x@example.com"},
                {"recordHandle":"3","to":"ann@example.com","text":"hi","replyTo":"sales@example.com"},
                {"recordHandle":"4","to":"ann@example.com","text":"hi","replyTo":"sales"}]"#,
        );
        assert_eq!(
            asked.refusals(),
            [None, Some("bad_header"), None, Some("bad_header")]
        );
    }

    #[test]
    fn spelling_does_not_make_another_batch_and_words_do() {
        let one = batch("sms", r#"[{"recordHandle":"1","to":"+12025550101","text":"hi"}]"#);
        let spelled = batch(
            "sms",
            r#"[ {"text":"hi", "to":"+12025550101","recordHandle":"1"}]"#,
        );
        let other = batch("sms", r#"[{"recordHandle":"1","to":"+12025550101","text":"ho"}]"#);
        assert_eq!(one.fingerprint(), spelled.fingerprint());
        assert_ne!(one.fingerprint(), other.fingerprint());
    }

    #[test]
    fn a_batch_that_breaks_a_bound_is_refused_as_a_whole() {
        let refused = |body: &str| BatchRequest::parse(body.as_bytes()).unwrap_err().code;
        assert_eq!(refused("{"), Code::Malformed);
        assert_eq!(refused(r#"{"data":{}}"#), Code::BadValue);
        assert_eq!(
            refused(r#"{"data":{"batchId":"b","media":"sms","messages":[]}}"#),
            Code::BadValue
        );
        assert_eq!(
            refused(r#"{"data":{"batchId":"b/..","media":"sms","messages":[{}]}}"#),
            Code::BadValue
        );
    }

    proptest! {
        #[test]
        fn any_body_is_read_or_refused(body in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(batch) = BatchRequest::parse(&body) {
                let _ = batch.refusals();
            }
        }

        #[test]
        fn what_is_kept_is_read_back(to in ".{0,20}", text in ".{0,40}", subject in prop::option::of(".{0,20}")) {
            let message = CampaignMessage { to, text, subject, ..CampaignMessage::default() };
            prop_assert_eq!(CampaignMessage::read(&message.stored()), Some(message));
        }
    }
}
