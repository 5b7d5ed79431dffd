//! Judges a history. Pure, and shown below to fail on every kind of bad history it is meant to find.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::history::{End, History, Reading, Send};

/// A broken promise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Violation {
    /// Acknowledged and not there at the end.
    Lost(String),
    /// There, though it was refused or never said.
    Unexpected(String),
    /// There more than once.
    Duplicated(String),
    /// `.0` was acknowledged before `.1` was said, and stands behind it.
    Reordered(String, String),
    /// Two readers saw different things under one number.
    Diverged { log: usize, n: u64 },
    /// A reader saw numbers that do not rise.
    Unordered { log: usize, n: u64 },
    /// Nobody read this conversation to its end, so nothing is proved.
    Undrained { log: usize },
}

/// Everything that is wrong with a history.
pub(crate) fn violations(history: &History) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut sends: BTreeMap<usize, Vec<&Send>> = BTreeMap::new();
    for send in &history.sends {
        sends.entry(send.log).or_default().push(send);
    }
    let mut readings: BTreeMap<usize, Vec<&Reading>> = BTreeMap::new();
    for reading in &history.readings {
        readings.entry(reading.log).or_default().push(reading);
    }
    for (log, sends) in &sends {
        let readings = readings.get(log).map_or(&[][..], Vec::as_slice);
        agree(*log, readings, &mut found);
        match readings.iter().find(|reading| reading.complete) {
            Some(last) => compare(sends, last, &mut found),
            None => found.push(Violation::Undrained { log: *log }),
        }
    }
    found
}

/// All readers of a log see one total order.
fn agree(log: usize, readings: &[&Reading], found: &mut Vec<Violation>) {
    let mut known: HashMap<u64, &str> = HashMap::new();
    for reading in readings {
        for pair in reading.seen.windows(2) {
            if pair[1].0 <= pair[0].0 {
                found.push(Violation::Unordered { log, n: pair[1].0 });
            }
        }
        for (n, text) in &reading.seen {
            if *known.entry(*n).or_insert(text) != text {
                found.push(Violation::Diverged { log, n: *n });
            }
        }
    }
}

/// What is there at the end is what was said, once each, in an order that respects real time.
fn compare(sends: &[&Send], last: &Reading, found: &mut Vec<Violation>) {
    let mut place: HashMap<&str, usize> = HashMap::new();
    for (index, (_, text)) in last.seen.iter().enumerate() {
        if place.insert(text, index).is_some() {
            found.push(Violation::Duplicated(text.clone()));
        }
    }
    let possible: HashSet<&str> = sends
        .iter()
        .filter(|send| send.end != End::Failed)
        .map(|send| send.text.as_str())
        .collect();
    for (_, text) in &last.seen {
        if !possible.contains(text.as_str()) {
            found.push(Violation::Unexpected(text.clone()));
        }
    }
    for send in sends.iter().filter(|send| send.end == End::Ok) {
        if !place.contains_key(send.text.as_str()) {
            found.push(Violation::Lost(send.text.clone()));
        }
    }
    real_time(sends, &place, found);
}

/// If A was acknowledged before B was said, A stands before B.
fn real_time(sends: &[&Send], place: &HashMap<&str, usize>, found: &mut Vec<Violation>) {
    let mut present: Vec<(&Send, usize)> = sends
        .iter()
        .filter_map(|send| Some((*send, *place.get(send.text.as_str())?)))
        .collect();
    present.sort_by_key(|(send, _)| send.invoked);
    let mut by_end: Vec<(&Send, usize)> = present
        .iter()
        .copied()
        .filter(|(send, _)| send.end == End::Ok)
        .collect();
    by_end.sort_by_key(|(send, _)| send.ended);
    // Of those acknowledged before B was said, the one that stands last is the only one that matters.
    let mut ended = by_end.into_iter().peekable();
    let mut latest: Option<(&Send, usize)> = None;
    for (send, at) in present {
        while let Some((earlier, its)) = ended.next_if(|(earlier, _)| earlier.ended < send.invoked) {
            if latest.is_none_or(|(_, place)| its > place) {
                latest = Some((earlier, its));
            }
        }
        if let Some((earlier, _)) = latest.filter(|(_, its)| *its > at) {
            found.push(Violation::Reordered(earlier.text.clone(), send.text.clone()));
        }
    }
}

