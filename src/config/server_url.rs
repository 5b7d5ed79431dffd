//! The URL of a server we connect to. It holds no password: that has a key of its own.

use std::fmt;

use super::layers::Raw;
use super::origin::Origin;
use super::setting::{Setting, quoted, text_of};

/// `scheme://[user@]host[:port][/name]`, without a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerUrl(String);

impl ServerUrl {
    /// The URL as given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part before `://`.
    pub fn scheme(&self) -> &str {
        self.0.split_once("://").map_or("", |(scheme, _)| scheme)
    }
}

impl Setting for ServerUrl {
    // A URL that is refused for its password must not be repeated.
    const SECRET: bool = true;

    fn read(raw: &Raw, _: &Origin) -> Result<Self, String> {
        let text = text_of(raw).unwrap_or_default();
        let (scheme, rest) = text.split_once("://").unwrap_or(("", ""));
        let authority = rest.split(['/', '?']).next().unwrap_or_default();
        let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
        if scheme.is_empty() || host.is_empty() {
            return Err("a URL such as \"redis://127.0.0.1:6379\"".to_owned());
        }
        if user.contains(':') || rest.contains("password=") {
            return Err("a URL without a password; `password_file` names the file that holds it".to_owned());
        }
        Ok(Self(text.to_owned()))
    }

    fn show(&self) -> String {
        quoted(self)
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
