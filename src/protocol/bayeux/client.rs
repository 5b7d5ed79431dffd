//! The machine: from one state to the next.

use std::collections::BTreeSet;

use crate::model::Millis;

use super::advice::{Advice, Reconnect};
use super::live::{Live, MAX_CHANNELS, PROMPT, Verdict};
use super::message::decode;
use super::open::{Exchange, Numbers, Open};
use super::pace;
use super::request;
use super::state::{Cause, Input, Next, Output, State, Stopped};

/// A session that lasted this long may be replaced at once when it is lost.
const SOUND: u64 = 10_000;

/// A Bayeux client.
///
/// `now` is any clock that does not go back; only differences count. `random` is any 64 random bits. Every input is answered
/// with what is to be done, in order; unless the machine has stopped, the last says how long nothing will happen.
#[derive(Debug)]
pub struct Client {
    state: State,
    wanted: BTreeSet<String>,
    numbers: Numbers,
    /// Handshakes in a row that failed, or whose session was lost at once.
    failures: u32,
}

impl Client {
    /// A client that will subscribe to these channels; it begins at its first [`Self::step`].
    #[must_use]
    pub fn new(wanted: &[&str], now: Millis) -> Self {
        Self {
            state: State::Unconnected { due: now },
            wanted: channels(wanted),
            numbers: Numbers::default(),
            failures: 0,
        }
    }

    /// Takes an input.
    pub fn step(&mut self, input: Input<'_>, now: Millis, random: u64) -> Vec<Output> {
        let mut out = Vec::new();
        match input {
            Input::Timer => {}
            Input::Answer { exchange, body } => self.answered(exchange, body, (now, random), &mut out),
            Input::Failed {
                exchange,
                retry_after,
            } => self.failed(exchange, retry_after, now, random),
            Input::Want(wanted) => {
                self.wanted = channels(wanted);
                if let State::Connected(live) = &mut self.state {
                    live.want(&self.wanted, now);
                }
            }
            Input::Stop => {
                self.stop(now, &mut out);
                return out;
            }
        }
        for exchange in self.overdue(now) {
            self.failed(exchange, None, now, random);
        }
        self.begin(now, &mut out);
        if let Some(at) = self.next_at() {
            out.push(Output::WaitUntil(at));
        }
        out
    }

