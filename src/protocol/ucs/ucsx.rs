//! The UCS-X form. Its real paths below `/ucs/v10` are not public: these are the contract's proposal, kept in this one file.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::model::{LogId, Media};
use crate::protocol::agent::timestamp;
use crate::protocol::channel::HttpCall;

use super::answer::{Answer, Identified, is_id, of_status, refused};
use super::attachment::Attachment;
use super::contact::Contact;
use super::dialect::{Dialect, Ending, Interaction, Remark, Site, call, read, segment};
use super::past::{Names, PageAsked, PastPage};

/// The fields of a listed interaction.
const LISTED: Names = [
    "id",
    "mediaType",
    "typeId",
    "state",
    "startDate",
    "endDate",
    "subject",
    "comment",
    "disposition",
];

/// The dialect named `ucsx`.
#[derive(Debug, Clone, Copy)]
pub(super) struct UcsX;

#[derive(Serialize)]
struct Wrapped<D> {
    data: D,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Identify<'d> {
    media_type: Media,
    attributes: &'d Map<String, Value>,
    create_if_missing: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Create<'d> {
    id: LogId,
    contact_id: Option<&'d str>,
    media_type: Media,
    type_id: &'static str,
    subtype_id: &'d str,
    thread_id: Option<&'d str>,
    start_date: String,
    user_data: &'d Map<String, Value>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Stop<'d> {
    state: &'static str,
    end_date: String,
    disposition: Option<&'d str>,
    comment: Option<&'d str>,
    transcript: Box<RawValue>,
}

#[derive(Serialize)]
struct Noted<'d> {
    #[serde(skip_serializing_if = "Option::is_none")]
    disposition: Option<&'d str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    comment: Option<&'d str>,
}

/// The fields of an answer that are read.
#[derive(Deserialize)]
struct Envelope {
    #[serde(default)]
    status: Option<Status>,
    #[serde(default)]
    data: Option<Found>,
}

#[derive(Deserialize)]
struct Status {
    #[serde(default)]
    code: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Found {
    #[serde(default)]
    contact_id: Option<String>,
    #[serde(default)]
    candidates: Vec<String>,
    #[serde(default)]
    interactions: Option<Vec<Value>>,
    #[serde(default)]
    cursor: Option<String>,
}

#[derive(Serialize)]
struct Learned<'d> {
    attributes: &'d Map<String, Value>,
}

impl Dialect for UcsX {
    fn name(&self) -> &'static str {
        "ucsx"
    }

    fn identify(&self, site: &Site<'_>, interaction: LogId, media: Media, contact: &Contact) -> HttpCall {
        let data = Identify {
            media_type: media,
            attributes: contact.attributes(),
            create_if_missing: true,
        };
        let key = format!("{interaction}.identify");
        call(
            site,
            "POST",
            "/ucs/v10/contacts/identify",
            &key,
            &Wrapped { data },
        )
    }

    fn identified(&self, status: u16, body: &[u8]) -> Result<Identified, Answer> {
        if let Some(answer) = of_status(status) {
            return Err(answer);
        }
        let found = envelope(body)?.data.ok_or(Answer::Later)?;
        match found.contact_id {
            _ if found.candidates.len() > 1 => Ok(Identified::Several),
            Some(id) if is_id(&id) => Ok(Identified::One(id)),
            _ => Err(Answer::Later),
        }
    }

    fn create(&self, site: &Site<'_>, interaction: &Interaction<'_>) -> HttpCall {
        let data = Create {
            id: interaction.id,
            contact_id: interaction.contact,
            media_type: interaction.media,
            type_id: "Inbound",
            subtype_id: interaction.subtype,
            thread_id: None,
            start_date: timestamp(interaction.started),
            user_data: interaction.user_data,
        };
        let key = format!("{}.create", interaction.id);
        call(site, "POST", "/ucs/v10/interactions", &key, &Wrapped { data })
    }

    fn stop(&self, site: &Site<'_>, ending: &Ending<'_>) -> HttpCall {
        let data = Stop {
            state: "Stopped",
            end_date: timestamp(ending.ended),
            disposition: ending.disposition,
            comment: ending.comment,
            transcript: ending.transcript.raw(),
        };
        let path = format!("/ucs/v10/interactions/{}", ending.id);
        let key = format!("{}.stop", ending.id);
        call(site, "PATCH", &path, &key, &Wrapped { data })
    }

    fn remark(&self, site: &Site<'_>, remark: &Remark<'_>) -> HttpCall {
        let data = Noted {
            disposition: remark.disposition,
            comment: remark.comment,
        };
        let path = format!("/ucs/v10/interactions/{}", remark.id);
        let key = format!("{}.{}", remark.id, remark.n);
        call(site, "PATCH", &path, &key, &Wrapped { data })
    }

    fn attach(&self, site: &Site<'_>, file: &Attachment<'_>) -> HttpCall {
        file.multipart(site, &format!("/ucs/v10/interactions/{}/attachments", file.id))
    }

    fn update(&self, site: &Site<'_>, interaction: LogId, id: &str, contact: &Contact) -> HttpCall {
        let data = Learned {
            attributes: contact.attributes(),
        };
        let path = format!("/ucs/v10/contacts/{}", segment(id));
        let key = format!("{interaction}.contact");
        call(site, "PATCH", &path, &key, &Wrapped { data })
    }

    fn past(&self, site: &Site<'_>, asked: &PageAsked<'_>) -> HttpCall {
        let limit = asked.limit.to_string();
        let mut query = vec![("limit", limit.as_str())];
        query.extend(asked.cursor.map(|cursor| ("cursor", cursor)));
        let path = format!("/ucs/v10/contacts/{}/interactions", segment(asked.contact));
        read(site, &path, &query)
    }

    fn listed(&self, status: u16, body: &[u8], asked: &PageAsked<'_>) -> Result<PastPage, Answer> {
        if let Some(answer) = of_status(status) {
            return Err(answer);
        }
        let found = envelope(body)?.data.ok_or(Answer::Later)?;
        let entries = found.interactions.ok_or(Answer::Later)?;
        Ok(PastPage::read(
            &entries,
            LISTED,
            asked.limit,
            found.cursor.as_deref(),
        ))
    }

    fn done(&self, status: u16, body: &[u8]) -> Answer {
        if let Some(answer) = of_status(status) {
            return answer;
        }
        if body.is_empty() {
            return Answer::Done;
        }
        match envelope(body) {
            Ok(_) => Answer::Done,
            Err(answer) => answer,
        }
    }
}

