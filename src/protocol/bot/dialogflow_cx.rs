//! Dialogflow CX: `detectIntent` of version 3, JSON over HTTPS.
//!
//! `credentials`: the key file of a service account, see `google.rs`. `config`:
//! - `agentId`: the agent's id, required.
//! - `location`: `europe-west1` and so on, `global` unless said otherwise.
//! - `projectId`: where it is not that of the key file.
//! - `environment`: the id of a published environment; absent is the draft.
//! - `languageCode`: asked in whatever the customer's language; absent is the customer's.
//! - `welcomeEvent`: the event that makes it greet, `WELCOME` unless said otherwise.
//! - `sendUserData`: `true` lets the agent see the attached data as session parameters.
//!
//! The intent becomes `botIntent` and the session's parameters `botParameters` of the attached data. A customer is handed over by
//! a live agent hand-off, whose metadata may hold `queue`, `skills` and `reason`, or by a custom payload with member `nexus`
//! (`payload.rs`).

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::model::Millis;
use crate::protocol::channel::{Account, HttpCall};

use super::answer::{BotAnswer, BotFault};
use super::dialect::{AccessToken, BotDialect, Grant};
use super::google::{self, WORDS};
use super::turn::Turn;
use super::{payload, settings};

/// The dialect.
pub(super) struct DialogflowCx;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Detected {
    query_result: QueryResult,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct QueryResult {
    parameters: Map<String, Value>,
    response_messages: Vec<Message>,
    intent: Intent,
    r#match: Match,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Intent {
    display_name: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Match {
    intent: Intent,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Message {
    text: Option<Variants>,
    payload: Option<Value>,
    live_agent_handoff: Option<Handoff>,
    end_interaction: Option<Value>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Variants {
    text: Vec<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Handoff {
    metadata: Value,
}

impl BotDialect for DialogflowCx {
    fn name(&self) -> &'static str {
        "dialogflow-cx"
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
        let location = settings::text(account, "location").unwrap_or("global");
        let location = settings::segment("location", location)?;
        let agent = settings::segment("agentId", settings::required(account, "agentId")?)?;
        let mut path = format!(
            "projects/{}/locations/{location}/agents/{agent}",
            google::project(account)?
        );
        if let Some(environment) = settings::text(account, "environment") {
            path = format!(
                "{path}/environments/{}",
                settings::segment("environment", environment)?
            );
        }
        let mut input = match turn.said.words() {
            Some(words) => json!({"text": {"text": settings::cut(words, WORDS)}}),
            None => {
                let event = settings::text(account, "welcomeEvent").unwrap_or("WELCOME");
                json!({"event": {"event": event}})
            }
        };
        input["languageCode"] = Value::from(google::language(account, turn));
        let mut body = json!({"queryInput": input});
        if settings::is_on(account, "sendUserData") && !turn.user_data.is_empty() {
            body["queryParams"] = json!({"parameters": turn.user_data});
        }
        let base = google::base(account, Some(location));
        let url = format!("{base}/v3/{path}/sessions/{}:detectIntent", turn.conversation());
        google::authorized(url, grant, &body)
    }

    fn answer(&self, _account: &Account, status: u16, body: &[u8]) -> Result<BotAnswer, BotFault> {
        BotFault::of_status(status)?;
        let detected: Detected =
            serde_json::from_slice(body).map_err(|_| BotFault::Unreadable("not a detected intent"))?;
        let result = detected.query_result;
        let mut answer = BotAnswer::default();
        let intent = [result.r#match.intent.display_name, result.intent.display_name]
            .into_iter()
            .find(|name| !name.is_empty());
        if let Some(intent) = intent {
            answer
                .user_data
                .insert("botIntent".to_owned(), Value::from(intent));
        }
        if !result.parameters.is_empty() {
            answer
                .user_data
                .insert("botParameters".to_owned(), Value::Object(result.parameters));
        }
        for message in result.response_messages {
            if let Some(variants) = message.text {
                answer.texts.extend(variants.text.into_iter().next());
            }
            if let Some(handoff) = message.live_agent_handoff {
                answer.handover = Some(payload::handover(&handoff.metadata));
            }
            if let Some(custom) = message.payload {
                payload::read_custom(&mut answer, &custom)?;
            }
            answer.end |= message.end_interaction.is_some();
        }
        answer.settled()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may end at the first surprise")]
mod tests {
    use super::super::answer::Handover;
    use super::super::google::tests::account;
    use super::super::turn::Said;
    use super::super::webhook::tests::turn;
    use super::*;

    const AGENT: &str = "8a2b3c4d-0000-4000-8000-000000000001";

    fn call(config: Value, said: Said) -> Result<HttpCall, String> {
        let token = "ya29.token".to_owned().into();
        let grant = Grant {
            now: Millis(1_700_000_000_000),
            token: Some(&token),
        };
        DialogflowCx.call(&account("", config), &turn(said), &grant)
    }

    fn answer(body: &Value) -> Result<BotAnswer, BotFault> {
        DialogflowCx.answer(&Account::default(), 200, body.to_string().as_bytes())
    }

    #[test]
    fn words_and_events_go_to_the_session_of_the_agent() {
        let call = call(json!({"agentId": AGENT}), Said::Text("Hi".to_owned())).unwrap();
        let expected = format!(
            "dialogflow.googleapis.com/v3/projects/demo-project/locations/global/agents/{AGENT}/sessions/\
             018bcfe5-6800-7000-8000-00000000a001:detectIntent"
        );
        assert_eq!(call.url.strip_prefix("https://"), Some(expected.as_str()));
        let body: Value = serde_json::from_slice(&call.body).unwrap();
        assert_eq!(
            body,
            json!({"queryInput": {"text": {"text": "Hi"}, "languageCode": "en-US"}})
        );

        let config =
            json!({"agentId": AGENT, "location": "europe-west1", "environment": "e1", "sendUserData": true});
        let call = self::call(config, Said::Start).unwrap();
        let expected = format!(
            "europe-west1-dialogflow.googleapis.com/v3/projects/demo-project/locations/europe-west1/agents/{AGENT}/\
             environments/e1/sessions/018bcfe5-6800-7000-8000-00000000a001:detectIntent"
        );
        assert_eq!(call.url.strip_prefix("https://"), Some(expected.as_str()));
        let body: Value = serde_json::from_slice(&call.body).unwrap();
        assert_eq!(
            body,
            json!({"queryInput": {"event": {"event": "WELCOME"}, "languageCode": "en-US"},
                "queryParams": {"parameters": {"orderId": "77"}}})
        );
        assert!(self::call(json!({}), Said::Start).is_err());
    }

    #[test]
    fn a_page_becomes_words_choices_data_and_a_handover() {
        let answer = answer(&json!({"responseId": "r", "queryResult": {
            "text": "x", "languageCode": "en", "parameters": {"order": "77"},
            "responseMessages": [
                {"text": {"text": ["One moment."], "allowPlaybackInterruption": false}},
                {"payload": {"nexus": {"quickReplies": [{"label": "Yes"}]}, "richContent": []}},
                {"conversationSuccess": {}},
                {"liveAgentHandoff": {"metadata": {"queue": "billing", "skills": ["french"], "other": 1}}},
                {"endInteraction": {}}],
            "currentPage": {"displayName": "End"}, "match": {"intent": {"displayName": "refund"}}}, "responseType": "FINAL"}))
        .unwrap();
        assert_eq!(answer.texts, ["One moment."]);
        assert_eq!(answer.quick_replies.len(), 1);
        assert_eq!(
            Value::Object(answer.user_data),
            json!({"botIntent": "refund", "botParameters": {"order": "77"}})
        );
        assert_eq!(
            answer.handover,
            Some(Handover {
                queue: Some("billing".to_owned()),
                skills: vec!["french".to_owned()],
                reason: None
            })
        );
        assert!(!answer.end);
    }

    #[test]
    fn an_end_ends_and_a_bare_handoff_hands_over() {
        let said = |messages: Value| answer(&json!({"queryResult": {"responseMessages": messages}})).unwrap();
        assert!(said(json!([{"endInteraction": {}}])).end);
        assert_eq!(
            said(json!([{"liveAgentHandoff": {}}])).handover,
            Some(Handover::default())
        );
        assert_eq!(said(json!([])), BotAnswer::default());
    }
}
