//! A bot of the tenant's own, called over HTTPS (`type` `webhook`, and `dialog-engine` behind such a webhook).
//!
//! The bot's `url` gets one `POST` a turn and answers within 10 s with 2xx and the JSON of `payload.rs`; an empty body says
//! nothing. Anything else, a redirect included, and the customer is handed over to a person.
//!
//! ```json
//! {"type": "bot.turn", "id": "018bcfe568007000800000000000a001-12", "session": "018bcfe5-6800-7000-8000-00000000a001",
//!  "turn": 12, "bot": "Robo", "mediaType": "chat", "locale": "en-US",
//!  "input": {"kind": "text", "text": "Where is my order?"},
//!  "userData": {"orderId": "77"},
//!  "history": [{"from": "bot", "text": "Hello!", "at": "2025-11-20T10:00:00.123Z"}]}
//! ```
//!
//! `input.kind` is `start` (greet), `text`, or `choice` with `text` and `payload`. A turn that is asked again, after a
//! crash, has the same `id`, and only the first answer is carried out.
//!
//! `credentials`, a JSON object or one plain secret that stands for `secret`:
//! - `secret`: header `X-Hub-Signature-256` is `sha256=` and the hex HMAC-SHA256 of the body under it.
//! - `signingSecret`, with `previousSigningSecret` while it is replaced: base64 with prefix `whsec_`, of 24 to 64 bytes; headers
//!   `webhook-id` (the turn's id), `webhook-timestamp` and `webhook-signature` as Standard Webhooks has them.
//! - `bearer`: a token for the header `Authorization`, beside a signature.
//!
//! At least one of `secret` and `signingSecret` must be there. `config` has no keys.

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::model::Millis;
use crate::protocol::channel::{Account, HttpCall};
use crate::protocol::{hub_signature, webhook};

use super::answer::{BotAnswer, BotFault};
use super::dialect::{BotDialect, Grant};
use super::turn::{Line, Said, Turn};
use super::{payload, settings};

/// The dialect, under one of its names.
pub(super) struct Webhook {
    pub(super) name: &'static str,
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
struct Credentials {
    secret: Option<SecretString>,
    signing_secret: Option<SecretString>,
    previous_signing_secret: Option<SecretString>,
    bearer: Option<SecretString>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Request<'t> {
    r#type: &'static str,
    id: &'t str,
    session: String,
    turn: u64,
    bot: &'t str,
    media_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    locale: Option<&'t str>,
    input: Input<'t>,
    user_data: &'t Map<String, Value>,
    history: Vec<Past<'t>>,
}

#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Input<'t> {
    Start,
    Text { text: &'t str },
    Choice { text: &'t str, payload: &'t str },
}

#[derive(Serialize)]
struct Past<'t> {
    from: &'static str,
    text: &'t str,
    at: String,
}

impl BotDialect for Webhook {
    fn name(&self) -> &'static str {
        self.name
    }

    fn call(&self, account: &Account, turn: &Turn, grant: &Grant<'_>) -> Result<HttpCall, String> {
        let url = account.url.clone().ok_or("the bot has no `url`")?;
        let credentials = read(account)?;
        let id = turn.id();
        let body = body(turn, &id)?;
        let mut headers = vec![("content-type", "application/json".to_owned())];
        if let Some(secret) = &credentials.secret {
            let signature = hub_signature::sha256(secret.expose_secret().as_bytes(), &body);
            headers.push((hub_signature::SHA256, signature));
        }
        if let Some(secret) = &credentials.signing_secret {
            let seconds = grant.now.0 / 1_000;
            let mut signatures = standard(secret, &id, seconds, &body)?;
            if let Some(previous) = &credentials.previous_signing_secret {
                signatures.push(' ');
                signatures.push_str(&standard(previous, &id, seconds, &body)?);
            }
            headers.push((webhook::ID, id));
            headers.push((webhook::TIMESTAMP, seconds.to_string()));
            headers.push((webhook::SIGNATURE, signatures));
        }
        if let Some(bearer) = &credentials.bearer {
            headers.push(("authorization", format!("Bearer {}", visible(bearer)?)));
        }
        Ok(HttpCall {
            method: "POST",
            url,
            headers,
            body: body.into(),
        })
    }

    fn answer(&self, _account: &Account, status: u16, body: &[u8]) -> Result<BotAnswer, BotFault> {
        BotFault::of_status(status)?;
        let mut answer = BotAnswer::default();
        if !body.trim_ascii().is_empty() {
            payload::read(&mut answer, body)?;
        }
        answer.settled()
    }
}