/// An answer of 2xx. What is no JSON object came from something that stands before the service.
fn envelope(body: &[u8]) -> Result<Envelope, Answer> {
    let read: Envelope = serde_json::from_slice(body).map_err(|_| Answer::Later)?;
    match &read.status {
        Some(status) if status.code != 0 => Err(refused(status.code)),
        _ => Ok(read),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use secrecy::SecretString;
    use serde_json::json;

    use super::super::transcript::sample;
    use super::*;
    use crate::model::{Millis, TenantId};

    const CCID: &str = "7c1c0f0e-52a1-4a0b-9f38-1c2d3e4f5a6b";

    fn site(bearer: Option<&SecretString>) -> Site<'_> {
        Site {
            base: "http://ucsx.example:8080",
            ccid: CCID.parse::<TenantId>().unwrap(),
            sid: "t100",
            bearer,
        }
    }

    fn body(call: &HttpCall) -> Value {
        serde_json::from_slice(&call.body).unwrap()
    }

    #[test]
    fn requests_have_the_contracts_shape_and_the_same_bytes_each_time() {
        let id = LogId::from_bytes([0x11; 16]);
        let token = SecretString::from("abc");
        let profile = json!({"email": "ann@example.com", "firstName": "Ann"});
        let contact = Contact::of(Media::Chat, profile.as_object().unwrap());
        let identify = UcsX.identify(&site(Some(&token)), id, Media::Chat, &contact);
        assert_eq!(identify.url, "http://ucsx.example:8080/ucs/v10/contacts/identify");
        assert!(identify.headers.contains(&("x-ccid", CCID.to_owned())));
        assert!(
            identify
                .headers
                .contains(&("authorization", "Bearer abc".to_owned()))
        );
        let attributes = json!({"EmailAddress": "ann@example.com", "FirstName": "Ann"});
        assert_eq!(
            body(&identify),
            json!({"data": {"mediaType": "chat", "attributes": attributes, "createIfMissing": true}})
        );

        let data = Map::new();
        let interaction = Interaction {
            id,
            contact: Some("0000DEMO0001"),
            media: Media::Chat,
            subtype: "InboundNew",
            started: Millis(1_736_935_200_000),
            user_data: &data,
        };
        let create = UcsX.create(&site(None), &interaction);
        assert_eq!(create, UcsX.create(&site(None), &interaction));
        assert!(create.headers.iter().all(|(name, _)| *name != "authorization"));
        assert_eq!(
            body(&create),
            json!({"data": {"id": id, "contactId": "0000DEMO0001", "mediaType": "chat", "typeId": "Inbound",
                "subtypeId": "InboundNew", "threadId": null, "startDate": "2025-01-15T10:00:00.000Z", "userData": {}}})
        );

        let transcript = sample();
        let ending = Ending {
            id,
            ended: Millis(1_736_935_260_000),
            disposition: Some("sold"),
            comment: None,
            transcript: &transcript,
        };
        let stop = UcsX.stop(&site(None), &ending);
        assert_eq!(
            (stop.method, stop.url.as_str()),
            (
                "PATCH",
                format!("http://ucsx.example:8080/ucs/v10/interactions/{id}").as_str()
            )
        );
        let text = std::str::from_utf8(&stop.body).unwrap();
        assert!(
            text.contains(&transcript.canonical()),
            "the canonical form as it is"
        );
        assert_eq!(body(&stop)["data"]["state"], "Stopped");
    }

    #[test]
    fn one_contact_is_taken_and_several_are_not() {
        let identified = |body: &Value| UcsX.identified(200, body.to_string().as_bytes());
        let one = json!({"status": {"code": 0}, "data": {"contactId": "0000DEMO0001", "created": true,
            "candidates": ["0000DEMO0001"], "secret": "x"}});
        assert_eq!(identified(&one), Ok(Identified::One("0000DEMO0001".to_owned())));
        let several = json!({"data": {"contactId": "a", "candidates": ["a", "b"]}});
        assert_eq!(identified(&several), Ok(Identified::Several));
        let refusal = json!({"status": {"code": 40003}});
        assert_eq!(identified(&refusal), Err(refused(40003)));
        for none in [json!({}), json!({"data": {"contactId": "a\r\nb"}}), json!([])] {
            assert_eq!(identified(&none), Err(Answer::Later), "{none}");
        }
    }

    fn asked() -> PageAsked<'static> {
        PageAsked {
            contact: "0000/DEMO?1",
            limit: 2,
            cursor: Some("a&b"),
        }
    }

    #[test]
    fn a_page_of_the_past_is_asked_for_by_contact_and_holds_no_more_than_was_asked() {
        let call = UcsX.past(&site(None), &asked());
        assert_eq!(
            (call.method, call.url.as_str()),
            (
                "GET",
                "http://ucsx.example:8080/ucs/v10/contacts/0000%2FDEMO%3F1/interactions?limit=2&cursor=a%26b"
            )
        );
        let entry = |id: &str| json!({"id": id, "mediaType": "chat", "state": "Stopped", "secret": "x", "comment": 7});
        let body = json!({"status": {"code": 0}, "data": {"cursor": "next",
            "interactions": [entry("a"), {"mediaType": "chat"}, entry("b"), entry("c")]}});
        let page = UcsX.listed(200, body.to_string().as_bytes(), &asked()).unwrap();
        let ids: Vec<&str> = page.interactions.iter().map(|past| past.id.as_str()).collect();
        assert_eq!((ids, page.next.as_deref()), (vec!["a", "b"], Some("next")));
        assert_eq!(page.interactions[0].comment, None);
        assert_eq!(UcsX.listed(200, b"{}", &asked()), Err(Answer::Later));
        assert_eq!(UcsX.listed(429, b"", &asked()), Err(Answer::Later));
    }

    #[test]
    fn what_was_learned_goes_to_the_contact() {
        let learned = Contact::learned(json!({"LastName": "Lee"}).as_object().unwrap());
        let call = UcsX.update(
            &site(None),
            LogId::from_bytes([0x11; 16]),
            "0000DEMO0001",
            &learned,
        );
        assert_eq!(
            (call.method, call.url.as_str()),
            ("PATCH", "http://ucsx.example:8080/ucs/v10/contacts/0000DEMO0001")
        );
        assert_eq!(body(&call), json!({"data": {"attributes": {"LastName": "Lee"}}}));
    }

    #[test]
    fn a_page_of_a_proxy_is_no_confirmation() {
        assert_eq!(UcsX.done(200, b"<html>"), Answer::Later);
        assert_eq!(UcsX.done(204, b""), Answer::Done);
        assert_eq!(UcsX.done(200, br#"{"status":{"code":0}}"#), Answer::Done);
        assert_eq!(UcsX.done(503, br#"{"status":{"code":0}}"#), Answer::Later);
    }

    proptest! {
        #[test]
        fn no_answer_makes_it_panic(status: u16, body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = UcsX.identified(status, &body);
            let _ = UcsX.done(status, &body);
            let _ = UcsX.listed(status, &body, &asked());
        }

        #[test]
        fn what_a_customer_typed_arrives_as_it_is(email in "[^\0]{1,60}", name: String) {
            let profile = json!({"email": email, "firstName": name});
            let contact = Contact::of(Media::Chat, profile.as_object().unwrap());
            let call = UcsX.identify(&site(None), LogId::from_bytes([1; 16]), Media::Chat, &contact);
            let sent = body(&call);
            if let Some(arrived) = sent["data"]["attributes"].get("EmailAddress") {
                prop_assert_eq!(arrived, &profile["email"]);
            }
            prop_assert_eq!(call.url, "http://ucsx.example:8080/ucs/v10/contacts/identify");
        }
    }
}
