//! The seam between a bot's dialect and the rest.

use secrecy::SecretString;

use crate::model::Millis;
use crate::protocol::channel::{Account, HttpCall};

use super::answer::{BotAnswer, BotFault};
use super::dialogflow_cx::DialogflowCx;
use super::dialogflow_es::DialogflowEs;
use super::lex::Lex;
use super::turn::Turn;
use super::webhook::Webhook;

/// What a call is made with besides the account.
#[derive(Debug, Clone, Copy)]
pub struct Grant<'g> {
    /// When this attempt is made: signatures name it.
    pub now: Millis,
    /// What [`BotDialect::token`] had given, for a dialect that [needs one](BotDialect::needs_token).
    pub token: Option<&'g SecretString>,
}

/// A token that opens a bot's interface for a while.
#[derive(Debug)]
pub struct AccessToken {
    /// The token.
    pub secret: SecretString,
    /// Seconds it holds from the answer on.
    pub seconds: u64,
}

/// One provider's dialect: pure functions from a turn to a call and from its answer to what follows.
pub trait BotDialect: Sync {
    /// The `type` of a bot in provisioning.
    fn name(&self) -> &'static str;

    /// Whether its calls need a token.
    fn needs_token(&self) -> bool {
        false
    }

    /// The request that gets the token; it is good for every session of the account until it expires.
    ///
    /// # Errors
    /// A text for the operator: what the account lacks.
    fn token_call(&self, _account: &Account, _now: Millis) -> Result<HttpCall, String> {
        Err("this type of bot has no tokens".to_owned())
    }

    /// The token in the answer to that request.
    ///
    /// # Errors
    /// [`BotFault`].
    fn token(&self, _status: u16, _body: &[u8]) -> Result<AccessToken, BotFault> {
        Err(BotFault::Unreadable("a token that was not asked for"))
    }

    /// The request that asks the bot.
    ///
    /// # Errors
    /// A text for the operator: what the account lacks.
    fn call(&self, account: &Account, turn: &Turn, grant: &Grant<'_>) -> Result<HttpCall, String>;

    /// What the bot says.
    ///
    /// # Errors
    /// [`BotFault`]; nothing of the answer counts then.
    fn answer(&self, account: &Account, status: u16, body: &[u8]) -> Result<BotAnswer, BotFault>;
}

/// The dialect of a bot's `type`. A Genesys Dialog Engine bot is reached through a webhook of ours.
#[must_use]
pub fn dialect(name: &str) -> Option<&'static dyn BotDialect> {
    match name {
        "webhook" => Some(&Webhook { name: "webhook" }),
        "dialog-engine" => Some(&Webhook {
            name: "dialog-engine",
        }),
        "dialogflow-es" => Some(&DialogflowEs),
        "dialogflow-cx" => Some(&DialogflowCx),
        "lex" => Some(&Lex),
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may end at the first surprise")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TYPES: [&str; 5] = [
        "webhook",
        "dialog-engine",
        "dialogflow-es",
        "dialogflow-cx",
        "lex",
    ];

    #[test]
    fn every_type_of_provisioning_has_a_dialect_of_its_name() {
        for name in TYPES {
            assert_eq!(dialect(name).unwrap().name(), name);
        }
        assert!(dialect("Webhook").is_none());
    }

    /// JSON that looks like an answer more often than chance would have it.
    fn document() -> impl Strategy<Value = String> {
        let word = prop_oneof![
            Just("queryResult"),
            Just("fulfillmentMessages"),
            Just("responseMessages"),
            Just("text"),
            Just("payload"),
            Just("nexus"),
            Just("messages"),
            Just("quickReplies"),
            Just("handover"),
            Just("userData"),
            Just("content"),
            Just("contentType"),
            Just("sessionState"),
            Just("intent"),
            Just("liveAgentHandoff"),
            Just("metadata"),
            Just("sessionAttributes"),
            Just("PlainText"),
            Just("CustomPayload"),
            Just("label"),
            Just("end"),
            Just("access_token"),
            Just("expires_in"),
            Just("queue"),
            Just("skills"),
            Just("parameters"),
        ];
        let leaf = prop_oneof![
            word.clone().prop_map(|word| format!("\"{word}\"")),
            any::<i64>().prop_map(|number| number.to_string()),
            Just("null".to_owned()),
            Just("true".to_owned()),
        ];
        leaf.prop_recursive(6, 40, 5, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(|all| format!("[{}]", all.join(","))),
                prop::collection::vec((word.clone(), inner), 0..5).prop_map(|all| {
                    let members: Vec<String> = all
                        .iter()
                        .map(|(key, value)| format!("\"{key}\":{value}"))
                        .collect();
                    format!("{{{}}}", members.join(","))
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn whatever_a_bot_answers_is_read_calmly(status in 100_u16..600, body in document(), noise: Vec<u8>) {
            let account = Account::default();
            for name in TYPES {
                let dialect = dialect(name).unwrap();
                let _ = dialect.answer(&account, status, body.as_bytes());
                let _ = dialect.answer(&account, 200, body.as_bytes());
                let _ = dialect.answer(&account, 200, &noise);
                let _ = dialect.token(200, body.as_bytes());
            }
        }
    }
}
