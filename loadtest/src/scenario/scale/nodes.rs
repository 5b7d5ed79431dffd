//! Nodes over one Redis; text messages arrive at all of them alike.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Instant;

use anyhow::{Context, Result};

use super::sessions::{BATCHES, batches};
use super::{Growth, ScaleArgs};
use crate::callbacks::{Mix, TENANT};
use crate::cluster;
use crate::crew;
use crate::measure::Results;
use crate::proc::Usage;
use crate::raw;
use crate::server::Server;
use crate::tally::Shared;
use crate::texts;

/// Customers of each step.
const CUSTOMERS: u64 = 2_000;

pub(super) async fn run(args: &ScaleArgs) -> Result<Results> {
    let redis = args.redis.as_deref().context("nodes need --redis")?;
    let postgres = args.postgres.as_deref().context("nodes need --postgres")?;
    let store = raw::redis::pid(raw::redis::address(redis)?).await?;
    let mut node = args.server.clone();
    node.set.extend(texts::settings());
    let (node, _key) = cluster::of(&node, redis, postgres)?;
    let tally = Shared::default();
    let mix = Rc::new(RefCell::new(Mix::new(BATCHES, CUSTOMERS)));
    let (mut cost, mut stores, mut rates) = (Growth::default(), Growth::default(), Growth::default());
    let mut servers: Vec<Server> = Vec::new();
    while servers.len() < args.nodes {
        servers.push(if servers.is_empty() {
            crew::provisioned(&node, TENANT).await?
        } else {
            Server::of(&node).await?
        });
        let nodes = servers.len() as u64;
        let targets: Vec<_> = servers.iter().map(Server::target).collect();
        mix.borrow_mut().turn_to(nodes * CUSTOMERS, CUSTOMERS);
        // Every session is there before anything is measured.
        batches(&targets, args.connections, &mix, &tally, CUSTOMERS).await?;
        let cpu = || -> Result<(f64, f64)> {
            let mut all = 0.0;
            for server in &servers {
                all += Usage::of(server.pid())?.cpu.as_secs_f64();
            }
            Ok((all, Usage::of(store)?.cpu.as_secs_f64()))
        };
        let (before, began) = (cpu()?, Instant::now());
        batches(&targets, args.connections, &mix, &tally, args.measured).await?;
        let (after, took) = (cpu()?, began.elapsed().as_secs_f64());
        let messages = args.measured as f64;
        cost.at(nodes as f64, (after.0 - before.0) * 1e6 / messages);
        stores.at(nodes as f64, (after.1 - before.1) * 1e6 / messages);
        rates.at(nodes as f64, messages / took);
    }
    let mut results = Results {
        title: format!("scale: {} nodes over one Redis", servers.len()),
        ..Results::default()
    };
    cost.tell("us_per_message_of_all_nodes", &mut results)?;
    stores.tell("us_per_message_of_redis", &mut results)?;
    rates.tell("messages_per_second", &mut results)?;
    results.errors = tally.borrow().errors();
    Ok(results)
}