fn read(account: &Account) -> Result<Credentials, String> {
    let given = settings::present(account)?;
    let credentials = if given.expose_secret().trim_start().starts_with('{') {
        settings::credentials(account)?
    } else {
        Credentials {
            secret: Some(given.clone()),
            ..Credentials::default()
        }
    };
    if credentials.secret.is_none() && credentials.signing_secret.is_none() {
        return Err("the bot's `credentials` have neither `secret` nor `signingSecret`".to_owned());
    }
    Ok(credentials)
}

fn body(turn: &Turn, id: &str) -> Result<Vec<u8>, String> {
    let request = Request {
        r#type: "bot.turn",
        id,
        session: turn.conversation(),
        turn: turn.n,
        bot: &turn.bot,
        media_type: turn.media.as_str(),
        locale: turn.locale.as_deref(),
        input: match &turn.said {
            Said::Start => Input::Start,
            Said::Text(text) => Input::Text { text },
            Said::Choice { label, payload } => Input::Choice { text: label, payload },
        },
        user_data: &turn.user_data,
        history: turn.history.iter().map(past).collect(),
    };
    serde_json::to_vec(&request).map_err(|_| "the turn is not JSON".to_owned())
}

fn past(line: &Line) -> Past<'_> {
    Past {
        from: line.voice.as_str(),
        text: &line.text,
        at: written(line.at),
    }
}

/// A time as RFC 3339 has it, in UTC with milliseconds.
fn written(at: Millis) -> String {
    let stamp = i64::try_from(at.0)
        .ok()
        .and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok())
        .unwrap_or_default();
    format!("{stamp:.3}")
}

/// One entry of `webhook-signature`.
fn standard(secret: &SecretString, id: &str, seconds: u64, body: &[u8]) -> Result<String, String> {
    webhook::sign(secret.expose_secret(), id, seconds, body)
        .ok_or_else(|| "a signing secret of the bot is not base64 of 24 to 64 bytes".to_owned())
}

