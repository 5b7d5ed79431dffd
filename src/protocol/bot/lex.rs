//! Amazon Lex V2: `RecognizeText` of the runtime, JSON over HTTPS, signed with Signature Version 4.
//!
//! `credentials`: `{"accessKeyId": "…", "secretAccessKey": "…", "sessionToken": "…"}`, the last for temporary ones only. `config`:
//! - `region`, `botId`, `botAliasId`: required.
//! - `localeId`: asked in, `en_US` unless said otherwise; or a list of those the bot has: the customer's language picks one of
//!   them, else the first.
//! - `welcomeText`: what it is told so that it greets, `hello` unless said otherwise.
//! - `sendUserData`: `true` lets the bot see the texts among the attached data as request attributes.
//! - `handoverIntent`: the intent that, once fulfilled, sends the customer to a person.
//!
//! The intent becomes `botIntent` and its filled slots `botParameters` of the attached data. A customer is also handed over when an
//! intent fails, by session attribute `handover` (a queue, or `true`), and by a custom payload whose content is JSON with
//! member `nexus` (`payload.rs`). Session attribute `end` with `true` ends the session.

use bytes::Bytes;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::protocol::channel::{Account, HttpCall};

use super::answer::{BotAnswer, BotFault, Handover};
use super::dialect::{BotDialect, Grant};
use super::sigv4::{SigV4, Signed};
use super::turn::Turn;
use super::{payload, settings};

/// Characters of a customer's words that Lex reads.
const WORDS: usize = 1_024;

