//! What the pump needs of a machine; [`Session`](crate::session::Session) and [`Desk`](crate::session::Desk) are the two.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::log::{Index, NewRecord, StoredRecord, TimerChange};
use crate::model::{Effect, LogId, Millis, Record};
use crate::session::Standing;

use super::ask::Ask;
use super::cells::Cells;
use super::link::{Command, News};
use super::options::Liveness;
use super::slot::Table;
use super::table::CoreTable;
use super::view::View;

/// What a decision is made with, besides state and input.
pub struct Context<'a> {
    /// Which log.
    pub log: LogId,
    /// Number of the last record the state knows; the first record decided will be one above.
    pub top: u64,
    /// Now; never below the time of the last record.
    pub now: Millis,
    /// How long signs of life count.
    pub liveness: Liveness,
    /// Fresh ids.
    pub fresh: &'a mut dyn FnMut() -> Uuid,
}

/// What a machine decided: everything that goes into one append.
#[derive(Debug)]
pub struct Step<M: Machine> {
    /// None: the answer needs no append (a repeat, a question).
    pub records: Vec<Record<M::Event>>,
    /// What follows outside the log.
    pub effects: Vec<Effect>,
    /// Deadlines set, moved and cleared.
    pub timers: Vec<TimerChange>,
    /// Index entries.
    pub indexes: Vec<Index>,
    /// Whether the log is over.
    pub closes: bool,
    /// How long the store keeps the log from now on, in milliseconds.
    pub expire_ms: u64,
    /// What the caller is told once it is written.
    pub reply: M::Reply,
}

/// A pure machine: its state is a function of the records.
pub trait Machine:
    Default + Clone + fmt::Debug + Serialize + DeserializeOwned + Send + Sync + Sized + 'static
{
    /// Whether a replica at rest keeps the newest records, because readers begin with them. Where it does not, a reader who is
    /// behind reads them from the store. How they are told to sockets is kept by none.
    const KEEPS_RECORDS: bool;

    /// What is recorded.
    type Event: Clone + fmt::Debug + Serialize + DeserializeOwned + Send + Sync + 'static;
    /// What it is asked.
    type Input: Clone + Send + 'static;
    /// What it answers.
    type Reply: Send + 'static;
    /// Why it says no.
    type Rejection: fmt::Debug + Clone + Send + 'static;

    /// Decides; changes nothing.
    ///
    /// # Errors
    /// The machine's own reason; nothing follows.
    fn decide(&self, input: &Self::Input, context: &mut Context<'_>) -> Result<Step<Self>, Self::Rejection>;

    /// Takes a record into the state. Total: any record in any state.
    fn apply(&mut self, n: u64, record: &Record<Self::Event>);

    /// Whether this input may begin a log that does not exist yet.
    fn creates(input: &Self::Input) -> bool;

    /// The input that says a deadline has passed.
    fn timer(name: u16, due: Millis) -> Option<Self::Input>;

    /// The input that says nothing was heard for the liveness deadline.
    fn lapsed() -> Self::Input;

    /// The input that says it was heard of again; `None` where it was not lost.
    fn returned(&self) -> Option<Self::Input>;

    /// What to tell the log that asked, where the answer holds something for it.
    fn answer(reply: &Self::Reply) -> Option<crate::model::Crossing>;

    /// How long a sign of life counts.
    fn alive(liveness: &Liveness) -> Duration;

    /// How an offer to an agent ended, where this records it; a word for metrics.
    fn offer(_: &Self::Event) -> Option<&'static str> {
        None
    }

    /// Whether what was recorded before this is erased: nothing of it may stay in memory, and a rebuild begins after it.
    fn erases(_: &Self::Event) -> bool {
        false
    }

    /// Whether readers see the records before this under other indexes from here on.
    fn renumbers(_: &Self::Event) -> bool {
        false
    }

    /// What matters of it to who looks through all that are in memory.
    fn standing(&self) -> Standing {
        Standing::default()
    }

    /// A snapshot record of the state.
    fn snapshot(&self, at: Millis) -> Record<Self::Event>;

    /// The state a snapshot record holds; `None` for any other record, or one that cannot be read.
    fn restore(record: &Record<Self::Event>) -> Option<Self>;

    /// The stored form.
    fn encode(record: &Record<Self::Event>) -> NewRecord;

    /// Reads the stored form.
    ///
    /// # Errors
    /// A text for the operator: written by a newer release, or damaged.
    fn decode(stored: &StoredRecord) -> Result<Record<Self::Event>, String>;

    /// The slice of this core's table that holds this kind of machine.
    fn table(core: &CoreTable) -> &Table<Self>;
    /// The views this core's readers hold of this kind of machine.
    fn cells(core: &CoreTable) -> &Cells<Self>;
    /// A question on its way to another core.
    fn command(ask: Ask<Self>) -> Command;
    /// A request for a view on its way to another core.
    fn watch_command(log: LogId, core: usize, reply: ViewReply<Self>) -> Command;
    /// A view on its way to another core.
    fn news(view: std::sync::Arc<View<Self>>) -> News;
}

/// The reserved place of a view.
pub type ViewReply<M> = tokio::sync::oneshot::Sender<super::error::Asked<M, std::sync::Arc<View<M>>>>;

/// The stored form of an effect.
pub(super) fn encode_effect(effect: &Effect) -> Bytes {
    crate::protocol::entry::encode_effect(effect)
}
