//! Which messages an answer holds (`contracts/chat-v3.md` 2.4, 7.2, 7.6). Lines go in newest first and come out oldest first.

use std::ops::ControlFlow;

use smallvec::SmallVec;

use crate::model::Millis;

/// The newest lines that every poll repeats: the smallest page the widget ever asks for.
pub const PAGE_MINIMUM: usize = 16;
/// Lines younger than this are in every poll however many they are: three poll intervals of a widget that was refused twice.
const YOUNG_MS: u64 = 15_000;
/// Lines of one answer at most: what the widget asks for when it restores a chat.
pub const MOST: usize = 10_000;
/// Lines may wait behind a picture for the next poll only where that poll is sure to bring them: few, or all of them young.
const HELD_BACK: usize = 8;
const HELD_BACK_YOUNG_MS: u64 = 10_000;

/// One visible line.
pub trait Line {
    /// Number of its record.
    fn n(&self) -> u64;
    /// Time of its record.
    fn at(&self) -> Millis;
    /// Whether the widget can draw it as a picture.
    fn is_picture(&self) -> bool;
}

/// The lines of an answer, oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window<T> {
    /// The lines.
    pub lines: SmallVec<[T; PAGE_MINIMUM]>,
    /// The last line is a picture that may show itself; nothing may follow it, no signal either.
    pub picture: bool,
    /// Nothing was held back: what comes after the last line, signals too, may follow.
    pub complete: bool,
}

/// A poll: the newest sixteen lines, and all younger than fifteen seconds, but none below `floor`, where the newest page began
/// that this token asked for.
pub fn recent<T: Line>(newest_first: impl IntoIterator<Item = T>, floor: u64, now: Millis) -> Window<T> {
    let mut taken = 0;
    collect(newest_first, |line| {
        taken += 1;
        let wanted = taken <= PAGE_MINIMUM || now.since(line.at()) < YOUNG_MS;
        if wanted && line.n() >= floor && taken <= MOST {
            ControlFlow::Continue(true)
        } else {
            ControlFlow::Break(())
        }
    })
}

/// All lines from `n` on.
pub fn from<T: Line>(newest_first: impl IntoIterator<Item = T>, n: u64) -> Window<T> {
    let mut taken = 0;
    collect(newest_first, |line| {
        taken += 1;
        if line.n() >= n && taken <= MOST {
            ControlFlow::Continue(true)
        } else {
            ControlFlow::Break(())
        }
    })
}

/// The newest `count` lines.
pub fn newest<T: Line>(newest_first: impl IntoIterator<Item = T>, count: usize) -> Window<T> {
    page(newest_first, u64::MAX, count)
}

/// Up to `count` lines that end at and include `upto`, or the last before it when nothing of that number is visible.
pub fn page<T: Line>(newest_first: impl IntoIterator<Item = T>, upto: u64, count: usize) -> Window<T> {
    let mut taken = 0;
    collect(newest_first, |line| {
        if line.n() > upto {
            return ControlFlow::Continue(false);
        }
        taken += 1;
        if taken <= count.min(MOST) {
            ControlFlow::Continue(true)
        } else {
            ControlFlow::Break(())
        }
    })
}

fn collect<T: Line>(
    newest_first: impl IntoIterator<Item = T>,
    mut choose: impl FnMut(&T) -> ControlFlow<(), bool>,
) -> Window<T> {
    let mut lines = SmallVec::new();
    for line in newest_first {
        match choose(&line) {
            ControlFlow::Continue(true) => lines.push(line),
            ControlFlow::Continue(false) => {}
            ControlFlow::Break(()) => break,
        }
    }
    lines.reverse();
    Window {
        lines,
        picture: false,
        complete: true,
    }
}

