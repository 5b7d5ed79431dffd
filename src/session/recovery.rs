//! What is left of a history that the store has lost.

use crate::model::{Body, SessionEvent};

use super::draft::Draft;
use super::input::Lost;

/// Numbers given out in the lost history and in this one must not meet in the v3 index (contract chat-v3, DESIGN 3.1).
const BASE_STEP: u32 = 1_000;

/// Keeps what was said. Whatever else happened in the lost history is decided anew by those it concerns.
pub(super) fn recover(draft: &mut Draft<'_>, lost: &Lost) {
    let last = draft.state.bases.last().copied();
    if last.is_none_or(|(after, _)| after != lost.after) {
        let base = last.map_or(0, |(_, base)| base).saturating_add(BASE_STEP);
        draft.note(SessionEvent::Rollback {
            after: lost.after,
            base,
        });
    }
    for said in &lost.said {
        draft.push(
            SessionEvent::Recovered {
                from: said.from,
                visibility: said.visibility,
            },
            Body::Present(said.text.clone()),
        );
    }
}
