//! Switching an object off, by the service itself.

use serde_json::Value;

use super::directory::{Act, Directory, DirectoryError};
use super::draft::Draft;
use super::objects::Kind;
use super::row::ObjectId;
use crate::model::TenantId;

impl Directory {
    /// Sets `enabled` of an object to false; one that is off, or gone, stays so. For endpoints that want no more calls.
    ///
    /// # Errors
    /// As for [`Directory::replace`].
    pub async fn switch_off(
        &self,
        tenant: TenantId,
        kind: Kind,
        id: &ObjectId,
        act: &Act,
    ) -> Result<(), DirectoryError> {
        let row = match self.read(kind, tenant, id).await {
            Ok(row) => row,
            Err(DirectoryError::NotFound) => return Ok(()),
            Err(error) => return Err(error),
        };
        let Value::Object(mut body) = row.body else {
            return Err(DirectoryError::Broken("an object without members".to_owned()));
        };
        body.insert("enabled".to_owned(), false.into());
        let draft = Draft::parse(kind, body)?;
        self.replace(act, tenant, id, &draft, Some(row.version)).await?;
        Ok(())
    }
}
