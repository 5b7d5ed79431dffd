//! The suite over the memory store.

use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;
use nexus::log::SharedLog;
use nexus::log::memory::MemoryStore;
use nexus::model::Millis;
use nexus::runtime::TestClock;

use super::suite::Harness;

struct Memory {
    store: MemoryStore,
    clock: TestClock,
}

async fn start() -> Memory {
    let clock = TestClock::at(1_700_000_000_000);
    let store = MemoryStore::new(16, clock.clock()).unwrap();
    Memory { store, clock }
}

impl Harness for Memory {
    fn core(&self) -> SharedLog {
        self.store.core()
    }

    fn narrow_core(&self) -> SharedLog {
        self.store.clone().with_watch_capacity(64).core()
    }

    fn now(&self) -> Millis {
        Millis(self.clock.clock().wall_ms())
    }

    fn pass(&self, ms: u64) -> LocalBoxFuture<'_, ()> {
        self.clock.advance(Duration::from_millis(ms));
        async {}.boxed_local()
    }
}

conformance!(start);
conformance_days!(start);

#[test]
fn only_a_power_of_two_counts_partitions() {
    let clock = TestClock::at(0);
    for count in [0, 3, 8192] {
        assert!(MemoryStore::new(count, clock.clock()).is_err());
    }
}
