//! What a row of the table is.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::super::given::{FORM, Site, form};
use crate::support::python::ask;
use crate::support::receiver::{Say, Seen};

/// What every customer writes, and what they are answered.
pub(super) const HELLO: &str = "planted hello";
pub(super) const ANSWER: &str = "planted answer: on its way";
pub(super) const PASSWORD: &str = "shop:planted-password";

/// One provider.
pub(super) struct Dialect {
    pub(super) provider: &'static str,
    pub(super) media: &'static str,
    pub(super) customer: &'static str,
    /// Lines of the channel in the tenant's file; `{key}` is SendGrid's.
    pub(super) channel: &'static str,
    /// What the paths begin with that it is called by.
    pub(super) called: &'static str,
    /// The provider's interface: takes what is known of it and nothing else.
    pub(super) judge: fn(&Seen) -> Say,
    /// How it says that it has no time.
    pub(super) busy: (u16, &'static str),
    /// A customer's message.
    pub(super) hello: fn() -> Callback,
    /// What was sent by it.
    pub(super) told: fn(&Seen) -> Told,
    /// A file that was sent by it: the address it was given for it, or the bytes in base64.
    pub(super) file: fn(&Seen) -> String,
    /// That it was delivered.
    pub(super) delivered: fn(&Told, &Keys) -> Callback,
    /// What it is answered with when we have it, and when it is not vouched for.
    pub(super) codes: (u16, u16),
}

/// A message as a provider was given it.
pub(super) struct Told {
    pub(super) to: String,
    pub(super) words: String,
    /// Our id of it, where the provider has a field for it.
    pub(super) ours: String,
    /// Which mail it answers.
    pub(super) answers: Option<String>,
}

/// The pair SendGrid signs with.
pub(super) struct Keys {
    pub(super) public: String,
    pub(super) private: String,
}

impl Keys {
    pub(super) fn made() -> Self {
        let made = &ask(
            "aggregators/mail.py",
            &json!([{"do": "sign", "timestamp": "1", "body": "", "private": ""}]),
        )[0];
        let text = |name: &str| made[name].as_str().unwrap().to_owned();
        Self {
            public: text("key"),
            private: text("private"),
        }
    }
}

/// One call of a provider.
pub(super) struct Callback {
    pub(super) method: &'static str,
    /// Of the path, with its query.
    pub(super) tail: String,
    pub(super) content_type: &'static str,
    /// What vouches for it.
    pub(super) proof: Vec<(&'static str, String)>,
    pub(super) body: String,
}

impl Callback {
    pub(super) fn json(tail: &str, body: &Value) -> Self {
        Self {
            method: "POST",
            tail: tail.to_owned(),
            content_type: "application/json",
            proof: Vec::new(),
            body: body.to_string(),
        }
    }

    pub(super) fn form(tail: &str, fields: &Value) -> Self {
        Self {
            content_type: FORM,
            body: form(fields),
            ..Self::json(tail, &Value::Null)
        }
    }

    pub(super) fn with(mut self, name: &'static str, value: String) -> Self {
        self.proof.push((name, value));
        self
    }

    pub(super) fn by_password(self) -> Self {
        self.with("authorization", basic(PASSWORD))
    }

    /// The same with nothing that vouches for it: no header, and no signature among its fields.
    pub(super) fn bare(&self) -> Self {
        Self {
            method: self.method,
            tail: self.tail.clone(),
            content_type: self.content_type,
            proof: Vec::new(),
            body: self.body.replace("sig=", "gis="),
        }
    }

    pub(super) fn make(&self, site: &Site, provider: &str) -> u16 {
        let path = format!("/nexus/v3/aggregators/{provider}/ch-{provider}/{}", self.tail);
        let mut headers = vec![("content-type", self.content_type)];
        headers.extend(self.proof.iter().map(|(name, value)| (*name, value.as_str())));
        site.node()
            .send(self.method, &path, &headers, self.body.as_bytes())
            .0
    }
}

pub(super) fn basic(pair: &str) -> String {
    format!("Basic {}", STANDARD.encode(pair))
}

/// Whether a value is an object of these members and no other.
pub(super) fn is_exactly(value: &Value, names: &[&str]) -> bool {
    is_with(value, names, "")
}

/// The same where one member more may be there.
pub(super) fn is_with(value: &Value, names: &[&str], may: &str) -> bool {
    let Some(object) = value.as_object() else {
        return false;
    };
    let known = |name: &String| names.contains(&name.as_str()) || name == may;
    object.keys().all(known) && names.iter().all(|name| object.contains_key(*name))
}

/// Whether it is called as it wants to be.
pub(super) fn is_called(seen: &Seen, path: &str, header: &str, secret: &str) -> bool {
    (seen.method.as_str(), seen.path.as_str()) == ("POST", path) && seen.header(header) == secret
}

pub(super) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
