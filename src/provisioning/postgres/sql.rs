//! The statements of each kind, written once from its table, and rows read back.
//!
//! An object travels as one `jsonb` value each way; the database takes it apart into typed columns and puts it together
//! again. Nothing a caller gives ever becomes part of a statement's text.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use super::error::corrupt;
use super::tables::table;
use crate::model::{Millis, TenantId};
use crate::provisioning::objects::Kind;
use crate::provisioning::row::{ObjectId, Row, SealedBytes};
use crate::provisioning::store::StoreError;

/// The statements of one kind.
pub(super) struct KindSql {
    /// `$1` tenant, `$2` id.
    pub(super) read: String,
    /// `$1` tenant, `$2` natural key.
    pub(super) find: String,
    /// `$1` tenant or null, `$2` id to start after or null, `$3` limit.
    pub(super) list: String,
    /// Everything of the kind.
    pub(super) all: String,
    /// `$1` tenant, `$2` id: the version, under a lock.
    pub(super) seen: String,
    /// `$1` tenant, `$2` id, `$3` version, `$4` created, `$5` updated, `$6` body, `$7…` secrets.
    pub(super) insert: String,
    /// As `insert`; keeps `created`.
    pub(super) update: String,
    /// `$1` tenant, `$2` id.
    pub(super) delete: String,
}

impl KindSql {
    pub(super) fn of(kind: Kind) -> Self {
        let (name, shape) = (kind.table(), table(kind));
        let owner = shape.owner;
        let quoted: Vec<String> = shape
            .columns
            .iter()
            .map(|column| format!("\"{}\"", column.name))
            .collect();
        let secrets: Vec<String> = kind
            .secrets()
            .iter()
            .map(|spec| format!("\"{}\"", spec.column))
            .collect();

        let pairs: Vec<String> = shape
            .columns
            .iter()
            .map(|column| format!("('{}', to_jsonb(t.\"{}\"))", column.field, column.name))
            .collect();
        let body = format!(
            "coalesce((SELECT jsonb_object_agg(f.k, f.v) FROM (VALUES {}) AS f (k, v) WHERE f.v IS NOT NULL), \
             '{{}}'::jsonb) || t.settings",
            pairs.join(", ")
        );
        let shown: String = secrets.iter().map(|column| format!(", t.{column}")).collect();
        let select =
            format!("SELECT t.{owner}, t.id, t.version, t.created, t.updated, {body}{shown} FROM {name} t");

        let record: Vec<String> = shape
            .columns
            .iter()
            .map(|column| format!("\"{}\" {}", column.field, column.sql))
            .collect();
        let fields: Vec<String> = shape
            .columns
            .iter()
            .map(|column| format!("r.\"{}\"", column.field))
            .collect();
        let settings = format!(
            "$6::jsonb - '{{{}}}'::text[]",
            shape
                .columns
                .iter()
                .map(|column| column.field)
                .collect::<Vec<_>>()
                .join(",")
        );
        let from = format!("FROM jsonb_to_record($6::jsonb) AS r ({})", record.join(", "));
        let secret_values: Vec<String> = (7..7 + secrets.len()).map(|n| format!("${n}::bytea")).collect();
        let columns = [
            &[owner.to_owned()],
            &strings(&["id", "version", "created", "updated", "settings"])[..],
            &quoted,
            &secrets,
        ]
        .concat();
        let values = [
            &strings(&[
                "$1::uuid",
                "$2::text",
                "$3::bigint",
                "$4::timestamptz",
                "$5::timestamptz",
            ])[..],
            &[settings],
            &fields,
            &secret_values,
        ]
        .concat();
        let assignments: Vec<String> = columns
            .iter()
            .zip(&values)
            .skip(2)
            .map(|(column, value)| match column.as_str() {
                "created" => "created = least(t.created, $4::timestamptz)".to_owned(),
                _ => format!("{column} = {value}"),
            })
            .collect();
        KindSql {
            read: format!("{select} WHERE t.{owner} = $1 AND t.id = $2"),
            find: format!("{select} WHERE t.{owner} = $1 AND t.\"{}\" = $2", shape.key),
            list: format!(
                "{select} WHERE ($1::uuid IS NULL OR t.{owner} = $1) AND ($2::text IS NULL OR t.id COLLATE \"C\" > $2) \
                 ORDER BY t.id COLLATE \"C\" LIMIT $3"
            ),
            all: select,
            seen: format!("SELECT version FROM {name} WHERE {owner} = $1 AND id = $2 FOR UPDATE"),
            insert: format!(
                "INSERT INTO {name} ({}) SELECT {} {from}",
                columns.join(", "),
                values.join(", ")
            ),
            update: format!(
                "UPDATE {name} t SET {} {from} WHERE t.{owner} = $1::uuid AND t.id = $2::text",
                assignments.join(", ")
            ),
            delete: format!("DELETE FROM {name} WHERE {owner} = $1 AND id = $2"),
        }
    }
}

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

/// Reads a row of [`KindSql::read`] and its like.
pub(super) fn row(kind: Kind, found: &tokio_postgres::Row) -> Result<Row, StoreError> {
    let id: String = found.try_get(1).map_err(corrupt)?;
    let version: i64 = found.try_get(2).map_err(corrupt)?;
    let mut body: Value = found.try_get(5).map_err(corrupt)?;
    let shape = table(kind);
    for column in shape.columns.iter().filter(|column| column.sql == "timestamptz") {
        // The database has its own way of writing times.
        if let Some(Value::String(text)) = body.get_mut(column.field) {
            *text = text.parse::<jiff::Timestamp>().map_err(corrupt)?.to_string();
        }
    }
    let key = shape
        .columns
        .iter()
        .find(|column| column.name == shape.key)
        .map_or("", |column| column.field);
    let name = body
        .get(key)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    let mut secrets = BTreeMap::new();
    for (i, spec) in kind.secrets().iter().enumerate() {
        if let Some(bytes) = found.try_get::<_, Option<Vec<u8>>>(6 + i).map_err(corrupt)? {
            secrets.insert(spec.field.to_owned(), SealedBytes(bytes));
        }
    }
    Ok(Row {
        kind,
        tenant: TenantId(found.try_get(0).map_err(corrupt)?),
        id: id.parse::<ObjectId>().map_err(corrupt)?,
        name,
        body,
        secrets,
        version: u64::try_from(version).map_err(corrupt)?,
        created: millis(found.try_get(3).map_err(corrupt)?),
        updated: millis(found.try_get(4).map_err(corrupt)?),
    })
}

/// Before the epoch counts as the epoch.
pub(super) fn millis(at: SystemTime) -> Millis {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    Millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

pub(super) fn system_time(at: Millis) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(at.0)
}