/// A secret that may stand in a header.
fn visible(secret: &SecretString) -> Result<&str, String> {
    let text = secret.expose_secret();
    if text.bytes().all(|byte| (0x21..0x7f).contains(&byte)) {
        Ok(text)
    } else {
        Err("the bot's `bearer` holds what no header takes".to_owned())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may end at the first surprise")]
pub(super) mod tests {
    use crate::model::{LogId, Media};

    use super::*;

    const BOT: Webhook = Webhook { name: "webhook" };

    pub(in super::super) fn turn(said: Said) -> Turn {
        Turn {
            session: LogId::from_bytes(0x018b_cfe5_6800_7000_8000_0000_0000_a001_u128.to_be_bytes()),
            n: 12,
            bot: "Robo".to_owned(),
            media: Media::Chat,
            locale: Some("en-US".to_owned()),
            said,
            user_data: Map::from_iter([("orderId".to_owned(), Value::from("77"))]),
            history: vec![Line {
                voice: super::super::turn::Voice::Bot,
                text: "Hello!".to_owned(),
                at: Millis(1_763_632_800_123),
            }],
        }
    }

    fn account(credentials: &str) -> Account {
        Account {
            url: Some("https://bot.example.com/turn".to_owned()),
            credentials: Some(credentials.to_owned().into()),
            ..Account::default()
        }
    }

    fn call(credentials: &str, said: Said) -> Result<HttpCall, String> {
        let grant = Grant {
            now: Millis(1_700_000_000_999),
            token: None,
        };
        BOT.call(&account(credentials), &turn(said), &grant)
    }

    fn header<'c>(call: &'c HttpCall, name: &str) -> Option<&'c str> {
        let found = call.headers.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.as_str())
    }

    #[test]
    fn a_turn_is_put_in_the_documented_json() {
        let call = call("s3cret", Said::Text("Where is my \"order\"?".to_owned())).unwrap();
        let expected = concat!(
            r#"{"type":"bot.turn","id":"018bcfe568007000800000000000a001-12","session":"018bcfe5-6800-7000-8000-00000000a001","#,
            r#""turn":12,"bot":"Robo","mediaType":"chat","locale":"en-US","input":{"kind":"text","text":"Where is my \"order\"?"},"#,
            r#""userData":{"orderId":"77"},"history":[{"from":"bot","text":"Hello!","at":"2025-11-20T10:00:00.123Z"}]}"#,
        );
        assert_eq!(std::str::from_utf8(&call.body).unwrap(), expected);
        assert_eq!(
            (call.method, call.url.as_str()),
            ("POST", "https://bot.example.com/turn")
        );
    }

    #[test]
    fn a_start_and_a_choice_say_what_they_are() {
        let said = |said| String::from_utf8(call("s", said).unwrap().body.to_vec()).unwrap();
        assert!(said(Said::Start).contains(r#""input":{"kind":"start"}"#));
        let choice = Said::Choice {
            label: "Yes".to_owned(),
            payload: "y".to_owned(),
        };
        assert!(said(choice).contains(r#""input":{"kind":"choice","text":"Yes","payload":"y"}"#));
    }

    /// The expected values come from Python's `hmac` over the expected body.
    #[test]
    fn the_body_is_signed_in_both_ways() {
        let credentials = r#"{"secret":"demo-bot-secret","signingSecret":"whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX",
            "previousSigningSecret":"whsec_GBcWFRQTEhEQDw4NDAsKCQgHBgUEAwIB","bearer":"tok"}"#;
        let call = call(credentials, Said::Start).unwrap();
        assert_eq!(
            header(&call, "x-hub-signature-256"),
            Some("sha256=8e2be0e2d14fc997b618fcfb6c3f562889c018c7a966fbbd1a4ee61602dff857")
        );
        assert_eq!(
            header(&call, "webhook-id"),
            Some("018bcfe568007000800000000000a001-12")
        );
        assert_eq!(header(&call, "webhook-timestamp"), Some("1700000000"));
        assert_eq!(
            header(&call, "webhook-signature"),
            Some(
                "v1,LxkgEohQJmZR8V8oZ17/aOCvdh1JFgFPTzGnz8juBew= v1,EqVso+LrcuENMH83+oDKnwWLFgbKPcx5AHbs2WD8d9w="
            )
        );
        assert_eq!(header(&call, "authorization"), Some("Bearer tok"));
    }

    #[test]
    fn an_unsigned_call_is_not_made() {
        for credentials in [
            "{}",
            r#"{"bearer":"x"}"#,
            r#"{"secrt":"x"}"#,
            r#"{"signingSecret":"whsec_AAEC"}"#,
            r#"{"signingSecret":"no base64"}"#,
            r#"{"secret":"s","bearer":"a b"}"#,
        ] {
            assert!(call(credentials, Said::Start).is_err(), "{credentials}");
        }
        let grant = Grant {
            now: Millis(0),
            token: None,
        };
        assert!(BOT.call(&Account::default(), &turn(Said::Start), &grant).is_err());
    }

    #[test]
    fn nothing_said_is_an_answer_and_an_error_page_is_none() {
        let account = Account::default();
        assert_eq!(BOT.answer(&account, 204, b""), Ok(BotAnswer::default()));
        assert!(matches!(
            BOT.answer(&account, 200, b"<html>"),
            Err(BotFault::Unreadable(_))
        ));
        assert_eq!(BOT.answer(&account, 302, b"{}"), Err(BotFault::Refused(302)));
        assert_eq!(BOT.answer(&account, 500, b"{}"), Err(BotFault::Unavailable(500)));
    }
}
