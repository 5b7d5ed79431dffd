//! Which channels the server lets us have, and the change that is on its way.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::model::Millis;

use super::advice::{Advice, Reconnect};
use super::fault::Fault;
use super::live::PROMPT;
use super::message::Message;
use super::open::{Exchange, Numbers, Open};
use super::state::Output;
use super::{pace, request};

/// One message of a change.
#[derive(Debug, Clone)]
pub(super) struct Change {
    id: u64,
    subscribe: bool,
    channels: Vec<String>,
}

impl Change {
    pub(super) const fn id(&self) -> u64 {
        self.id
    }

    pub(super) const fn meta(&self) -> &'static str {
        if self.subscribe {
            "/meta/subscribe"
        } else {
            "/meta/unsubscribe"
        }
    }

    /// As the reply repeats it.
    pub(super) fn subscription(&self) -> Value {
        match self.channels.as_slice() {
            [one] => json!(one),
            several => json!(several),
        }
    }
}

#[derive(Debug)]
enum Work {
    Idle,
    Due { at: Millis },
    Open { open: Open, changes: Vec<Change> },
}

/// What the answer to a change means for the session.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Settled {
    Done,
    Lost,
    Stop(Fault),
}

/// The subscriptions of a session.
#[derive(Debug)]
pub(super) struct Subscriptions {
    held: BTreeSet<String>,
    refused: BTreeSet<String>,
    work: Work,
    failures: u32,
    /// Ask for each channel by itself: a refusal of several says not which.
    singly: bool,
}

impl Subscriptions {
    pub(super) fn new(now: Millis) -> Self {
        Self {
            held: BTreeSet::new(),
            refused: BTreeSet::new(),
            work: Work::Due { at: now },
            failures: 0,
            singly: false,
        }
    }

    pub(super) fn is_refused(&self, channel: &str) -> bool {
        self.refused.contains(channel)
    }

    pub(super) fn are_settled(&self, wanted: &BTreeSet<String>) -> bool {
        wanted
            .iter()
            .all(|channel| self.held.contains(channel) || self.refused.contains(channel))
    }

    /// Takes note of what is wanted; `true` when something new is.
    pub(super) fn want(&mut self, wanted: &BTreeSet<String>, now: Millis) -> bool {
        self.refused.retain(|channel| wanted.contains(channel));
        if matches!(self.work, Work::Idle) {
            self.work = Work::Due { at: now };
        }
        !self.are_settled(wanted)
    }

    pub(super) fn begin(
        &mut self,
        client_id: &str,
        wanted: &BTreeSet<String>,
        numbers: &mut Numbers,
        now: Millis,
        out: &mut Vec<Output>,
    ) {
        if !matches!(self.work, Work::Due { at } if at <= now) {
            return;
        }
        let missing = wanted
            .iter()
            .filter(|channel| !self.held.contains(*channel) && !self.refused.contains(*channel));
        let missing: Vec<String> = missing.cloned().collect();
        let surplus: Vec<String> = self.held.difference(wanted).cloned().collect();
        let (subscribe, channels) = match (missing.is_empty(), surplus.is_empty()) {
            (false, _) => (true, missing),
            (true, false) => (false, surplus),
            (true, true) => {
                self.work = Work::Idle;
                return;
            }
        };
        let open = numbers.open(now, PROMPT);
        let parts: Vec<Vec<String>> = if self.singly {
            channels.into_iter().map(|channel| vec![channel]).collect()
        } else {
            vec![channels]
        };
        let changes: Vec<Change> = parts
            .into_iter()
            .enumerate()
            .map(|(place, channels)| Change {
                id: if place == 0 { open.id } else { numbers.id() },
                subscribe,
                channels,
            })
            .collect();
        let messages = changes
            .iter()
            .map(|change| request::subscription(subscribe, change.id, client_id, &change.channels));
        out.push(Output::Send {
            exchange: open.exchange,
            path: if subscribe {
                request::SUBSCRIBE
            } else {
                request::UNSUBSCRIBE
            },
            body: request::array(messages.collect()),
            deadline_ms: PROMPT,
        });
        self.work = Work::Open { open, changes };
    }

    /// Takes the answer of the change on its way; `reply` finds the one to a message.
    pub(super) fn answered<'a, 'b: 'a>(
        &mut self,
        reply: impl Fn(&Change) -> Option<&'a Message<'b>>,
        (now, random): (Millis, u64),
        out: &mut Vec<Output>,
    ) -> Settled {
        let Work::Open { changes, .. } = std::mem::replace(&mut self.work, Work::Due { at: now }) else {
            return Settled::Done;
        };
        let mut unanswered = false;
        for change in changes {
            let Some(reply) = reply(&change) else {
                unanswered = true;
                continue;
            };
            if reply.is_successful() || !change.subscribe {
                for channel in change.channels {
                    if change.subscribe {
                        self.held.insert(channel);
                    } else {
                        self.held.remove(&channel);
                    }
                }
                continue;
            }
            let fault = reply.fault();
            match Advice::default().replaced_by(reply.advice.as_ref()).reconnect {
                _ if fault.says_unknown() => return Settled::Lost,
                Reconnect::Handshake => return Settled::Lost,
                Reconnect::Never => return Settled::Stop(fault),
                Reconnect::Retry => {}
            }
            if change.channels.len() > 1 {
                self.singly = true;
                unanswered = true;
                continue;
            }
            for channel in change.channels {
                out.push(Output::Refused {
                    channel: channel.clone(),
                    fault: fault.clone(),
                });
                self.refused.insert(channel);
            }
        }
        if unanswered {
            self.failed(now, random, None);
        } else {
            self.failures = 0;
        }
        Settled::Done
    }

    /// The change came to nothing; it is asked for again.
    pub(super) fn failed(&mut self, now: Millis, random: u64, retry_after: Option<u64>) {
        self.failures = self.failures.saturating_add(1);
        let at = now.plus(pace::wait(self.failures, random.rotate_left(32), retry_after));
        self.work = Work::Due { at };
    }

    pub(super) fn is_open(&self, exchange: Exchange) -> bool {
        self.open().is_some_and(|open| open.exchange == exchange)
    }

    pub(super) fn open(&self) -> Option<&Open> {
        match &self.work {
            Work::Open { open, .. } => Some(open),
            Work::Idle | Work::Due { .. } => None,
        }
    }

    pub(super) fn next_at(&self) -> Option<Millis> {
        match &self.work {
            Work::Idle => None,
            Work::Due { at } => Some(*at),
            Work::Open { open, .. } => Some(open.deadline),
        }
    }
}