    /// Whether there is a session.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        matches!(self.state, State::Connected(_))
    }

    fn answered(
        &mut self,
        exchange: Exchange,
        body: &[u8],
        (now, random): (Millis, u64),
        out: &mut Vec<Output>,
    ) {
        if let State::Connected(live) = &mut self.state {
            let verdict = live.answered(exchange, body, &self.wanted, (now, random), out);
            let (began, pause) = (live.began, live.advice.pause());
            match verdict {
                Verdict::Stay => live.settle(&self.wanted, out),
                Verdict::Lost => self.lost(began, pause, now, random),
                Verdict::Stop(why) => self.end(why, out),
            }
            return;
        }
        let (open, cause) = match &self.state {
            State::Handshaking { open } => (open, Cause::First),
            State::Rehandshaking {
                next: Next::Open(open),
            } => (open, Cause::SessionLost),
            _ => return,
        };
        if open.exchange == exchange {
            let id = open.id;
            self.shaken(id, body, cause, (now, random), out);
        }
    }

    /// Takes the answer to a handshake.
    fn shaken(
        &mut self,
        id: u64,
        body: &[u8],
        cause: Cause,
        (now, random): (Millis, u64),
        out: &mut Vec<Output>,
    ) {
        let answer = decode(body);
        let reply = answer
            .iter()
            .flat_map(|answer| &answer.messages)
            .find(|message| message.channel == "/meta/handshake" && message.replies_to(id));
        let Some(reply) = reply else {
            return self.handshake_again(None, now, random);
        };
        let advice = Advice::default().replaced_by(reply.advice.as_ref());
        match (reply.is_successful(), reply.client_id()) {
            (true, Some(_)) if !reply.allows_long_polling() => self.end(Stopped::NoTransport, out),
            (true, Some(client_id)) if advice.reconnect != Reconnect::Never => {
                let live = Live::new(client_id.to_owned(), reply.offers_acks(), advice, now, cause);
                self.state = State::Connected(Box::new(live));
            }
            _ if advice.reconnect == Reconnect::Never => self.end(Stopped::Advised(reply.fault()), out),
            _ => self.handshake_again(Some(advice.pause()), now, random),
        }
    }

    fn failed(&mut self, exchange: Exchange, retry_after: Option<u64>, now: Millis, random: u64) {
        match &mut self.state {
            State::Connected(live) => {
                live.failed(exchange, retry_after, now, random);
            }
            State::Handshaking { open }
            | State::Rehandshaking {
                next: Next::Open(open),
            } if open.exchange == exchange => self.handshake_again(retry_after, now, random),
            _ => {}
        }
    }

    fn handshake_again(&mut self, asked: Option<u64>, now: Millis, random: u64) {
        self.failures = self.failures.saturating_add(1);
        let due = now.plus(pace::wait(self.failures, random, asked));
        self.state = match self.state {
            State::Rehandshaking { .. } => State::Rehandshaking { next: Next::Due(due) },
            _ => State::Unconnected { due },
        };
    }

    /// The server does not know the session any more.
    fn lost(&mut self, began: Millis, pause: u64, now: Millis, random: u64) {
        let wait = if now.since(began) >= SOUND {
            self.failures = 0;
            pause
        } else {
            self.failures = self.failures.saturating_add(1);
            pace::wait(self.failures, random, Some(pause))
        };
        self.state = State::Rehandshaking {
            next: Next::Due(now.plus(wait)),
        };
    }

    fn begin(&mut self, now: Millis, out: &mut Vec<Output>) {
        match &mut self.state {
            State::Unconnected { due } if *due <= now => {
                self.state = State::Handshaking {
                    open: shake(&mut self.numbers, now, out),
                };
            }
            State::Rehandshaking {
                next: next @ Next::Due(_),
            } => {
                if let Next::Due(due) = next
                    && *due <= now
                {
                    *next = Next::Open(shake(&mut self.numbers, now, out));
                }
            }
            State::Connected(live) => live.begin(&self.wanted, &mut self.numbers, now, out),
            _ => {}
        }
    }

    fn overdue(&self, now: Millis) -> Vec<Exchange> {
        match &self.state {
            State::Connected(live) => live.overdue(now),
            State::Handshaking { open }
            | State::Rehandshaking {
                next: Next::Open(open),
            } if open.deadline <= now => vec![open.exchange],
            _ => Vec::new(),
        }
    }

    fn next_at(&self) -> Option<Millis> {
        match &self.state {
            State::Unconnected { due } | State::Rehandshaking { next: Next::Due(due) } => Some(*due),
            State::Handshaking { open }
            | State::Rehandshaking {
                next: Next::Open(open),
            } => Some(open.deadline),
            State::Connected(live) => Some(live.next_at()),
            State::Stopped => None,
        }
    }

    fn stop(&mut self, now: Millis, out: &mut Vec<Output>) {
        if let State::Connected(live) = &self.state {
            let open = self.numbers.open(now, PROMPT);
            out.push(Output::Send {
                exchange: open.exchange,
                path: request::DISCONNECT,
                body: request::disconnect(open.id, &live.client_id),
                deadline_ms: PROMPT,
            });
        }
        if !matches!(self.state, State::Stopped) {
            self.end(Stopped::Asked, out);
        }
    }

    fn end(&mut self, why: Stopped, out: &mut Vec<Output>) {
        self.state = State::Stopped;
        out.push(Output::Stopped(why));
    }
}

/// Sends a handshake, alone in its request.
fn shake(numbers: &mut Numbers, now: Millis, out: &mut Vec<Output>) -> Open {
    let open = numbers.open(now, PROMPT);
    out.push(Output::Send {
        exchange: open.exchange,
        path: request::HANDSHAKE,
        body: request::handshake(open.id),
        deadline_ms: PROMPT,
    });
    open
}

fn channels(wanted: &[&str]) -> BTreeSet<String> {
    wanted
        .iter()
        .take(MAX_CHANNELS)
        .map(|channel| (*channel).to_owned())
        .collect()
}
