//! A file that is already whole in memory: judged by its bytes, then kept.

use bytes::Bytes;
use futures_util::StreamExt as _;

use crate::model::{MediaId, TenantId};
use crate::protocol::file::{FileKind, Inspector, Refused, safe_name};

use super::store::{Media, MediaError, MediaReader};

/// Bytes by which every type can be told.
const HEAD: usize = 64;

/// A kept file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Its id.
    pub id: MediaId,
    /// A name that is safe anywhere.
    pub name: String,
    /// The type found in the bytes.
    pub mime: &'static str,
    /// Bytes.
    pub length: u64,
}

/// Why a file was not kept.
#[derive(Debug, thiserror::Error)]
pub enum NotKept {
    /// It is of no type that is taken.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The store is in trouble; later it may do.
    #[error(transparent)]
    Store(MediaError),
}

impl From<MediaError> for NotKept {
    fn from(error: MediaError) -> Self {
        match error {
            MediaError::Infected => Self::Refused(Refused::Infected),
            error => Self::Store(error),
        }
    }
}

/// Judges a file and keeps it under `id`.
///
/// # Errors
/// [`NotKept`]; nothing is kept then.
pub async fn keep(
    media: &dyn Media,
    tenant: TenantId,
    id: MediaId,
    claimed: Option<&str>,
    bytes: Bytes,
) -> Result<Kept, NotKept> {
    let mut inspector = Inspector::new();
    inspector.pass(&bytes)?;
    let kind = inspector.finish()?;
    let length = bytes.len() as u64;
    let mut writer = media.write(tenant, id).await?;
    writer.write(bytes).await?;
    writer.finish().await?;
    Ok(Kept {
        id,
        name: safe_name(claimed, kind),
        mime: kind.mime(),
        length,
    })
}

/// What a file is that was kept before; `None` if this tenant has none of this id.
///
/// # Errors
/// The store's.
pub async fn known(
    media: &dyn Media,
    tenant: TenantId,
    id: MediaId,
    claimed: Option<&str>,
) -> Result<Option<Kept>, MediaError> {
    let Some(MediaReader { length, mut pieces }) = media.read(tenant, id).await? else {
        return Ok(None);
    };
    let mut head = Vec::with_capacity(HEAD);
    while head.len() < HEAD {
        let Some(piece) = pieces.next().await else { break };
        let piece: Bytes = piece?;
        head.extend_from_slice(&piece[..piece.len().min(HEAD)]);
    }
    Ok(FileKind::of_head(&head).map(|kind| Kept {
        id,
        name: safe_name(claimed, kind),
        mime: kind.mime(),
        length,
    }))
}
