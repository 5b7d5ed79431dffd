//! What identifies a contact: a closed list of attributes.

use serde_json::{Map, Value};

use crate::model::Media;

/// Bytes of one attribute.
const VALUE_MAX: usize = 256;

/// The attributes that leave this service, and the fields of a form they are taken from.
const ATTRIBUTES: [(&str, &[&str]); 4] = [
    ("EmailAddress", &["EmailAddress", "emailAddress", "email"]),
    ("PhoneNumber", &["PhoneNumber", "phoneNumber", "phone"]),
    ("FirstName", &["FirstName", "firstName"]),
    ("LastName", &["LastName", "lastName"]),
];

/// What is known of a customer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contact {
    attributes: Map<String, Value>,
}

impl Contact {
    /// What a session's opening says of its customer. The address of a text message or a mail goes before what was typed.
    #[must_use]
    pub fn of(media: Media, profile: &Map<String, Value>) -> Self {
        let data = profile.get("userData").and_then(Value::as_object);
        let address = profile.get("address").and_then(Value::as_str);
        let own = match media {
            Media::Sms => "PhoneNumber",
            Media::Email => "EmailAddress",
            Media::Chat | Media::Social => "",
        };
        let mut attributes = Map::new();
        for (name, fields) in ATTRIBUTES {
            let typed = fields.iter().find_map(|field| {
                let value = profile.get(*field).or_else(|| data?.get(*field))?;
                value.as_str().filter(|text| is_value(text))
            });
            let address = address.filter(|text| name == own && is_value(text));
            if let Some(value) = address.or(typed) {
                attributes.insert(name.to_owned(), Value::from(value));
            }
        }
        Self { attributes }
    }

    /// What agents and services attached of a customer, by the names of the attributes and no others.
    #[must_use]
    pub fn learned(data: &Map<String, Value>) -> Self {
        let known = ATTRIBUTES.iter().filter_map(|(name, _)| {
            let value = data.get(*name)?.as_str().filter(|text| is_value(text))?;
            Some(((*name).to_owned(), Value::from(value)))
        });
        Self {
            attributes: known.collect(),
        }
    }

    /// What of it differs from what was known; `None`: nothing.
    #[must_use]
    pub fn beyond(mut self, known: &Self) -> Option<Self> {
        self.attributes
            .retain(|name, value| known.attributes.get(name) != Some(value));
        (!self.attributes.is_empty()).then_some(self)
    }

    /// Whether it is enough to tell one person from another: an address, or the whole name. A first name alone would find a
    /// stranger.
    #[must_use]
    pub fn identifies(&self) -> bool {
        let has = |name| self.attributes.contains_key(name);
        has("EmailAddress") || has("PhoneNumber") || (has("FirstName") && has("LastName"))
    }

    /// The attributes that are known, by their names.
    #[must_use]
    pub const fn attributes(&self) -> &Map<String, Value> {
        &self.attributes
    }
}

fn is_value(text: &str) -> bool {
    !text.trim().is_empty() && text.len() <= VALUE_MAX
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn contact(media: Media, profile: &Value) -> Contact {
        Contact::of(media, profile.as_object().unwrap())
    }

    #[test]
    fn nothing_leaves_that_is_not_on_the_list() {
        let profile = json!({"firstName": "Ann", "email": "ann@example.com", "card": "4111111111111111",
            "userData": {"PhoneNumber": "+12025550101", "ContactId": "somebody else", "LastName": 7}});
        let contact = contact(Media::Chat, &profile);
        assert_eq!(
            Value::Object(contact.attributes().clone()),
            json!({"EmailAddress": "ann@example.com", "PhoneNumber": "+12025550101", "FirstName": "Ann"})
        );
    }

    #[test]
    fn the_address_of_a_text_message_goes_before_what_was_typed() {
        let profile = json!({"address": "+12025550101", "userData": {"PhoneNumber": "+12025550199"}});
        assert_eq!(
            contact(Media::Sms, &profile).attributes()["PhoneNumber"],
            "+12025550101"
        );
        // A messenger's address is neither.
        assert!(!contact(Media::Social, &json!({"address": "@ann"})).identifies());
    }

    #[test]
    fn what_was_learned_is_what_differs() {
        let known = contact(
            Media::Chat,
            &json!({"email": "ann@example.com", "firstName": "Ann"}),
        );
        let data = json!({"EmailAddress": "ann@example.com", "LastName": "Lee", "email": "x@example.com", "order": "7"});
        let learned = Contact::learned(data.as_object().unwrap());
        let beyond = learned.beyond(&known).unwrap();
        assert_eq!(Value::Object(beyond.attributes), json!({"LastName": "Lee"}));
        assert_eq!(known.clone().beyond(&known), None);
    }

    #[test]
    fn a_first_name_alone_identifies_nobody() {
        let identifies = |profile: Value| contact(Media::Chat, &profile).identifies();
        assert!(!identifies(json!({"firstName": "Ann"})));
        assert!(!identifies(json!({"email": " ", "firstName": "Ann"})));
        assert!(identifies(json!({"firstName": "Ann", "lastName": "Lee"})));
        assert!(identifies(json!({"phone": "+12025550101"})));
    }
}
