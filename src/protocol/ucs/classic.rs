//! The documented form of release 9.1: services and methods in the path, `{"Parameters":{},"UserData":{}}` in the body, flat
//! answers. Services, methods, verbs and the parameters of an identification are documented; those of `Chat` are the contract's
//! reading.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::model::{LogId, Media};
use crate::protocol::agent::timestamp;
use crate::protocol::channel::HttpCall;

use super::answer::{Answer, Identified, is_id, of_status, refused};
use super::contact::Contact;
use super::dialect::{Dialect, Ending, Interaction, Site, call};

/// The dialect named `classic`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Classic;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Request<'r> {
    parameters: Value,
    user_data: &'r Map<String, Value>,
}

/// The entries of an answer that are read. Numbers may come as text.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Flat {
    #[serde(default)]
    fault_code: Option<Value>,
    #[serde(default)]
    contact_id: Option<String>,
    #[serde(default)]
    number_of_contacts_found: Option<Value>,
}

impl Dialect for Classic {
    fn name(&self) -> &'static str {
        "classic"
    }

    fn identify(&self, site: &Site<'_>, interaction: LogId, media: Media, contact: &Contact) -> HttpCall {
        let request = Request {
            parameters: json!({"TenantId": tenant(site.sid), "MediaType": media, "CreateContact": "true",
                "ReturnUnique": "true"}),
            user_data: contact.attributes(),
        };
        let key = format!("{interaction}.identify");
        call(site, "POST", "/ucs/v1/Contact/Identify", &key, &request)
    }

    fn identified(&self, status: u16, body: &[u8]) -> Result<Identified, Answer> {
        if let Some(answer) = of_status(status) {
            return Err(answer);
        }
        let flat = flat(body)?;
        let found = flat.number_of_contacts_found.as_ref().and_then(number);
        match flat.contact_id {
            _ if found.is_some_and(|found| found > 1) => Ok(Identified::Several),
            Some(id) if is_id(&id) => Ok(Identified::One(id)),
            _ => Err(Answer::Later),
        }
    }

    fn create(&self, site: &Site<'_>, interaction: &Interaction<'_>) -> HttpCall {
        let mut parameters = json!({"TenantId": tenant(site.sid), "InteractionId": interaction.id,
            "MediaTypeId": interaction.media, "TypeId": "Inbound", "SubtypeId": interaction.subtype,
            "StartDate": timestamp(interaction.started)});
        if let Some(contact) = interaction.contact {
            parameters["ContactId"] = Value::from(contact);
        }
        let request = Request {
            parameters,
            user_data: interaction.user_data,
        };
        let key = format!("{}.create", interaction.id);
        call(site, "POST", "/ucs/v1/Chat/Create", &key, &request)
    }

    fn stop(&self, site: &Site<'_>, ending: &Ending<'_>) -> HttpCall {
        let mut parameters = json!({"InteractionId": ending.id, "EndDate": timestamp(ending.ended),
            "Transcript": ending.transcript.canonical()});
        if let Some(comment) = ending.comment {
            parameters["TheComment"] = Value::from(comment);
        }
        let mut data = Map::new();
        if let Some(disposition) = ending.disposition {
            data.insert("Disposition".to_owned(), Value::from(disposition));
        }
        let request = Request {
            parameters,
            user_data: &data,
        };
        let key = format!("{}.stop", ending.id);
        call(site, "PUT", "/ucs/v1/Chat/Close", &key, &request)
    }

    fn done(&self, status: u16, body: &[u8]) -> Answer {
        if let Some(answer) = of_status(status) {
            return answer;
        }
        if body.is_empty() {
            return Answer::Done;
        }
        match flat(body) {
            Ok(_) => Answer::Done,
            Err(answer) => answer,
        }
    }
}

