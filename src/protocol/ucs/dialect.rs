//! What the two dialects have in common.

use bytes::Bytes;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::model::{LogId, Media, Millis, TenantId};
use crate::protocol::channel::HttpCall;

use super::answer::{Answer, Identified};
use super::attachment::Attachment;
use super::classic::Classic;
use super::contact::Contact;
use super::past::{PageAsked, PastPage};
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

/// What agents remark on an interaction after its end.
#[derive(Debug, Clone, Copy)]
pub struct Remark<'r> {
    /// The session.
    pub id: LogId,
    /// Number of the remark's record.
    pub n: u64,
    /// The disposition, where it changes.
    pub disposition: Option<&'r str>,
    /// The remark, masked, where it changes.
    pub comment: Option<&'r str>,
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

    /// Adds a remark to an interaction that is stopped.
    fn remark(&self, site: &Site<'_>, remark: &Remark<'_>) -> HttpCall;

    /// Keeps a file of an interaction.
    fn attach(&self, site: &Site<'_>, file: &Attachment<'_>) -> HttpCall;

    /// Changes what is known of a contact. `interaction` is the one in which it was learned.
    fn update(&self, site: &Site<'_>, interaction: LogId, id: &str, contact: &Contact) -> HttpCall;

    /// Asks for a contact's interactions, the newest first.
    fn past(&self, site: &Site<'_>, asked: &PageAsked<'_>) -> HttpCall;

    /// What the answer to [`Self::past`] lists.
    ///
    /// # Errors
    /// What else became of it; never [`Answer::Done`] or [`Answer::Before`].
    fn listed(&self, status: u16, body: &[u8], asked: &PageAsked<'_>) -> Result<PastPage, Answer>;

    /// What the answer to a request that changes something means; [`Self::identify`] has its own.
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
    HttpCall {
        method,
        url: format!("{}{path}", site.base),
        headers: headers(site, "application/json".to_owned(), key),
        body: Bytes::from(body),
    }
}

/// A request that only reads.
pub(super) fn read(site: &Site<'_>, path: &str, query: &[(&str, &str)]) -> HttpCall {
    let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let pairs = query
        .iter()
        .map(|(name, value)| format!("{name}={}", encoded(value)));
    let mut headers = vec![("x-ccid", site.ccid.to_string())];
    headers.extend(bearer(site));
    HttpCall {
        method: "GET",
        url: format!("{}{path}?{}", site.base, pairs.collect::<Vec<_>>().join("&")),
        headers,
        body: Bytes::new(),
    }
}

/// A contact's id as one part of a path.
pub(super) fn segment(id: &str) -> String {
    utf8_percent_encode(id, NON_ALPHANUMERIC).to_string()
}

/// What every request with a body carries; a repeat has the same key.
pub(super) fn headers(site: &Site<'_>, kind: String, key: &str) -> Vec<(&'static str, String)> {
    let mut headers = vec![
        ("content-type", kind),
        ("x-ccid", site.ccid.to_string()),
        ("idempotency-key", key.to_owned()),
    ];
    headers.extend(bearer(site));
    headers
}

fn bearer(site: &Site<'_>) -> Option<(&'static str, String)> {
    let token = site.bearer?.expose_secret();
    Some(("authorization", format!("Bearer {token}")))
}
