//! What is wrong with the settings, all of it.

use std::fmt;

use super::origin::Origin;

/// One mistake: which setting, what is wrong with it, where it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The setting's path (`agent.ping`), or what else the problem is about.
    pub path: String,
    /// What is wrong and what would be right.
    pub what: String,
    /// Where the value came from; absent for a relation between settings.
    pub origin: Option<Origin>,
}

impl Problem {
    pub(super) fn at(path: &str, what: impl Into<String>, origin: &Origin) -> Self {
        Self {
            path: path.to_owned(),
            what: what.into(),
            origin: Some(origin.clone()),
        }
    }

    pub(super) fn between(path: &str, what: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            what: what.into(),
            origin: None,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.what)?;
        match &self.origin {
            Some(origin) => write!(f, " ({origin})"),
            None => Ok(()),
        }
    }
}

/// Every mistake in the settings; never empty. Shown one a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.0.len() == 1 { "" } else { "s" };
        write!(f, "{} problem{plural} in the settings", self.0.len())?;
        self.0.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

impl std::error::Error for Problems {}
