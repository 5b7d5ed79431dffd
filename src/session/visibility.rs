//! Who may see a record: the one place where that is decided, for every reader.
//!
//! The answer to one record never changes: who is told of a participant is settled when they join, for the whole stay.

use crate::model::{ParticipantId, Record, SessionEvent, Visibility};

use super::participants::Participants;
use super::state::Session;

/// Whether the customer may see a record (DESIGN 3.6: one function for every customer-facing reader).
#[must_use]
pub fn visible_to_customer(session: &Session, record: &Record<SessionEvent>) -> bool {
    visible(session, record, Visibility::All)
}

/// Whether an agent (`sight` `Agent`) or a supervisor (`Supervisor`) in the session may see a record.
#[must_use]
pub fn visible_to_agent(session: &Session, record: &Record<SessionEvent>, sight: Visibility) -> bool {
    visible(session, record, sight)
}

fn visible(session: &Session, record: &Record<SessionEvent>, sight: Visibility) -> bool {
    let people = session.participants();
    match &record.event {
        SessionEvent::Message { visibility, .. } | SessionEvent::File { visibility, .. } => {
            reaches(*visibility, sight)
        }
        SessionEvent::Joined { visibility, .. } => reaches(*visibility, sight),
        SessionEvent::Left { participant, .. }
        | SessionEvent::Renamed { participant }
        | SessionEvent::Lost { participant }
        | SessionEvent::Returned { participant } => reaches(seen(people, *participant), sight),
        SessionEvent::Recovered { visibility, .. } => reaches(*visibility, sight),
        SessionEvent::Supervision { .. } => sight == Visibility::Supervisor,
        SessionEvent::Closed { .. } => true,
        SessionEvent::Opened { .. }
        | SessionEvent::UserData { .. }
        | SessionEvent::Queued { .. }
        | SessionEvent::Unqueued
        | SessionEvent::PositionTold { .. }
        | SessionEvent::Offering { .. }
        | SessionEvent::Offered { .. }
        | SessionEvent::OfferEnded { .. }
        | SessionEvent::Accepted { .. }
        | SessionEvent::Noted { .. }
        | SessionEvent::IdleAlerted
        | SessionEvent::Threaded
        | SessionEvent::Rich
        | SessionEvent::Announced { .. }
        | SessionEvent::Fetched { .. }
        | SessionEvent::Delivery { .. }
        | SessionEvent::Consent { .. }
        | SessionEvent::Turn
        | SessionEvent::Answered { .. }
        | SessionEvent::Erased
        | SessionEvent::Snapshot
        | SessionEvent::Rollback { .. }
        | SessionEvent::Passed => sight != Visibility::All,
    }
}

/// Who is told of a participant; of one that nobody knows, supervisors only.
fn seen(people: &Participants, participant: ParticipantId) -> Visibility {
    people
        .get(participant)
        .map_or(Visibility::Supervisor, |participant| participant.visibility)
}

/// Whether something meant for `audience` reaches somebody who sees as much as `sight`.
pub(super) const fn reaches(audience: Visibility, sight: Visibility) -> bool {
    match audience {
        Visibility::All => true,
        Visibility::Agent => !matches!(sight, Visibility::All),
        Visibility::Supervisor => matches!(sight, Visibility::Supervisor),
    }
}
