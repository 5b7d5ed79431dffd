//! Media as files of a directory: `TENANT/xx/ID`, where `xx` are the last two digits of the id, which are random.

use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, UNIX_EPOCH};

use bytes::{Bytes, BytesMut};
use futures_util::FutureExt;
use futures_util::stream::{StreamExt, try_unfold};
use tokio::fs::{self, File};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::model::{MediaId, Millis, TenantId};

use super::store::{Media, MediaError, MediaFuture, MediaReader, MediaWriter};

/// Bytes read at once.
const PIECE: usize = 64 * 1_024;

/// A directory that this and every other node with the same path writes to. Files appear in it whole, by a rename.
#[derive(Debug)]
pub struct DirectoryMedia {
    root: PathBuf,
    writers: std::sync::Arc<Semaphore>,
}

impl DirectoryMedia {
    /// Uses `root`, made if it is not there, with at most `writers` files on their way in from this core.
    ///
    /// # Errors
    /// The directory cannot be made.
    pub fn open(root: &Path, writers: usize) -> io::Result<Rc<Self>> {
        std::fs::create_dir_all(root)?;
        Ok(Rc::new(Self {
            root: root.to_owned(),
            writers: std::sync::Arc::new(Semaphore::new(writers)),
        }))
    }

    fn place(&self, tenant: TenantId, id: MediaId) -> PathBuf {
        let name = id.0.simple().to_string();
        let shelf = &name[name.len() - 2..];
        self.root
            .join(tenant.0.simple().to_string())
            .join(shelf)
            .join(&name)
    }
}

impl Media for DirectoryMedia {
    fn write(&self, tenant: TenantId, id: MediaId) -> MediaFuture<'_, Box<dyn MediaWriter>> {
        async move {
            let permit = std::sync::Arc::clone(&self.writers)
                .try_acquire_owned()
                .map_err(|_| MediaError::Busy)?;
            let place = self.place(tenant, id);
            if let Some(shelf) = place.parent() {
                fs::create_dir_all(shelf).await?;
            }
            let part = Part(place.with_extension("part"));
            let file = fs::OpenOptions::new()
                .write(true)
                .create_new(true)
                .open(&part.0)
                .await?;
            let writer: Box<dyn MediaWriter> = Box::new(FileWriter {
                file,
                part,
                place,
                _permit: permit,
            });
            Ok(writer)
        }
        .boxed_local()
    }

    fn read(&self, tenant: TenantId, id: MediaId) -> MediaFuture<'_, Option<MediaReader>> {
        async move {
            let file = match File::open(self.place(tenant, id)).await {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(error.into()),
            };
            let length = file.metadata().await?.len();
            let pieces = try_unfold(file, |mut file| async move {
                let mut piece = BytesMut::with_capacity(PIECE);
                let read = file.read_buf(&mut piece).await?;
                Ok((read > 0).then(|| (piece.freeze(), file)))
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
            match fs::remove_file(self.place(tenant, id)).await {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
                _ => Ok(()),
            }
        }
        .boxed_local()
    }

    fn forget(&self, tenant: TenantId, before: Millis, most: usize) -> MediaFuture<'_, usize> {
        async move {
            let before = UNIX_EPOCH + Duration::from_millis(before.0);
            let mut gone = 0;
            let Some(mut shelves) = directory(&self.root.join(tenant.0.simple().to_string())).await? else {
                return Ok(0);
            };
            while let Some(shelf) = shelves.next_entry().await? {
                let Some(mut files) = directory(&shelf.path()).await? else {
                    continue;
                };
                while let Some(file) = files.next_entry().await? {
                    if gone >= most {
                        return Ok(gone);
                    }
                    // Another node with the same directory may be quicker.
                    let Ok(kept) = file.metadata().await.and_then(|known| known.modified()) else {
                        continue;
                    };
                    if kept < before && fs::remove_file(file.path()).await.is_ok() {
                        gone += 1;
                    }
                }
            }
            Ok(gone)
        }
        .boxed_local()
    }
}