mod shown_to_fail {
    use super::*;

    fn said(text: &str, invoked: u64, ended: u64, end: End) -> Send {
        Send {
            log: 0,
            text: text.to_owned(),
            invoked,
            ended,
            end,
        }
    }

    fn read(seen: &[(u64, &str)], complete: bool) -> Reading {
        Reading {
            log: 0,
            seen: seen.iter().map(|(n, text)| (*n, (*text).to_owned())).collect(),
            complete,
        }
    }

    fn judged(sends: Vec<Send>, readings: Vec<Reading>) -> Vec<Violation> {
        violations(&History { sends, readings })
    }

    fn two() -> Vec<Send> {
        vec![said("a-1", 0, 1, End::Ok), said("a-2", 2, 3, End::Ok)]
    }

    #[test]
    fn a_good_history_passes_whatever_became_of_the_unknown() {
        let mut sends = two();
        sends.push(said("b-1", 0, 9, End::Unknown));
        sends.push(said("b-2", 0, 9, End::Unknown));
        sends.push(said("c-1", 0, 9, End::Failed));
        let seen = read(&[(1, "a-1"), (4, "b-2"), (5, "a-2")], true);
        assert_eq!(judged(sends, vec![read(&[(4, "b-2")], false), seen]), []);
    }

    #[test]
    fn a_lost_message_is_found() {
        assert_eq!(
            judged(two(), vec![read(&[(1, "a-1")], true)]),
            [Violation::Lost("a-2".to_owned())]
        );
    }

    #[test]
    fn a_doubled_message_is_found() {
        let seen = read(&[(1, "a-1"), (2, "a-2"), (3, "a-1")], true);
        let found = judged(two(), vec![seen]);
        assert!(
            found.contains(&Violation::Duplicated("a-1".to_owned())),
            "{found:?}"
        );
    }

    #[test]
    fn a_message_that_was_refused_or_never_said_is_found() {
        let sends = vec![said("a-1", 0, 1, End::Failed)];
        let found = judged(sends, vec![read(&[(1, "a-1"), (2, "x")], true)]);
        assert_eq!(
            found,
            [
                Violation::Unexpected("a-1".to_owned()),
                Violation::Unexpected("x".to_owned())
            ]
        );
    }

    #[test]
    fn an_order_against_real_time_is_found() {
        let found = judged(two(), vec![read(&[(1, "a-2"), (2, "a-1")], true)]);
        assert_eq!(found, [Violation::Reordered("a-1".to_owned(), "a-2".to_owned())]);
    }

    #[test]
    fn two_readers_with_different_histories_are_found() {
        let readings = vec![read(&[(1, "a-2")], false), read(&[(1, "a-1"), (2, "a-2")], true)];
        assert_eq!(judged(two(), readings), [Violation::Diverged { log: 0, n: 1 }]);
    }

    #[test]
    fn numbers_that_do_not_rise_are_found() {
        let readings = vec![
            read(&[(2, "a-2"), (1, "a-1")], false),
            read(&[(1, "a-1"), (2, "a-2")], true),
        ];
        assert_eq!(judged(two(), readings), [Violation::Unordered { log: 0, n: 1 }]);
    }

    #[test]
    fn a_run_that_was_not_read_to_its_end_proves_nothing() {
        assert_eq!(
            judged(two(), vec![read(&[(1, "a-1")], false)]),
            [Violation::Undrained { log: 0 }]
        );
    }
}
