//! One session on one connection: from the desk record that names it until this agent is out of it. Pure.
//!
//! **Must never happen**: a record told to an agent who had left before it was written.

use smallvec::SmallVec;

use crate::model::{AgentId, LeaveReason, OfferId, ParticipantId, Position, SessionEvent};

/// What a connection knows of one session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stay {
    /// The last record told; `None`: the session has not begun on this connection.
    pub(super) at: Option<Position>,
    /// Whether the desk still names it.
    pub(super) held: bool,
    /// Whether its changes are heard.
    pub(super) followed: bool,
    /// Who the agent is or was in it.
    participants: SmallVec<[ParticipantId; 1]>,
    /// Offers that were made to the agent.
    offers: SmallVec<[OfferId; 1]>,
    /// The newest signal told of each participant: (who, record, quarter seconds).
    signals: SmallVec<[(ParticipantId, u64, u16); 1]>,
}

impl Stay {
    /// A session that the desk names.
    pub(super) fn named() -> Self {
        Self::at(None, true)
    }

    /// A session that the client has seen up to a record.
    pub(super) fn seen(at: Position) -> Self {
        Self::at(Some(at), false)
    }

    fn at(at: Option<Position>, held: bool) -> Self {
        Self {
            at,
            held,
            followed: false,
            participants: SmallVec::new(),
            offers: SmallVec::new(),
            signals: SmallVec::new(),
        }
    }

    /// The agent was offered it.
    pub(super) fn offered(&mut self, offer: OfferId) {
        if !self.offers.contains(&offer) {
            self.offers.push(offer);
        }
    }

    /// The agent is, or was, this participant.
    pub(super) fn known_as(&mut self, participant: ParticipantId) {
        if !self.participants.contains(&participant) {
            self.participants.push(participant);
        }
    }

    /// How many of `events`, which follow what was told, may be told to `me`. `engaged`: whether the session's newest state
    /// has the agent in it or invited; then it is all of them. Else everything up to the record by which the agent was out, and the
    /// records right behind it that only close the session.
    pub(super) fn allowance<'a>(
        &mut self,
        me: &AgentId,
        engaged: bool,
        events: impl Iterator<Item = &'a SessionEvent>,
    ) -> usize {
        let (mut allowed, mut count, mut closing) = (0, 0, true);
        for event in events {
            self.learn(me, event);
            count += 1;
            closing = self.is_exit(event) || (closing && is_closing(event));
            if closing {
                allowed = count;
            }
        }
        if engaged { count } else { allowed }
    }

    /// Whether this is newer than what was told of that participant's typing.
    pub(super) fn is_new_signal(&mut self, from: ParticipantId, n: u64, quarter: u16) -> bool {
        match self.signals.iter_mut().find(|(who, ..)| *who == from) {
            Some((_, last_n, last_quarter)) if (*last_n, *last_quarter) >= (n, quarter) => false,
            Some(known) => {
                *known = (from, n, quarter);
                true
            }
            None => {
                self.signals.push((from, n, quarter));
                true
            }
        }
    }

    fn learn(&mut self, me: &AgentId, event: &SessionEvent) {
        match event {
            SessionEvent::Offering { offer, agent, .. } if agent == me => self.offered(*offer),
            SessionEvent::Joined {
                participant,
                agent: Some(agent),
                ..
            } if agent == me => self.known_as(*participant),
            _ => {}
        }
    }

    fn is_exit(&self, event: &SessionEvent) -> bool {
        match event {
            SessionEvent::Left { participant, .. } => self.participants.contains(participant),
            SessionEvent::OfferEnded { offer, .. } => self.offers.contains(offer),
            _ => false,
        }
    }
}

const fn is_closing(event: &SessionEvent) -> bool {
    matches!(
        event,
        SessionEvent::Closed { .. }
            | SessionEvent::Left {
                reason: LeaveReason::Closed,
                ..
            }
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{CloseReason, MessageId, MessageKind, OfferOutcome, Role, Visibility};
    use uuid::Uuid;

    fn me() -> AgentId {
        "alice".parse().unwrap()
    }

    fn person(n: u128) -> ParticipantId {
        ParticipantId(Uuid::from_u128(n))
    }

    fn joined(n: u128, agent: Option<AgentId>) -> SessionEvent {
        SessionEvent::Joined {
            participant: person(n),
            role: Role::Agent,
            agent,
            transport: None,
            visibility: Visibility::All,
        }
    }

    fn left(n: u128, reason: LeaveReason) -> SessionEvent {
        SessionEvent::Left {
            participant: person(n),
            reason,
        }
    }

    fn said() -> SessionEvent {
        SessionEvent::Message {
            id: MessageId(Uuid::nil()),
            from: None,
            kind: MessageKind::Text,
            visibility: Visibility::All,
        }
    }

    fn closed() -> SessionEvent {
        SessionEvent::Closed {
            reason: CloseReason::Customer,
        }
    }

    fn allowed(engaged: bool, events: &[SessionEvent]) -> usize {
        Stay::named().allowance(&me(), engaged, events.iter())
    }

    #[test]
    fn who_is_in_it_hears_everything() {
        assert_eq!(allowed(true, &[said(), joined(1, Some(me())), said()]), 3);
    }

    #[test]
    fn who_left_hears_nothing_that_was_said_after() {
        let events = [
            joined(1, Some(me())),
            said(),
            left(1, LeaveReason::Transferred),
            said(),
            said(),
        ];
        assert_eq!(allowed(false, &events), 3);
    }

    #[test]
    fn who_was_there_at_the_end_hears_that_it_ended() {
        let events = [
            joined(1, Some(me())),
            left(2, LeaveReason::Closed),
            left(1, LeaveReason::Closed),
            closed(),
        ];
        assert_eq!(allowed(false, &events), 4);
        let mut cut = Stay::seen(Position::default());
        assert_eq!(cut.allowance(&me(), false, [closed()].iter()), 1);
    }

    #[test]
    fn who_was_never_in_it_hears_nothing() {
        let bob = "bob".parse().unwrap();
        assert_eq!(
            allowed(
                false,
                &[joined(1, Some(bob)), said(), left(1, LeaveReason::Left), said()]
            ),
            0
        );
    }

    #[test]
    fn a_lapsed_offer_is_heard_of_and_then_no_more() {
        let offer = OfferId(Uuid::from_u128(5));
        let ended = SessionEvent::OfferEnded {
            offer,
            outcome: OfferOutcome::TimedOut,
        };
        let mut stay = Stay::named();
        stay.offered(offer);
        assert_eq!(stay.allowance(&me(), false, [said(), ended, said()].iter()), 2);
    }

    #[test]
    fn the_same_signal_is_told_once() {
        let mut stay = Stay::named();
        assert!(stay.is_new_signal(person(1), 3, 2));
        assert!(!stay.is_new_signal(person(1), 3, 2));
        assert!(!stay.is_new_signal(person(1), 2, 9));
        assert!(stay.is_new_signal(person(1), 3, 3));
    }
}
