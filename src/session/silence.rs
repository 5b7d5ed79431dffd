//! What follows from time passing: offers that lapse, chats that fall silent, a place in the queue.

use crate::model::{CloseReason, LeaveReason, OfferOutcome, ParticipantId, SessionEvent};

use super::draft::Draft;
use super::input::SessionTimer;
use super::outcome::Rejection;
use super::state::{Phase, Silence};

type Ruled = Result<(), Rejection>;

/// A deadline has come; one that was moved meanwhile is stale.
pub(super) fn timer(draft: &mut Draft<'_>, timer: SessionTimer) -> Ruled {
    match timer {
        SessionTimer::Offer => {
            let due = draft
                .state
                .offer
                .as_ref()
                .is_some_and(|offer| offer.deadline <= draft.now);
            if !due {
                return Err(Rejection::Stale);
            }
            draft.end_offer(OfferOutcome::TimedOut);
        }
        SessionTimer::Idle => {
            if draft.state.silence_due().is_none_or(|due| due > draft.now) {
                return Err(Rejection::Stale);
            }
            let asynchronous = draft.state.about().is_some_and(|about| about.asynchronous);
            match draft.state.silence {
                _ if draft.state.sleeps() => draft.close(CloseReason::Idle),
                _ if asynchronous => sleep(draft),
                Silence::Since(_) => {
                    let text = draft
                        .state
                        .about()
                        .map(|about| about.terms.idle_text.clone())
                        .unwrap_or_default();
                    draft.note(SessionEvent::IdleAlerted);
                    draft.service_line(&text);
                }
                Silence::Alerted(_) => draft.close(CloseReason::Idle),
            }
        }
    }
    Ok(())
}

/// A silent session of a customer who may come back days later frees its agents and waits for the customer.
fn sleep(draft: &mut Draft<'_>) {
    let holders: Vec<ParticipantId> = draft
        .state
        .participants
        .holders()
        .map(|holder| holder.id)
        .collect();
    for holder in holders {
        draft.take_out(holder, LeaveReason::Left);
    }
}

/// Positions that a customer is told only fall.
pub(super) fn position(draft: &mut Draft<'_>, position: u64, text: &str) -> Ruled {
    // By a channel each line is a message that costs, and nobody looks at a screen meanwhile.
    let by_channel = draft
        .state
        .about()
        .is_some_and(|about| about.terms.links.channel.is_some());
    let waits = !by_channel && matches!(draft.state.phase, Phase::Waiting { .. });
    if !waits || draft.state.told.is_some_and(|told| told <= position) {
        return Err(Rejection::Stale);
    }
    draft.position(position, text);
    Ok(())
}
