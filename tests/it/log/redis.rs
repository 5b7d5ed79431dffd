//! The suite over Redis: a single server, and a cluster of three masters.
//!
//! Behaviours that run at the same time share a server; each has a namespace of its own.

use std::cell::RefCell;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::FutureExt as _;
use futures_util::future::{LocalBoxFuture, try_join_all};
use nexus::log::SharedLog;
use nexus::log::redis::{RedisOptions, RedisStore};
use nexus::model::Millis;
use uuid::Uuid;

use super::suite::Harness;
use crate::support::redis::{RedisCluster, RedisOptions as ServerOptions, RedisServer};

/// More handles than any behaviour asks for.
const HANDLES: usize = 6;

/// The part, kept while any behaviour runs on it.
struct Shared<P>(Mutex<Weak<P>>);

impl<P> Shared<P> {
    const fn new() -> Self {
        Self(Mutex::new(Weak::new()))
    }

    fn get(&self, start: impl FnOnce() -> P) -> Arc<P> {
        let mut shared = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let part = Arc::new(start());
            *shared = Arc::downgrade(&part);
            part
        })
    }
}

struct Redis<P> {
    handles: RefCell<Vec<SharedLog>>,
    narrow: SharedLog,
    _part: Arc<P>,
}

impl<P> Redis<P> {
    async fn start(part: Arc<P>, url: String) -> Self {
        let options = RedisOptions {
            namespace: Uuid::new_v4().simple().to_string(),
            partitions: 16,
            ..RedisOptions::at(&url).unwrap()
        };
        let connected = (0..HANDLES).map(|core| RedisStore::connect(options.clone(), core));
        let handles = RefCell::new(try_join_all(connected).await.unwrap());
        let narrow = RedisOptions {
            watch_capacity: 64,
            ..options
        };
        Self {
            handles,
            narrow: RedisStore::connect(narrow, HANDLES).await.unwrap(),
            _part: part,
        }
    }
}

impl<P> Harness for Redis<P> {
    fn core(&self) -> SharedLog {
        self.handles.borrow_mut().pop().expect("enough handles")
    }

    fn narrow_core(&self) -> SharedLog {
        SharedLog::clone(&self.narrow)
    }

    fn now(&self) -> Millis {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        Millis(since.as_millis() as u64)
    }

    fn pass(&self, ms: u64) -> LocalBoxFuture<'_, ()> {
        // The server's clock is the machine's: nobody can move it.
        tokio::time::sleep(Duration::from_millis(ms + 20)).boxed_local()
    }
}

mod single {
    use super::*;

    static SERVER: Shared<RedisServer> = Shared::new();

    async fn start() -> Redis<RedisServer> {
        let server = SERVER.get(RedisServer::start);
        let url = server.url();
        Redis::start(server, url).await
    }

    conformance!(start);
}

mod clustered {
    use super::*;

    static CLUSTER: Shared<RedisCluster> = Shared::new();

    async fn start() -> Redis<RedisCluster> {
        let cluster = CLUSTER.get(|| RedisCluster::start(&ServerOptions::default()));
        let url = cluster.url();
        Redis::start(cluster, url).await
    }

    conformance!(start);
}
