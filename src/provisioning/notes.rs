//! What the service itself notes at an object. A caller reads it and may send it back; only the service changes it.

use serde_json::Value;

use super::directory::{Act, Directory, DirectoryError};
use super::draft::Draft;
use super::objects::{Kind, Verification};
use super::row::{ObjectId, Row};
use crate::model::TenantId;

/// The member of a webhook.
const VERIFICATION: &str = "verification";

/// The readable part of a draft, with what the service has noted in the place of whatever the caller says of it. An address that
/// has changed has not answered.
pub(super) fn with_notes(draft: &Draft, old: Option<&Row>) -> Value {
    let mut body = draft.body.clone();
    let (Kind::Webhook, false, Some(members)) = (draft.kind, draft.ours, body.as_object_mut()) else {
        return body;
    };
    let url = members
        .get("url")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    let noted = old
        .and_then(|old| old.body.get(VERIFICATION))
        .filter(|noted| noted.get("url").and_then(Value::as_str) == Some(&url))
        .cloned();
    if members.get("verify") == Some(&Value::Bool(true)) {
        let pending = || serde_json::to_value(Verification::pending(&url)).unwrap_or_default();
        members.insert(VERIFICATION.to_owned(), noted.unwrap_or_else(pending));
    } else {
        members.remove(VERIFICATION);
    }
    body
}

impl Directory {
    /// Notes what became of the challenge to a webhook. One whose address is another by now, or that is gone, stays as it is.
    ///
    /// # Errors
    /// As for [`Directory::replace`].
    pub async fn note_verification(
        &self,
        tenant: TenantId,
        id: &ObjectId,
        verification: &Verification,
        act: &Act,
    ) -> Result<(), DirectoryError> {
        let row = match self.read(Kind::Webhook, tenant, id).await {
            Ok(row) => row,
            Err(DirectoryError::NotFound) => return Ok(()),
            Err(error) => return Err(error),
        };
        let Value::Object(mut body) = row.body else {
            return Err(DirectoryError::Broken("an object without members".to_owned()));
        };
        if body.get("url").and_then(Value::as_str) != Some(&verification.url) {
            return Ok(());
        }
        let noted = serde_json::to_value(verification);
        let noted = noted.map_err(|error| DirectoryError::Broken(error.to_string()))?;
        body.insert(VERIFICATION.to_owned(), noted);
        let mut draft = Draft::parse(Kind::Webhook, body)?;
        draft.ours = true;
        self.replace(act, tenant, id, &draft, Some(row.version)).await?;
        Ok(())
    }
}
