//! [`Store`] over PostgreSQL.

use std::sync::Arc;
use std::time::Duration;

use bb8::PooledConnection;
use futures_util::FutureExt as _;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::error::Elapsed;
use tokio::time::timeout;
use tokio_postgres::IsolationLevel;
use uuid::Uuid;

use super::error::{corrupt, failed};
use super::listen::{Listener, VERSION};
use super::migrate::{migrate, verify};
use super::sql::{self, KindSql, millis};
use super::write::write;
use crate::model::{Millis, TenantId};
use crate::postgres::{Connector, PostgresSettings, Session};
use crate::provisioning::objects::Kind;
use crate::provisioning::row::{AuditEntry, Image, KeyRecord, ObjectId, Row, SealedBytes};
use crate::provisioning::store::{Store, StoreError, StoreFuture, Write};

/// Provisioning data in PostgreSQL, shared by every node.
pub struct PostgresStore {
    connector: Connector,
    pool: bb8::Pool<Connector>,
    statements: Statements,
    version: watch::Sender<u64>,
    migrate: bool,
    /// A little more than the server's own limit, so that usually the server says why.
    patience: Duration,
    listener: AbortHandle,
}

/// The statements of every kind.
pub(super) struct Statements(Vec<KindSql>);

impl Statements {
    pub(super) fn of(&self, kind: Kind) -> &KindSql {
        &self.0[usize::from(kind as u8)]
    }
}

const KEYS: &str = "SELECT ccid, purpose, id, active_from, wrapped FROM nex_keys";
const AUDIT: &str = "SELECT version, at, ccid, actor, action, subject, object_id, fields FROM nex_audit \
    WHERE ($1::uuid IS NULL OR ccid = $1) AND version < $2 AND version >= coalesce((SELECT min(version) FROM \
    (SELECT version FROM nex_audit WHERE ($1::uuid IS NULL OR ccid = $1) AND version < $2 \
    ORDER BY version DESC, place DESC LIMIT $3) AS page), 0) ORDER BY version DESC, place DESC";

const TRIM_AUDIT: &str = "DELETE FROM nex_audit WHERE ccid IS NOT DISTINCT FROM $1::uuid AND at < $2";

impl PostgresStore {
    /// Makes a pool and starts to listen; connects in the background. Spawns onto the current runtime, which must outlive
    /// the store.
    ///
    /// # Errors
    /// [`StoreError::Schema`] when the settings make no sense.
    pub fn connect(settings: PostgresSettings) -> Result<Self, StoreError> {
        let connector = Connector::new(&settings)?;
        let pool = bb8::Pool::builder()
            .max_size(settings.max_connections.max(1))
            .connection_timeout(settings.connect_timeout)
            .idle_timeout(Some(Duration::from_secs(300)))
            .build_unchecked(connector.clone());
        let version = watch::Sender::new(0);
        let listener = Listener {
            connector: connector.clone(),
            migrate: settings.migrate,
            poll: settings.poll,
            version: version.clone(),
        };
        let listener = tokio::spawn(listener.run()).abort_handle();
        let patience = settings.statement_timeout + Duration::from_secs(1);
        let statements = Statements(Kind::ALL.into_iter().map(KindSql::of).collect());
        Ok(PostgresStore {
            connector,
            pool,
            statements,
            version,
            migrate: settings.migrate,
            patience,
            listener,
        })
    }

    /// Brings the schema to this binary's version, whatever the settings say of migrating. Gives how many migrations
    /// were applied.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Schema`].
    pub async fn migrate(settings: &PostgresSettings) -> Result<usize, StoreError> {
        let mut session = Connector::new(settings)?.open(Arc::default()).await?;
        migrate(&mut session).await
    }

    async fn session(&self) -> Result<PooledConnection<'_, Connector>, StoreError> {
        self.pool.get().await.map_err(|error| match error {
            bb8::RunError::User(error) => error.into(),
            bb8::RunError::TimedOut => StoreError::Unavailable("no connection in time".to_owned()),
        })
    }
}

