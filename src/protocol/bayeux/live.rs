//! A session with the server: one connect at a time, and beside it at most one change of subscriptions.

use std::collections::BTreeSet;

use crate::model::Millis;

use super::advice::{Advice, Reconnect};
use super::channel::{covers, is_meta};
use super::fault::Fault;
use super::message::{Answer, Message, decode};
use super::open::{Exchange, Numbers, Open};
use super::state::{Cause, Output, Stopped};
use super::subscriptions::{Change, Settled, Subscriptions};
use super::{pace, request};

/// The most channels one client subscribes to.
pub const MAX_CHANNELS: usize = 64;

/// How long a server may take to answer at once, in milliseconds.
pub(super) const PROMPT: u64 = 10_000;
/// The longest we let a connect be held, in milliseconds: so long that the request with its margin is no longer than any may be.
const HOLD_MAX: u64 = 100_000;
/// A connect that was held at least this long was no tight loop.
const HELD: u64 = 1_000;

/// What becomes of the session.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Stay,
    /// The server does not know us any more.
    Lost,
    Stop(Stopped),
}

#[derive(Debug)]
enum Poll {
    Due { at: Millis },
    Open(Open),
}

/// A session.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) client_id: String,
    /// The last batch delivered, where the server keeps batches.
    ack: Option<u64>,
    pub(super) advice: Advice,
    pub(super) began: Millis,
    /// The first connect asks for an answer at once.
    first: bool,
    poll: Poll,
    subscriptions: Subscriptions,
    /// Connects in a row that were answered at once and gave nothing.
    dull: u32,
    /// Connects in a row that failed.
    failures: u32,
    reread: Option<Cause>,
}

impl Live {
    pub(super) fn new(client_id: String, acks: bool, advice: Advice, now: Millis, cause: Cause) -> Self {
        Self {
            client_id,
            ack: acks.then_some(0),
            advice,
            began: now,
            first: true,
            poll: Poll::Due { at: now },
            subscriptions: Subscriptions::new(now),
            dull: 0,
            failures: 0,
            reread: Some(cause),
        }
    }

    /// Sends what is due.
    pub(super) fn begin(
        &mut self,
        wanted: &BTreeSet<String>,
        numbers: &mut Numbers,
        now: Millis,
        out: &mut Vec<Output>,
    ) {
        self.subscriptions
            .begin(&self.client_id, wanted, numbers, now, out);
        if !matches!(self.poll, Poll::Due { at } if at <= now) {
            return;
        }
        // Beyond the time the server may hold it, nobody is there any more.
        let held = if self.first {
            0
        } else {
            self.advice.timeout.min(HOLD_MAX)
        };
        let within = held + PROMPT;
        let hold = (held != self.advice.timeout).then_some(held);
        let open = numbers.open(now, within);
        out.push(Output::Send {
            exchange: open.exchange,
            path: request::CONNECT,
            body: request::connect(open.id, &self.client_id, self.ack, hold),
            deadline_ms: within,
        });
        self.poll = Poll::Open(open);
    }

    pub(super) fn answered(
        &mut self,
        exchange: Exchange,
        body: &[u8],
        wanted: &BTreeSet<String>,
        (now, random): (Millis, u64),
        out: &mut Vec<Output>,
    ) -> Verdict {
        let polled = match &self.poll {
            Poll::Open(open) if open.exchange == exchange => Some(open.clone()),
            _ => None,
        };
        if polled.is_none() && !self.subscriptions.is_open(exchange) {
            return Verdict::Stay;
        }
        let Ok(answer) = decode(body) else {
            return self.failed(exchange, None, now, random);
        };
        if answer.damaged {
            self.reread = Some(Cause::AnswerLost);
        }
        match polled {
            Some(open) => self.connected(&open, &answer, wanted, (now, random), out),
            None => {
                // A server that keeps batches sends what it slips in here once more, in its order.
                if self.ack.is_none() {
                    self.deliver(&answer.messages, wanted, out);
                }
                self.changed(&answer, now, random, out)
            }
        }
    }

    /// A request that came to nothing. What was in its answer is sent again by a server that keeps batches, else lost.
    pub(super) fn failed(
        &mut self,
        exchange: Exchange,
        retry_after: Option<u64>,
        now: Millis,
        random: u64,
    ) -> Verdict {
        let polled = matches!(&self.poll, Poll::Open(open) if open.exchange == exchange);
        if !polled && !self.subscriptions.is_open(exchange) {
            return Verdict::Stay;
        }
        if self.ack.is_none() {
            self.reread.get_or_insert(Cause::AnswerLost);
        }
        if polled {
            self.failures = self.failures.saturating_add(1);
            let at = now.plus(pace::wait(self.failures, random, retry_after));
            self.poll = Poll::Due { at };
        } else {
            self.subscriptions.failed(now, random, retry_after);
        }
        Verdict::Stay
    }

