//! Brings the schema to the version this binary knows, one node at a time.
//!
//! Migrations are numbered SQL files compiled in. What was applied is recorded with a digest: a file changed after its
//! release, or a schema of a newer binary, is refused rather than guessed at.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use tracing::info;

use super::error::failed;
use crate::postgres::Session;
use crate::provisioning::store::StoreError;

struct Migration {
    number: i64,
    name: &'static str,
    sql: &'static str,
}

macro_rules! migrations {
    ($($number:literal $name:literal),* $(,)?) => {
        &[$(Migration {
            number: $number,
            name: $name,
            sql: include_str!(concat!("../../../migrations/", $name, ".sql")),
        }),*]
    };
}

const MIGRATIONS: &[Migration] = migrations![
    1 "0001_version",
    2 "0002_tenants",
    3 "0003_keys",
    4 "0004_audit",
    5 "0005_access",
    6 "0006_channels",
    7 "0007_routing",
    8 "0008_texts",
    9 "0009_customers",
    10 "0010_media",
    11 "0011_history",
];

/// The advisory lock under which one node migrates: the bytes of `nexus/ms`.
const LOCK: i64 = 0x6e65_7875_732f_6d73;
/// Longest run of all migrations together, and longest wait for another node's.
const DEADLINE: Duration = Duration::from_secs(60);

const LEDGER: &str = "CREATE TABLE IF NOT EXISTS nex_migrations (
    number bigint PRIMARY KEY,
    name text NOT NULL,
    digest text NOT NULL,
    applied timestamptz NOT NULL DEFAULT now()
)";

/// Applies what is missing. Gives how many were applied.
pub(super) async fn migrate(session: &mut Session) -> Result<usize, StoreError> {
    let late = |_| StoreError::Unavailable("the schema was not ready in time".to_owned());
    tokio::time::timeout(DEADLINE, migrate_under_lock(session))
        .await
        .map_err(late)?
}

async fn migrate_under_lock(session: &mut Session) -> Result<usize, StoreError> {
    let client = &session.client;
    let ms = DEADLINE.as_millis();
    client
        .batch_execute(&format!(
            "SET statement_timeout = {ms}; SET lock_timeout = {ms}; SELECT pg_advisory_lock({LOCK})"
        ))
        .await
        .map_err(failed)?;
    // The lock goes with the session, so an error needs no unlocking: the session is not used again.
    client.batch_execute(LEDGER).await.map_err(failed)?;
    let missing = check(session).await?;
    for migration in missing {
        let transaction = session.client.transaction().await.map_err(failed)?;
        transaction.batch_execute(migration.sql).await.map_err(failed)?;
        let insert = "INSERT INTO nex_migrations (number, name, digest) VALUES ($1, $2, $3)";
        let digest = digest_of(migration.sql);
        transaction
            .execute(insert, &[&migration.number, &migration.name, &digest])
            .await
            .map_err(failed)?;
        transaction.commit().await.map_err(failed)?;
        info!(migration = migration.name, "migration applied");
    }
    session
        .client
        .batch_execute(&format!(
            "SELECT pg_advisory_unlock({LOCK}); RESET statement_timeout; RESET lock_timeout"
        ))
        .await
        .map_err(failed)?;
    Ok(missing.len())
}

/// Refuses a schema that is not exactly the one this binary knows.
pub(super) async fn verify(session: &mut Session) -> Result<(), StoreError> {
    let present = session
        .client
        .query_one("SELECT to_regclass('nex_migrations') IS NOT NULL", &[])
        .await
        .map_err(failed)?;
    let missing = if present.get::<_, bool>(0) {
        check(session).await?
    } else {
        MIGRATIONS
    };
    match missing.last() {
        None => Ok(()),
        Some(last) => Err(StoreError::Schema(format!(
            "{} migrations up to {} are missing; run `nexus migrate`",
            missing.len(),
            last.name
        ))),
    }
}

/// What is missing, after refusing what must not be there.
async fn check(session: &mut Session) -> Result<&'static [Migration], StoreError> {
    let select = "SELECT number, digest FROM nex_migrations ORDER BY number";
    let applied = session.client.query(select, &[]).await.map_err(failed)?;
    for (i, row) in applied.iter().enumerate() {
        let (number, digest): (i64, String) = (row.get(0), row.get(1));
        let Some(known) = MIGRATIONS.get(i).filter(|known| known.number == number) else {
            return Err(StoreError::Schema(format!(
                "migration {number} was applied by a newer release; this one knows {}",
                MIGRATIONS.len()
            )));
        };
        if digest != digest_of(known.sql) {
            return Err(StoreError::Schema(format!(
                "{} is not what was applied here",
                known.name
            )));
        }
    }
    Ok(&MIGRATIONS[applied.len()..])
}

fn digest_of(sql: &str) -> String {
    digest(&SHA256, sql.as_bytes())
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_compiled_in_and_numbered_without_gaps() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        files.sort();
        let known: Vec<String> = MIGRATIONS
            .iter()
            .map(|known| format!("{}.sql", known.name))
            .collect();
        assert_eq!(files, known);
        for (number, known) in (1..).zip(MIGRATIONS) {
            assert_eq!(known.number, number);
            assert!(known.name.starts_with(&format!("{number:04}_")));
        }
    }
}
