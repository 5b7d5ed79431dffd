//! Everything at once, and `kill -9` in the middle of it: texts come in, an agent answers, a campaign goes out, subscribers are told and
//! contact history is written, while the node is killed again and again.
//!
//! `NEXUS_TEST_KILLS` sets how often, `NEXUS_TEST_SEED` when.

mod agent;
mod board;
mod check;
mod site;

use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use self::board::Board;
use self::site::{Reach, Site, Store};
use crate::support::part::eventually;
use crate::support::postgres::Postgres;
use crate::support::redis::RedisServer;

/// Texts of a round.
const TEXTS: usize = 16;
/// Whatever waits when the node is killed for the last time is done within this: a lease, and what history backs off.
const PATIENCE: Duration = Duration::from_secs(240);

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable)
        .ok()
        .and_then(|number| number.parse().ok())
        .unwrap_or(default)
}

/// Numbers that look like chance and are the same for the same seed.
struct Dice(u64);

impl Dice {
    fn up_to(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(most).unwrap()).unwrap() + 1
    }
}

/// Ends a round.
struct Over<'r>(&'r Reach);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.over.store(true, Ordering::Release);
    }
}

fn everything_is_done_once_through_kills(store: Store) {
    let kills = usize::try_from(number("NEXUS_TEST_KILLS", 8)).unwrap();
    let seed = number("NEXUS_TEST_SEED", 20_260_101);
    let mut dice = Dice(seed.max(1));
    let board = Board::new((kills + 1) * TEXTS);
    let mut site = Site::new(store, &board);
    for round in 0..=kills {
        site.start();
        let last = round == kills;
        let target = board.events() + dice.up_to(TEXTS * 3 / 2);
        let node = site.reach();
        thread::scope(|scope| {
            // Whatever ends this round ends those who work in it.
            let _over = Over(&node);
            for texter in 0..2 {
                let (board, node) = (&board, &node);
                scope.spawn(move || node.texts(board, round, texter));
            }
            scope.spawn(|| node.campaign(&board, round));
            scope.spawn(|| agent::works(&node, &board, last));
            board.await_login(round);
            if last {
                let mut looked = 0;
                eventually("everything to be done", PATIENCE, || {
                    let missing = board.missing();
                    looked += 1;
                    if looked % 1_000 == 0 {
                        eprintln!("still {missing:?} of {}", board.summary());
                    }
                    missing.is_empty()
                });
            } else {
                eventually("progress before a kill", Duration::from_secs(60), || {
                    board.events() >= target
                });
            }
            node.over.store(true, Ordering::Release);
            if !last {
                site.kill();
            }
        });
    }
    site.kill();
    eprintln!("{kills} kills with seed {seed}: {}", board.summary());
    check::everything(&board);
}

#[test]
fn everything_is_done_once_through_kills_of_a_node_with_its_own_store() {
    everything_is_done_once_through_kills(Store::Embedded);
}

#[test]
fn everything_is_done_once_through_kills_of_a_node_on_redis() {
    everything_is_done_once_through_kills(Store::Redis(
        Box::new(RedisServer::start()),
        Box::new(Postgres::start()),
    ));
}
