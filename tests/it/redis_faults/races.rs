//! Two nodes, one number.

use nexus::log::{Answer, Basis};
use nexus::model::Position;

use super::given::*;
use crate::support::redis::RedisServer;

/// As many as the promise is stated for.
const RACES: u64 = 10_000;

#[test]
fn of_two_nodes_that_race_for_a_number_exactly_one_wins() {
    let server = RedisServer::start();
    on_a_core(async {
        let (one, other, id) = (node(&server).await, node(&server).await, session());
        let mut top = Position::default();
        let mut won = [0_u64; 2];
        for race in 1..=RACES {
            // Each is the first to be polled every other time, or the scheduler alone might decide.
            let (early, late) = if race % 2 == 0 {
                (&one, &other)
            } else {
                (&other, &one)
            };
            let (a, b) = tokio::join!(
                early.append(append(id, Basis::Decided(top), "a")),
                late.append(append(id, Basis::Decided(top), "b")),
            );
            let (winner, loser, early_won) = match (a.unwrap(), b.unwrap()) {
                (winner @ Answer::Appended { .. }, loser) => (winner, loser, true),
                (loser, winner) => (winner, loser, false),
            };
            let who = usize::from(early_won != (race % 2 == 0));
            let Answer::Appended { first, top: next, .. } = winner else {
                panic!("race {race}: nobody won: {winner:?}");
            };
            assert_eq!((first, next.n), (race, race));
            assert_eq!(loser, Answer::Refused { top: next }, "race {race}");
            won[who] += 1;
            top = next;
        }
        let mut from = 1;
        let mut before = Position::default();
        while from <= RACES {
            let page = one.read_forward(id, from, 1_000).await.unwrap().unwrap();
            for record in &page.records {
                record.verify(before).unwrap();
                before = record.position();
            }
            from = before.n + 1;
        }
        assert_eq!(before, top);
        assert!(won.iter().all(|won| *won > 0), "it was a race: {won:?}");
    });
}
