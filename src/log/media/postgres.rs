//! Media in PostgreSQL, so that every node of a cluster has every file. A file is pieces of a blob; it is there, whole, once a row
//! names its blob.

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use bytes::{Bytes, BytesMut};
use futures_util::FutureExt as _;
use futures_util::stream::{StreamExt as _, try_unfold};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use uuid::Uuid;

use crate::model::{MediaId, Millis, TenantId};
use crate::postgres::{Database, Failure};

use super::store::{Media, MediaError, MediaFuture, MediaReader, MediaWriter};

/// Bytes of a piece: what a file holds in memory on its way in or out.
const PIECE: usize = 128 * 1_024;

const ADD: &str = "INSERT INTO nex_media_pieces (blob, place, bytes) VALUES ($1, $2, $3)";
const NAME: &str = "WITH old AS (SELECT blob FROM nex_media WHERE ccid = $1 AND id = $2), \
    gone AS (DELETE FROM nex_media_pieces WHERE blob IN (SELECT blob FROM old)) \
    INSERT INTO nex_media (ccid, id, blob, length) VALUES ($1, $2, $3, $4) \
    ON CONFLICT (ccid, id) DO UPDATE SET blob = excluded.blob, length = excluded.length, created = now()";
const FIND: &str = "SELECT blob, length FROM nex_media WHERE ccid = $1 AND id = $2";
const READ: &str = "SELECT bytes FROM nex_media_pieces WHERE blob = $1 AND place = $2";
const REMOVE: &str = "WITH gone AS (DELETE FROM nex_media WHERE ccid = $1 AND id = $2 RETURNING blob) \
    DELETE FROM nex_media_pieces WHERE blob IN (SELECT blob FROM gone)";
const DROP: &str = "DELETE FROM nex_media_pieces WHERE blob = $1 \
    AND NOT EXISTS (SELECT 1 FROM nex_media WHERE nex_media.blob = $1)";
const FORGET: &str = "WITH old AS (SELECT id FROM nex_media WHERE ccid = $1 AND created < $2 LIMIT $3), \
    gone AS (DELETE FROM nex_media WHERE ccid = $1 AND id IN (SELECT id FROM old) RETURNING blob), \
    pieces AS (DELETE FROM nex_media_pieces WHERE blob IN (SELECT blob FROM gone)) \
    SELECT count(*) FROM gone";
/// What a node that died left half way. A file on its way in is done within the time an upload may take.
const TIDY: &str = "DELETE FROM nex_media_pieces WHERE created < now() - interval '1 day' \
    AND NOT EXISTS (SELECT 1 FROM nex_media WHERE nex_media.blob = nex_media_pieces.blob)";

/// Files in the database of the cluster.
#[derive(Debug)]
pub struct PostgresMedia {
    database: Database,
    writers: Arc<Semaphore>,
}

impl PostgresMedia {
    /// Uses a database of this core, with at most `writers` files on their way in from it.
    #[must_use]
    pub fn new(database: Database, writers: usize) -> Rc<Self> {
        Rc::new(Self {
            database,
            writers: Arc::new(Semaphore::new(writers)),
        })
    }
}

