//! Who the customer of a session is, as services say.

use serde_json::{Map, Value};

use crate::model::{Body, LogId, Record, Role, SessionEvent, UserDataChange};
use crate::session::Session;
use crate::shard::{ShardError, Shards};

/// Where agents, strategies and we ourselves keep the contact's id in the attached data.
pub(super) const CONTACT: &str = "ContactId";
/// Records read at once.
const PAGE: usize = 256;
/// Records looked through for a contact; it is found among the first.
const MOST: u64 = 4_096;

/// The contact that a record attaches. A bot or a customer may attach what they like: who somebody is, services say.
pub(super) fn attached(record: &Record<SessionEvent>) -> Option<String> {
    let SessionEvent::UserData {
        by: None,
        change: UserDataChange::Attach | UserDataChange::Update,
    } = &record.event
    else {
        return None;
    };
    let data = object(&record.body);
    let contact = data.get(CONTACT).and_then(Value::as_str)?;
    (!contact.is_empty()).then(|| contact.to_owned())
}

/// What a record attaches by an agent's or a service's word.
pub(super) fn learned(state: &Session, record: &Record<SessionEvent>) -> Option<Map<String, Value>> {
    let SessionEvent::UserData {
        by,
        change: UserDataChange::Attach | UserDataChange::Update,
    } = &record.event
    else {
        return None;
    };
    let role = by.map(|by| state.participants().get(by).map(|known| known.role));
    let trusted = matches!(role, None | Some(Some(Role::Agent | Role::Supervisor)));
    trusted.then(|| object(&record.body))
}

/// The contact of a session; `None` while none is known.
///
/// # Errors
/// The session cannot be read.
pub(super) async fn contact(shards: &Shards, session: LogId) -> Result<Option<String>, ShardError<()>> {
    let mut found = None;
    let mut next = 1;
    while next <= MOST {
        let page = shards.session_page_forward(session, next, PAGE).await?;
        found = page
            .iter()
            .rev()
            .find_map(|entry| attached(&entry.record))
            .or(found);
        match page.last() {
            Some(last) if page.len() >= PAGE => next = last.n + 1,
            _ => break,
        }
    }
    Ok(found)
}

pub(super) fn object(body: &Body) -> Map<String, Value> {
    serde_json::from_str(body.as_str()).unwrap_or_default()
}
