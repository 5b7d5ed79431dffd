//! Between a file on its way in and anybody who may open it: a scanner sees every byte, and nothing is kept before it has said
//! that it found nothing.

use std::rc::Rc;

use bytes::Bytes;
use futures_util::FutureExt as _;

use crate::model::{MediaId, Millis, TenantId};
use crate::protocol::clamd::Finding;
use crate::telemetry::names;

use super::store::{Media, MediaError, MediaFuture, MediaReader, MediaWriter, SharedMedia};

/// Something that looks at files.
pub trait Scanner {
    /// Begins to look at one.
    fn begin(&self) -> MediaFuture<'_, Box<dyn Scan>>;
}

/// One file while it is looked at.
pub trait Scan {
    /// Shows it the next bytes.
    fn show(&mut self, bytes: Bytes) -> MediaFuture<'_, ()>;

    /// The file is complete: what was found.
    fn finding(self: Box<Self>) -> MediaFuture<'static, Finding>;
}

/// A media store whose files were all looked at. Where the scanner is away nothing is taken: [`MediaError::Unscanned`].
pub struct Scanned {
    media: SharedMedia,
    scanner: Box<dyn Scanner>,
}

impl Scanned {
    /// Puts a scanner before a store.
    #[must_use]
    pub fn new(media: SharedMedia, scanner: Box<dyn Scanner>) -> Rc<Self> {
        Rc::new(Self { media, scanner })
    }
}

impl Media for Scanned {
    fn write(&self, tenant: TenantId, id: MediaId) -> MediaFuture<'_, Box<dyn MediaWriter>> {
        async move {
            let writer = self.media.write(tenant, id).await?;
            let scan = self.scanner.begin().await.inspect_err(|_| count("unavailable"))?;
            let writer: Box<dyn MediaWriter> = Box::new(ScannedWriter { writer, scan });
            Ok(writer)
        }
        .boxed_local()
    }

    fn read(&self, tenant: TenantId, id: MediaId) -> MediaFuture<'_, Option<MediaReader>> {
        self.media.read(tenant, id)
    }

    fn remove(&self, tenant: TenantId, id: MediaId) -> MediaFuture<'_, ()> {
        self.media.remove(tenant, id)
    }

    fn forget(&self, tenant: TenantId, before: Millis, most: usize) -> MediaFuture<'_, usize> {
        self.media.forget(tenant, before, most)
    }
}

struct ScannedWriter {
    writer: Box<dyn MediaWriter>,
    scan: Box<dyn Scan>,
}

impl MediaWriter for ScannedWriter {
    fn write(&mut self, bytes: Bytes) -> MediaFuture<'_, ()> {
        async move {
            let shown = self.scan.show(bytes.clone()).await;
            shown.inspect_err(|_| count("unavailable"))?;
            self.writer.write(bytes).await
        }
        .boxed_local()
    }

    fn finish(self: Box<Self>) -> MediaFuture<'static, ()> {
        async move {
            let Self { writer, scan } = *self;
            match scan.finding().await {
                Ok(Finding::Clean) => {
                    count("clean");
                    writer.finish().await
                }
                // The writer is dropped, and with it the file.
                Ok(Finding::Infected) => {
                    count("infected");
                    tracing::warn!("an infected file was refused");
                    Err(MediaError::Infected)
                }
                Err(error) => {
                    count("unavailable");
                    Err(error)
                }
            }
        }
        .boxed_local()
    }
}

fn count(outcome: &'static str) {
    metrics::counter!(names::MEDIA_SCANS, "outcome" => outcome).increment(1);
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use uuid::Uuid;

    use super::*;
    use crate::log::media::{DirectoryMedia, NotKept, keep};
    use crate::protocol::file::Refused;

    const TENANT: TenantId = TenantId(Uuid::nil());

    /// Finds `bad` in a file, and is away while `away`.
    struct Looker {
        away: bool,
    }

    struct Look(Vec<u8>);

    impl Scanner for Looker {
        fn begin(&self) -> MediaFuture<'_, Box<dyn Scan>> {
            let scan: Result<Box<dyn Scan>, _> = match self.away {
                true => Err(MediaError::Unscanned),
                false => Ok(Box::new(Look(Vec::new()))),
            };
            std::future::ready(scan).boxed_local()
        }
    }

    impl Scan for Look {
        fn show(&mut self, bytes: Bytes) -> MediaFuture<'_, ()> {
            self.0.extend_from_slice(&bytes);
            std::future::ready(Ok(())).boxed_local()
        }

        fn finding(self: Box<Self>) -> MediaFuture<'static, Finding> {
            let infected = self.0.windows(3).any(|three| three == b"bad");
            let finding = if infected {
                Finding::Infected
            } else {
                Finding::Clean
            };
            std::future::ready(Ok(finding)).boxed_local()
        }
    }

    #[tokio::test]
    async fn only_what_was_found_clean_can_be_read() {
        let root = tempfile::tempdir().unwrap();
        let directory: SharedMedia = DirectoryMedia::open(root.path(), 2).unwrap();
        let scanned = Scanned::new(Rc::clone(&directory), Box::new(Looker { away: false }));
        let (good, bad) = (MediaId(Uuid::from_u128(1)), MediaId(Uuid::from_u128(2)));
        keep(&*scanned, TENANT, good, None, Bytes::from_static(b"all is well"))
            .await
            .unwrap();
        let refused = keep(&*scanned, TENANT, bad, None, Bytes::from_static(b"this is bad")).await;
        assert!(
            matches!(refused, Err(NotKept::Refused(Refused::Infected))),
            "{refused:?}"
        );
        assert!(scanned.read(TENANT, good).await.unwrap().is_some());
        assert!(directory.read(TENANT, bad).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn while_the_scanner_is_away_nothing_is_taken() {
        let root = tempfile::tempdir().unwrap();
        let directory: SharedMedia = DirectoryMedia::open(root.path(), 1).unwrap();
        let scanned = Scanned::new(directory, Box::new(Looker { away: true }));
        for _ in 0..2 {
            // The place of a writer is given back as well.
            let refused = scanned.write(TENANT, MediaId(Uuid::from_u128(3))).await;
            assert!(matches!(refused, Err(MediaError::Unscanned)));
        }
    }
}