/// What came of work on a session; `None` when the caller could wait no longer.
fn settle<T>(
    session: &mut Session,
    done: Result<Result<T, StoreError>, Elapsed>,
) -> Option<Result<T, StoreError>> {
    if done.is_err() {
        session.give_up();
    }
    done.ok()
}

const NO_ANSWER: &str = "no answer in time";

fn no_answer<T>() -> Result<T, StoreError> {
    Err(StoreError::Unavailable(NO_ANSWER.to_owned()))
}

impl Store for PostgresStore {
    fn prepare(&self) -> StoreFuture<'_, ()> {
        async move {
            let mut session = self.connector.open(Arc::default()).await?;
            match self.migrate {
                true => migrate(&mut session).await.map(drop),
                false => verify(&mut session).await,
            }
        }
        .boxed()
    }

    fn read<'a>(&'a self, kind: Kind, tenant: TenantId, id: &'a ObjectId) -> StoreFuture<'a, Option<Row>> {
        self.one(kind, &self.statements.of(kind).read, tenant, id.as_str())
    }

    fn find<'a>(&'a self, kind: Kind, tenant: TenantId, name: &'a str) -> StoreFuture<'a, Option<Row>> {
        self.one(kind, &self.statements.of(kind).find, tenant, name)
    }

    fn list<'a>(
        &'a self,
        kind: Kind,
        tenant: Option<TenantId>,
        after: Option<&'a ObjectId>,
        limit: usize,
    ) -> StoreFuture<'a, Vec<Row>> {
        async move {
            let (tenant, after) = (tenant.map(|tenant| tenant.0), after.map(ObjectId::as_str));
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let text = self.statements.of(kind).list.as_str();
            let mut session = self.session().await?;
            let work = async {
                let statement = session.prepared(text).await?;
                let found = session.client.query(&statement, &[&tenant, &after, &limit]).await;
                found
                    .map_err(failed)?
                    .iter()
                    .map(|found| sql::row(kind, found))
                    .collect()
            };
            let done = timeout(self.patience, work).await;
            settle(&mut session, done).unwrap_or_else(no_answer)
        }
        .boxed()
    }

    fn write(&self, changes: Write) -> StoreFuture<'_, u64> {
        async move {
            let mut session = self.session().await?;
            let done = timeout(self.patience, write(&mut session, &self.statements, &changes)).await;
            // We may have stopped waiting between commit and answer.
            let unknown = || Err(StoreError::Unknown(NO_ANSWER.to_owned()));
            let version = settle(&mut session, done).unwrap_or_else(unknown)?;
            self.version.send_if_modified(|known| {
                let newer = version > *known;
                *known = version.max(*known);
                newer
            });
            Ok(version)
        }
        .boxed()
    }

    fn image(&self) -> StoreFuture<'_, Image> {
        async move {
            let mut session = self.session().await?;
            let done = timeout(self.patience, image(&mut session, &self.statements)).await;
            settle(&mut session, done).unwrap_or_else(no_answer)
        }
        .boxed()
    }

    fn audit(
        &self,
        tenant: Option<TenantId>,
        before: Option<u64>,
        limit: usize,
    ) -> StoreFuture<'_, Vec<AuditEntry>> {
        async move {
            let tenant = tenant.map(|tenant| tenant.0);
            let before = before
                .and_then(|before| i64::try_from(before).ok())
                .unwrap_or(i64::MAX);
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let mut session = self.session().await?;
            let work = async {
                let statement = session.prepared(AUDIT).await?;
                let found = session
                    .client
                    .query(&statement, &[&tenant, &before, &limit])
                    .await;
                found.map_err(failed)?.iter().map(audit_entry).collect()
            };
            let done = timeout(self.patience, work).await;
            settle(&mut session, done).unwrap_or_else(no_answer)
        }
        .boxed()
    }

    fn trim_audit(&self, tenant: Option<TenantId>, before: Millis) -> StoreFuture<'_, usize> {
        async move {
            let (tenant, before) = (tenant.map(|tenant| tenant.0), sql::system_time(before));
            let mut session = self.session().await?;
            let work = async {
                let statement = session.prepared(TRIM_AUDIT).await?;
                let gone = session.client.execute(&statement, &[&tenant, &before]).await;
                usize::try_from(gone.map_err(failed)?).map_err(corrupt)
            };
            let done = timeout(self.patience, work).await;
            settle(&mut session, done).unwrap_or_else(no_answer)
        }
        .boxed()
    }

    fn watch(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }
}

