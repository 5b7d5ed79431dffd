//! What a core holds of a log: nothing, a replica, or one folded at rest, which is opened as soon as somebody wants something of it.

use std::sync::Arc;

use crate::model::Position;
use crate::protocol::dense::Packer;
use crate::session::Standing;

use super::folded::Folded;
use super::machine::Machine;
use super::replica::Replica;

/// Nothing: not loaded, or dropped because it could not be trusted.
#[derive(Default)]
pub(super) enum Held<M: Machine> {
    #[default]
    Absent,
    Open(Box<Replica<M>>),
    Folded(Folded, Standing),
}

impl<M: Machine> From<Replica<M>> for Held<M> {
    fn from(replica: Replica<M>) -> Self {
        Self::Open(Box::new(replica))
    }
}

impl<M: Machine> Held<M> {
    /// Whether there is anything.
    pub(super) const fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }

    /// Up to where; opens nothing.
    pub(super) fn top(&self) -> Option<Position> {
        match self {
            Self::Absent => None,
            Self::Open(replica) => Some(replica.top),
            Self::Folded(folded, _) => Some(folded.top()),
        }
    }

    /// What matters of the state to who looks through all of them; opens nothing.
    pub(super) fn standing(&self) -> Option<Standing> {
        match self {
            Self::Absent => None,
            Self::Open(replica) => Some(replica.state.standing()),
            Self::Folded(_, standing) => Some(*standing),
        }
    }

    /// The replica, opened if it was folded.
    pub(super) fn open(&mut self) -> Option<&mut Replica<M>> {
        if let Self::Folded(folded, _) = self {
            *self = match Replica::unfold(folded) {
                Ok(replica) => replica.into(),
                Err(error) => {
                    tracing::error!(%error, "a folded log cannot be opened; it is read again");
                    Self::Absent
                }
            };
        }
        match self {
            Self::Open(replica) => Some(replica),
            Self::Absent | Self::Folded(..) => None,
        }
    }

    /// The state, without opening for more than this look.
    pub(super) fn state(&self) -> Option<Arc<M>> {
        match self {
            Self::Absent => None,
            Self::Open(replica) => Some(Arc::clone(&replica.state)),
            Self::Folded(folded, _) => folded.open().ok().map(|contents| contents.state),
        }
    }

    /// Whether it can be smaller by [resting](Self::rest).
    pub(super) fn can_rest(&self) -> bool {
        matches!(self, Self::Open(replica) if !replica.rests())
    }

    /// Lets go of what only the busy need; whether of records too.
    pub(super) fn rest(&mut self) -> bool {
        match self {
            Self::Open(replica) => replica.rest(),
            Self::Absent | Self::Folded(..) => false,
        }
    }

    /// Whether it can be smaller by [folding](Self::fold).
    pub(super) fn can_fold(&self) -> bool {
        matches!(self, Self::Open(replica) if replica.can_fold())
    }

    /// Folds it; what it is from then on, if it was not before.
    pub(super) fn fold(&mut self, packer: &mut Packer) -> Option<Folded> {
        let Self::Open(replica) = self else {
            return None;
        };
        let folded = replica.fold(packer)?;
        *self = Self::Folded(folded.clone(), replica.state.standing());
        Some(folded)
    }
}
