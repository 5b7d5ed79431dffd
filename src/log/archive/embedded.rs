//! The archive of one node, in a file of its own. One thread writes: what waits goes in together.

use std::collections::BTreeSet;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use futures_util::FutureExt as _;
use redb::backends::InMemoryBackend;
use redb::{Database, ReadableDatabase as _, ReadableTable as _, Table, TableDefinition, WriteTransaction};
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};

use crate::model::{ContactKey, LogId, Media, MediaId, Millis, TenantId};

use super::store::{Archive, ArchiveError, ArchiveFuture, Archived, Asked, Keep, Summary};

/// By tenant and session.
const SESSIONS: TableDefinition<'_, (u128, u128), &[u8]> = TableDefinition::new("sessions");
/// By contact and session.
const CONTACTS: TableDefinition<'_, (&[u8], u128), ()> = TableDefinition::new("contacts");
/// By when it is over, tenant and session.
const EXPIRY: TableDefinition<'_, (u64, u128, u128), ()> = TableDefinition::new("expiry");

/// Cache of the file.
const CACHE_BYTES: usize = 4 << 20;
/// Writes that may wait.
const QUEUE: usize = 1_024;
/// Writes that go in together.
const GROUP: usize = 256;
/// Sessions one question looks through.
const LOOK: usize = 5_000;

/// Our own history in a file of this node; every core has a clone.
#[derive(Clone)]
pub struct EmbeddedArchive {
    database: Arc<Database>,
    writes: mpsc::Sender<(Order, oneshot::Sender<Result<usize, ArchiveError>>)>,
}

enum Order {
    Keep(Box<Keep>),
    Remove(TenantId, LogId),
    Expire(Millis, usize),
}

#[derive(Serialize, Deserialize)]
struct Stored {
    media: Media,
    began: u64,
    ended: Option<u64>,
    expires: u64,
    contacts: BTreeSet<[u8; 32]>,
    files: BTreeSet<MediaId>,
    document: Option<String>,
    words: BTreeSet<String>,
}

impl EmbeddedArchive {
    /// Opens or makes the file; `None` keeps all of it in memory. Blocks on the disk, and starts the thread that writes.
    ///
    /// # Errors
    /// The file cannot be used.
    pub fn open(path: Option<&Path>) -> Result<Self, ArchiveError> {
        let mut builder = Database::builder();
        builder.set_cache_size(CACHE_BYTES);
        let database = match path {
            Some(path) => builder.create(path),
            None => builder.create_with_backend(InMemoryBackend::new()),
        };
        let database = Arc::new(database.map_err(failed)?);
        let begun = database.begin_write().map_err(failed)?;
        drop(Tables::open(&begun)?);
        begun.commit().map_err(failed)?;
        let (writes, orders) = mpsc::channel(QUEUE);
        let own = Arc::clone(&database);
        let thread = std::thread::Builder::new().name("history".to_owned());
        thread.spawn(move || write(&own, orders)).map_err(failed)?;
        Ok(Self { database, writes })
    }

    /// The same as a core holds it.
    #[must_use]
    pub fn core(&self) -> Rc<Self> {
        Rc::new(self.clone())
    }

    async fn order(&self, order: Order) -> Result<usize, ArchiveError> {
        let (reply, answer) = oneshot::channel();
        let full = |_| ArchiveError("too much waits".to_owned());
        self.writes.try_send((order, reply)).map_err(full)?;
        answer
            .await
            .unwrap_or_else(|_| Err(ArchiveError("the writer ended".to_owned())))
    }

    async fn on_disk<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Database) -> Result<T, ArchiveError> + Send + 'static,
    ) -> Result<T, ArchiveError> {
        let database = Arc::clone(&self.database);
        let done = tokio::task::spawn_blocking(move || work(&database)).await;
        done.unwrap_or_else(|error| Err(failed(error)))
    }
}

