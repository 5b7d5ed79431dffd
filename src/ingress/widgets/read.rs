//! Reading messages: polls, restores, history, catching up.

use bytes::Bytes;

use crate::protocol::client_token::ClientToken;
use crate::protocol::envelope::{Code, Fault};
use crate::protocol::widget::{
    EndPhase, Index, Line, Query, Window, from, messages, newest, page, recent, settle,
};

use super::access::Access;
use super::call::Call;
use super::conversation::{Room, Said};
use super::handler::Widgets;

/// Bytes of message objects in one answer; where there are more, the oldest stay away.
const ANSWER: usize = 4 * 1_024 * 1_024;

/// Answers at once, from what the core holds: a poll that is held makes two tabs of one chat stop each other.
pub(super) async fn read(
    widgets: &Widgets,
    call: &Call,
    access: &Access,
    token: &ClientToken,
) -> Result<Bytes, Fault> {
    let (query, operation) = Query::read(call.head.uri.query())?;
    call.note_operation(operation);
    let room = Room::enter(widgets.shards(), token.session, access.tenant, token.participant).await?;
    match EndPhase::at(room.state().closed_at(), call.now, &widgets.options().linger) {
        EndPhase::Open => widgets.shards().heard_from(token.session),
        // Whoever comes back to read an ended chat is told that it is gone: a restore ignores `chatEnded`.
        EndPhase::Closing | EndPhase::Over if matches!(query, Query::Newest(_) | Query::Page(..)) => {
            return Err(Code::InvalidSession.into());
        }
        EndPhase::Closing => {}
        EndPhase::Over => return Ok(messages(&call.ids(), [].iter(), true)),
        EndPhase::Gone => return Err(Code::InvalidSession.into()),
    }
    let lines = match query {
        Query::Poll | Query::From(_) => live(widgets, call, token, &room, query).await?,
        Query::Newest(count) => {
            let select = |lines: &mut dyn Iterator<Item = Said>| newest(lines, count);
            let window = room.choose(widgets.shards(), u64::MAX, select).await?;
            if let Some(first) = window.lines.first() {
                let mut memory = widgets.memory().borrow_mut();
                memory.page_began(token.session, token.transport, first.n(), call.now);
            }
            room.render(&window)
        }
        Query::Page(index, count) => {
            let upto = room.number(index);
            let select = |lines: &mut dyn Iterator<Item = Said>| page(lines, upto, count);
            room.render(&room.choose(widgets.shards(), upto, select).await?)
        }
    };
    Ok(messages(&call.ids(), newest_that_fit(&lines).iter(), false))
}

/// A poll or a catch-up: the lines as they go on, a fresh picture last, who is typing.
async fn live(
    widgets: &Widgets,
    call: &Call,
    token: &ClientToken,
    room: &Room,
    query: Query,
) -> Result<Vec<Bytes>, Fault> {
    let floor = widgets.memory().borrow().floor(token.session, token.transport);
    let start = match query {
        Query::From(index) => Some(room.number(index)),
        _ => None,
    };
    let select = |lines: &mut dyn Iterator<Item = Said>| match start {
        Some(n) => from(lines, n),
        None => recent(lines, floor, call.now),
    };
    let window = room.choose(widgets.shards(), u64::MAX, select).await?;
    let window = show_pictures(widgets, call, token, window);
    let typing = room.typing(&window, call.now);
    let lines = room.render(&window);
    if typing.is_empty() {
        return Ok(lines);
    }
    let said = window.lines.iter().map(|line| room.index(line)).zip(lines);
    let mut all: Vec<(Index, Bytes)> = said.chain(typing).collect();
    all.sort_by_key(|(index, _)| *index);
    Ok(all.into_iter().map(|(_, bytes)| bytes).collect())
}

fn show_pictures(widgets: &Widgets, call: &Call, token: &ClientToken, window: Window<Said>) -> Window<Said> {
    if !window.lines.iter().any(Line::is_picture) {
        return window;
    }
    let said: Vec<_> = window.lines.iter().map(|line| (line.n(), line.at())).collect();
    let mut memory = widgets.memory().borrow_mut();
    settle(window, call.now, |n| {
        let at = said.iter().find(|(number, _)| *number == n).map(|(_, at)| *at);
        at.is_some_and(|at| memory.may_show(token.session, token.transport, n, at, call.now))
    })
}

fn newest_that_fit(lines: &[Bytes]) -> &[Bytes] {
    let mut room = ANSWER;
    let fitting = lines.iter().rev().take_while(|line| {
        let fits = line.len() < room;
        room = room.saturating_sub(line.len());
        fits
    });
    &lines[lines.len() - fitting.count()..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_would_be_too_long_keeps_its_newest_lines() {
        let lines = vec![Bytes::from(vec![b'x'; ANSWER / 3]); 5];
        assert_eq!(newest_that_fit(&lines).len(), 3);
        assert_eq!(newest_that_fit(&lines[..2]).len(), 2);
    }
}
