//! The trait of a media store, as one core sees it.

use std::io;
use std::rc::Rc;

use bytes::Bytes;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::LocalBoxStream;

use crate::model::{MediaId, Millis, TenantId};

/// What every call returns.
pub type MediaFuture<'a, T> = LocalBoxFuture<'a, Result<T, MediaError>>;

/// A core's handle on the media.
pub type SharedMedia = Rc<dyn Media>;

/// A media store's failure. But for [`Self::Infected`] never the caller's fault; becomes 503.
#[derive(Debug, thiserror::Error)]
pub enum MediaError {
    /// Full, read-only, gone. Nothing was kept.
    #[error("the media store is unavailable")]
    Unavailable(#[from] io::Error),
    /// As many writers as it takes are at work.
    #[error("the media store is busy")]
    Busy,
    /// The scanner that must look at every file is away.
    #[error("the virus scanner is away")]
    Unscanned,
    /// The scanner found something in the file. The one failure that trying again does not help.
    #[error("the file is infected")]
    Infected,
}

/// Where uploads and attachments lie.
pub trait Media {
    /// Begins to take a file. Nothing can be read before [`MediaWriter::finish`]; dropping the writer forgets all of it.
    fn write(&self, tenant: TenantId, id: MediaId) -> MediaFuture<'_, Box<dyn MediaWriter>>;

    /// Opens a file; `None` if this tenant has none of this id.
    fn read(&self, tenant: TenantId, id: MediaId) -> MediaFuture<'_, Option<MediaReader>>;

    /// Forgets a file. Forgetting what is not there is done.
    fn remove(&self, tenant: TenantId, id: MediaId) -> MediaFuture<'_, ()>;

    /// Forgets up to `most` files of a tenant that were kept before a time. How many; fewer than asked for: there are no more.
    fn forget(&self, tenant: TenantId, before: Millis, most: usize) -> MediaFuture<'_, usize>;
}

/// A file on its way in.
pub trait MediaWriter {
    /// Takes the next bytes.
    fn write(&mut self, bytes: Bytes) -> MediaFuture<'_, ()>;

    /// The file is complete: resolves when it is as safe as the store makes it.
    fn finish(self: Box<Self>) -> MediaFuture<'static, ()>;
}

/// A file on its way out.
pub struct MediaReader {
    /// Bytes in all.
    pub length: u64,
    /// The bytes.
    pub pieces: LocalBoxStream<'static, io::Result<Bytes>>,
}

impl std::fmt::Debug for MediaReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MediaReader({} bytes)", self.length)
    }
}