/// Writes what waits, all of it in one transaction, until nobody orders any more.
fn write(
    database: &Database,
    mut orders: mpsc::Receiver<(Order, oneshot::Sender<Result<usize, ArchiveError>>)>,
) {
    while let Some(first) = orders.blocking_recv() {
        let mut group = vec![first];
        while group.len() < GROUP
            && let Ok(next) = orders.try_recv()
        {
            group.push(next);
        }
        let (orders, replies): (Vec<_>, Vec<_>) = group.into_iter().unzip();
        match carry_out(database, orders) {
            Ok(counts) => {
                for (reply, count) in replies.into_iter().zip(counts) {
                    let _ = reply.send(Ok(count));
                }
            }
            Err(error) => {
                for reply in replies {
                    let _ = reply.send(Err(error.clone()));
                }
            }
        }
    }
}

fn carry_out(database: &Database, orders: Vec<Order>) -> Result<Vec<usize>, ArchiveError> {
    let begun = database.begin_write().map_err(failed)?;
    let mut tables = Tables::open(&begun)?;
    let mut counts = Vec::with_capacity(orders.len());
    for order in orders {
        counts.push(match order {
            Order::Keep(keep) => tables.keep(*keep)?,
            Order::Remove(tenant, session) => tables.remove(key(tenant, session))?,
            Order::Expire(now, most) => tables.expire(now, most)?,
        });
    }
    drop(tables);
    begun.commit().map_err(failed)?;
    Ok(counts)
}

struct Tables<'t> {
    sessions: Table<'t, (u128, u128), &'static [u8]>,
    contacts: Table<'t, (&'static [u8], u128), ()>,
    expiry: Table<'t, (u64, u128, u128), ()>,
}

impl<'t> Tables<'t> {
    fn open(begun: &'t WriteTransaction) -> Result<Self, ArchiveError> {
        Ok(Self {
            sessions: begun.open_table(SESSIONS).map_err(failed)?,
            contacts: begun.open_table(CONTACTS).map_err(failed)?,
            expiry: begun.open_table(EXPIRY).map_err(failed)?,
        })
    }

    fn stored(&self, key: (u128, u128)) -> Result<Option<Stored>, ArchiveError> {
        let row = self.sessions.get(key).map_err(failed)?;
        row.map(|row| read(row.value())).transpose()
    }

    fn keep(&mut self, keep: Keep) -> Result<usize, ArchiveError> {
        let key = key(keep.tenant, keep.session);
        let before = self.stored(key)?;
        if let Some(before) = &before {
            self.expiry
                .remove((before.expires, key.0, key.1))
                .map_err(failed)?;
        }
        let (document, words) = keep.document.unzip();
        let mut stored = Stored {
            media: keep.media,
            began: keep.began.0,
            ended: keep.ended.map(|at| at.0),
            expires: keep.expires.0,
            contacts: keep.contacts.iter().map(|contact| contact.0).collect(),
            files: keep.files,
            document,
            words: words.unwrap_or_default(),
        };
        if let Some(before) = before {
            stored.ended = stored.ended.or(before.ended);
            stored.contacts.extend(before.contacts);
            stored.files.extend(before.files);
            if stored.document.is_none() {
                (stored.document, stored.words) = (before.document, before.words);
            }
        }
        for contact in &stored.contacts {
            self.contacts.insert((&contact[..], key.1), ()).map_err(failed)?;
        }
        self.expiry
            .insert((stored.expires, key.0, key.1), ())
            .map_err(failed)?;
        let bytes = serde_json::to_vec(&stored).map_err(failed)?;
        self.sessions.insert(key, bytes.as_slice()).map_err(failed)?;
        Ok(1)
    }

    fn remove(&mut self, key: (u128, u128)) -> Result<usize, ArchiveError> {
        let Some(stored) = self.stored(key)? else {
            return Ok(0);
        };
        for contact in &stored.contacts {
            self.contacts.remove((&contact[..], key.1)).map_err(failed)?;
        }
        self.expiry
            .remove((stored.expires, key.0, key.1))
            .map_err(failed)?;
        self.sessions.remove(key).map_err(failed)?;
        Ok(1)
    }

    fn expire(&mut self, now: Millis, most: usize) -> Result<usize, ArchiveError> {
        let mut gone = Vec::new();
        for row in self.expiry.range(..(now.0, 0, 0)).map_err(failed)?.take(most) {
            let (key, _) = row.map_err(failed)?;
            let (_, tenant, session) = key.value();
            gone.push((tenant, session));
        }
        let count = gone.len();
        for key in gone {
            self.remove(key)?;
        }
        Ok(count)
    }
}

