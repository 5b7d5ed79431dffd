//! What a contact did before: earlier interactions as a contact service lists them, a closed list of fields.

use serde::Serialize;
use serde_json::Value;

/// The most interactions asked for at once.
pub const PAGE_MAX: u16 = 50;
/// Characters of one field; what is longer is cut.
const FIELD_MAX: usize = 1_024;
/// Bytes of a cursor that is handed on.
const CURSOR_MAX: usize = 512;

/// Which page of a contact's interactions is asked for.
#[derive(Debug, Clone, Copy)]
pub struct PageAsked<'p> {
    /// The contact.
    pub contact: &'p str,
    /// Interactions of one page, 1 to [`PAGE_MAX`].
    pub limit: u16,
    /// Where the page before ended.
    pub cursor: Option<&'p str>,
}

/// Earlier interactions, the newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PastPage {
    /// The interactions.
    pub interactions: Vec<Past>,
    /// What to ask the next page with; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A page as an agent is told it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Earlier {
    /// Whose; absent while nobody knows who the customer is, or where the tenant keeps no contact history.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact_id: Option<String>,
    /// The interactions.
    #[serde(flatten)]
    pub page: PastPage,
}

/// One earlier interaction.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Past {
    /// Its id there; of a session of ours the session's.
    pub id: String,
    /// Its medium, as the service names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// `Inbound` or `Outbound`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub type_id: Option<String>,
    /// `Pending` or `Stopped`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// When it began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_date: Option<String>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_date: Option<String>,
    /// Its subject.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// What an agent remarked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// The agents' disposition.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disposition: Option<String>,
}

/// The names of the fields in one dialect, in the order of [`Past`].
pub(super) type Names = [&'static str; 9];

impl Past {
    /// Reads one; `None` of what has no id.
    pub(super) fn read(entry: &Value, names: Names) -> Option<Self> {
        let [id, media, kind, state, start, end, subject, comment, disposition] = names.map(|name| {
            let text = entry.get(name)?.as_str()?.trim();
            (!text.is_empty()).then(|| text.chars().take(FIELD_MAX).collect::<String>())
        });
        Some(Self {
            id: id?,
            media_type: media,
            type_id: kind,
            state,
            start_date: start,
            end_date: end,
            subject,
            comment,
            disposition,
        })
    }
}

impl PastPage {
    /// A page of what a service listed, never more than was asked for.
    pub(super) fn read(entries: &[Value], names: Names, limit: u16, next: Option<&str>) -> Self {
        let interactions = entries.iter().filter_map(|entry| Past::read(entry, names));
        let next = next.filter(|next| !next.is_empty() && next.len() <= CURSOR_MAX);
        Self {
            interactions: interactions.take(usize::from(limit)).collect(),
            next: next.map(str::to_owned),
        }
    }
}
