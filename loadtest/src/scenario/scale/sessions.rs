//! Sessions of customers who write by text message, each with some messages.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::{Growth, ScaleArgs};
use crate::callbacks::{BATCH, Mix, Shares, TENANT};
use crate::crew;
use crate::http::Target;
use crate::measure::Results;
use crate::proc::Usage;
use crate::server::Server;
use crate::tally::Shared;
use crate::texts;

/// The first step; its customers are the ones who go on writing at every other.
const FIRST: u64 = 1_000;
/// Batches only: a session costs a fifth of a callback.
pub(super) const BATCHES: Shares = Shares {
    repeats: 0,
    forged: 0,
    batches: 100,
};

pub(super) async fn run(args: &ScaleArgs) -> Result<Results> {
    let mut server = args.server.clone();
    server.set.extend(texts::settings());
    let server = crew::provisioned(&server, TENANT).await?;
    let mix = Rc::new(RefCell::new(Mix::new(BATCHES, FIRST)));
    let tally = Shared::default();
    let (mut same, mut any, mut bytes) = (Growth::default(), Growth::default(), Growth::default());
    let mut there = 0;
    let mut held = Usage::of(server.pid())?.anonymous;
    let mut wanted = FIRST.min(args.sessions);
    loop {
        mix.borrow_mut().turn_to(there, wanted - there);
        write(&server, args, &mix, &tally, (wanted - there) * args.messages).await?;
        tokio::time::sleep(Duration::from_secs(args.settle)).await;
        let now = Usage::of(server.pid())?.anonymous;
        // At the first step the process itself is in it.
        bytes.at(
            wanted as f64,
            now.saturating_sub(held) as f64 / (wanted - there) as f64,
        );
        held = now;
        there = wanted;
        for (growth, customers) in [(&mut same, FIRST.min(there)), (&mut any, there)] {
            mix.borrow_mut().turn_to(0, customers);
            let before = Usage::of(server.pid())?.cpu;
            write(&server, args, &mix, &tally, args.measured).await?;
            let spent = Usage::of(server.pid())?.cpu - before;
            growth.at(there as f64, spent.as_secs_f64() * 1e6 / args.measured as f64);
        }
        if there >= args.sessions {
            break;
        }
        wanted = (there * 10).min(args.sessions);
    }
    let mut results = Results {
        title: format!("scale: {there} sessions of {} messages", args.messages),
        ..Results::default()
    };
    same.tell("us_per_message_of_the_same_thousand", &mut results)?;
    any.tell("us_per_message_of_any", &mut results)?;
    bytes.tell("bytes_per_idle_session", &mut results)?;
    results.errors = tally.borrow().errors();
    Ok(results)
}

async fn write(
    server: &Server,
    args: &ScaleArgs,
    mix: &Rc<RefCell<Mix>>,
    tally: &Shared,
    messages: u64,
) -> Result<()> {
    batches(&[server.target()], args.connections, mix, tally, messages).await
}

/// As many messages as are asked for, as fast as they are taken.
pub(super) async fn batches(
    servers: &[Target],
    connections: usize,
    mix: &Rc<RefCell<Mix>>,
    tally: &Shared,
    messages: u64,
) -> Result<()> {
    let left = Rc::new(Cell::new(messages.div_ceil(BATCH)));
    let bar = crew::bar(usize::try_from(left.get())?, "callbacks")?;
    let counted = bar.clone();
    let next = move |mix: &mut Mix| {
        let more = left.get().checked_sub(1)?;
        left.set(more);
        counted.inc(1);
        Some((mix.next(), Instant::now()))
    };
    texts::send(servers, connections, mix, tally, next).await?;
    bar.finish_and_clear();
    Ok(())
}
