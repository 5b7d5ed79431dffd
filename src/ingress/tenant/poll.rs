//! Waiting for what is said in a chat.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::ingress::outcome::{rejected, session_of};
use crate::model::{LogId, MessageKind, Role, SessionEvent, TenantId, Visibility};
use crate::protocol::agent::timestamp;
use crate::protocol::envelope::{Code, Fault};
use crate::runtime::drain::{DrainToken, Phase};
use crate::session::{Session, visible_to_agent};
use crate::shard::{Entry, SessionView, ShardError, Shards};

/// Records of one answer.
const RECORDS: usize = 256;
/// Calls of one core that wait at once; more are answered with what there is.
const WAITING: usize = 8_192;

/// The calls of one core that wait.
#[derive(Debug, Default)]
pub(super) struct Waiting(Cell<usize>);

/// A place among them.
struct Seat<'a>(&'a Cell<usize>);

impl Waiting {
    fn seat(&self) -> Option<Seat<'_>> {
        let taken = self.0.get();
        (taken < WAITING).then(|| {
            self.0.set(taken + 1);
            Seat(&self.0)
        })
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

/// What was said after a number; waits for it up to `wait`, from what the core holds. A chat that is over and has nothing
/// more to say is a conflict.
pub(super) async fn messages(
    shards: &Shards,
    waiting: &Waiting,
    drain: &DrainToken,
    (tenant, session): (TenantId, LogId),
    after: u64,
    wait: Duration,
) -> Result<Map<String, Value>, Fault> {
    let view = session_of(shards, tenant, session).await?;
    if let Some(said) = said(shards, &view, after).await? {
        return Ok(said);
    }
    let Some(_seat) = waiting.seat().filter(|_| !wait.is_zero()) else {
        return Ok(nothing(after.max(view.top.n)));
    };
    let follower = shards.follower();
    follower.follow(session).await.map_err(without_reason)?;
    let deadline = tokio::time::Instant::now() + wait;
    let mut drain = drain.clone();
    loop {
        let news = tokio::select! {
            () = follower.changed() => true,
            () = tokio::time::sleep_until(deadline) => false,
            () = drain.reached(Phase::Closing) => false,
        };
        let _ = follower.take_dirty();
        let view = match follower.session(session) {
            Some(view) => view,
            None => session_of(shards, tenant, session).await?,
        };
        if let Some(said) = said(shards, &view, after).await? {
            return Ok(said);
        }
        if !news {
            return Ok(nothing(after.max(view.top.n)));
        }
    }
}

fn without_reason(error: ShardError<()>) -> Fault {
    match error {
        ShardError::Unavailable { retry_after, .. } => Fault::unavailable(retry_after),
        ShardError::NoSuchLog => Code::NotFound.into(),
        _ => rejected(ShardError::Unreadable {
            reason: "a chat could not be followed".to_owned(),
        }),
    }
}

/// What there is after a number; `None` where there is nothing yet.
async fn said(
    shards: &Shards,
    view: &Arc<SessionView>,
    after: u64,
) -> Result<Option<Map<String, Value>>, Fault> {
    let older;
    let (records, whole): (&[Arc<Entry<SessionEvent>>], bool) = match view.after(after) {
        Some(records) => (records, true),
        None => {
            older = shards
                .session_page_forward(view.log, after + 1, RECORDS)
                .await
                .map_err(without_reason)?;
            (&older, older.last().is_none_or(|last| last.n >= view.top.n))
        }
    };
    let lines: Vec<Value> = records
        .iter()
        .filter_map(|entry| line(&view.state, entry))
        .collect();
    let ended = whole && view.state.closed_at().is_some();
    if lines.is_empty() && ended {
        return Err(Fault::new(Code::Conflict).detail("chat session is closed"));
    }
    if lines.is_empty() && whole {
        return Ok(None);
    }
    let last = records.last().map_or(after, |last| last.n);
    Ok(Some(answer(lines, last, ended)))
}

fn nothing(last: u64) -> Map<String, Value> {
    answer(Vec::new(), last, false)
}

fn answer(lines: Vec<Value>, last: u64, ended: bool) -> Map<String, Value> {
    let mut answer = Map::new();
    answer.insert("Messages".to_owned(), Value::Array(lines));
    answer.insert("LastIndex".to_owned(), last.into());
    answer.insert("ChatEnded".to_owned(), ended.into());
    answer
}

fn line(session: &Session, entry: &Entry<SessionEvent>) -> Option<Value> {
    let record = &entry.record;
    let (kind, from) = match &record.event {
        SessionEvent::Message { kind, from, .. } => (word(*kind), *from),
        SessionEvent::File { from, .. } => ("File", Some(*from)),
        _ => return None,
    };
    if !visible_to_agent(session, record, Visibility::Agent) {
        return None;
    }
    let speaker = from.and_then(|from| session.participants().get(from));
    Some(json!({
        "Index": entry.n,
        "Type": kind,
        "Text": record.body.as_str(),
        "From": {
            "Type": speaker.map_or(Role::External, |one| one.role),
            "Nickname": speaker.map_or("", |one| one.nickname.as_str()),
        },
        "Time": timestamp(record.at),
    }))
}

const fn word(kind: MessageKind) -> &'static str {
    match kind {
        MessageKind::Text => "text",
        MessageKind::PushUrl => "USER_PUSHED_URL",
        MessageKind::Notice => "USER_NOTICE",
        MessageKind::CustomNotice => "USER_CUSTOM_NOTICE",
    }
}
