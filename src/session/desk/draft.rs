//! A decision of a desk in the making.

use uuid::Uuid;

use crate::model::{Body, Crossing, DeskEvent, Effect, LogId, MatchOp, Millis, ReadyDesk, Record};

use super::super::draft::Circumstances;
use super::super::outcome::{Decision, Marks};
use super::input::{DeskReply, DeskTimer};
use super::state::Desk;

pub(super) struct Draft<'a> {
    before: &'a Desk,
    pub(super) state: Desk,
    pub(super) log: LogId,
    top: u64,
    pub(super) now: Millis,
    cause: Option<Uuid>,
    records: Vec<Record<DeskEvent>>,
    effects: Vec<Effect>,
    pub(super) reply: DeskReply,
}

impl<'a> Draft<'a> {
    pub(super) fn new(before: &'a Desk, circumstances: &Circumstances<'_>, cause: Option<Uuid>) -> Self {
        Self {
            before,
            state: before.clone(),
            log: circumstances.log,
            top: circumstances.top,
            now: circumstances.now,
            cause,
            records: Vec::new(),
            effects: Vec::new(),
            reply: DeskReply::default(),
        }
    }

    /// Records something.
    pub(super) fn note(&mut self, event: DeskEvent) {
        let record = Record {
            at: self.now,
            cause: self.cause.take(),
            event,
            body: Body::None,
        };
        self.top += 1;
        self.state.apply(self.top, &record);
        self.records.push(record);
    }

    /// Tells a session something.
    pub(super) fn tell(&mut self, target: LogId, message: Crossing) {
        self.effects.push(Effect::Cross { target, message });
    }

    /// What follows from all of it together.
    pub(super) fn finish(mut self) -> Decision<DeskEvent, DeskReply> {
        self.match_tables();
        let timers = [
            (
                DeskTimer::Reservation,
                self.before.reservation_due(),
                self.state.reservation_due(),
            ),
            (DeskTimer::Grace, self.before.grace_due(), self.state.grace_due()),
            (DeskTimer::Rest, self.before.rest_due(), self.state.rest_due()),
        ];
        let timers = timers
            .into_iter()
            .filter(|(_, before, after)| before != after)
            .map(|(timer, _, after)| (timer as u16, after))
            .collect();
        let connected = self.state.conn != self.before.conn;
        let alive =
            (connected || self.before.is_lost() != self.state.is_lost()).then(|| !self.state.is_lost());
        if !self.reply.repeated {
            self.reply.n = self.top;
        }
        Decision {
            records: self.records,
            effects: self.effects,
            timers,
            marks: Marks {
                opens: false,
                closes: false,
                alive,
            },
            reply: self.reply,
        }
    }

    /// Keeps the matching tables in step with the desk's room.
    fn match_tables(&mut self) {
        let Some((tenant, _)) = self.state.owner else {
            return;
        };
        let (before, after) = (self.before.in_tables(), self.state.in_tables());
        // A desk that refuses what the tables sent it corrects them.
        let refused = |record: &Record<DeskEvent>| matches!(record.event, DeskEvent::Refused { .. });
        if before == after && !self.records.iter().any(refused) {
            return;
        }
        let (desk, n) = (self.log, self.top);
        let op = match after {
            Some(after) => MatchOp::Ready(ReadyDesk { desk, n, ..after }),
            None => MatchOp::Unready { desk, n },
        };
        self.effects.push(Effect::Match { tenant, op });
    }
}