impl PostgresStore {
    fn one<'a>(
        &'a self,
        kind: Kind,
        text: &'a str,
        tenant: TenantId,
        key: &'a str,
    ) -> StoreFuture<'a, Option<Row>> {
        async move {
            let mut session = self.session().await?;
            let work = async {
                let statement = session.prepared(text).await?;
                let found = session
                    .client
                    .query_opt(&statement, &[&tenant.0, &key])
                    .await
                    .map_err(failed)?;
                found.map(|found| sql::row(kind, &found)).transpose()
            };
            let done = timeout(self.patience, work).await;
            settle(&mut session, done).unwrap_or_else(no_answer)
        }
        .boxed()
    }
}

impl Drop for PostgresStore {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

/// Everything as of one moment, whatever is written meanwhile.
async fn image(session: &mut Session, statements: &Statements) -> Result<Image, StoreError> {
    let mut prepared = Vec::with_capacity(Kind::ALL.len());
    for kind in Kind::ALL {
        prepared.push((kind, session.prepared(&statements.of(kind).all).await?));
    }
    let version = session.prepared(VERSION).await?;
    let keys = session.prepared(KEYS).await?;
    let builder = session
        .client
        .build_transaction()
        .isolation_level(IsolationLevel::RepeatableRead)
        .read_only(true);
    let transaction = builder.start().await.map_err(failed)?;
    let version = transaction.query_one(&version, &[]).await.map_err(failed)?;
    let version = u64::try_from(version.get::<_, i64>(0)).map_err(corrupt)?;
    let mut image = Image {
        version,
        ..Image::default()
    };
    for (kind, statement) in &prepared {
        for found in transaction.query(statement, &[]).await.map_err(failed)? {
            image.rows.push(sql::row(*kind, &found)?);
        }
    }
    for found in transaction.query(&keys, &[]).await.map_err(failed)? {
        image.keys.extend(key_record(&found)?);
    }
    transaction.commit().await.map_err(failed)?;
    Ok(image)
}

/// `None` for a key whose purpose only a newer release knows.
fn key_record(found: &tokio_postgres::Row) -> Result<Option<KeyRecord>, StoreError> {
    let owner: Uuid = found.try_get(0).map_err(corrupt)?;
    let purpose: String = found.try_get(1).map_err(corrupt)?;
    let Ok(purpose) = purpose.parse() else {
        return Ok(None);
    };
    let id: i64 = found.try_get(2).map_err(corrupt)?;
    Ok(Some(KeyRecord {
        tenant: (!owner.is_nil()).then_some(TenantId(owner)),
        purpose,
        id: u32::try_from(id).map_err(corrupt)?,
        active_from: millis(found.try_get(3).map_err(corrupt)?),
        wrapped: SealedBytes(found.try_get(4).map_err(corrupt)?),
    }))
}

fn audit_entry(found: &tokio_postgres::Row) -> Result<AuditEntry, StoreError> {
    let version: i64 = found.try_get(0).map_err(corrupt)?;
    let action: String = found.try_get(4).map_err(corrupt)?;
    Ok(AuditEntry {
        version: u64::try_from(version).map_err(corrupt)?,
        at: millis(found.try_get(1).map_err(corrupt)?),
        tenant: found
            .try_get::<_, Option<Uuid>>(2)
            .map_err(corrupt)?
            .map(TenantId),
        actor: found.try_get(3).map_err(corrupt)?,
        action: action.parse().map_err(corrupt)?,
        subject: found.try_get(5).map_err(corrupt)?,
        id: found.try_get(6).map_err(corrupt)?,
        fields: found.try_get(7).map_err(corrupt)?,
    })
}
