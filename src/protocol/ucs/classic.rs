//! The documented form of release 9.1: services and methods in the path, `{"Parameters":{},"UserData":{}}` in the body, flat
//! answers. Services, methods, verbs and the parameters of an identification are documented; those of `Chat` are the contract's
//! reading.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::model::{LogId, Media};
use crate::protocol::agent::timestamp;
use crate::protocol::channel::HttpCall;

use super::answer::{Answer, Identified, is_id, of_status, refused};
use super::attachment::Attachment;
use super::contact::Contact;
use super::dialect::{Dialect, Ending, Interaction, Remark, Site, call, read};
use super::past::{Names, PageAsked, PastPage};

/// The entries of a listed interaction.
const LISTED: Names = [
    "Id",
    "MediaTypeId",
    "TypeId",
    "Status",
    "StartDate",
    "EndDate",
    "Subject",
    "TheComment",
    "Disposition",
];

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
    #[serde(default)]
    interactions: Option<Vec<Value>>,
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
        let data = noted(&mut parameters, ending.disposition, ending.comment);
        let request = Request {
            parameters,
            user_data: &data,
        };
        let key = format!("{}.stop", ending.id);
        call(site, "PUT", "/ucs/v1/Chat/Close", &key, &request)
    }

    fn remark(&self, site: &Site<'_>, remark: &Remark<'_>) -> HttpCall {
        let mut parameters = json!({"InteractionId": remark.id});
        let data = noted(&mut parameters, remark.disposition, remark.comment);
        let request = Request {
            parameters,
            user_data: &data,
        };
        let key = format!("{}.{}", remark.id, remark.n);
        call(site, "PUT", "/ucs/v1/Chat/Update", &key, &request)
    }

    fn attach(&self, site: &Site<'_>, file: &Attachment<'_>) -> HttpCall {
        file.add_document(site)
    }

    fn update(&self, site: &Site<'_>, interaction: LogId, id: &str, contact: &Contact) -> HttpCall {
        let request = Request {
            parameters: json!({"TenantId": tenant(site.sid), "ContactId": id}),
            user_data: contact.attributes(),
        };
        let key = format!("{interaction}.contact");
        call(site, "PUT", "/ucs/v1/Contact/Update", &key, &request)
    }

    /// A page begins after as many interactions as its cursor says.
    fn past(&self, site: &Site<'_>, asked: &PageAsked<'_>) -> HttpCall {
        let (tenant, limit) = (tenant(site.sid).to_string(), asked.limit.to_string());
        let from = from(asked).to_string();
        let query = [
            ("TenantId", tenant.as_str()),
            ("ContactId", asked.contact),
            ("IndexFrom", &from),
            ("MaxCount", &limit),
        ];
        read(site, "/ucs/v1/OMInteractions/GetInteractionsForContact", &query)
    }

    fn listed(&self, status: u16, body: &[u8], asked: &PageAsked<'_>) -> Result<PastPage, Answer> {
        if let Some(answer) = of_status(status) {
            return Err(answer);
        }
        // A contact without any may have no list.
        let entries = flat(body)?.interactions.unwrap_or_default();
        let more = entries.len() >= usize::from(asked.limit);
        let next = more.then(|| (from(asked) + u32::from(asked.limit)).to_string());
        Ok(PastPage::read(&entries, LISTED, asked.limit, next.as_deref()))
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

/// Puts a remark into the parameters, and a disposition where user data goes.
fn noted(parameters: &mut Value, disposition: Option<&str>, comment: Option<&str>) -> Map<String, Value> {
    if let Some(comment) = comment {
        parameters["TheComment"] = Value::from(comment);
    }
    let disposition = disposition.map(|text| ("Disposition".to_owned(), Value::from(text)));
    Map::from_iter(disposition)
}

fn flat(body: &[u8]) -> Result<Flat, Answer> {
    let flat: Flat = serde_json::from_slice(body).map_err(|_| Answer::Later)?;
    match flat.fault_code.as_ref().map(number) {
        None => Ok(flat),
        Some(Some(code)) => Err(refused(code)),
        Some(None) => Err(refused("fault")),
    }
}

/// How many interactions are before the page.
fn from(asked: &PageAsked<'_>) -> u32 {
    let cursor = asked.cursor.and_then(|cursor| cursor.parse::<u16>().ok());
    cursor.map_or(0, u32::from)
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

    fn asked(cursor: Option<&str>) -> PageAsked<'_> {
        PageAsked {
            contact: "0000DEMO0001",
            limit: 2,
            cursor,
        }
    }

    #[test]
    fn the_past_is_paged_by_how_much_was_seen() {
        let call = Classic.past(&site(), &asked(Some("4")));
        assert_eq!(
            (call.method, call.url.as_str()),
            (
                "GET",
                "http://ucs:8080/base/ucs/v1/OMInteractions/GetInteractionsForContact?TenantId=101&ContactId=0000DEMO0001\
                 &IndexFrom=4&MaxCount=2"
            )
        );
        let body = json!({"Interactions": [{"Id": "a", "MediaTypeId": "chat"}, {"Id": "b"}]}).to_string();
        let page = Classic.listed(200, body.as_bytes(), &asked(Some("4"))).unwrap();
        assert_eq!(page.next.as_deref(), Some("6"));
        assert_eq!(page.interactions[0].media_type.as_deref(), Some("chat"));
        let none = Classic.listed(200, b"{}", &asked(None));
        assert_eq!(none, Ok(PastPage::default()));
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
            let _ = Classic.listed(status, &body, &asked(None));
        }

        #[test]
        fn any_short_id_gives_a_tenant(sid: String) {
            let _ = tenant(&sid);
        }
    }
}
