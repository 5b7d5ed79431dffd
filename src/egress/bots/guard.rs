//! The loop guard: a bot that talks to another machine gives way to a person.
//!
//! A bot only ever has a turn after somebody has written. So a loop needs a customer who is a program; it shows by its pace, by
//! its length, or by saying the same again and again. `config` of a bot may set `maxTurnsPerMinute` (10) and `maxTurns` (100).

use serde_json::Value;

use crate::model::{Millis, Role, SessionEvent, Visibility};
use crate::provisioning::objects::Bot;
use crate::shard::SessionView;

/// What the pace is measured over, milliseconds.
const MINUTE: u64 = 60_000;
/// The same words so often in a row are no person's.
const SAME: usize = 4;

/// How much a bot may talk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limits {
    per_minute: u64,
    in_all: u64,
}

impl Limits {
    /// Those of a bot.
    pub(super) fn of(bot: &Bot) -> Self {
        let number = |key: &str, usual: u64| {
            let set = bot.config.get(key).and_then(Value::as_u64);
            set.map_or(usual, |set| set.clamp(1, 1_000))
        };
        Self {
            per_minute: number("maxTurnsPerMinute", 10),
            in_all: number("maxTurns", 100),
        }
    }
}

/// Why the bot has said enough; `None`: it may answer.
pub(super) fn looping(view: &SessionView, now: Millis, limits: &Limits) -> Option<&'static str> {
    let answers = view.tail.iter().filter(|entry| {
        matches!(entry.record.event, SessionEvent::Answered { .. }) && now.since(entry.record.at) < MINUTE
    });
    if answers.count() as u64 >= limits.per_minute {
        return Some("too many answers within a minute");
    }
    if view.state.outside().turns > limits.in_all {
        return Some("too many answers in one session");
    }
    let mut said = view
        .tail
        .iter()
        .rev()
        .filter_map(|entry| match entry.record.event {
            SessionEvent::Message {
                from: Some(from),
                visibility: Visibility::All,
                ..
            } => {
                let speaker = view.state.participants().get(from)?;
                (speaker.role == Role::Customer).then(|| entry.record.body.as_str().trim().to_lowercase())
            }
            _ => None,
        });
    let last = said.next()?;
    let again = said.take(SAME - 1).filter(|words| *words == last).count();
    (!last.is_empty() && again == SAME - 1).then_some("the same words again and again")
}
