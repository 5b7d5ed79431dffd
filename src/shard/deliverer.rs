//! The seam to egress: effects that concern somebody outside.

use std::time::Duration;

use futures_util::future::LocalBoxFuture;

use crate::log::EffectId;
use crate::model::{Notice, Target, TenantId};

use super::handle::Shards;

/// Something somebody outside is to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Its id over all attempts.
    pub id: EffectId,
    /// Which attempt this is, the first being 1; one that a crash cut off counts, and one that was [`Verdict::Spared`].
    pub attempt: u32,
    /// Whose session.
    pub tenant: TenantId,
    /// Whom.
    pub target: Target,
    /// What.
    pub notice: Notice,
}

/// What became of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is done, or nobody wants it any more.
    Done,
    /// Not now: again after this long. What is behind it in its lane waits with it.
    Later(Duration),
    /// Not now, and nobody was asked: again after this long. What is behind it waits as well, but it was no attempt.
    Spared(Duration),
    /// It never will be: it becomes a dead letter, for the reason given (for operators, without personal data).
    Dead(String),
}

/// Tells those outside. An attempt ends within [`super::ShardOptions::attempt`] whatever its receiver does; it is made at least
/// once, again after a crash, and one lane's attempts are made one after the other.
pub trait Deliverer {
    /// Makes one attempt.
    fn deliver<'a>(&'a self, shards: &'a Shards, delivery: Delivery) -> LocalBoxFuture<'a, Verdict>;
}
