//! The archive of a cluster, in PostgreSQL.

use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::FutureExt as _;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::model::{LogId, MediaId, Millis, TenantId};
use crate::postgres::Database;

use super::store::{Archive, ArchiveError, ArchiveFuture, Archived, Asked, Keep, Summary};

const KEEP: &str = "INSERT INTO nex_sessions (ccid, id, media, began, ended, expires, document, words, files) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (ccid, id) DO UPDATE SET \
    ended = coalesce(excluded.ended, nex_sessions.ended), expires = excluded.expires, \
    document = coalesce(excluded.document, nex_sessions.document), \
    files = ARRAY(SELECT unnest(nex_sessions.files) UNION SELECT unnest(excluded.files)), \
    words = CASE WHEN excluded.document IS NULL THEN nex_sessions.words ELSE excluded.words END";
const KNOW: &str = "INSERT INTO nex_session_contacts (ccid, contact, id) SELECT $1, contact, $2 \
    FROM unnest($3::bytea[]) AS contact ON CONFLICT DO NOTHING";
const READ: &str =
    "SELECT id, media, began, ended, document, files FROM nex_sessions WHERE ccid = $1 AND id = $2";
const FIND: &str = "SELECT id, media, began, ended FROM nex_sessions AS found WHERE ccid = $1 \
    AND ($2::uuid IS NULL OR id < $2) AND (NOT $3 OR document IS NOT NULL) \
    AND (cardinality($4::text[]) = 0 OR words @> $4) \
    AND (cardinality($5::bytea[]) = 0 OR EXISTS (SELECT 1 FROM nex_session_contacts AS known \
    WHERE known.ccid = $1 AND known.id = found.id AND known.contact = ANY ($5))) \
    ORDER BY id DESC LIMIT $6";
/// The same where few sessions are of one contact: these are looked up first.
const OF_CONTACT: &str = "SELECT id, media, began, ended FROM nex_sessions AS found WHERE ccid = $1 \
    AND ($2::uuid IS NULL OR id < $2) AND (NOT $3 OR document IS NOT NULL) \
    AND (cardinality($4::text[]) = 0 OR words @> $4) \
    AND id IN (SELECT known.id FROM nex_session_contacts AS known WHERE known.ccid = $1 AND known.contact = ANY ($5)) \
    ORDER BY id DESC LIMIT $6";
const REMOVE: &str = "DELETE FROM nex_sessions WHERE ccid = $1 AND id = $2";
const EXPIRE: &str = "DELETE FROM nex_sessions WHERE (ccid, id) IN \
    (SELECT ccid, id FROM nex_sessions WHERE expires < $1 ORDER BY expires LIMIT $2)";

/// Our own history in the database that nodes share.
#[derive(Debug)]
pub struct PostgresArchive {
    database: Database,
}

impl PostgresArchive {
    /// Uses a database of this core.
    #[must_use]
    pub fn new(database: Database) -> Rc<Self> {
        Rc::new(Self { database })
    }
}

impl Archive for PostgresArchive {
    fn keep(&self, keep: Keep) -> ArchiveFuture<'_, ()> {
        async move {
            let (tenant, id) = (keep.tenant.0, keep.session.uuid());
            let (began, expires) = (time(keep.began), time(keep.expires));
            let ended = keep.ended.map(time);
            let (document, words) = keep.document.unzip();
            let words: Vec<String> = words.into_iter().flatten().collect();
            let contacts: Vec<Vec<u8>> = keep.contacts.iter().map(|key| key.0.to_vec()).collect();
            let files: Vec<Uuid> = keep.files.iter().map(|file| file.0).collect();
            let media = keep.media.as_str();
            self.database
                .run(async |session| {
                    session
                        .execute(
                            KEEP,
                            &[
                                &tenant, &id, &media, &began, &ended, &expires, &document, &words, &files,
                            ],
                        )
                        .await?;
                    session.execute(KNOW, &[&tenant, &id, &contacts]).await
                })
                .await?;
            Ok(())
        }
        .boxed_local()
    }

    fn read(&self, tenant: TenantId, session: LogId) -> ArchiveFuture<'_, Option<Archived>> {
        async move {
            let id = session.uuid();
            let rows = self
                .database
                .run(async |session| session.query(READ, &[&tenant.0, &id]).await)
                .await?;
            let Some(row) = rows.first() else { return Ok(None) };
            let files: Vec<Uuid> = row.try_get(5).map_err(unreadable)?;
            Ok(Some(Archived {
                summary: summary(row)?,
                files: files.into_iter().map(MediaId).collect(),
                document: row.try_get(4).map_err(unreadable)?,
            }))
        }
        .boxed_local()
    }

    fn find(&self, asked: Asked) -> ArchiveFuture<'_, Vec<Summary>> {
        async move {
            let below = asked.below.map(LogId::uuid);
            let words: Vec<String> = asked.words.into_iter().collect();
            let contacts: Vec<Vec<u8>> = asked.contacts.iter().map(|key| key.0.to_vec()).collect();
            let limit = i64::try_from(asked.limit).unwrap_or(i64::MAX);
            let text = if contacts.is_empty() { FIND } else { OF_CONTACT };
            let rows = self
                .database
                .run(async |session| {
                    session
                        .query(
                            text,
                            &[&asked.tenant.0, &below, &asked.kept, &words, &contacts, &limit],
                        )
                        .await
                })
                .await?;
            rows.iter().map(summary).collect()
        }
        .boxed_local()
    }

    fn remove(&self, tenant: TenantId, session: LogId) -> ArchiveFuture<'_, ()> {
        async move {
            let id = session.uuid();
            self.database
                .run(async |session| session.execute(REMOVE, &[&tenant.0, &id]).await)
                .await?;
            Ok(())
        }
        .boxed_local()
    }

    fn expire(&self, now: Millis, most: usize) -> ArchiveFuture<'_, usize> {
        async move {
            let (now, most) = (time(now), i64::try_from(most).unwrap_or(i64::MAX));
            let gone = self
                .database
                .run(async |session| session.execute(EXPIRE, &[&now, &most]).await)
                .await?;
            Ok(usize::try_from(gone).unwrap_or(usize::MAX))
        }
        .boxed_local()
    }
}

fn summary(row: &Row) -> Result<Summary, ArchiveError> {
    let id: Uuid = row.try_get(0).map_err(unreadable)?;
    let media: String = row.try_get(1).map_err(unreadable)?;
    let ended: Option<SystemTime> = row.try_get(3).map_err(unreadable)?;
    Ok(Summary {
        session: LogId::from_bytes(id.into_bytes()),
        media: media.parse().map_err(|_| unreadable("its medium"))?,
        began: millis(row.try_get(2).map_err(unreadable)?),
        ended: ended.map(millis),
    })
}

fn time(at: Millis) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(at.0)
}

fn millis(at: SystemTime) -> Millis {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    Millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

fn unreadable(what: impl std::fmt::Display) -> ArchiveError {
    ArchiveError(format!("a session cannot be read: {what}"))
}