fn flat(body: &[u8]) -> Result<Flat, Answer> {
    let flat: Flat = serde_json::from_slice(body).map_err(|_| Answer::Later)?;
    match flat.fault_code.as_ref().map(number) {
        None => Ok(flat),
        Some(Some(code)) => Err(refused(code)),
        Some(None) => Err(refused("fault")),
    }
}

fn number(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.trim().parse().ok())
}

/// The number of a tenant as the configuration has it: that in its short id (`t100`), else the first tenant's.
fn tenant(sid: &str) -> u32 {
    sid.trim_start_matches(|c: char| !c.is_ascii_digit())
        .parse()
        .unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::transcript::sample;
    use super::*;
    use crate::model::{Millis, TenantId};

    fn site() -> Site<'static> {
        Site {
            base: "http://ucs:8080/base",
            ccid: TenantId(uuid::Uuid::nil()),
            sid: "t101",
            bearer: None,
        }
    }

    fn body(call: &HttpCall) -> Value {
        serde_json::from_slice(&call.body).unwrap()
    }

    #[test]
    fn requests_have_the_documented_form() {
        let id = LogId::from_bytes([0x11; 16]);
        let profile = json!({"email": "constance@example.com"});
        let contact = Contact::of(Media::Chat, profile.as_object().unwrap());
        let identify = Classic.identify(&site(), id, Media::Chat, &contact);
        assert_eq!(
            (identify.method, identify.url.as_str()),
            ("POST", "http://ucs:8080/base/ucs/v1/Contact/Identify")
        );
        assert_eq!(
            body(&identify),
            json!({"Parameters": {"TenantId": 101, "MediaType": "chat", "CreateContact": "true", "ReturnUnique": "true"},
                "UserData": {"EmailAddress": "constance@example.com"}})
        );
        let data = Map::new();
        let interaction = Interaction {
            id,
            contact: None,
            media: Media::Chat,
            subtype: "InboundNew",
            started: Millis(0),
            user_data: &data,
        };
        let create = Classic.create(&site(), &interaction);
        assert_eq!(
            (create.method, create.url.as_str()),
            ("POST", "http://ucs:8080/base/ucs/v1/Chat/Create")
        );
        assert!(body(&create)["Parameters"].get("ContactId").is_none());
        let transcript = sample();
        let ending = Ending {
            id,
            ended: Millis(1),
            disposition: Some("sold"),
            comment: Some("nice"),
            transcript: &transcript,
        };
        let close = Classic.stop(&site(), &ending);
        assert_eq!(
            (close.method, close.url.as_str()),
            ("PUT", "http://ucs:8080/base/ucs/v1/Chat/Close")
        );
        assert_eq!(body(&close)["Parameters"]["Transcript"], transcript.canonical());
        assert_eq!(body(&close)["UserData"]["Disposition"], "sold");
    }

    #[test]
    fn flat_answers_and_faults_are_read() {
        let one = br#"{"ContactId":"0000DEMO0001","ContactCreated":"true","NumberOfContactsFound":"1"}"#;
        assert_eq!(
            Classic.identified(200, one),
            Ok(Identified::One("0000DEMO0001".to_owned()))
        );
        let several = br#"{"NumberOfContactsFound":2}"#;
        assert_eq!(Classic.identified(200, several), Ok(Identified::Several));
        let fault = br#"{"FaultCode":"201","FaultString":"Missing parameter"}"#;
        assert_eq!(Classic.identified(200, fault), Err(refused(201)));
        assert_eq!(Classic.done(200, fault), refused(201));
        assert_eq!(Classic.done(200, b"{}"), Answer::Done);
        assert_eq!(Classic.done(200, b"busy"), Answer::Later);
    }

    proptest! {
        #[test]
        fn no_answer_makes_it_panic(status: u16, body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Classic.identified(status, &body);
            let _ = Classic.done(status, &body);
        }

        #[test]
        fn any_short_id_gives_a_tenant(sid: String) {
            let _ = tenant(&sid);
        }
    }
}
