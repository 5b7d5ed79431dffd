//! Which rule answers which question.

use crate::model::SessionEvent;

use super::draft::{Circumstances, Draft};
use super::input::SessionInput;
use super::outcome::{Decision, Rejection, SessionReply};
use super::state::Session;
use super::{agent, arrival, customer, offers, recovery, service, silence};

impl Session {
    /// Decides; changes nothing.
    ///
    /// # Errors
    /// [`Rejection`]; nothing follows.
    pub fn decide<'a>(
        &'a self,
        input: &SessionInput,
        circumstances: Circumstances<'a>,
    ) -> Result<Decision<SessionEvent, SessionReply>, Rejection> {
        let cause = match input {
            SessionInput::Agent(command) => Some(command.id),
            SessionInput::Lost(lost) => Some(lost.cause),
            _ => None,
        };
        if let Some(executed) = cause.and_then(|cause| self.executed(cause)) {
            let mut draft = Draft::new(self, circumstances, None);
            draft.reply.repeated = true;
            draft.reply.n = executed.n;
            draft.reply.participant = executed.participant;
            return Ok(draft.finish());
        }
        if matches!(input, SessionInput::Open(_)) != self.about().is_none() {
            return Err(Rejection::NoSession);
        }
        let mut draft = Draft::new(self, circumstances, cause);
        match input {
            SessionInput::Open(open) => customer::open(&mut draft, open),
            SessionInput::Resume => customer::resume(&mut draft),
            SessionInput::CustomerText { participant, text } => {
                customer::text(&mut draft, *participant, text)
            }
            SessionInput::CustomerFile { participant, file } => {
                customer::file(&mut draft, *participant, file)
            }
            SessionInput::CustomerData { participant, data } => {
                customer::data(&mut draft, *participant, data)
            }
            SessionInput::CustomerLeave { participant } => customer::leave(&mut draft, *participant),
            SessionInput::Lapsed => customer::lapsed(&mut draft),
            SessionInput::Returned => customer::returned(&mut draft),
            SessionInput::Agent(command) => agent::act(&mut draft, command),
            SessionInput::Crossing(message) => offers::crossing(&mut draft, message),
            SessionInput::Matched { desk, agent } => offers::matched(&mut draft, *desk, agent),
            SessionInput::Position { position, text } => silence::position(&mut draft, *position, text),
            SessionInput::Heard { n } => arrival::heard(&mut draft, *n),
            SessionInput::Lost(lost) => {
                recovery::recover(&mut draft, lost);
                Ok(())
            }
            SessionInput::Service(act) => service::act(&mut draft, act),
            SessionInput::Timer { timer, .. } => silence::timer(&mut draft, *timer),
        }?;
        Ok(draft.finish())
    }
}
