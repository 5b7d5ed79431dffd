//! Where the values of field codes come from: for texts that a strategy or an agent is about to send.

use serde_json::{Map, Value};

use crate::model::{SessionEvent, TenantId};
use crate::protocol::agent::timestamp;
use crate::protocol::envelope::Fault;
use crate::protocol::expression::{Expression, Root, render};
use crate::provisioning::Snapshot;
use crate::provisioning::objects::{Agent, CustomVariable, FieldCode};
use crate::routing::display_name;
use crate::session::Phase;
use crate::shard::{SessionView, Shards};

/// What a text is filled in for.
pub struct Values<'a> {
    /// What is provisioned.
    pub snapshot: &'a Snapshot,
    /// Whose codes and variables.
    pub tenant: TenantId,
    /// The conversation, where there is one.
    pub session: Option<&'a SessionView>,
    /// What the customer said of themselves, from [`profile`].
    pub profile: Map<String, Value>,
    /// Who will send it.
    pub agent: Option<&'a Agent>,
}

/// What the customer said of themselves when the session began.
///
/// # Errors
/// 503 where it is no longer in memory and the store is away.
pub async fn profile(shards: &Shards, view: &SessionView) -> Result<Map<String, Value>, Fault> {
    let of = |record: &crate::model::Record<SessionEvent>| {
        matches!(record.event, SessionEvent::Opened { .. })
            .then(|| serde_json::from_str(record.body.as_str()).unwrap_or_default())
    };
    if let Some(profile) = view.tail.iter().find_map(|entry| of(&entry.record)) {
        return Ok(profile);
    }
    let page = shards.session_page_forward(view.log, 1, 1).await;
    let page = page.map_err(|_| Fault::unavailable(std::time::Duration::from_secs(1)))?;
    Ok(page
        .iter()
        .find_map(|entry| of(&entry.record))
        .unwrap_or_default())
}

impl Values<'_> {
    /// A text with its field codes filled in, and with the paths that stand in it as they are. What has no value is empty;
    /// a name that is neither stays.
    #[must_use]
    pub fn fill(&self, text: &str) -> String {
        render(text, |name| {
            match self.snapshot.named::<FieldCode>(self.tenant, name) {
                Some(code) => self.evaluate(&code.value.expression),
                None if name.contains(['"', '\'']) => None,
                None => self.evaluate(name),
            }
        })
    }

    /// The value of an expression; empty where there is none. `None` for what is no expression.
    #[must_use]
    pub fn evaluate(&self, expression: &str) -> Option<String> {
        let expression = Expression::parse(expression).ok()?;
        Some(
            expression
                .value(|root, path| self.value(root, path))
                .unwrap_or_default(),
        )
    }

    fn value(&self, root: Root, path: &[&str]) -> Option<String> {
        match root {
            Root::Contact => {
                let data = self.session.map(|view| view.state.data());
                looked_up(&self.profile, path).or_else(|| looked_up(data?, path))
            }
            Root::Agent => self.of_agent(path),
            Root::Session => self.of_session(path),
            Root::Variable => {
                let [name] = path else { return None };
                let variable = self.snapshot.named::<CustomVariable>(self.tenant, name)?;
                Some(variable.value.value.clone())
            }
        }
    }

    fn of_agent(&self, path: &[&str]) -> Option<String> {
        let (agent, [name]) = (self.agent?, path) else {
            return None;
        };
        Some(match name.to_ascii_lowercase().as_str() {
            "firstname" => agent.first_name.clone(),
            "lastname" => agent.last_name.clone(),
            "nickname" => agent.nickname.clone(),
            "login" => agent.login.clone(),
            "name" => display_name(agent),
            _ => return None,
        })
    }

    fn of_session(&self, path: &[&str]) -> Option<String> {
        let view = self.session?;
        let about = view.state.about()?;
        match path {
            [data, rest @ ..] if data.eq_ignore_ascii_case("userData") => looked_up(view.state.data(), rest),
            [name] => Some(match name.to_ascii_lowercase().as_str() {
                "id" => view.log.to_string(),
                "mediatype" => about.media.as_str().to_owned(),
                "endpoint" => about.endpoint.clone(),
                "language" => about.locale.clone()?,
                "started" => timestamp(about.at),
                "queue" => match view.state.phase() {
                    Phase::Waiting { place, .. } => place.queue.clone(),
                    _ => view.state.home()?.queue.clone(),
                },
                _ => return None,
            }),
            _ => None,
        }
    }
}

/// A value by a path of names, in any case of their letters.
fn looked_up(object: &Map<String, Value>, path: &[&str]) -> Option<String> {
    let (name, rest) = path.split_first()?;
    let exact = object.get(*name);
    let value = exact.or_else(|| {
        let mut members = object.iter();
        members
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    })?;
    match (value, rest) {
        (Value::Object(inner), rest) if !rest.is_empty() => looked_up(inner, rest),
        (Value::String(text), []) => Some(text.clone()),
        (Value::Number(number), []) => Some(number.to_string()),
        (Value::Bool(bool), []) => Some(bool.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_in_any_case_and_exactly_before_that() {
        let json = serde_json::json!({"FirstName": "Ann", "firstname": "ann", "order": {"Id": 7}});
        let object = json.as_object().unwrap();
        assert_eq!(looked_up(object, &["firstname"]).as_deref(), Some("ann"));
        assert_eq!(looked_up(object, &["Order", "id"]).as_deref(), Some("7"));
        assert_eq!(looked_up(object, &["order"]), None);
        assert_eq!(looked_up(object, &[]), None);
    }
}
