//! Secrets: from the environment, or from a file named by the key that ends in `_file`.

use std::fmt;
use std::path::Path;

use secrecy::{ExposeSecret, SecretString};

use super::layers::Raw;
use super::origin::Origin;
use super::setting::{Setting, quoted};

/// A secret, or none. Never shown, wiped from memory when dropped.
#[derive(Clone, Default)]
pub struct Secret(Option<SecretString>);

impl Secret {
    /// No secret.
    pub const fn none() -> Self {
        Self(None)
    }

    /// The secret in clear, for the one place that uses it.
    pub fn expose(&self) -> Option<&str> {
        self.0.as_ref().map(ExposeSecret::expose_secret)
    }

    /// Whether there is one.
    pub fn is_set(&self) -> bool {
        self.0.is_some()
    }

    /// Reads it from a file; a line end at the end does not belong to it.
    pub(super) fn from_file(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|error| format!("cannot be read: {error}"))?;
        match text.trim_end_matches(['\r', '\n']) {
            "" => Err("is empty".to_owned()),
            secret => Ok(Self(Some(secret.to_owned().into()))),
        }
    }
}

impl Setting for Secret {
    const SECRET: bool = true;

    fn read(raw: &Raw, origin: &Origin) -> Result<Self, String> {
        match (raw, origin) {
            (Raw::Text(text) | Raw::Loose(text), _) if text.is_empty() => Ok(Self(None)),
            (Raw::Loose(text), Origin::Environment(_)) => Ok(Self(Some(text.clone().into()))),
            _ => Err(
                "a secret only from the environment, or in a file named by the key with `_file`".to_owned(),
            ),
        }
    }

    fn show(&self) -> String {
        quoted(if self.is_set() { "***" } else { "" })
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_set() { "***" } else { "none" })
    }
}
