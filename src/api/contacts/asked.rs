//! What the bodies of these calls ask for.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::log::archive::words;
use crate::model::{ContactKey, ContactKind, LogId, TenantId};
use crate::protocol::envelope::{Code, Fault};

/// Sessions of a page.
const LIMIT: usize = 20;
const LIMIT_MAX: usize = 50;

/// A question about a contact, or about words.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Question {
    pub(super) contacts: Vec<ContactKey>,
    /// By which kinds the contact is named, for the audit.
    pub(super) kinds: Vec<&'static str>,
    /// The addresses as they were given.
    pub(super) addresses: Vec<String>,
    /// The mailboxes it has.
    pub(super) mailboxes: Vec<String>,
    pub(super) words: BTreeSet<String>,
    pub(super) after: Option<LogId>,
    pub(super) limit: usize,
}

impl Question {
    /// Reads the members of `data`. Unknown ones are refused: a slip must not look like an answer about nobody.
    ///
    /// # Errors
    /// 400.
    pub(super) fn read(tenant: TenantId, data: &Map<String, Value>) -> Result<Self, Fault> {
        let mut question = Self {
            contacts: Vec::new(),
            kinds: Vec::new(),
            addresses: Vec::new(),
            mailboxes: Vec::new(),
            words: BTreeSet::new(),
            after: None,
            limit: LIMIT,
        };
        for (name, value) in data {
            let bad = || Fault::new(Code::BadValue).detail(format!("data.{name}"));
            let text = value.as_str().ok_or_else(bad);
            match name.as_str() {
                "text" => question.words = words([text?]),
                "after" => question.after = Some(text?.parse().map_err(|_| bad())?),
                "limit" => {
                    let number = value.as_u64().and_then(|number| usize::try_from(number).ok());
                    let number = number.filter(|number| (1..=LIMIT_MAX).contains(number));
                    question.limit = number.ok_or_else(bad)?;
                }
                // A mailbox has a mail address.
                name => {
                    let named = if name == "mailbox" { "email" } else { name };
                    let kind: ContactKind = named.parse().map_err(|_| bad())?;
                    let key = ContactKey::of(tenant, kind, text?).ok_or_else(bad)?;
                    let address = value.as_str().unwrap_or_default().trim();
                    question.addresses.push(address.to_owned());
                    if kind == ContactKind::Email {
                        question.mailboxes.push(address.to_lowercase());
                    }
                    question.contacts.push(key);
                    question.kinds.push(kind.as_str());
                }
            }
        }
        Ok(question)
    }

    /// The same, which must name a contact and nothing else.
    ///
    /// # Errors
    /// 400.
    pub(super) fn of_contact(self) -> Result<Self, Fault> {
        if self.contacts.is_empty() {
            let wanted = "data: one of email, phone, contactId, address, mailbox";
            return Err(Fault::new(Code::MissingField).detail(wanted));
        }
        if !self.words.is_empty() {
            return Err(Fault::new(Code::BadValue).detail("data.text"));
        }
        Ok(self)
    }

    /// The contact as the audit may name it.
    pub(super) fn digest(&self) -> String {
        let names: Vec<String> = self.contacts.iter().map(ContactKey::short).collect();
        names.join(",")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    const TENANT: TenantId = TenantId(Uuid::from_u128(1));

    fn read(data: Value) -> Result<Question, Code> {
        let data = data.as_object().cloned().unwrap();
        Question::read(TENANT, &data).map_err(|fault| fault.code)
    }

    #[test]
    fn a_contact_is_named_by_any_of_its_addresses() {
        let asked = read(json!({"mailbox": "Ann@Mail.Example", "phone": "+49 151 1", "limit": 5})).unwrap();
        assert_eq!(asked.contacts.len(), 2);
        assert_eq!(asked.kinds, ["email", "phone"]);
        assert_eq!(asked.mailboxes, ["ann@mail.example"]);
        assert_eq!(asked.limit, 5);
        assert!(!asked.digest().contains("ann"));
        assert!(asked.of_contact().is_ok());
    }

    #[test]
    fn what_names_nobody_is_refused() {
        for bad in [
            json!({"email": "ann"}),
            json!({"email": 7}),
            json!({"eMail": "ann@mail.example"}),
            json!({"limit": 0}),
            json!({"limit": 51}),
            json!({"after": "x"}),
        ] {
            assert_eq!(read(bad.clone()), Err(Code::BadValue), "{bad}");
        }
        assert!(read(json!({})).unwrap().of_contact().is_err());
        let both = json!({"email": "ann@mail.example", "text": "order"});
        assert!(read(both).unwrap().of_contact().is_err());
    }
}
