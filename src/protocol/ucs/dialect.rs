//! What the two dialects have in common.

use bytes::Bytes;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::model::{LogId, Media, Millis, TenantId};
use crate::protocol::channel::HttpCall;

use super::answer::{Answer, Identified};
use super::classic::Classic;
use super::contact::Contact;
use super::transcript::Transcript;
use super::ucsx::UcsX;

/// Whose history, and where it is kept.
#[derive(Debug, Clone, Copy)]
pub struct Site<'s> {
    /// The service's address, without a slash at its end.
    pub base: &'s str,
    /// The tenant.
    pub ccid: TenantId,
    /// Its short id.
    pub sid: &'s str,
    /// The token to present, where the tenant has a link to an authentication service.
    pub bearer: Option<&'s SecretString>,
}

/// A session as an interaction; both have the same id.
#[derive(Debug, Clone)]
pub struct Interaction<'i> {
    /// The session.
    pub id: LogId,
    /// The contact it belongs to, where one is known.
    pub contact: Option<&'i str>,
    /// Its medium.
    pub media: Media,
    /// The subtype of contract section 12.
    pub subtype: &'i str,
    /// When it began.
    pub started: Millis,
    /// What was attached when it began: scalars only, masked.
    pub user_data: &'i Map<String, Value>,
}

/// The end of an interaction.
#[derive(Debug, Clone, Copy)]
pub struct Ending<'e> {
    /// The session.
    pub id: LogId,
    /// When it ended.
    pub ended: Millis,
    /// The agents' disposition.
    pub disposition: Option<&'e str>,
    /// The agents' remark, masked.
    pub comment: Option<&'e str>,
    /// Everything that was said.
    pub transcript: &'e Transcript,
}

/// One way to speak to a contact service. Every request may be made again: it is recognised by the interaction's id.
pub trait Dialect {
    /// The name in provisioning.
    fn name(&self) -> &'static str;

    /// Finds the contact, or makes one.
    fn identify(&self, site: &Site<'_>, interaction: LogId, media: Media, contact: &Contact) -> HttpCall;

    /// What the answer to [`Self::identify`] means.
    ///
    /// # Errors
    /// What else became of it; never [`Answer::Done`] or [`Answer::Before`].
    fn identified(&self, status: u16, body: &[u8]) -> Result<Identified, Answer>;

    /// Creates an interaction.
    fn create(&self, site: &Site<'_>, interaction: &Interaction<'_>) -> HttpCall;

    /// Stops an interaction and stores its transcript.
    fn stop(&self, site: &Site<'_>, ending: &Ending<'_>) -> HttpCall;

    /// What the answer to [`Self::create`] or [`Self::stop`] means.
    fn done(&self, status: u16, body: &[u8]) -> Answer;
}

/// The dialect of this name; UCS-X where none is named.
#[must_use]
pub fn dialect(name: Option<&str>) -> &'static dyn Dialect {
    match name {
        Some("classic") => &Classic,
        _ => &UcsX,
    }
}

/// A request with a JSON body.
pub(super) fn call(
    site: &Site<'_>,
    method: &'static str,
    path: &str,
    key: &str,
    body: &impl Serialize,
) -> HttpCall {
    let Ok(body) = serde_json::to_vec(body) else {
        unreachable!("plain data with text keys always has a JSON form")
    };
    let mut headers = vec![
        ("content-type", "application/json".to_owned()),
        ("x-ccid", site.ccid.to_string()),
        ("idempotency-key", key.to_owned()),
    ];
    if let Some(token) = site.bearer {
        headers.push(("authorization", format!("Bearer {}", token.expose_secret())));
    }
    HttpCall {
        method,
        url: format!("{}{path}", site.base),
        headers,
        body: Bytes::from(body),
    }
}
