//! What a caller wants an object to be, checked, with its secrets apart.

use secrecy::SecretString;
use serde_json::{Map, Value};

use super::objects::{
    Agent, ApiKey, BlockedCustomer, Bot, Channel, CustomVariable, Endpoint, FieldCode, GapiLink, Kind,
    MessageTemplate, Object, OpeningHours, PiiRule, Problems, Queue, Retention, SecretField, SecretForm,
    Sender, Service, StandardResponse, Tenant, Webhook,
};
use super::secret::{check_api_key, check_static_token};
use crate::protocol::webhook::is_signing_secret;

/// An acceptable object that is not stored yet.
#[derive(Debug)]
pub struct Draft {
    /// Which kind.
    pub kind: Kind,
    /// Its natural key.
    pub name: String,
    /// The readable part, complete with defaults.
    pub body: Value,
    /// Write-only fields the caller gave.
    pub secrets: Vec<(&'static SecretField, SecretWish)>,
    /// Whether the service itself speaks, and may write what only it notes.
    pub(super) ours: bool,
}

/// What a caller wants of a write-only field. One that is not mentioned stays as it is.
#[derive(Debug)]
pub enum SecretWish {
    /// This value.
    Set(SecretString),
    /// None any more (`null`).
    Clear,
}

/// The secret of a webhook's Standard Webhooks headers.
const SIGNING: &str = "signingSecret";
/// The longest secret: a service account with its private key is about 2.5 kB.
const SECRET_MAX: usize = 64 * 1024;

impl Draft {
    /// Reads an object of a kind from its JSON.
    ///
    /// # Errors
    /// Everything that is wrong with it. Texts never repeat a value.
    pub fn parse(kind: Kind, mut body: Map<String, Value>) -> Result<Draft, Problems> {
        let mut problems = Problems::default();
        let secrets = take_secrets(kind, &mut body, &mut problems);
        let parse = match kind {
            Kind::Tenant => read::<Tenant>,
            Kind::ApiKey => read::<ApiKey>,
            Kind::Endpoint => read::<Endpoint>,
            Kind::Channel => read::<Channel>,
            Kind::Service => read::<Service>,
            Kind::Sender => read::<Sender>,
            Kind::Bot => read::<Bot>,
            Kind::Webhook => read::<Webhook>,
            Kind::GapiLink => read::<GapiLink>,
            Kind::StandardResponse => read::<StandardResponse>,
            Kind::FieldCode => read::<FieldCode>,
            Kind::CustomVariable => read::<CustomVariable>,
            Kind::PiiRule => read::<PiiRule>,
            Kind::Agent => read::<Agent>,
            Kind::Queue => read::<Queue>,
            Kind::OpeningHours => read::<OpeningHours>,
            Kind::MessageTemplate => read::<MessageTemplate>,
            Kind::Retention => read::<Retention>,
            Kind::BlockedCustomer => read::<BlockedCustomer>,
        };
        let read = parse(Value::Object(body), &mut problems);
        problems.into_result()?;
        let (name, body) = read.unwrap_or_default();
        Ok(Draft {
            kind,
            name,
            body,
            secrets,
            ours: false,
        })
    }
}

fn read<T: Object>(body: Value, problems: &mut Problems) -> Option<(String, Value)> {
    // serde's own text may quote the value, which may be personal; only the field it names is kept.
    let object: T = match serde_json::from_value(body) {
        Ok(object) => object,
        Err(error) => {
            problems.bad(
                named_field(&error.to_string()),
                "unknown field, or a value of the wrong form",
            );
            return None;
        }
    };
    object.validate(problems);
    let body = serde_json::to_value(&object).unwrap_or_default();
    Some((object.name().to_owned(), body))
}

/// The field serde says is unknown; otherwise the object as a whole.
fn named_field(error: &str) -> String {
    unknown_field(error)
        .filter(|name| name.len() <= 64)
        .unwrap_or("data")
        .to_owned()
}

fn unknown_field(error: &str) -> Option<&str> {
    error.strip_prefix("unknown field `")?.split('`').next()
}

/// Reads an object that was stored. Fields this release does not know are passed over, because during an upgrade newer
/// nodes write them; `None` for what cannot be read even so.
pub(super) fn read_stored<T: Object>(mut body: Value) -> Option<T> {
    loop {
        let error = match serde_json::from_value(body.clone()) {
            Ok(object) => return Some(object),
            Err(error) => error.to_string(),
        };
        // Each turn takes a field away, so this ends.
        body.as_object_mut()?.remove(unknown_field(&error)?)?;
    }
}

fn take_secrets(
    kind: Kind,
    body: &mut Map<String, Value>,
    problems: &mut Problems,
) -> Vec<(&'static SecretField, SecretWish)> {
    let mut wishes = Vec::new();
    for spec in kind.secrets() {
        // What a read shows may be sent back unchanged.
        body.remove(spec.shown_as);
        let text = match body.remove(spec.field) {
            None => continue,
            Some(Value::Null) => {
                wishes.push((spec, SecretWish::Clear));
                continue;
            }
            Some(Value::String(text)) => text,
            Some(Value::Object(object)) => Value::Object(object).to_string(),
            Some(_) => {
                problems.bad(spec.field, "not a text or an object");
                continue;
            }
        };
        let refused = match (kind, spec.form) {
            (Kind::ApiKey, SecretForm::Digest) => check_api_key(&text)
                .err()
                .map(|_| "not a UUID and not a key of this service"),
            (_, SecretForm::Digest) => check_static_token(&text)
                .err()
                .map(|_| "not 16 to 256 visible characters"),
            (Kind::Webhook, _) if spec.field == SIGNING && !are_signing_secrets(&text) => {
                Some("one or two secrets `whsec_…` of 24 to 64 bytes, with a space between")
            }
            (_, SecretForm::Sealed) if text.is_empty() => Some("empty; send null to clear it"),
            (_, SecretForm::Sealed) if text.len() > SECRET_MAX => Some("longer than 65536 bytes"),
            (_, SecretForm::Sealed) => None,
        };
        match refused {
            Some(why) => problems.bad(spec.field, why),
            None => wishes.push((spec, SecretWish::Set(SecretString::from(text)))),
        }
    }
    wishes
}

/// While a secret is replaced the field holds the new one and the old one.
fn are_signing_secrets(text: &str) -> bool {
    let mut secrets = text.split_whitespace();
    let count = secrets.clone().count();
    (1..=2).contains(&count) && secrets.all(is_signing_secret)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(kind: Kind, body: Value) -> Result<Draft, Problems> {
        let Value::Object(body) = body else {
            unreachable!("tests give objects")
        };
        Draft::parse(kind, body)
    }

    #[test]
    fn secrets_leave_the_readable_part_and_do_not_print() {
        let draft = parse(
            Kind::Bot,
            json!({"name": "faq", "type": "lex", "credentials": {"secretAccessKey": "planted"}}),
        )
        .unwrap();
        assert!(!draft.body.to_string().contains("planted"));
        assert!(!format!("{draft:?}").contains("planted"));
        assert_eq!(draft.secrets.len(), 1);
    }

    #[test]
    fn unknown_fields_are_refused_by_name_and_values_are_not_repeated() {
        let problems = parse(Kind::Queue, json!({"name": "q", "colour": "red"})).unwrap_err();
        assert_eq!(problems.iter().next().unwrap().field, "colour");
        let problems = parse(Kind::Agent, json!({"login": "a", "enabled": "+12025550101"})).unwrap_err();
        assert!(!problems.to_string().contains("2025550101"));
    }

    #[test]
    fn what_a_read_shows_can_be_written_back() {
        let draft = parse(
            Kind::Bot,
            json!({"name": "faq", "type": "lex", "hasCredentials": true}),
        )
        .unwrap();
        assert!(draft.secrets.is_empty());
    }

    #[test]
    fn a_stored_object_of_a_newer_release_is_read_without_what_is_new() {
        let stored = json!({"name": "q", "priority": 3, "colour": "red", "shape": {"round": true}});
        let queue: Queue = read_stored(stored).unwrap();
        assert_eq!((queue.name.as_str(), queue.priority), ("q", 3));
        assert!(read_stored::<Queue>(json!({"name": "q", "priority": "high"})).is_none());
        assert!(read_stored::<Queue>(json!("q")).is_none());
    }

    #[test]
    fn a_signing_secret_that_would_sign_nothing_is_refused() {
        let hook = |secret: &str| {
            let body = json!({"name": "w", "url": "https://crm.example.com/", "signingSecret": secret});
            parse(Kind::Webhook, body)
        };
        let secret = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX";
        assert!(hook(secret).is_ok() && hook(&format!("{secret} {secret}")).is_ok());
        for wrong in [
            "",
            "secret",
            "whsec_x",
            &format!("{secret} x"),
            &[secret; 3].join(" "),
        ] {
            assert!(hook(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn defaults_are_written_out() {
        let draft = parse(Kind::Queue, json!({"name": "chat.inbound"})).unwrap();
        assert_eq!(draft.body["enabled"], true);
    }
}