/// The dialect.
pub(super) struct Lex;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Credentials {
    access_key_id: String,
    secret_access_key: SecretString,
    session_token: Option<SecretString>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Recognized {
    #[serde(default)]
    messages: Vec<Message>,
    session_state: State,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct State {
    intent: Option<Intent>,
    session_attributes: Option<Map<String, Value>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Intent {
    name: String,
    state: String,
    slots: Option<Map<String, Value>>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Message {
    content: String,
    content_type: String,
    image_response_card: Option<Card>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Card {
    title: String,
    subtitle: Option<String>,
    buttons: Option<Vec<Button>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Button {
    text: String,
    value: String,
}

impl BotDialect for Lex {
    fn name(&self) -> &'static str {
        "lex"
    }

    fn call(&self, account: &Account, turn: &Turn, grant: &Grant<'_>) -> Result<HttpCall, String> {
        let id = |name| settings::segment(name, settings::required(account, name)?);
        let region = id("region")?;
        let base = settings::base(account, &format!("runtime-v2-lex.{region}.amazonaws.com"));
        let path = format!(
            "/bots/{}/botAliases/{}/botLocales/{}/sessions/{}/text",
            id("botId")?,
            id("botAliasId")?,
            settings::segment("localeId", locale(account, turn))?,
            turn.conversation(),
        );
        let welcome = || settings::text(account, "welcomeText").unwrap_or("hello");
        let mut body = json!({"text": settings::cut(turn.said.words().unwrap_or_else(welcome), WORDS)});
        if settings::is_on(account, "sendUserData") {
            // Attributes are texts; names of Amazon's own are left to Amazon.
            let data = turn.user_data.iter();
            let texts: Map<String, Value> = data
                .filter(|(key, value)| value.is_string() && !key.starts_with("x-amz-lex:"))
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect();
            body["requestAttributes"] = Value::Object(texts);
        }
        signed(account, region, &base, &path, body.to_string(), grant)
    }

    fn answer(&self, account: &Account, status: u16, body: &[u8]) -> Result<BotAnswer, BotFault> {
        BotFault::of_status(status)?;
        let recognized: Recognized =
            serde_json::from_slice(body).map_err(|_| BotFault::Unreadable("not a recognised text"))?;
        let mut answer = BotAnswer::default();
        for message in recognized.messages {
            say(&mut answer, message)?;
        }
        let state = recognized.session_state;
        let attributes = state.session_attributes.unwrap_or_default();
        if answer.handover.is_none() {
            answer.handover = by_attribute(&attributes).or_else(|| by_intent(account, state.intent.as_ref()));
        }
        answer.end |= is_true(attributes.get("end"));
        if let Some(intent) = state.intent.filter(|intent| !intent.name.is_empty()) {
            answer
                .user_data
                .insert("botIntent".to_owned(), Value::from(intent.name));
            let slots: Map<String, Value> = intent
                .slots
                .unwrap_or_default()
                .into_iter()
                .filter_map(filled)
                .collect();
            if !slots.is_empty() {
                answer
                    .user_data
                    .insert("botParameters".to_owned(), Value::Object(slots));
            }
        }
        answer.settled()
    }
}

/// The locale of the bot that suits the customer best.
fn locale<'a>(account: &'a Account, turn: &Turn) -> &'a str {
    let known: Vec<&str> = match account.config.get("localeId") {
        Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(one)) => vec![one],
        _ => Vec::new(),
    };
    let wanted = turn
        .locale
        .as_deref()
        .unwrap_or_default()
        .replace('-', "_")
        .to_lowercase();
    let language = |tag: &str| tag.split('_').next().unwrap_or_default().to_lowercase();
    let same = known.iter().find(|known| known.to_lowercase() == wanted);
    let near = || known.iter().find(|known| language(known) == language(&wanted));
    same.or_else(near).or(known.first()).copied().unwrap_or("en_US")
}

fn signed(
    account: &Account,
    region: &str,
    base: &str,
    path: &str,
    body: String,
    grant: &Grant<'_>,
) -> Result<HttpCall, String> {
    let credentials: Credentials = settings::credentials(account)?;
    let (_, rest) = base
        .split_once("://")
        .ok_or("the bot's `url` is not an address")?;
    let (host, prefix) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let signer = SigV4 {
        access_key: &credentials.access_key_id,
        secret_key: credentials.secret_access_key.expose_secret(),
        session_token: credentials
            .session_token
            .as_ref()
            .map(SecretString::expose_secret),
        region,
        service: "lex",
    };
    let request = Signed {
        method: "POST",
        host,
        path: &format!("{prefix}{path}"),
        query: "",
        headers: &[("content-type", "application/json")],
        body: body.as_bytes(),
    };
    let mut headers = signer.sign(&request, grant.now);
    let fit = |(_, value): &(&str, String)| value.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    if !headers.iter().all(fit) {
        return Err("the bot's `credentials` hold what no header takes".to_owned());
    }
    headers.push(("content-type", "application/json".to_owned()));
    Ok(HttpCall {
        method: "POST",
        url: format!("{base}{path}"),
        headers,
        body: Bytes::from(body),
    })
}

fn say(answer: &mut BotAnswer, message: Message) -> Result<(), BotFault> {
    match message.content_type.as_str() {
        "CustomPayload" => {
            // One that is not JSON is for other eyes.
            if let Ok(custom) = serde_json::from_str::<Value>(&message.content) {
                payload::read_custom(answer, &custom)?;
            }
        }
        "ImageResponseCard" => {
            let card = message.image_response_card.unwrap_or_default();
            answer
                .texts
                .push(format!("{}\n{}", card.title, card.subtitle.unwrap_or_default()));
            let buttons = card.buttons.into_iter().flatten();
            answer
                .quick_replies
                .extend(buttons.map(|button| (button.text, button.value)));
        }
        "SSML" => answer.texts.push(spoken(&message.content)),
        _ => answer.texts.push(message.content),
    }
    Ok(())
}

/// The words of a text with speech marks.
fn spoken(ssml: &str) -> String {
    let mut words = String::with_capacity(ssml.len());
    let mut within = false;
    for c in ssml.chars() {
        match c {
            '<' => within = true,
            '>' => within = false,
            _ if !within => words.push(c),
            _ => {}
        }
    }
    words
}

fn by_attribute(attributes: &Map<String, Value>) -> Option<Handover> {
    let asked = attributes.get("handover")?.as_str().map(str::trim)?;
    let queue = match asked.to_ascii_lowercase().as_str() {
        "" | "false" => return None,
        "true" => None,
        _ => Some(asked.to_owned()),
    };
    let text = |name: &str| attributes.get(name).and_then(Value::as_str);
    let skills = text("handoverSkills")
        .unwrap_or_default()
        .split(',')
        .map(str::trim);
    Some(Handover {
        queue,
        skills: skills
            .filter(|skill| !skill.is_empty())
            .map(str::to_owned)
            .collect(),
        reason: text("handoverReason").map(str::to_owned),
    })
}

fn by_intent(account: &Account, intent: Option<&Intent>) -> Option<Handover> {
    let intent = intent?;
    let wanted = settings::text(account, "handoverIntent") == Some(&intent.name);
    let reason = match intent.state.as_str() {
        "Failed" => format!("intent {} failed", intent.name),
        "Fulfilled" | "ReadyForFulfillment" if wanted => intent.name.clone(),
        _ => return None,
    };
    Some(Handover {
        reason: Some(reason),
        ..Handover::default()
    })
}

/// A slot with what it was understood as, or else what was heard.
fn filled((name, slot): (String, Value)) -> Option<(String, Value)> {
    let value = slot.get("value")?;
    let known = value.get("interpretedValue").filter(|known| known.is_string());
    let heard = value.get("originalValue").filter(|heard| heard.is_string());
    Some((name, known.or(heard)?.clone()))
}

fn is_true(value: Option<&Value>) -> bool {
    value
        .and_then(Value::as_str)
        .is_some_and(|text| text.eq_ignore_ascii_case("true"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may end at the first surprise")]
mod tests {
    use crate::model::Millis;

    use super::super::turn::Said;
    use super::super::webhook::tests::turn;
    use super::*;

    const KEYS: &str =
        r#"{"accessKeyId":"AKIDEXAMPLE","secretAccessKey":"wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}"#;

    fn account(more: Value) -> Account {
        let mut config: Map<String, Value> = serde_json::from_value(
            json!({"region": "eu-west-1", "botId": "ABCDEFGHIJ", "botAliasId": "TSTALIASID"}),
        )
        .unwrap();
        config.extend(serde_json::from_value::<Map<String, Value>>(more).unwrap());
        Account {
            credentials: Some(KEYS.to_owned().into()),
            config,
            ..Account::default()
        }
    }

    fn call(account: &Account, said: Said) -> Result<HttpCall, String> {
        let grant = Grant {
            now: Millis(1_440_938_160_000),
            token: None,
        };
        Lex.call(account, &turn(said), &grant)
    }

    fn answer(config: Value, body: &Value) -> Result<BotAnswer, BotFault> {
        Lex.answer(&account(config), 200, body.to_string().as_bytes())
    }

    #[test]
    fn words_are_signed_and_go_to_the_session_of_the_alias() {
        let call = call(&account(json!({})), Said::Text("Hi".to_owned())).unwrap();
        let expected = "runtime-v2-lex.eu-west-1.amazonaws.com/bots/ABCDEFGHIJ/botAliases/TSTALIASID/botLocales/en_US/\
            sessions/018bcfe5-6800-7000-8000-00000000a001/text";
        assert_eq!(call.url.strip_prefix("https://"), Some(expected));
        assert_eq!(&call.body[..], br#"{"text":"Hi"}"#);
        let (_, authorization) = call
            .headers
            .iter()
            .find(|(name, _)| *name == "authorization")
            .unwrap();
        let scope = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/eu-west-1/lex/aws4_request, \
            SignedHeaders=content-type;host;x-amz-date, Signature=";
        assert!(authorization.starts_with(scope), "{authorization}");
    }

    #[test]
    fn a_greeting_is_a_word_and_the_locale_is_one_the_bot_has() {
        let body = |config, said| {
            let call = call(&account(config), said).unwrap();
            (call.url, String::from_utf8(call.body.to_vec()).unwrap())
        };
        assert_eq!(body(json!({}), Said::Start).1, r#"{"text":"hello"}"#);
        assert_eq!(
            body(json!({"welcomeText": "hi"}), Said::Start).1,
            r#"{"text":"hi"}"#
        );
        let data = body(json!({"sendUserData": true}), Said::Start).1;
        assert!(data.contains(r#""requestAttributes":{"orderId":"77"}"#), "{data}");
        for (locales, chosen) in [
            (json!("de_DE"), "de_DE"),
            (json!(["fr_FR", "en_GB"]), "en_GB"),
            (json!(["en_GB", "en_US"]), "en_US"),
            (json!(["it_IT", "es_ES"]), "it_IT"),
        ] {
            let url = body(json!({"localeId": locales}), Said::Start).0;
            assert!(url.contains(&format!("/botLocales/{chosen}/")), "{url}");
        }
        for bad in [
            json!({"botId": ""}),
            json!({"botId": "a/b"}),
            json!({"region": "x.example.com/"}),
        ] {
            assert!(call(&account(bad), Said::Start).is_err());
        }
    }

    #[test]
    fn an_address_of_ones_own_is_signed_as_it_is_called() {
        let mut account = account(json!({}));
        account.url = Some("http://127.0.0.1:8080/lex/".to_owned());
        let call = call(&account, Said::Start).unwrap();
        assert!(
            call.url.starts_with("http://127.0.0.1:8080/lex/bots/ABCDEFGHIJ/"),
            "{}",
            call.url
        );
    }

    #[test]
    fn messages_become_words_choices_and_data() {
        let answer = answer(json!({}), &json!({"messages": [
                {"content": "Which?", "contentType": "PlainText"},
                {"content": "<speak>Say <b>it</b></speak>", "contentType": "SSML"},
                {"contentType": "ImageResponseCard", "imageResponseCard": {"title": "T", "subtitle": "S",
                    "imageUrl": "https://example.com/i.png", "buttons": [{"text": "Yes", "value": "y"}]}},
                {"content": "{\"nexus\":{\"userData\":{\"a\":1}}}", "contentType": "CustomPayload"},
                {"content": "not for us", "contentType": "CustomPayload"}],
            "sessionState": {"dialogAction": {"type": "ElicitSlot"}, "sessionAttributes": {}, "activeContexts": [],
                "intent": {"name": "Order", "state": "InProgress", "confirmationState": "None", "slots": {
                    "Id": {"shape": "Scalar", "value": {"originalValue": "77 ", "interpretedValue": "77",
                        "resolvedValues": ["77"]}}, "Other": null}}},
            "interpretations": [], "sessionId": "s"}))
        .unwrap();
        assert_eq!(answer.texts, ["Which?", "Say it", "T\nS"]);
        assert_eq!(answer.quick_replies, [("Yes".to_owned(), "y".to_owned())]);
        assert_eq!(
            Value::Object(answer.user_data),
            json!({"a": 1, "botIntent": "Order", "botParameters": {"Id": "77"}})
        );
        assert!(answer.handover.is_none() && !answer.end);
    }

    #[test]
    fn a_handover_comes_by_attribute_intent_or_failure() {
        let said = |config: Value, state: Value| answer(config, &json!({"sessionState": state})).unwrap();
        let attributes =
            json!({"handover": "billing", "handoverSkills": "french, refunds", "handoverReason": "asks"});
        let handover = said(json!({}), json!({"sessionAttributes": attributes}))
            .handover
            .unwrap();
        assert_eq!(
            (handover.queue.as_deref(), handover.skills.len()),
            (Some("billing"), 2)
        );
        assert_eq!(
            said(json!({}), json!({"sessionAttributes": {"handover": "TRUE"}})).handover,
            Some(Handover::default())
        );
        assert!(
            said(json!({}), json!({"sessionAttributes": {"handover": "false"}}))
                .handover
                .is_none()
        );
        let fulfilled = json!({"intent": {"name": "Human", "state": "Fulfilled"}});
        assert!(
            said(json!({"handoverIntent": "Human"}), fulfilled.clone())
                .handover
                .is_some()
        );
        assert!(said(json!({}), fulfilled).handover.is_none());
        assert!(
            said(json!({}), json!({"intent": {"name": "X", "state": "Failed"}}))
                .handover
                .is_some()
        );
        assert!(said(json!({}), json!({"sessionAttributes": {"end": "true"}})).end);
    }

    #[test]
    fn an_answer_of_another_kind_is_unreadable() {
        for body in [
            json!({}),
            json!({"messages": 1, "sessionState": {}}),
            json!({"message": "Forbidden"}),
        ] {
            assert!(
                matches!(answer(json!({}), &body), Err(BotFault::Unreadable(_))),
                "{body}"
            );
        }
    }
}
