//! Which kind of frame tells a record. One record is one frame, so that a client drops what it has seen by number alone.

use crate::model::{DeskEvent, SessionEvent};
use crate::protocol::agent::Notification;

/// How a record of a session is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Telling {
    /// Not at all.
    Hidden,
    /// As a message; the frame is the same for everybody.
    Message,
    /// As a change of the interaction, by this name; what changed is in the state.
    Change(Notification, &'static str),
    /// As a change that also stands in the transcript.
    ChangeWithLine(Notification, &'static str),
}

/// How a record is told to somebody who may see it.
pub(super) const fn of_session(event: &SessionEvent) -> Telling {
    use Notification::{ParticipantsUpdated, PropertiesUpdated, StatusChange};
    use Telling::{Change, ChangeWithLine, Hidden, Message};
    match event {
        // What opened a session is told by the snapshot that begins it.
        SessionEvent::Opened { .. }
        | SessionEvent::Snapshot
        | SessionEvent::IdleAlerted
        | SessionEvent::PositionTold { .. }
        | SessionEvent::Threaded
        | SessionEvent::Rich
        | SessionEvent::Announced { .. }
        | SessionEvent::Fetched { .. }
        | SessionEvent::Turn
        | SessionEvent::Answered { .. }
        | SessionEvent::Erased
        | SessionEvent::Passed => Hidden,
        SessionEvent::Message { .. } | SessionEvent::File { .. } | SessionEvent::Recovered { .. } => Message,
        SessionEvent::Joined { .. } => ChangeWithLine(ParticipantsUpdated, "joined"),
        SessionEvent::Left { .. } => ChangeWithLine(ParticipantsUpdated, "left"),
        SessionEvent::Renamed { .. } => Change(ParticipantsUpdated, "renamed"),
        SessionEvent::Supervision { .. } => Change(ParticipantsUpdated, "supervision"),
        SessionEvent::Lost { .. } => Change(ParticipantsUpdated, "lost"),
        SessionEvent::Returned { .. } => Change(ParticipantsUpdated, "returned"),
        SessionEvent::UserData { .. } => Change(PropertiesUpdated, "user-data"),
        SessionEvent::Delivery { .. } => ChangeWithLine(PropertiesUpdated, "delivery"),
        SessionEvent::Consent { .. } => Change(PropertiesUpdated, "consent"),
        SessionEvent::Noted { .. } => Change(PropertiesUpdated, "noted"),
        SessionEvent::Queued { .. } => Change(StatusChange, "queued"),
        SessionEvent::Unqueued => Change(StatusChange, "unqueued"),
        SessionEvent::Offering { .. } => Change(StatusChange, "offering"),
        SessionEvent::Offered { .. } => Change(StatusChange, "offered"),
        SessionEvent::OfferEnded { .. } => Change(StatusChange, "offer-ended"),
        SessionEvent::Accepted { .. } => Change(StatusChange, "accepted"),
        SessionEvent::Closed { .. } => Change(StatusChange, "closed"),
        SessionEvent::Rollback { .. } => Change(StatusChange, "rollback"),
    }
}

/// Whether a record of the desk is told, as the state of its channels.
pub(super) const fn of_desk(event: &DeskEvent) -> bool {
    match event {
        DeskEvent::Profile { .. }
        | DeskEvent::Channel { .. }
        | DeskEvent::AutoAccept { .. }
        | DeskEvent::Reserved(_)
        | DeskEvent::Taken { .. }
        | DeskEvent::Freed { .. }
        | DeskEvent::Watching { .. }
        | DeskEvent::Unwatched { .. }
        | DeskEvent::Lost
        | DeskEvent::Returned
        | DeskEvent::GaveUp
        | DeskEvent::Rollback { .. } => true,
        DeskEvent::Opened { .. }
        | DeskEvent::Connected { .. }
        | DeskEvent::Refused { .. }
        | DeskEvent::Asked
        | DeskEvent::Snapshot
        | DeskEvent::Passed => false,
    }
}
