//! What an answer, or none, does to the session.

use std::fmt;

use serde_json::{Map, Value};

use crate::model::TenantId;
use crate::protocol::bot::{BotAnswer, BotFault, CHOICES, Handover, spelled_out};
use crate::provisioning::Snapshot;
use crate::provisioning::objects::Queue;
use crate::routing;
use crate::session::{BotAct, BotThen, Place, Session};

/// Why a bot is not asked, or its answer does not count. What it says is for agents and operators: nothing personal, no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// There is no such bot, or it is switched off.
    Off,
    /// It cannot be asked as it is set up.
    Setup(String),
    /// It talks to a machine.
    Loop(&'static str),
    /// It did not answer: a class of the client, or a deadline.
    Silent(&'static str),
    /// It answered something else.
    Fault(BotFault),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("it is switched off"),
            Self::Setup(what) => write!(f, "it cannot be asked: {what}"),
            Self::Loop(why) => write!(f, "it may be in a loop: {why}"),
            Self::Silent(class) => write!(f, "it did not answer ({class})"),
            Self::Fault(fault) => write!(f, "its answer does not count: {fault}"),
        }
    }
}

/// Where a session may be sent.
pub(super) struct Queues<'s> {
    pub(super) snapshot: &'s Snapshot,
    pub(super) tenant: TenantId,
    /// Through which it came.
    pub(super) endpoint: &'s str,
}

impl Queues<'_> {
    /// The queue that is wished for, else the endpoint's, else any; `None`: the tenant has none that takes sessions.
    fn place(&self, wished: Option<&str>) -> Option<Place> {
        let place = |name: &str| routing::place(self.snapshot, self.tenant, name);
        let endpoint = || place(&self.snapshot.endpoint(self.tenant, self.endpoint)?.value.queue);
        let any = || {
            let queues = self.snapshot.all::<Queue>(self.tenant);
            let first = queues
                .map(|queue| queue.value.name.as_str())
                .filter(|name| place(name).is_some())
                .min();
            first.and_then(place)
        };
        wished.and_then(place).or_else(endpoint).or_else(any)
    }
}

/// The choices the bot offered last.
pub(super) fn offered(state: &Session) -> Vec<(String, String)> {
    let pairs = state.data().get(CHOICES).and_then(Value::as_array);
    let pair = |pair: &Value| {
        Some((
            pair.get(0)?.as_str()?.to_owned(),
            pair.get(1)?.as_str()?.to_owned(),
        ))
    };
    pairs.into_iter().flatten().filter_map(pair).collect()
}

/// A turn with nothing to answer.
pub(super) fn nothing(bot: &str, turn: u64) -> BotAct {
    BotAct {
        turn,
        bot: bot.to_owned(),
        says: Vec::new(),
        data: Map::new(),
        note: None,
        then: BotThen::Wait,
    }
}

/// What follows from an answer or a failure; `None`: the customer should have a person and there is no queue.
pub(super) fn decide(
    bot: &str,
    turn: u64,
    answer: Result<BotAnswer, Failure>,
    offered: &[(String, String)],
    queues: &Queues<'_>,
) -> Option<BotAct> {
    let mut act = nothing(bot, turn);
    let answer = match answer {
        Ok(answer) => answer,
        Err(failure) => {
            act.note = Some(format!("The bot {bot} hands over: {failure}."));
            act.then = BotThen::HandOver(queues.place(None)?);
            return Some(act);
        }
    };
    act.says = answer.texts;
    act.data = answer.user_data;
    if !answer.quick_replies.is_empty() {
        let lines = spelled_out(&answer.quick_replies);
        match act.says.last_mut() {
            Some(last) => *last = format!("{last}\n{lines}"),
            None => act.says.push(lines),
        }
    }
    if !answer.quick_replies.is_empty() || !offered.is_empty() {
        let pairs = answer.quick_replies.into_iter();
        let pairs = pairs
            .map(|(label, payload)| Value::from(vec![label, payload]))
            .collect();
        act.data.insert(CHOICES.to_owned(), Value::Array(pairs));
    }
    if let Some(handover) = answer.handover {
        act.note = Some(note(bot, &handover));
        let place = queues.place(handover.queue.as_deref())?;
        act.then = BotThen::HandOver(routing::needing(place, &handover.skills));
    } else if answer.end {
        act.then = BotThen::Close;
    }
    Some(act)
}

fn note(bot: &str, handover: &Handover) -> String {
    match handover.reason.as_deref().filter(|reason| !reason.is_empty()) {
        Some(reason) => format!("The bot {bot} hands over: {reason}"),
        None => format!("The bot {bot} hands over."),
    }
}
