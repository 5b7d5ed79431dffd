//! A callback of names and values, sent as a query, a form or a flat JSON object.

use serde_json::{Map, Value};

use super::form::{self, Pair};
use super::inbound::Receipt;
use super::provider::{CallbackRequest, Unreadable};

/// Names and values. Where a name is repeated the first counts, and [`Fields::repeats`] tells.
#[derive(Debug, Default)]
pub struct Fields<'r>(Vec<Pair<'r>>);

impl<'r> Fields<'r> {
    /// What a request says: its query when it is a `GET`, else its body. The two are never mixed, for often only one is signed.
    ///
    /// # Errors
    /// [`Unreadable`]: neither a form nor a JSON object of texts and numbers, or not UTF-8.
    pub fn of(request: &CallbackRequest<'r>) -> Result<Self, Unreadable> {
        if request.method == "GET" {
            return Self::of_form(request.query.as_bytes());
        }
        if is_json(request) {
            Self::of_json(request.body)
        } else {
            Self::of_form(request.body)
        }
    }

    /// Reads a form or a query.
    ///
    /// # Errors
    /// [`Unreadable`].
    pub fn of_form(text: &'r [u8]) -> Result<Self, Unreadable> {
        form::pairs(text).map(Self).ok_or(Unreadable("not a form"))
    }

    /// Reads an object of texts and numbers; `null` counts as absent. The last of a repeated name counts, as everywhere in JSON.
    ///
    /// # Errors
    /// [`Unreadable`].
    pub fn of_json(text: &'r [u8]) -> Result<Self, Unreadable> {
        let object: Map<String, Value> =
            serde_json::from_slice(text).map_err(|_| Unreadable("not a json object"))?;
        let mut pairs = Vec::with_capacity(object.len());
        for (name, value) in object {
            let value = match value {
                Value::String(text) => text,
                Value::Number(number) => number.to_string(),
                Value::Null => continue,
                Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
                    return Err(Unreadable("a field is neither a text nor a number"));
                }
            };
            pairs.push((name.into(), value.into()));
        }
        Ok(Self(pairs))
    }

    /// The value of a field; `None` where it is absent or empty.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| &**value)
            .filter(|value| !value.is_empty())
    }

    /// The first of several names that has a value: dialects have changed theirs over time.
    #[must_use]
    pub fn first(&self, names: &[&str]) -> Option<&str> {
        names.iter().find_map(|name| self.get(name))
    }

    /// Whether the field was sent at all, be it empty.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| known == name)
    }

    /// All of them.
    #[must_use]
    pub fn pairs(&self) -> &[Pair<'r>] {
        &self.0
    }

    /// All of them in order of name, then value: what signatures are made over.
    #[must_use]
    pub fn sorted(mut self) -> Self {
        self.0.sort_unstable();
        self
    }

    /// Whether a name occurs twice. Only meaningful once [sorted](Self::sorted).
    #[must_use]
    pub fn repeats(&self) -> bool {
        self.0.windows(2).any(|two| two[0].0 == two[1].0)
    }
}

/// Whether the body is declared as JSON.
#[must_use]
pub fn is_json(request: &CallbackRequest<'_>) -> bool {
    let essence = request
        .header("content-type")
        .and_then(|value| value.split(';').next())
        .unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/json")
}

/// A message id as providers give it: 1 to 200 bytes, nothing that could break a line.
///
/// # Errors
/// [`Unreadable`].
pub fn message_id(text: Option<&str>) -> Result<String, Unreadable> {
    text.filter(|id| (1..=200).contains(&id.len()) && !id.chars().any(char::is_control))
        .map(str::to_owned)
        .ok_or(Unreadable("no message id"))
}

/// The provider's words, cut to what an agent reads.
#[must_use]
pub fn detail(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(300).collect()
}

impl Receipt {
    /// With the code and the words of the provider, where there are any.
    #[must_use]
    pub fn because(mut self, code: Option<&str>, words: Option<&str>) -> Self {
        self.code = code.filter(|code| !code.is_empty()).map(detail);
        self.detail = words.filter(|words| !words.is_empty()).map(detail);
        self
    }
}