/// Ends a poll at its first picture that may still show itself, since the widget drops a batch that goes on behind one.
/// `fresh` says of a record whether this token may still see its picture.
///
/// Where lines behind it might get lost that way, the picture gives way and is a text.
#[must_use]
pub fn settle<T: Line>(mut window: Window<T>, now: Millis, mut fresh: impl FnMut(u64) -> bool) -> Window<T> {
    let mut place = 0;
    while let Some(line) = window.lines.get(place) {
        let behind = &window.lines[place + 1..];
        let safe = behind.len() <= HELD_BACK
            || behind
                .iter()
                .all(|line| now.since(line.at()) < HELD_BACK_YOUNG_MS);
        if line.is_picture() && safe && fresh(line.n()) {
            window.complete = behind.is_empty();
            window.lines.truncate(place + 1);
            window.picture = true;
            return window;
        }
        place += 1;
    }
    window
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    struct Said {
        n: u64,
        at: u64,
        picture: bool,
    }

    impl Line for Said {
        fn n(&self) -> u64 {
            self.n
        }
        fn at(&self) -> Millis {
            Millis(self.at)
        }
        fn is_picture(&self) -> bool {
            self.picture
        }
    }

    const NOW: Millis = Millis(1_000_000);

    /// Lines with numbers 1 to `count`, each `age` ms old, newest first.
    fn lines(count: u64, age: u64) -> impl DoubleEndedIterator<Item = Said> {
        (1..=count).rev().map(move |n| Said {
            n,
            at: NOW.0 - age,
            picture: false,
        })
    }

    fn numbers(window: &Window<Said>) -> Vec<u64> {
        window.lines.iter().map(|line| line.n).collect()
    }

    #[test]
    fn a_poll_repeats_the_newest_sixteen() {
        assert_eq!(
            numbers(&recent(lines(40, 60_000), 0, NOW)),
            (25..=40).collect::<Vec<_>>()
        );
        assert_eq!(numbers(&recent(lines(3, 60_000), 0, NOW)), [1, 2, 3]);
    }

    #[test]
    fn a_poll_holds_all_that_is_younger_than_fifteen_seconds() {
        assert_eq!(recent(lines(40, 14_999), 0, NOW).lines.len(), 40);
        assert_eq!(recent(lines(40, 15_000), 0, NOW).lines.len(), 16);
    }

    #[test]
    fn a_poll_does_not_reach_behind_the_newest_page_that_was_asked_for() {
        assert_eq!(
            numbers(&recent(lines(40, 100), 21, NOW)),
            (21..=40).collect::<Vec<_>>()
        );
    }

    #[test]
    fn a_page_ends_at_and_includes_its_index() {
        assert_eq!(numbers(&page(lines(40, 0), 20, 5)), [16, 17, 18, 19, 20]);
        assert_eq!(numbers(&newest(lines(40, 0), 3)), [38, 39, 40]);
        assert_eq!(numbers(&newest(lines(3, 0), 10_000)), [1, 2, 3]);
    }

    #[test]
    fn at_the_start_of_history_a_page_is_that_one_message() {
        assert_eq!(numbers(&page(lines(40, 0), 1, 20)), [1]);
    }

    #[test]
    fn a_page_whose_index_names_a_hidden_record_ends_before_it() {
        let visible = lines(40, 0).filter(|line| line.n != 20);
        assert_eq!(numbers(&page(visible, 20, 2)), [18, 19]);
    }

    #[test]
    fn an_index_without_count_reads_forward() {
        assert_eq!(numbers(&from(lines(40, 60_000), 38)), [38, 39, 40]);
        assert_eq!(from(lines(40, 60_000), 1).lines.len(), 40);
    }

    fn with_pictures(at: &[u64], count: u64, age: u64) -> Vec<Said> {
        lines(count, age)
            .map(|line| Said {
                picture: at.contains(&line.n),
                ..line
            })
            .collect()
    }

    #[test]
    fn a_fresh_picture_is_the_last_line_of_its_answer() {
        let window = settle(recent(with_pictures(&[3], 5, 100), 0, NOW), NOW, |_| true);
        assert_eq!(numbers(&window), [1, 2, 3]);
        assert!(window.picture && !window.complete);
    }

    #[test]
    fn two_fresh_pictures_come_in_two_answers() {
        let lines = with_pictures(&[2, 4], 4, 100);
        let first = settle(recent(lines.clone(), 0, NOW), NOW, |_| true);
        assert_eq!(numbers(&first), [1, 2]);
        let second = settle(recent(lines, 0, NOW), NOW, |n| n != 2);
        assert_eq!(numbers(&second), [1, 2, 3, 4]);
        assert!(second.picture && second.complete);
    }

    #[test]
    fn a_picture_seen_before_holds_nothing_back() {
        let window = settle(recent(with_pictures(&[3], 5, 100), 0, NOW), NOW, |_| false);
        assert_eq!(numbers(&window), [1, 2, 3, 4, 5]);
        assert!(!window.picture && window.complete);
    }

    #[test]
    fn a_picture_gives_way_where_lines_behind_it_could_get_lost() {
        let old = settle(from(with_pictures(&[1], 30, 60_000), 1), NOW, |_| true);
        assert_eq!((old.lines.len(), old.picture), (30, false));
        let young = settle(from(with_pictures(&[1], 30, 1_000), 1), NOW, |_| true);
        assert_eq!((young.lines.len(), young.picture), (1, true));
    }

    /// A customer's program: what it has drawn, in the order it drew it.
    fn polled(history: &[Said], polls: &[u64]) -> Vec<u64> {
        let mut drawn = Vec::new();
        let mut seen: std::collections::HashMap<u64, u64> = std::collections::HashMap::new();
        for &now in polls {
            let written = history.iter().rev().filter(|line| line.at <= now).copied();
            let now = Millis(now);
            let window = settle(recent(written, 0, now), now, |n| {
                now.0 - *seen.entry(n).or_insert(now.0) < 1_000
            });
            for line in &window.lines {
                if !drawn.contains(&line.n) {
                    drawn.push(line.n);
                }
            }
        }
        drawn
    }

    proptest! {
        #[test]
        fn a_widget_that_polls_every_three_seconds_draws_every_line_once_and_in_order(
            gaps in proptest::collection::vec((0_u64..2_000, any::<bool>()), 1..60),
        ) {
            let mut at = 1_000;
            let history: Vec<Said> = gaps.iter().enumerate().map(|(place, (gap, picture))| {
                at += gap;
                Said { n: place as u64 + 1, at, picture: *picture }
            }).collect();
            // Each picture can take one poll; then a few more.
            let polls: Vec<u64> = (0..80).map(|poll| 1_000 + poll * 3_000).collect();
            let drawn = polled(&history, &polls);
            let pictures = history.iter().filter(|line| line.picture).count();
            prop_assume!(pictures < 20);
            prop_assert!(drawn.is_sorted());
            prop_assert_eq!(drawn.len(), history.len());
        }
    }
}