impl Media for PostgresMedia {
    fn write(&self, tenant: TenantId, id: MediaId) -> MediaFuture<'_, Box<dyn MediaWriter>> {
        async move {
            let permit = Arc::clone(&self.writers)
                .try_acquire_owned()
                .map_err(|_| MediaError::Busy)?;
            let writer: Box<dyn MediaWriter> = Box::new(BlobWriter {
                tenant,
                id,
                blob: Blob {
                    database: self.database.clone(),
                    id: Uuid::new_v4(),
                    named: false,
                },
                place: 0,
                length: 0,
                piece: BytesMut::new(),
                _permit: permit,
            });
            Ok(writer)
        }
        .boxed_local()
    }

    fn read(&self, tenant: TenantId, id: MediaId) -> MediaFuture<'_, Option<MediaReader>> {
        async move {
            let rows = self
                .database
                .run(async |session| session.query(FIND, &[&tenant.0, &id.0]).await)
                .await?;
            let Some(row) = rows.first() else { return Ok(None) };
            let (blob, length): (Uuid, i64) = (row.get(0), row.get(1));
            let length = u64::try_from(length).unwrap_or_default();
            let begin = (self.database.clone(), 0_i32, length);
            let pieces = try_unfold(begin, move |(database, place, left)| async move {
                if left == 0 {
                    return Ok(None);
                }
                let rows = database
                    .run(async |session| session.query(READ, &[&blob, &place]).await)
                    .await
                    .map_err(io::Error::other)?;
                let bytes: Option<Vec<u8>> = rows.first().map(|row| row.get(0));
                let bytes = bytes
                    .filter(|bytes| !bytes.is_empty())
                    .ok_or(io::ErrorKind::UnexpectedEof)?;
                let left = left.saturating_sub(bytes.len() as u64);
                Ok(Some((Bytes::from(bytes), (database, place + 1, left))))
            });
            Ok(Some(MediaReader {
                length,
                pieces: pieces.boxed_local(),
            }))
        }
        .boxed_local()
    }

    fn remove(&self, tenant: TenantId, id: MediaId) -> MediaFuture<'_, ()> {
        async move {
            self.database
                .run(async |session| session.execute(REMOVE, &[&tenant.0, &id.0]).await)
                .await?;
            Ok(())
        }
        .boxed_local()
    }

    fn forget(&self, tenant: TenantId, before: Millis, most: usize) -> MediaFuture<'_, usize> {
        async move {
            let before = UNIX_EPOCH + Duration::from_millis(before.0);
            let most = i64::try_from(most).unwrap_or(i64::MAX);
            let rows = self
                .database
                .run(async |session| {
                    session.execute(TIDY, &[]).await?;
                    session.query(FORGET, &[&tenant.0, &before, &most]).await
                })
                .await?;
            let gone: i64 = rows.first().map_or(0, |row| row.get(0));
            Ok(usize::try_from(gone).unwrap_or_default())
        }
        .boxed_local()
    }
}

impl From<Failure> for MediaError {
    fn from(failure: Failure) -> Self {
        Self::Unavailable(io::Error::other(failure))
    }
}

struct BlobWriter {
    tenant: TenantId,
    id: MediaId,
    blob: Blob,
    place: i32,
    length: i64,
    piece: BytesMut,
    _permit: OwnedSemaphorePermit,
}

impl BlobWriter {
    async fn send(&mut self, piece: BytesMut) -> Result<(), MediaError> {
        let (blob, place, bytes) = (self.blob.id, self.place, &piece[..]);
        self.blob
            .database
            .run(async |session| session.execute(ADD, &[&blob, &place, &bytes]).await)
            .await?;
        self.place += 1;
        self.length += i64::try_from(piece.len()).unwrap_or_default();
        Ok(())
    }
}

impl MediaWriter for BlobWriter {
    fn write(&mut self, mut bytes: Bytes) -> MediaFuture<'_, ()> {
        async move {
            while !bytes.is_empty() {
                let room = PIECE.saturating_sub(self.piece.len()).min(bytes.len());
                self.piece.extend_from_slice(&bytes.split_to(room));
                if self.piece.len() >= PIECE {
                    let piece = self.piece.split();
                    self.send(piece).await?;
                }
            }
            Ok(())
        }
        .boxed_local()
    }

    fn finish(mut self: Box<Self>) -> MediaFuture<'static, ()> {
        async move {
            if !self.piece.is_empty() {
                let piece = self.piece.split();
                self.send(piece).await?;
            }
            let (tenant, id, blob, length) = (self.tenant.0, self.id.0, self.blob.id, self.length);
            self.blob
                .database
                .run(async |session| session.execute(NAME, &[&tenant, &id, &blob, &length]).await)
                .await?;
            self.blob.named = true;
            Ok(())
        }
        .boxed_local()
    }
}

/// A blob that no file has yet; its pieces go with its writer.
struct Blob {
    database: Database,
    id: Uuid,
    named: bool,
}

impl Drop for Blob {
    fn drop(&mut self) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        if self.named {
            return;
        }
        let (database, id) = (self.database.clone(), self.id);
        runtime.spawn(async move {
            // What cannot be dropped now is when what is too old is forgotten. An answer that was lost may have named it.
            let _ = database
                .run(async |session| session.execute(DROP, &[&id]).await)
                .await;
        });
    }
}
