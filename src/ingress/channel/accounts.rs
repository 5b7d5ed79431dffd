//! What every callback of a channel asks for, made once for each version of the provisioning: the account with its secrets opened, and
//! the counter. One for a connection of a core.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use metrics::Counter;

use crate::protocol::channel::Account;
use crate::provisioning::objects::{Channel, Stored};
use crate::provisioning::{ObjectId, SecretError, Snapshot, account};
use crate::telemetry::names;

/// The channels that callbacks came for since the snapshot changed; no more than are provisioned. What was opened for an older
/// snapshot is wiped.
#[derive(Default)]
pub struct Accounts(RefCell<Known>);

#[derive(Default)]
struct Known {
    version: u64,
    callers: HashMap<ObjectId, Rc<Caller>>,
}

/// Who calls for a channel.
pub(super) struct Caller {
    /// What its callbacks are believed by, or why nobody is.
    pub(super) account: Result<Account, SecretError>,
    /// Counts them.
    pub(super) received: Counter,
}

impl Accounts {
    /// Who calls for `channel`, as `snapshot` has it.
    pub(super) fn of(&self, snapshot: &Snapshot, channel: &Stored<Channel>) -> Rc<Caller> {
        let mut known = self.0.borrow_mut();
        if known.version != snapshot.version() {
            *known = Known {
                version: snapshot.version(),
                callers: HashMap::new(),
            };
        }
        if let Some(caller) = known.callers.get(&channel.id) {
            return Rc::clone(caller);
        }
        let caller = Rc::new(Caller {
            account: account(snapshot, channel),
            received: metrics::counter!(names::HUB_RECEIVED, "channelId" => channel.id.to_string()),
        });
        known.callers.insert(channel.id.clone(), Rc::clone(&caller));
        caller
    }
}
