//! The customer a portal names: an address in one of the tenant's boxes.

use std::sync::Arc;

use crate::log::Mailbox;
use crate::model::{LogId, TenantId};
use crate::protocol::envelope::{Code, Fault};
use crate::protocol::securemail::{Address, PROVIDER, SECUREBOX, Whose};
use crate::provisioning::Snapshot;
use crate::provisioning::objects::{Channel, Stored};
use crate::shard::Shards;

/// Somebody with a mailbox.
pub(super) struct Customer {
    pub(super) tenant: TenantId,
    pub(super) channel: Arc<Stored<Channel>>,
    pub(super) address: Address,
    keep_ms: u64,
}

impl Customer {
    /// Finds the box. Without a name it is the one that has none, or the only one there is.
    pub(super) fn find(snapshot: &Snapshot, tenant: TenantId, whose: Whose) -> Result<Self, Fault> {
        let boxes = snapshot
            .all::<Channel>(tenant)
            .filter(|channel| channel.value.enabled && channel.value.provider == PROVIDER);
        let boxes: Vec<_> = boxes.collect();
        if boxes.is_empty() {
            return Err(Fault::new(Code::NotFound).detail("no box of secure mail"));
        }
        let wanted = whose.securebox.as_deref();
        let of_name = boxes.iter().find(|channel| securebox(channel) == wanted);
        let found = match (of_name, wanted, boxes.as_slice()) {
            (Some(found), ..) => *found,
            (None, None, [only]) => *only,
            (None, None, _) => return Err(Fault::new(Code::MissingField).detail("securebox")),
            (None, Some(_), _) => return Err(Fault::new(Code::NotFound).detail("securebox")),
        };
        Ok(Self {
            tenant,
            channel: Arc::clone(found),
            address: whose.address,
            keep_ms: snapshot.transcripts_ms(tenant),
        })
    }

    /// Their mailbox.
    pub(super) fn mailbox(&self, shards: &Shards) -> Mailbox {
        let id = LogId::mailbox(self.tenant, &self.channel.id.to_string(), self.address.as_str());
        shards.mailbox(id, self.keep_ms)
    }

    /// How long mails are kept, in milliseconds.
    pub(super) const fn keep_ms(&self) -> u64 {
        self.keep_ms
    }
}

fn securebox(channel: &Stored<Channel>) -> Option<&str> {
    channel.value.config.get(SECUREBOX)?.as_str()
}
