//! Which store this is, written into every partition when it is first used.
//!
//! The first node to come writes a fresh id into partition 0, then into all others, then marks the store *founded*. From then on
//! a partition without the id has lost its data (a master came back empty, somebody flushed it): the store is refused until an
//! operator names it. Every function compares the id again, so that a store that is swapped under a running node takes no write.

use bytes::{BufMut as _, Bytes, BytesMut};
use fred::clients::Client;
use fred::interfaces::{ClientLike as _, FredResult};
use fred::types::{ClusterHash, CustomCommand, Value};
use futures_util::future::try_join_all;
use uuid::Uuid;

use crate::log::error::LogError;

use super::keys::Partition;

/// Commands sent together.
const BATCH: usize = 256;

/// The id and the partition count, as every partition holds them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) store: Uuid,
    pub(super) partitions: u16,
}

impl Identity {
    pub(super) fn encode(self) -> Bytes {
        let mut bytes = BytesMut::with_capacity(18);
        bytes.put_slice(self.store.as_bytes());
        bytes.put_u16(self.partitions);
        bytes.freeze()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (store, partitions) = bytes.split_at_checked(16)?;
        Some(Self {
            store: Uuid::from_slice(store).ok()?,
            partitions: u16::from_be_bytes(partitions.try_into().ok()?),
        })
    }
}

/// Finds the store, or founds it with `fresh` as its id. `adopt` names a store whose lost partitions are to be taken back.
pub(super) async fn establish(
    client: &Client,
    partitions: &[Partition],
    fresh: Uuid,
    adopt: Option<Uuid>,
) -> Result<Identity, LogError> {
    let count = u16::try_from(partitions.len()).unwrap_or(u16::MAX);
    let [first, ..] = partitions else {
        return Err(refused("a store without partitions"));
    };
    let ours = Identity {
        store: fresh,
        partitions: count,
    };
    let founded = get(client, first, first.founded().into()).await?;
    let found = read_all(client, partitions).await?;
    let known = [founded.as_ref()]
        .into_iter()
        .chain(found.iter().map(Option::as_ref))
        .flatten()
        .next();
    let identity = match known {
        None => claim(client, first, ours).await?,
        Some(bytes) => Identity::decode(bytes).ok_or_else(|| refused("an identity that is none"))?,
    };
    if identity.partitions != count {
        return Err(refused(&format!(
            "it has {} partitions, configured are {count}",
            identity.partitions
        )));
    }
    let bytes = identity.encode();
    if found.iter().flatten().any(|other| *other != bytes) {
        return Err(refused("its partitions are of different stores"));
    }
    let lost: Vec<&Partition> = partitions
        .iter()
        .zip(&found)
        .filter_map(|(partition, found)| found.is_none().then_some(partition))
        .collect();
    // Not yet founded, and partition 0 has the id: somebody was interrupted at it, or is at it right now. They may have
    // begun while the partitions were read, so partition 0 is asked again; it is the first to be written.
    let begun = match (&found[0], known) {
        (None, Some(_)) => get(client, first, first.store.clone()).await?.is_some(),
        (first, _) => first.is_some(),
    };
    let founding = founded.is_none() && (known.is_none() || begun);
    if !lost.is_empty() && !founding && adopt != Some(identity.store) {
        return Err(refused(&format!(
            "{} of {count} partitions of store {} have lost their identity; if their data may be given up, adopt it by name",
            lost.len(),
            identity.store
        )));
    }
    write_all(client, &lost, &bytes).await?;
    if founded.is_none() {
        set(client, first, first.founded().into(), bytes).await?;
    }
    Ok(identity)
}

/// Whoever writes first names the store.
async fn claim(client: &Client, first: &Partition, ours: Identity) -> Result<Identity, LogError> {
    set(client, first, first.store.clone(), ours.encode()).await?;
    let bytes = get(client, first, first.store.clone())
        .await?
        .ok_or_else(|| refused("an identity does not stay"))?;
    Identity::decode(&bytes).ok_or_else(|| refused("an identity that is none"))
}

async fn read_all(client: &Client, partitions: &[Partition]) -> Result<Vec<Option<Bytes>>, LogError> {
    let mut found = Vec::with_capacity(partitions.len());
    for batch in partitions.chunks(BATCH) {
        let asked = batch
            .iter()
            .map(|partition| get(client, partition, partition.store.clone()));
        found.extend(try_join_all(asked).await?);
    }
    Ok(found)
}

async fn write_all(client: &Client, partitions: &[&Partition], identity: &Bytes) -> Result<(), LogError> {
    for batch in partitions.chunks(BATCH) {
        let written = batch
            .iter()
            .map(|partition| set(client, partition, partition.store.clone(), identity.clone()));
        try_join_all(written).await?;
    }
    Ok(())
}

async fn get(client: &Client, partition: &Partition, key: Bytes) -> Result<Option<Bytes>, LogError> {
    let command = CustomCommand::new_static("GET", ClusterHash::Custom(partition.slot), false);
    answered(client.custom(command, vec![Value::Bytes(key)]).await)
}

/// Writes what is not there yet.
async fn set(client: &Client, partition: &Partition, key: Bytes, value: Bytes) -> Result<(), LogError> {
    let command = CustomCommand::new_static("SET", ClusterHash::Custom(partition.slot), false);
    let line = vec![Value::Bytes(key), Value::Bytes(value), Value::from("NX")];
    answered::<Option<Bytes>>(client.custom(command, line).await).map(|_| ())
}

fn answered<T>(result: FredResult<T>) -> Result<T, LogError> {
    result.map_err(|error| LogError::unavailable(error.to_string()))
}

fn refused(why: &str) -> LogError {
    LogError::WrongStore {
        reason: why.to_owned(),
    }
}
