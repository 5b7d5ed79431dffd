//! Dialogflow ES: `detectIntent` of version 2, JSON over HTTPS.
//!
//! `credentials`: the key file of a service account, see `google.rs`. `config`:
//! - `projectId`: where it is not that of the key file.
//! - `location`: `europe-west2` and so on; absent is the global agent.
//! - `environment`: a published environment; absent is the draft agent.
//! - `languageCode`: asked in whatever the customer's language; absent is the customer's.
//! - `welcomeEvent`: the event that makes it greet, `WELCOME` unless said otherwise.
//! - `sendUserData`: `true` lets the agent's own webhook see the attached data (`originalDetectIntentRequest.payload.userData`).
//!
//! The intent becomes `botIntent` and its parameters `botParameters` of the attached data. A customer is handed over when the
//! intent says so (`liveAgentHandoff`), when its action is `handover`, or by a custom payload with member `nexus` (`payload.rs`).

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::model::Millis;
use crate::protocol::channel::{Account, HttpCall};

use super::answer::{BotAnswer, BotFault, Handover};
use super::dialect::{AccessToken, BotDialect, Grant};
use super::google::{self, WORDS};
use super::turn::Turn;
use super::{payload, settings};

/// The action of an intent that sends the customer to a person.
const HANDOVER: &str = "handover";

