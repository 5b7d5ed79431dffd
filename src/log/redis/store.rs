//! Opening the store: connect, check, and hand out one core's handle.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use fred::interfaces::EventInterface as _;
use uuid::Uuid;

use crate::log::error::LogError;
use crate::log::local::{Fanout, check_partitions};
use crate::log::store::{SharedLog, StoreInfo};

use super::connect;
use super::handle::RedisCore;
use super::identity;
use super::inspect::inspect;
use super::keys::Partition;
use super::library::{self, Policy};
use super::link::Link;
use super::options::RedisOptions;
use super::ring::Ring;
use super::rollback::{self, Recent};
use super::subscribe::Subscriber;

/// The session log in Redis.
#[derive(Debug)]
pub struct RedisStore;

impl RedisStore {
    /// One core's handle: its own command connection and its own subscriber, on the current tokio runtime.
    ///
    /// `core` only names the handle in the logs.
    ///
    /// # Errors
    /// [`LogError::Unavailable`]: Redis cannot be reached. [`LogError::WrongStore`]: it is not what `options` say, or lacks the
    /// functions and they may not be loaded; an operator must look. [`LogError::OutOfBounds`]: the options themselves.
    pub async fn connect(options: RedisOptions, core: usize) -> Result<SharedLog, LogError> {
        let partitions = partitions(&options)?;
        let client = connect::connect(&options, 1).await?;
        let durability = inspect(&client, options.durability).await?;
        let policy = if options.load_library {
            Policy::Load
        } else {
            Policy::Verify
        };
        library::ensure(&client, policy).await?;
        let identity = identity::establish(&client, &partitions, Uuid::new_v4(), options.adopt).await?;
        let mut clients = vec![client];
        while clients.len() < options.connections {
            clients.push(connect::connect(&options, 1).await?);
        }
        let link = Arc::new(Link::new(clients, partitions, identity.encode(), &options));
        let recent = Recent::new(Ring::new(options.ring, Instant::now()));
        let fanout = Fanout::new(options.partitions);
        let subscriber =
            Subscriber::connect(&options, Arc::clone(&link), Arc::clone(&recent), fanout.clone()).await?;
        rollback::mend(&link, &recent, &fanout).await?;
        // They lose the server together: one of them is enough to see it.
        let reconnects = link.client(0).reconnect_rx();
        tokio::spawn(rollback::mind(
            Arc::downgrade(&link),
            Arc::clone(&recent),
            fanout,
            reconnects,
        ));
        tracing::info!(core, store = %identity.store, partitions = identity.partitions, "the session log is in redis");
        let info = StoreInfo {
            name: "redis",
            durability,
            partitions: identity.partitions,
            store_id: identity.store,
            shared: true,
        };
        Ok(Rc::new(RedisCore::new(info, link, subscriber, recent)))
    }

    /// Puts the function library on every master, in place of another text of the same version.
    ///
    /// # Errors
    /// [`LogError::Unavailable`]: a master cannot be reached or does not let us.
    pub async fn migrate(options: &RedisOptions) -> Result<(), LogError> {
        let client = connect::connect(options, 1).await?;
        let migrated = library::ensure(&client, Policy::Replace).await;
        connect::close(&client);
        migrated
    }
}

fn partitions(options: &RedisOptions) -> Result<Vec<Partition>, LogError> {
    check_partitions(options.partitions)?;
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !options.namespace.chars().all(plain) {
        return Err(LogError::OutOfBounds {
            reason: "a namespace has letters, digits, - and _ only".to_owned(),
        });
    }
    Ok((0..options.partitions)
        .map(|number| Partition::new(&options.namespace, number))
        .collect())
}
