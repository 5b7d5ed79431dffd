//! A file of a session as it is sent to history.

use futures_util::StreamExt as _;

use crate::egress::dispatcher::About;
use crate::log::media::Media;
use crate::model::{SessionEvent, TenantId};
use crate::shard::Verdict;

/// The largest file that goes into history. A larger one is named in the transcript with its type and length.
pub(super) const LARGEST: u64 = 10 * 1_024 * 1_024;

/// A file, read.
pub(super) struct Read {
    pub(super) name: String,
    pub(super) mime: String,
    pub(super) bytes: Vec<u8>,
}

/// Reads the file of a record; `None`: it is too large for history, or it is there no more.
///
/// # Errors
/// The verdict when it cannot be read now.
pub(super) async fn read(
    media: &dyn Media,
    tenant: TenantId,
    about: &About,
) -> Result<Option<Read>, Verdict> {
    let record = &about.entry.record;
    let SessionEvent::File {
        media: id,
        mime,
        length,
        ..
    } = &record.event
    else {
        return Ok(None);
    };
    if *length > LARGEST {
        return Ok(None);
    }
    let away = || Verdict::Later(std::time::Duration::from_secs(10));
    let Some(mut reader) = media.read(tenant, *id).await.map_err(|_| away())? else {
        return Ok(None);
    };
    if reader.length > LARGEST {
        return Ok(None);
    }
    let mut bytes = Vec::with_capacity(usize::try_from(reader.length).unwrap_or_default());
    while let Some(piece) = reader.pieces.next().await {
        bytes.extend_from_slice(&piece.map_err(|_| away())?);
    }
    Ok(Some(Read {
        name: record.body.as_str().to_owned(),
        mime: mime.clone(),
        bytes,
    }))
}
