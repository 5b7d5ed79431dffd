//! The layers flattened: for each dotted path, what was given and by whom, weakest first.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use super::origin::Origin;
use super::problem::Problem;

/// A value as it was written, before anybody knows what it should be.
#[derive(Debug, Clone, PartialEq)]
pub enum Raw {
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// A quoted text.
    Text(String),
    /// A list.
    List(Vec<Raw>),
    /// Text of the environment or the command line, which has no types.
    Loose(String),
    /// Something no setting can be.
    Other(&'static str),
}

/// One value from one layer.
#[derive(Debug, Clone)]
pub(super) struct Given {
    pub(super) raw: Raw,
    pub(super) origin: Origin,
}

/// Everything that was given.
#[derive(Debug, Default)]
pub(super) struct Layers {
    given: BTreeMap<String, Vec<Given>>,
}

const PREFIX: &str = "NEXUS__";

impl Layers {
    /// What was given for `path`, the winning one last.
    pub(super) fn of(&self, path: &str) -> &[Given] {
        self.given.get(path).map_or(&[], Vec::as_slice)
    }

    /// Every path somebody gave, with the givers.
    pub(super) fn paths(&self) -> impl Iterator<Item = (&str, &[Given])> {
        self.given
            .iter()
            .map(|(path, given)| (path.as_str(), given.as_slice()))
    }

    /// Adds a TOML text; `path` is absent for the compiled-in one.
    pub(super) fn add_toml(&mut self, text: &str, path: Option<&Path>, problems: &mut Vec<Problem>) {
        let path = path.map(|path| Arc::new(path.to_path_buf()));
        let (table, errors) = DeTable::parse_recoverable(text);
        for error in errors {
            let at = error.span().map_or(0, |span| span.start);
            let origin = origin_at(path.as_ref(), text, at);
            problems.push(Problem::at("syntax", error.message(), &origin));
        }
        self.add_table("", table.get_ref(), path.as_ref(), text);
    }

    fn add_table(&mut self, prefix: &str, table: &DeTable<'_>, path: Option<&Arc<PathBuf>>, text: &str) {
        for (key, value) in table {
            let name = if prefix.is_empty() {
                key.get_ref().to_string()
            } else {
                format!("{prefix}.{}", key.get_ref())
            };
            match value.get_ref() {
                DeValue::Table(inner) => self.add_table(&name, inner, path, text),
                leaf => {
                    let origin = origin_at(path, text, key.span().start);
                    self.add(name, raw(leaf), origin);
                }
            }
        }
    }

    /// Adds the variables that start with `NEXUS__`.
    pub(super) fn add_environment(&mut self, variables: impl IntoIterator<Item = (String, String)>) {
        for (name, value) in variables {
            if let Some(path) = name.strip_prefix(PREFIX) {
                let path = path.to_lowercase().replace("__", ".");
                self.add(path, Raw::Loose(value), Origin::Environment(name));
            }
        }
    }

    /// Adds `path=value` from the command line.
    pub(super) fn add_flag(&mut self, flag: &str, problems: &mut Vec<Problem>) {
        match flag.split_once('=') {
            Some((path, value)) => self.add(
                path.trim().to_owned(),
                Raw::Loose(value.trim().to_owned()),
                Origin::Flag,
            ),
            None => problems.push(Problem::at(flag, "expected `section.key=value`", &Origin::Flag)),
        }
    }

    fn add(&mut self, path: String, raw: Raw, origin: Origin) {
        self.given.entry(path).or_default().push(Given { raw, origin });
    }
}

/// The environment variable that sets `path`.
pub(super) fn variable(path: &str) -> String {
    format!("{PREFIX}{}", path.to_uppercase().replace('.', "__"))
}

fn origin_at(path: Option<&Arc<PathBuf>>, text: &str, offset: usize) -> Origin {
    path.map_or(Origin::Default, |path| Origin::File {
        path: Arc::clone(path),
        line: 1 + text
            .as_bytes()
            .iter()
            .take(offset)
            .filter(|byte| **byte == b'\n')
            .count(),
    })
}

fn raw(value: &DeValue<'_>) -> Raw {
    match value {
        DeValue::Boolean(value) => Raw::Bool(*value),
        DeValue::String(text) => Raw::Text(text.to_string()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or(Raw::Other("a number that large"), Raw::Integer),
        DeValue::Array(items) => Raw::List(items.iter().map(|item| raw(item.get_ref())).collect()),
        DeValue::Float(_) => Raw::Other("a fraction"),
        DeValue::Datetime(_) => Raw::Other("a date"),
        DeValue::Table(_) => Raw::Other("a table"),
    }
}
