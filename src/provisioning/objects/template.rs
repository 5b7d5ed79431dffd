//! Texts the service itself says, per language.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Kind, Object, Problems};
use crate::provisioning::snapshot::{Shelf, Shelves};

/// A text in several languages, by language tag.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Texts(pub BTreeMap<String, String>);

/// A text the service itself says to a customer. Known names: `welcome`, `queue-position`, `estimated-wait`,
/// `closing`, `idle`, `closed-hours`; with a medium after a hyphen (`welcome-sms`) for channels, where also `opted-out-sms`,
/// `help-sms` and `opted-in-sms` answer STOP, HELP and START. `{name}` stands for a value given by the caller.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct MessageTemplate {
    /// What it is for.
    pub name: String,
    /// The text per language.
    pub texts: Texts,
}

/// Bytes of one text.
const TEXT_MAX: usize = 16 * 1024;

impl Texts {
    /// The text for a language: exact tag, then its first part, then the fallback's, then any.
    pub fn get(&self, language: &str, fallback: &str) -> Option<&str> {
        let primary = language.split('-').next().unwrap_or_default();
        self.tagged(language)
            .or_else(|| self.tagged(primary))
            .or_else(|| self.tagged(fallback))
            .or_else(|| self.0.values().next().map(String::as_str))
    }

    fn tagged(&self, language: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(tag, _)| tag.eq_ignore_ascii_case(language))
            .map(|(_, text)| text.as_str())
    }

    pub(super) fn validate(&self, field: &str, problems: &mut Problems) {
        if self.0.is_empty() {
            problems.missing(field);
        }
        problems.at_most(field, self.0.len(), 64);
        for (language, text) in &self.0 {
            problems.language(format!("{field}.{language}"), language);
            problems.required(&format!("{field}.{language}"), text, TEXT_MAX);
        }
    }
}

impl MessageTemplate {
    /// The text for a language with `{name}` replaced from `values`. A placeholder without a value stays as it
    /// is; values are not looked into again, so a customer's text cannot name a placeholder.
    pub fn render(&self, language: &str, fallback: &str, values: &[(&str, &str)]) -> Option<String> {
        let mut rest = self.texts.get(language, fallback)?;
        let mut out = String::with_capacity(rest.len());
        while let Some(open) = rest.find('{') {
            out.push_str(&rest[..open]);
            rest = &rest[open..];
            let found = rest.find('}').and_then(|close| {
                let value = values.iter().find(|(name, _)| *name == &rest[1..close])?;
                Some((close, value.1))
            });
            match found {
                Some((close, value)) => {
                    out.push_str(value);
                    rest = &rest[close + 1..];
                }
                None => {
                    out.push('{');
                    rest = &rest[1..];
                }
            }
        }
        out.push_str(rest);
        Some(out)
    }
}

impl Object for MessageTemplate {
    const KIND: Kind = Kind::MessageTemplate;

    fn name(&self) -> &str {
        &self.name
    }

    fn validate(&self, problems: &mut Problems) {
        problems.name("name", &self.name);
        self.texts.validate("texts", problems);
    }

    fn shelf(shelves: &Shelves) -> &Shelf<Self> {
        &shelves.templates
    }

    fn shelf_mut(shelves: &mut Shelves) -> &mut Shelf<Self> {
        &mut shelves.templates
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template() -> MessageTemplate {
        let texts = [
            ("en", "You are number {position}."),
            ("de", "Sie sind Nummer {position}."),
        ];
        MessageTemplate {
            name: "queue-position".to_owned(),
            texts: Texts(
                texts
                    .into_iter()
                    .map(|(l, t)| (l.to_owned(), t.to_owned()))
                    .collect(),
            ),
        }
    }

    #[test]
    fn the_nearest_language_is_taken() {
        let template = template();
        assert_eq!(
            template.render("de-AT", "en", &[("position", "2")]).unwrap(),
            "Sie sind Nummer 2."
        );
        assert_eq!(
            template.render("fr", "en", &[("position", "2")]).unwrap(),
            "You are number 2."
        );
    }

    #[test]
    fn a_value_is_never_read_as_a_placeholder() {
        let rendered = template()
            .render("en", "en", &[("position", "{position}")])
            .unwrap();
        assert_eq!(rendered, "You are number {position}.");
        assert_eq!(
            template().render("en", "en", &[]).unwrap(),
            "You are number {position}."
        );
    }
}