/// The dialect.
pub(super) struct DialogflowEs;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Detected {
    query_result: QueryResult,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct QueryResult {
    action: String,
    parameters: Map<String, Value>,
    fulfillment_text: String,
    fulfillment_messages: Vec<Message>,
    intent: Intent,
    diagnostic_info: Map<String, Value>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Intent {
    display_name: String,
    live_agent_handoff: bool,
    end_interaction: bool,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Message {
    platform: Option<String>,
    text: Option<Variants>,
    quick_replies: Option<QuickReplies>,
    card: Option<Card>,
    payload: Option<Value>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Variants {
    text: Vec<String>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct QuickReplies {
    title: String,
    quick_replies: Vec<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Card {
    title: String,
    subtitle: String,
    buttons: Vec<Button>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Button {
    text: String,
    postback: String,
}

impl BotDialect for DialogflowEs {
    fn name(&self) -> &'static str {
        "dialogflow-es"
    }

    fn needs_token(&self) -> bool {
        true
    }

    fn token_call(&self, account: &Account, now: Millis) -> Result<HttpCall, String> {
        google::token_call(account, now)
    }

    fn token(&self, status: u16, body: &[u8]) -> Result<AccessToken, BotFault> {
        google::token(status, body)
    }

    fn call(&self, account: &Account, turn: &Turn, grant: &Grant<'_>) -> Result<HttpCall, String> {
        let location = settings::text(account, "location")
            .map(|location| settings::segment("location", location))
            .transpose()?;
        let base = google::base(account, location);
        let mut path = format!("projects/{}", google::project(account)?);
        if let Some(location) = location {
            path = format!("{path}/locations/{location}");
        }
        path.push_str("/agent");
        if let Some(environment) = settings::text(account, "environment") {
            let environment = settings::segment("environment", environment)?;
            path = format!("{path}/environments/{environment}/users/-");
        }
        let language = google::language(account, turn);
        let input = match turn.said.words() {
            Some(words) => json!({"text": {"text": settings::cut(words, WORDS), "languageCode": language}}),
            None => {
                let event = settings::text(account, "welcomeEvent").unwrap_or("WELCOME");
                json!({"event": {"name": event, "languageCode": language}})
            }
        };
        let mut body = json!({"queryInput": input});
        if settings::is_on(account, "sendUserData") && !turn.user_data.is_empty() {
            body["queryParams"] = json!({"payload": {"userData": turn.user_data}});
        }
        let url = format!("{base}/v2/{path}/sessions/{}:detectIntent", turn.conversation());
        google::authorized(url, grant, &body)
    }

    fn answer(&self, _account: &Account, status: u16, body: &[u8]) -> Result<BotAnswer, BotFault> {
        BotFault::of_status(status)?;
        let detected: Detected =
            serde_json::from_slice(body).map_err(|_| BotFault::Unreadable("not a detected intent"))?;
        let result = detected.query_result;
        let mut answer = BotAnswer::default();
        if !result.intent.display_name.is_empty() {
            answer.user_data.insert(
                "botIntent".to_owned(),
                Value::from(result.intent.display_name.as_str()),
            );
        }
        if !result.parameters.is_empty() {
            answer
                .user_data
                .insert("botParameters".to_owned(), Value::Object(result.parameters));
        }
        for message in result.fulfillment_messages {
            say(&mut answer, message)?;
        }
        if answer.texts.is_empty() {
            answer.texts.push(result.fulfillment_text);
        }
        if (result.intent.live_agent_handoff || result.action == HANDOVER) && answer.handover.is_none() {
            answer.handover = Some(Handover {
                reason: (!result.intent.display_name.is_empty()).then_some(result.intent.display_name),
                ..Handover::default()
            });
        }
        let ended = result.diagnostic_info.get("end_conversation") == Some(&Value::Bool(true));
        answer.end |= result.intent.end_interaction || ended;
        answer.settled()
    }
}

/// Adds a message, unless it is for one messenger only.
fn say(answer: &mut BotAnswer, message: Message) -> Result<(), BotFault> {
    if message
        .platform
        .is_some_and(|platform| platform != "PLATFORM_UNSPECIFIED")
    {
        return Ok(());
    }
    if let Some(variants) = message.text {
        answer.texts.extend(variants.text.into_iter().next());
    }
    if let Some(replies) = message.quick_replies {
        answer.texts.push(replies.title);
        let replies = replies.quick_replies.into_iter();
        answer
            .quick_replies
            .extend(replies.map(|reply| (reply.clone(), reply)));
    }
    if let Some(card) = message.card {
        answer.texts.push(format!("{}\n{}", card.title, card.subtitle));
        // A button that opens an address is for a browser; one with words is a choice.
        let buttons = card
            .buttons
            .into_iter()
            .filter(|button| !button.postback.contains("://"));
        answer.quick_replies.extend(buttons.map(|button| {
            let payload = if button.postback.is_empty() {
                button.text.clone()
            } else {
                button.postback
            };
            (button.text, payload)
        }));
    }
    if let Some(custom) = message.payload {
        payload::read_custom(answer, &custom)?;
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may end at the first surprise")]
mod tests {
    use super::super::google::tests::account;
    use super::super::turn::Said;
    use super::super::webhook::tests::turn;
    use super::*;

    fn call(config: Value, said: Said) -> Result<HttpCall, String> {
        let token = "ya29.token".to_owned().into();
        let grant = Grant {
            now: Millis(1_700_000_000_000),
            token: Some(&token),
        };
        DialogflowEs.call(&account("", config), &turn(said), &grant)
    }

    fn answer(body: &Value) -> Result<BotAnswer, BotFault> {
        DialogflowEs.answer(&Account::default(), 200, body.to_string().as_bytes())
    }

    #[test]
    fn words_go_to_the_session_of_the_agent() {
        let call = call(json!({}), Said::Text("Ä".repeat(300))).unwrap();
        let expected = "dialogflow.googleapis.com/v2/projects/demo-project/agent/sessions/\
            018bcfe5-6800-7000-8000-00000000a001:detectIntent";
        assert_eq!(call.url.strip_prefix("https://"), Some(expected));
        let body: Value = serde_json::from_slice(&call.body).unwrap();
        let words = "Ä".repeat(256);
        assert_eq!(
            body,
            json!({"queryInput": {"text": {"text": words, "languageCode": "en-US"}}})
        );
        assert!(
            call.headers
                .contains(&("authorization", "Bearer ya29.token".to_owned()))
        );
    }

    #[test]
    fn a_greeting_is_an_event_and_settings_are_heard() {
        let config = json!({"projectId": "p2", "location": "europe-west2", "environment": "live", "languageCode": "de",
            "welcomeEvent": "HELLO", "sendUserData": true});
        let call = call(config, Said::Start).unwrap();
        let expected = "europe-west2-dialogflow.googleapis.com/v2/projects/p2/locations/europe-west2/agent/environments/\
            live/users/-/sessions/018bcfe5-6800-7000-8000-00000000a001:detectIntent";
        assert_eq!(call.url.strip_prefix("https://"), Some(expected));
        let body: Value = serde_json::from_slice(&call.body).unwrap();
        assert_eq!(
            body,
            json!({"queryInput": {"event": {"name": "HELLO", "languageCode": "de"}},
                "queryParams": {"payload": {"userData": {"orderId": "77"}}}})
        );
        for (key, bad) in [("location", "a/b"), ("projectId", "../x"), ("environment", "a b")] {
            assert!(self::call(json!({key: bad}), Said::Start).is_err(), "{key}");
        }
    }

    #[test]
    fn an_intent_becomes_words_choices_and_data() {
        let answer = answer(&json!({"responseId": "r", "queryResult": {
            "queryText": "x", "action": "input.order", "parameters": {"order": "77"}, "allRequiredParamsPresent": true,
            "fulfillmentText": "Which?",
            "fulfillmentMessages": [
                {"text": {"text": ["Which?", "variant"]}},
                {"platform": "FACEBOOK", "text": {"text": ["elsewhere"]}},
                {"quickReplies": {"title": "Pick", "quickReplies": ["First", "Last"]}},
                {"card": {"title": "T", "subtitle": "S", "buttons": [{"text": "B", "postback": "b"},
                    {"text": "U", "postback": "https://example.com/"}]}},
                {"payload": {"nexus": {"userData": {"vip": true}}}}],
            "intent": {"name": "n", "displayName": "order.status"}, "intentDetectionConfidence": 0.9, "languageCode": "en"}}))
        .unwrap();
        assert_eq!(answer.texts, ["Which?", "Pick", "T\nS"]);
        let labels: Vec<&str> = answer
            .quick_replies
            .iter()
            .map(|(label, _)| label.as_str())
            .collect();
        assert_eq!(labels, ["First", "Last", "B"]);
        assert_eq!(
            Value::Object(answer.user_data),
            json!({"botIntent": "order.status", "botParameters": {"order": "77"}, "vip": true})
        );
        assert!(answer.handover.is_none() && !answer.end);
    }

    #[test]
    fn a_handover_comes_by_intent_action_or_payload() {
        let said = |result: Value| answer(&json!({"queryResult": result})).unwrap();
        let by_intent = said(
            json!({"intent": {"displayName": "human", "liveAgentHandoff": true, "endInteraction": true}}),
        );
        assert_eq!(by_intent.handover.unwrap().reason.as_deref(), Some("human"));
        assert!(!by_intent.end);
        assert!(said(json!({"action": "handover"})).handover.is_some());
        let payload = json!({"nexus": {"handover": {"queue": "billing"}}});
        let by_payload = said(json!({"action": "handover", "fulfillmentMessages": [{"payload": payload}]}));
        assert_eq!(by_payload.handover.unwrap().queue.as_deref(), Some("billing"));
        assert!(said(json!({"diagnosticInfo": {"end_conversation": true}})).end);
        assert_eq!(said(json!({"fulfillmentText": "only this"})).texts, ["only this"]);
    }

    #[test]
    fn an_answer_of_another_kind_is_unreadable() {
        for body in [
            json!({}),
            json!({"queryResult": 1}),
            json!({"error": {"code": 3}}),
        ] {
            assert!(matches!(answer(&body), Err(BotFault::Unreadable(_))), "{body}");
        }
        let refused = DialogflowEs.answer(&Account::default(), 403, b"{}");
        assert_eq!(refused, Err(BotFault::Refused(403)));
    }
}
