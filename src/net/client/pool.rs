//! Connections that wait for the next call: of one core, for one peer and guard, bounded in number and time.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::{Rc, Weak};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::{http1, http2};
use tokio::time::Instant;

use super::exchange::Driven;
use super::{Guard, Host, Target};

/// Peers whose connections are kept.
const MOST_PEERS: usize = 1_024;

/// Which calls may share a connection. The guard is part of it: what one may reach and show, the other may not.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    tls: bool,
    host: Host,
    port: u16,
    guard: Guard,
}

impl Key {
    pub(super) fn new(target: &Target, guard: Guard) -> Self {
        Self {
            tls: target.is_tls(),
            host: target.host().clone(),
            port: target.port(),
            guard,
        }
    }
}

/// An idle HTTP/1.1 connection, or one just taken.
#[derive(Debug)]
pub(super) struct One {
    pub(super) send: http1::SendRequest<Full<Bytes>>,
    pub(super) _driven: Driven,
}

/// An HTTP/2 connection, which calls share.
#[derive(Debug)]
pub(super) struct Many {
    pub(super) send: http2::SendRequest<Full<Bytes>>,
    pub(super) _driven: Driven,
}

#[derive(Debug, Default)]
struct Kept {
    idle: Vec<(One, Instant)>,
    shared: Option<(Rc<Many>, Instant)>,
}

/// The pool of one core.
#[derive(Debug)]
pub(super) struct Pool {
    most: usize,
    keep: Duration,
    state: RefCell<State>,
}

#[derive(Debug, Default)]
struct State {
    peers: HashMap<Key, Kept>,
    sweeping: bool,
}

/// A connection that was there.
pub(super) enum Waiting {
    One(One),
    Many(Rc<Many>),
}

impl Pool {
    /// Keeps at most `most` idle connections of a peer, for `keep`.
    pub(super) fn new(most: usize, keep: Duration) -> Rc<Self> {
        Rc::new(Self {
            most,
            keep,
            state: RefCell::default(),
        })
    }

    /// A connection to `key` that is open as far as we know, the one used last.
    pub(super) fn take(&self, key: &Key) -> Option<Waiting> {
        let mut state = self.state.borrow_mut();
        let kept = state.peers.get_mut(key)?;
        if let Some((many, used)) = &mut kept.shared {
            if many.send.is_closed() {
                kept.shared = None;
            } else {
                *used = Instant::now();
                return Some(Waiting::Many(Rc::clone(many)));
            }
        }
        while let Some((one, _)) = kept.idle.pop() {
            if one.send.is_ready() {
                return Some(Waiting::One(one));
            }
        }
        None
    }

    /// Keeps an idle connection, unless there are enough.
    pub(super) fn keep_one(self: &Rc<Self>, key: Key, one: One) {
        let now = Instant::now();
        self.with(key, |kept, most| {
            if kept.idle.len() < most {
                kept.idle.push((one, now));
            }
        });
    }

    /// Lets later calls share a connection.
    pub(super) fn share(self: &Rc<Self>, key: Key, many: &Rc<Many>) {
        let now = Instant::now();
        self.with(key, |kept, most| {
            if most > 0 {
                kept.shared = Some((Rc::clone(many), now));
            }
        });
    }

    /// Gives a shared connection to no more calls; those that have it go on.
    pub(super) fn retire(&self, key: &Key, many: &Rc<Many>) {
        if let Some(kept) = self.state.borrow_mut().peers.get_mut(key) {
            kept.shared.take_if(|(shared, _)| Rc::ptr_eq(shared, many));
        }
    }

    fn with(self: &Rc<Self>, key: Key, change: impl FnOnce(&mut Kept, usize)) {
        let mut state = self.state.borrow_mut();
        if state.peers.len() >= MOST_PEERS && !state.peers.contains_key(&key) {
            return;
        }
        change(state.peers.entry(key).or_default(), self.most);
        if !state.sweeping {
            state.sweeping = true;
            tokio::task::spawn_local(sweep(Rc::downgrade(self), self.keep));
        }
    }

    /// Closes what was idle for too long. Returns whether anything is left.
    fn expire(&self) -> bool {
        let mut state = self.state.borrow_mut();
        let keep = self.keep;
        state.peers.retain(|_, kept| {
            kept.idle
                .retain(|(one, since)| since.elapsed() < keep && !one.send.is_closed());
            kept.shared.take_if(|(many, used)| {
                many.send.is_closed() || (used.elapsed() >= keep && Rc::strong_count(many) == 1)
            });
            !kept.idle.is_empty() || kept.shared.is_some()
        });
        state.sweeping = !state.peers.is_empty();
        state.sweeping
    }
}

/// Runs while there is something to close.
async fn sweep(pool: Weak<Pool>, keep: Duration) {
    let mut ticks = tokio::time::interval((keep / 2).max(Duration::from_millis(10)));
    ticks.tick().await;
    loop {
        ticks.tick().await;
        match pool.upgrade() {
            Some(pool) if pool.expire() => {}
            _ => return,
        }
    }
}
