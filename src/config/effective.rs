//! The settings as they are in force, one line each, for `check-config`.

use std::fmt;

use super::origin::Origin;

/// One setting in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effective {
    /// Its dotted path.
    pub path: String,
    /// Its value as written in TOML; secrets are masked.
    pub value: String,
    /// Where it was given.
    pub origin: Origin,
}

impl fmt::Display for Effective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}  # {}", self.path, self.value, self.origin)
    }
}
