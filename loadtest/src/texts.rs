//! Aggregators: connections over which the callbacks of a mix arrive, at one server or at several.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Instant;

use anyhow::Result;
use tokio::task::JoinSet;

use crate::callbacks::{Callback, Kind, Mix, PUBLIC};
use crate::http::{Connection, Target, loopback};
use crate::tally::Shared;

/// New messages that were acknowledged, in the tally.
pub const MESSAGES: &str = "messages";
/// Repeats that were acknowledged, in the tally.
pub const REPEATS: &str = "repeats";
/// Forgeries that were refused, in the tally.
pub const FORGED: &str = "forged";
/// From the moment a callback was due to its answer, in the tally.
pub const ANSWER: &str = "callback";
/// Where aggregators come from: far above the addresses of everybody else.
const AGGREGATORS: usize = 45_000;
/// Connections that one address may open are limited by the server.
const PER_ADDRESS: usize = 50;

/// What a server must be told so that few addresses may stand for all aggregators, forgers among them.
pub fn settings() -> [String; 3] {
    [
        format!("listen.public.url={PUBLIC}"),
        "limits.rates.address=1000000/s burst 1000000".to_owned(),
        "limits.rates.refused=1000000/s burst 1000000".to_owned(),
    ]
}

/// Lets every one of so many connections, spread over the servers, send what `next` has for it, each when it is due, until there is
/// nothing more.
pub async fn send(
    servers: &[Target],
    connections: usize,
    mix: &Rc<RefCell<Mix>>,
    tally: &Shared,
    next: impl Fn(&mut Mix) -> Option<(Callback, Instant)> + Clone + 'static,
) -> Result<()> {
    let mut workers = JoinSet::new();
    for index in 0..connections {
        let (target, mix, tally) = (
            servers[index % servers.len()].clone(),
            Rc::clone(mix),
            Rc::clone(tally),
        );
        let next = next.clone();
        workers.spawn_local(async move {
            let mut connection =
                Connection::open(&target, loopback(AGGREGATORS + index, PER_ADDRESS)).await?;
            loop {
                let taken = next(&mut mix.borrow_mut());
                let Some((callback, due)) = taken else {
                    return Ok(());
                };
                tokio::time::sleep_until(due.into()).await;
                let answer = connection.send(callback.request()?).await;
                let mut tally = tally.borrow_mut();
                match (callback.kind, answer) {
                    (Kind::Forged, Ok((status, _))) if matches!(status.as_u16(), 401 | 403) => {
                        tally.count(FORGED);
                    }
                    (Kind::New, Ok((status, _))) if status.is_success() => {
                        tally.add(MESSAGES, callback.messages);
                    }
                    (Kind::Repeat, Ok((status, _))) if status.is_success() => {
                        tally.add(REPEATS, callback.messages);
                    }
                    (kind, Ok((status, _))) => tally.wrong(format!("{kind:?} answered {status}"), 1),
                    (kind, Err(error)) => {
                        tally.failed(&format!("{kind:?}"), &error);
                        return Err(error);
                    }
                }
                tally.took(ANSWER, due.elapsed());
            }
        });
    }
    while let Some(ended) = workers.join_next().await {
        ended??;
    }
    Ok(())
}
