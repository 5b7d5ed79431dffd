//! A turn as the session's records tell it.

use crate::model::{MessageKind, Role, SessionEvent, Visibility};
use crate::protocol::bot::{self, Line, Said, Turn, Voice};
use crate::session::Session;
use crate::shard::SessionView;

use super::outcome::offered;

/// Lines of the conversation a bot is shown.
const HISTORY: usize = 20;

/// Turn `n` of a session; `None` when there is nothing to answer: the words are erased.
///
/// Its words are what the customer said since the last turn that was answered, so that a customer who writes three short lines
/// gets one answer.
pub(super) fn turn(view: &SessionView, name: &str, n: u64) -> Option<Turn> {
    let state = &view.state;
    let about = state.about()?;
    let answered = state.outside().answered;
    let lines: Vec<(u64, Line)> = view
        .tail
        .iter()
        .filter(|entry| entry.n < n)
        .filter_map(|entry| Some((entry.n, line(state, &entry.record)?)))
        .collect();
    let of_turn = |(at, line): &(u64, Line)| *at > answered && line.voice == Voice::Customer;
    let words: Vec<&str> = lines
        .iter()
        .filter(|line| of_turn(line))
        .map(|(_, line)| line.text.as_str())
        .collect();
    let said = match words.join("\n") {
        words if !words.is_empty() => said(state, words),
        // The first turn of a chat comes before the customer's first words.
        _ if answered == 0 && about.terms.links.channel.is_none() => Said::Start,
        _ => return None,
    };
    let mut history: Vec<Line> = lines
        .iter()
        .filter(|line| !of_turn(line))
        .map(|(_, line)| line.clone())
        .collect();
    history.drain(..history.len().saturating_sub(HISTORY));
    let mut user_data = state.data().clone();
    user_data.remove(bot::CHOICES);
    Some(Turn {
        session: view.log,
        n,
        bot: name.to_owned(),
        media: about.media,
        locale: about.locale.clone(),
        said,
        user_data,
        history,
    })
}

/// Words, or the choice that is meant by them.
fn said(state: &Session, words: String) -> Said {
    let choices = offered(state);
    match bot::chosen(&choices, &words) {
        Some((label, payload)) => Said::Choice {
            label: label.clone(),
            payload: payload.clone(),
        },
        None => Said::Text(words),
    }
}

/// What the customer can see of a record, as a line; of a file its name.
fn line(state: &Session, record: &crate::model::Record<SessionEvent>) -> Option<Line> {
    let from = match &record.event {
        SessionEvent::Message {
            from,
            kind: MessageKind::Text,
            visibility: Visibility::All,
            ..
        } => *from,
        SessionEvent::File {
            from,
            visibility: Visibility::All,
            ..
        } => Some(*from),
        _ => return None,
    };
    let voice = match from
        .and_then(|from| state.participants().get(from))
        .map(|from| from.role)
    {
        Some(Role::Customer) => Voice::Customer,
        Some(Role::Bot) => Voice::Bot,
        Some(Role::Agent | Role::Supervisor) => Voice::Agent,
        Some(Role::External) | None => Voice::Service,
    };
    let text = record.body.as_str().trim();
    (!text.is_empty()).then(|| Line {
        voice,
        text: text.to_owned(),
        at: record.at,
    })
}