impl Archive for EmbeddedArchive {
    fn keep(&self, keep: Keep) -> ArchiveFuture<'_, ()> {
        async move { self.order(Order::Keep(Box::new(keep))).await.map(drop) }.boxed_local()
    }

    fn read(&self, tenant: TenantId, session: LogId) -> ArchiveFuture<'_, Option<Archived>> {
        self.on_disk(move |database| {
            let begun = database.begin_read().map_err(failed)?;
            let sessions = begun.open_table(SESSIONS).map_err(failed)?;
            let row = sessions.get(key(tenant, session)).map_err(failed)?;
            let stored = row.map(|row| read(row.value())).transpose()?;
            Ok(stored.map(|stored| Archived {
                summary: stored.summary(session),
                files: stored.files.into_iter().collect(),
                document: stored.document,
            }))
        })
        .boxed_local()
    }

    fn find(&self, asked: Asked) -> ArchiveFuture<'_, Vec<Summary>> {
        self.on_disk(move |database| find(database, &asked)).boxed_local()
    }

    fn remove(&self, tenant: TenantId, session: LogId) -> ArchiveFuture<'_, ()> {
        async move { self.order(Order::Remove(tenant, session)).await.map(drop) }.boxed_local()
    }

    fn expire(&self, now: Millis, most: usize) -> ArchiveFuture<'_, usize> {
        self.order(Order::Expire(now, most)).boxed_local()
    }
}

fn find(database: &Database, asked: &Asked) -> Result<Vec<Summary>, ArchiveError> {
    let begun = database.begin_read().map_err(failed)?;
    let sessions = begun.open_table(SESSIONS).map_err(failed)?;
    let contacts = begun.open_table(CONTACTS).map_err(failed)?;
    let tenant = asked.tenant.0.as_u128();
    let end = asked.below.map_or(u128::MAX, |below| below.uuid().as_u128());
    let mut found = Vec::new();
    let mut take = |id: u128, bytes: &[u8]| -> Result<bool, ArchiveError> {
        let stored = read(bytes)?;
        if (!asked.kept || stored.document.is_some()) && asked.words.is_subset(&stored.words) {
            found.push(stored.summary(LogId::from_bytes(id.to_be_bytes())));
        }
        Ok(found.len() >= asked.limit)
    };
    if asked.contacts.is_empty() {
        let rows = sessions.range((tenant, 0)..(tenant, end)).map_err(failed)?;
        for row in rows.rev().take(LOOK) {
            let (key, bytes) = row.map_err(failed)?;
            if take(key.value().1, bytes.value())? {
                break;
            }
        }
        return Ok(found);
    }
    let mut ids = BTreeSet::new();
    for ContactKey(contact) in &asked.contacts {
        let rows = contacts.range((&contact[..], 0)..(&contact[..], end));
        for row in rows.map_err(failed)?.rev().take(LOOK) {
            ids.insert(row.map_err(failed)?.0.value().1);
        }
    }
    for id in ids.into_iter().rev() {
        // A contact's key is of one tenant.
        if let Some(row) = sessions.get((tenant, id)).map_err(failed)?
            && take(id, row.value())?
        {
            break;
        }
    }
    Ok(found)
}

impl Stored {
    fn summary(&self, session: LogId) -> Summary {
        Summary {
            session,
            media: self.media,
            began: Millis(self.began),
            ended: self.ended.map(Millis),
        }
    }
}

fn key(tenant: TenantId, session: LogId) -> (u128, u128) {
    (tenant.0.as_u128(), session.uuid().as_u128())
}

fn read(bytes: &[u8]) -> Result<Stored, ArchiveError> {
    serde_json::from_slice(bytes).map_err(failed)
}

#[allow(clippy::needless_pass_by_value, reason = "the shape `map_err` takes")]
fn failed(error: impl std::fmt::Display) -> ArchiveError {
    ArchiveError(error.to_string())
}