/// What is in a directory; `None` where there is none.
async fn directory(path: &Path) -> io::Result<Option<fs::ReadDir>> {
    match fs::read_dir(path).await {
        Ok(entries) => Ok(Some(entries)),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

struct FileWriter {
    file: File,
    part: Part,
    place: PathBuf,
    _permit: OwnedSemaphorePermit,
}

impl MediaWriter for FileWriter {
    fn write(&mut self, bytes: Bytes) -> MediaFuture<'_, ()> {
        async move { Ok(self.file.write_all(&bytes).await?) }.boxed_local()
    }

    fn finish(mut self: Box<Self>) -> MediaFuture<'static, ()> {
        async move {
            self.file.flush().await?;
            self.file.sync_all().await?;
            fs::rename(&self.part.0, &self.place).await?;
            // The name is safe once its directory is.
            if let Some(shelf) = self.place.parent() {
                File::open(shelf).await?.sync_all().await?;
            }
            Ok(())
        }
        .boxed_local()
    }
}

/// The name of a file that is not whole yet; gone with its writer.
struct Part(PathBuf);

impl Drop for Part {
    fn drop(&mut self) {
        // After a rename there is nothing under this name.
        let _ = std::fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::TryStreamExt;
    use uuid::Uuid;

    use super::*;

    const TENANT: TenantId = TenantId(Uuid::from_u128(1));
    const OTHER: TenantId = TenantId(Uuid::from_u128(2));
    const ID: MediaId = MediaId(Uuid::from_u128(7));

    async fn put(media: &DirectoryMedia, bytes: &[u8]) {
        let mut writer = media.write(TENANT, ID).await.unwrap();
        for piece in bytes.chunks(3) {
            writer.write(Bytes::copy_from_slice(piece)).await.unwrap();
        }
        writer.finish().await.unwrap();
    }

    fn files(root: &Path) -> usize {
        std::fs::read_dir(root).unwrap().fold(0, |count, entry| {
            let path = entry.unwrap().path();
            count + if path.is_dir() { files(&path) } else { 1 }
        })
    }

    #[tokio::test]
    async fn a_file_comes_back_as_it_went_in_and_only_to_its_tenant() {
        let root = tempfile::tempdir().unwrap();
        let media = DirectoryMedia::open(root.path(), 2).unwrap();
        let bytes: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
        put(&media, &bytes).await;
        let reader = media.read(TENANT, ID).await.unwrap().unwrap();
        assert_eq!(reader.length, bytes.len() as u64);
        let pieces: Vec<Bytes> = reader.pieces.try_collect().await.unwrap();
        assert_eq!(pieces.concat(), bytes);
        assert!(media.read(OTHER, ID).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn a_file_that_was_not_finished_leaves_nothing() {
        let root = tempfile::tempdir().unwrap();
        let media = DirectoryMedia::open(root.path(), 2).unwrap();
        let mut writer = media.write(TENANT, ID).await.unwrap();
        writer.write(Bytes::from_static(b"half")).await.unwrap();
        assert!(media.read(TENANT, ID).await.unwrap().is_none());
        drop(writer);
        assert_eq!(files(root.path()), 0);
    }

    #[tokio::test]
    async fn a_file_can_be_forgotten_twice() {
        let root = tempfile::tempdir().unwrap();
        let media = DirectoryMedia::open(root.path(), 2).unwrap();
        put(&media, b"abc").await;
        media.remove(TENANT, ID).await.unwrap();
        media.remove(TENANT, ID).await.unwrap();
        assert!(media.read(TENANT, ID).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn a_file_is_forgotten_when_it_is_older_than_the_tenant_keeps_it() {
        let root = tempfile::tempdir().unwrap();
        let media = DirectoryMedia::open(root.path(), 2).unwrap();
        put(&media, b"abc").await;
        assert_eq!(media.forget(TENANT, Millis(1_000), 9).await.unwrap(), 0);
        let future = Millis(4_000_000_000_000);
        assert_eq!(media.forget(OTHER, future, 9).await.unwrap(), 0);
        assert_eq!(media.forget(TENANT, future, 9).await.unwrap(), 1);
        assert!(media.read(TENANT, ID).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn more_writers_than_it_takes_are_told_so() {
        let root = tempfile::tempdir().unwrap();
        let media = DirectoryMedia::open(root.path(), 1).unwrap();
        let _first = media.write(TENANT, ID).await.unwrap();
        let second = media.write(TENANT, MediaId(Uuid::from_u128(8))).await;
        assert!(matches!(second.err(), Some(MediaError::Busy)));
    }
}
