//! Names of keys and channels. Everything of one partition begins with its hash tag.

use bytes::Bytes;
use fred::util::redis_keyslot;

use crate::model::LogId;

/// The names of one partition that Rust needs; the functions derive the others from them.
#[derive(Debug, Clone)]
pub(super) struct Partition {
    /// `{p17}:`, or `{namespace:p17}:`.
    prefix: String,
    /// Holds the identity of the store.
    pub(super) store: Bytes,
    /// Never written; see `lua/frame.lua`.
    pub(super) whole: Bytes,
    /// Where all of it lives in a cluster.
    pub(super) slot: u16,
}

impl Partition {
    pub(super) fn new(namespace: &str, number: u16) -> Self {
        let tag = if namespace.is_empty() {
            format!("p{number}")
        } else {
            format!("{namespace}:p{number}")
        };
        let prefix = format!("{{{tag}}}:");
        Self {
            store: Bytes::from(format!("{prefix}store")),
            whole: Bytes::from(format!("{prefix}whole")),
            slot: redis_keyslot(tag.as_bytes()),
            prefix,
        }
    }

    /// Says that every partition has been given the identity; only in partition 0.
    pub(super) fn founded(&self) -> String {
        format!("{}founded", self.prefix)
    }

    /// Where the records of a log are published.
    pub(super) fn channel(&self, log: LogId) -> String {
        format!("{}w:{log}", self.prefix)
    }

    /// Where a subscriber hears from itself that it still hears.
    pub(super) fn beat_channel(&self, subscriber: &str) -> String {
        format!("{}beat:{subscriber}", self.prefix)
    }
}

/// The log that a channel is about; `None` for a channel of another kind.
pub(super) fn log_of(channel: &str) -> Option<LogId> {
    let (_, name) = channel.split_once("}:w:")?;
    name.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Millis, Spread};

    #[test]
    fn all_names_of_a_partition_are_in_its_slot() {
        let log = LogId::session(Millis(1), [7; 10], Spread::of(&[b"x"]));
        for namespace in ["", "blue"] {
            let partition = Partition::new(namespace, 17);
            let names = [
                partition.founded(),
                partition.channel(log),
                partition.beat_channel("s"),
            ];
            for name in names
                .iter()
                .map(|name| name.as_bytes())
                .chain([&*partition.store, &*partition.whole])
            {
                assert_eq!(redis_keyslot(name), partition.slot);
            }
        }
    }

    #[test]
    fn a_channel_names_its_log() {
        let log = LogId::session(Millis(1), [7; 10], Spread::of(&[b"x"]));
        let partition = Partition::new("", 3);
        assert_eq!(log_of(&partition.channel(log)), Some(log));
        assert_eq!(log_of(&partition.beat_channel("x")), None);
        assert_eq!(log_of("{p3}:w:nobody"), None);
    }
}