    fn connected(
        &mut self,
        open: &Open,
        answer: &Answer<'_>,
        wanted: &BTreeSet<String>,
        (now, random): (Millis, u64),
        out: &mut Vec<Output>,
    ) -> Verdict {
        let reply = self.reply(answer, "/meta/connect", open.id);
        let Some(reply) = reply else {
            if self.ack.is_none() {
                self.deliver(&answer.messages, wanted, out);
            }
            return self.failed(open.exchange, None, now, random);
        };
        let delivered = match (self.ack, reply.batch()) {
            // Sent again although we said that we have it.
            (Some(last), Some(batch)) if batch <= last => 0,
            (last, batch) => {
                let delivered = self.deliver(&answer.messages, wanted, out);
                // Only now: what is acknowledged has been delivered.
                self.ack = last.map(|last| batch.unwrap_or(last));
                delivered
            }
        };
        self.advice = self.advice.replaced_by(reply.advice.as_ref());
        if !reply.is_successful() {
            let fault = reply.fault();
            if matches!(fault.code, 401 | 402) || self.advice.reconnect == Reconnect::Handshake {
                return Verdict::Lost;
            }
            if self.advice.reconnect == Reconnect::Never {
                return Verdict::Stop(Stopped::Advised(fault));
            }
            self.failed(open.exchange, None, now, random);
            return Verdict::Stay;
        }
        match self.advice.reconnect {
            Reconnect::Handshake => return Verdict::Lost,
            Reconnect::Never => return Verdict::Stop(Stopped::Advised(Fault::default())),
            Reconnect::Retry => {}
        }
        self.failures = 0;
        let at = self.after_success(open, delivered, now, random);
        self.first = false;
        self.poll = Poll::Due { at };
        Verdict::Stay
    }

    /// When to connect again. An answer that came at once with nothing in it may come once; then the pace slows down.
    fn after_success(&mut self, open: &Open, delivered: usize, now: Millis, random: u64) -> Millis {
        if self.first {
            return now;
        }
        let useful = delivered > 0 || now.since(open.sent) >= HELD;
        self.dull = if useful { 0 } else { self.dull.saturating_add(1) };
        let slowed = match self.dull {
            0 | 1 => 0,
            dull => pace::wait(dull - 1, random, None),
        };
        now.plus(self.advice.pause().max(slowed))
    }

    fn changed(&mut self, answer: &Answer<'_>, now: Millis, random: u64, out: &mut Vec<Output>) -> Verdict {
        let client_id = self.client_id.clone();
        let settled = self.subscriptions.answered(
            |change: &Change| {
                let mut replies = answer.messages.iter();
                replies.find(|message| {
                    message.channel == change.meta()
                        && message.replies_to(change.id())
                        && !message.is_for_another(&client_id)
                        && (message.subscription.is_null() || message.subscription == change.subscription())
                })
            },
            (now, random),
            out,
        );
        match settled {
            Settled::Done => Verdict::Stay,
            Settled::Lost => Verdict::Lost,
            Settled::Stop(fault) => Verdict::Stop(Stopped::Advised(fault)),
        }
    }

    fn reply<'a, 'b>(&self, answer: &'a Answer<'b>, channel: &str, id: u64) -> Option<&'a Message<'b>> {
        let mut replies = answer.messages.iter();
        replies.find(|message| {
            message.channel == channel && message.replies_to(id) && !message.is_for_another(&self.client_id)
        })
    }

    /// Passes on the messages of wanted channels, in order.
    fn deliver(&self, messages: &[Message<'_>], wanted: &BTreeSet<String>, out: &mut Vec<Output>) -> usize {
        let before = out.len();
        for message in messages {
            let Some(data) = message.data.filter(|_| !is_meta(&message.channel)) else {
                continue;
            };
            let asked = |channel: &String| {
                covers(channel, &message.channel) && !self.subscriptions.is_refused(channel)
            };
            if wanted.iter().any(asked) {
                out.push(Output::Deliver {
                    channel: message.channel.clone().into_owned(),
                    data: data.get().to_owned(),
                });
            }
        }
        out.len() - before
    }

    /// Says that everything must be read, once a connect works and every subscription has its answer.
    pub(super) fn settle(&mut self, wanted: &BTreeSet<String>, out: &mut Vec<Output>) {
        if self.first || self.failures > 0 || !self.subscriptions.are_settled(wanted) {
            return;
        }
        out.extend(self.reread.take().map(Output::Reread));
    }

    /// The channels that are wanted have changed.
    pub(super) fn want(&mut self, wanted: &BTreeSet<String>, now: Millis) {
        if self.subscriptions.want(wanted, now) && !self.first {
            // What was said on a new channel before we heard of it.
            self.reread.get_or_insert(Cause::AnswerLost);
        }
    }

    /// Requests whose time is over.
    pub(super) fn overdue(&self, now: Millis) -> Vec<Exchange> {
        let poll = match &self.poll {
            Poll::Open(open) => Some(open),
            Poll::Due { .. } => None,
        };
        let open = poll.into_iter().chain(self.subscriptions.open());
        open.filter(|open| open.deadline <= now)
            .map(|open| open.exchange)
            .collect()
    }

    pub(super) fn next_at(&self) -> Millis {
        let poll = match &self.poll {
            Poll::Due { at } => *at,
            Poll::Open(open) => open.deadline,
        };
        self.subscriptions.next_at().map_or(poll, |at| at.min(poll))
    }
}
