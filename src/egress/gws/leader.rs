//! Which node follows the events of which tenant, and what becomes of them.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::str::FromStr as _;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::log::{NodeId, Pair};
use crate::model::{AgentId, Digest, LogId, LogKind, TenantId};
use crate::net::client::Client;
use crate::protocol::entry::SCHEMA_LEVEL;
use crate::protocol::gws::{Interaction, Objects};
use crate::provisioning::{Snapshot, Snapshots};
use crate::runtime::Clock;
use crate::runtime::drain::{DrainToken, Phase};
use crate::shard::Shards;
use crate::telemetry::names;

use super::account::Account;
use super::events::{Told, follow};
use super::session::Session;

/// How often it is looked at who lives and what is provisioned.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// A node that has not announced itself for this long is taken for dead.
const NODE_TTL_MS: u64 = 15_000;
/// What saying goodbye to every GWS may take together.
const GOODBYES: Duration = Duration::from_secs(5);
/// States of an interaction in which an agent is meant for it.
const MEANT: [&str; 2] = ["Invited", "Processing"];

/// What a core needs to follow events.
pub struct Leader {
    /// Its way to the sessions.
    pub shards: Shards,
    /// This node.
    pub node: NodeId,
    /// What is provisioned.
    pub snapshots: Snapshots,
    /// The core's client.
    pub client: Client,
    /// The clock.
    pub clock: Clock,
    /// 64 random bits.
    pub random: fn() -> u64,
    /// The graceful stop.
    pub drain: DrainToken,
}

/// What was read of each tenant's configuration.
pub type Configurations = Rc<RefCell<HashMap<TenantId, Objects>>>;

struct Following {
    version: u64,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

/// Follows the events of the tenants that fall to this node, as long as the core runs. A session that is meant for an agent
/// is offered to them. When the node stops it says goodbye, so that another node's session is the only one.
pub async fn lead(leader: Leader, configurations: Configurations) {
    let mut drain = leader.drain.clone();
    let _open = drain.retain(Phase::Released);
    let mut following: HashMap<TenantId, Following> = HashMap::new();
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = drain.reached(Phase::Released) => return part(following).await,
        }
        // Who cannot be asked who lives stays with what it has: twice is better than not at all.
        let log = leader.shards.log();
        let Ok(nodes) = log.announce(leader.node, SCHEMA_LEVEL, NODE_TTL_MS).await else {
            continue;
        };
        let snapshot = leader.snapshots.load_full();
        let wanted = accounts(&snapshot, leader.node, &nodes);
        following.retain(|tenant, it| {
            let stays = wanted
                .get(tenant)
                .is_some_and(|account| account.version == it.version);
            if !stays {
                // It may have ended by itself.
                let _ = it.stop.send(true);
            }
            stays
        });
        for (tenant, account) in wanted {
            following.entry(tenant).or_insert_with(|| {
                let (stop, stopped) = watch::channel(false);
                let version = account.version;
                let session = Session::new(leader.client.clone(), account, leader.clock.clone());
                let (configurations, shards) = (Rc::clone(&configurations), leader.shards.clone());
                let (clock, random) = (leader.clock.clone(), leader.random);
                let task = tokio::task::spawn_local(async move {
                    let told = move |told| heard(tenant, told, &configurations, &shards);
                    follow(Rc::new(session), clock, random, stopped, told).await;
                });
                Following { version, stop, task }
            });
        }
    }
}

/// Ends every session, without waiting long for anybody.
async fn part(following: HashMap<TenantId, Following>) {
    for it in following.values() {
        let _ = it.stop.send(true);
    }
    let tasks = following.into_values().map(|it| it.task);
    if tokio::time::timeout(GOODBYES, join_all(tasks)).await.is_err() {
        tracing::info!("a GWS was left without a goodbye; its session there runs out");
    }
}

/// The accounts whose tenants fall to a node.
fn accounts(snapshot: &Snapshot, node: NodeId, nodes: &[(NodeId, u32)]) -> HashMap<TenantId, Account> {
    let tenants = snapshot.tenants().map(|tenant| tenant.tenant);
    tenants
        .filter(|tenant| chosen(*tenant, nodes).is_none_or(|chosen| chosen == node))
        .filter_map(|tenant| Some((tenant, Account::of(snapshot, tenant)?)))
        .collect()
}

/// The node whose hash with the tenant is highest.
fn chosen(tenant: TenantId, nodes: &[(NodeId, u32)]) -> Option<NodeId> {
    nodes
        .iter()
        .map(|(node, _)| *node)
        .max_by_key(|node| Digest::of(&[b"gws", tenant.0.as_bytes(), node.0.as_bytes()]).0)
}

fn heard(tenant: TenantId, told: Told, configurations: &Configurations, shards: &Shards) {
    match told {
        Told::Interaction(interaction) => {
            let configurations = configurations.borrow();
            if let Some(pair) = pair(tenant, &interaction, configurations.get(&tenant)) {
                tokio::task::spawn_local(offer(tenant, pair, shards.clone()));
            }
        }
        Told::Configuration(objects) => {
            tracing::info!(
                %tenant, persons = objects.persons.len(), groups = objects.groups.len(),
                queues = objects.queues.len(), "configuration of GWS read"
            );
            configurations.borrow_mut().insert(tenant, objects);
        }
        Told::Failed { operation, code } => {
            metrics::counter!(names::GWS_LINK, "event" => "failed").increment(1);
            tracing::warn!(%tenant, operation, code, "GWS could not do what it had accepted");
        }
        Told::Missed(cause) => tracing::info!(%tenant, ?cause, "everything is read from GWS"),
    }
}

/// Offers a session, if it is the tenant's: its GWS may name any id.
async fn offer(tenant: TenantId, pair: Pair, shards: Shards) {
    // One that is not there, or cannot be read now, is named again or submitted again.
    let Ok(view) = shards.session_view(pair.session).await else {
        return;
    };
    if view.state.about().is_some_and(|about| about.tenant == tenant) {
        metrics::counter!(names::GWS_LINK, "event" => "offered").increment(1);
        shards.offer(tenant, pair);
    } else {
        metrics::counter!(names::GWS_LINK, "event" => "foreign").increment(1);
        tracing::warn!(%tenant, "GWS named a session that is not this tenant's");
    }
}

/// The session and the desk an interaction means, if it is one of ours and meant for somebody. A hint like any other: the
/// session and the desk decide.
fn pair(tenant: TenantId, interaction: &Interaction, objects: Option<&Objects>) -> Option<Pair> {
    if !MEANT.contains(&interaction.state.as_str()) {
        return None;
    }
    let session = LogId::from_str(&interaction.id).ok()?;
    let named = interaction.agent.as_deref()?;
    let login = objects.map_or(named, |objects| objects.login(named));
    let agent = AgentId::from_str(login).ok()?;
    (session.kind() == LogKind::Session).then(|| Pair {
        session,
        desk: LogId::desk(tenant, &agent),
        agent,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Millis, Spread};
    use crate::protocol::gws::Person;
    use uuid::Uuid;

    fn interaction(id: &str, state: &str, agent: &str) -> Interaction {
        Interaction {
            id: id.to_owned(),
            state: state.to_owned(),
            agent: Some(agent.to_owned()),
            ..Interaction::default()
        }
    }

    #[test]
    fn an_interaction_of_ours_that_names_an_agent_becomes_a_pair() {
        let tenant = TenantId(Uuid::from_u128(7));
        let session = LogId::session(Millis(1), [3; 10], Spread::of(&[b"x"]));
        let id = session.to_string();
        let person = Person {
            dbid: 101,
            login: "anna".to_owned(),
            ..Person::default()
        };
        let objects = Objects {
            persons: [(101, person)].into(),
            ..Objects::default()
        };
        let anna = AgentId::from_str("anna").unwrap();
        let found = pair(tenant, &interaction(&id, "Invited", "101"), Some(&objects)).unwrap();
        assert_eq!((found.session, &found.agent), (session, &anna));
        assert_eq!(found.desk, LogId::desk(tenant, &anna));
        assert_eq!(pair(tenant, &interaction(&id, "Completed", "101"), None), None);
        assert_eq!(
            pair(tenant, &interaction("000A1aDEMO001", "Invited", "anna"), None),
            None
        );
    }

    #[test]
    fn each_tenant_falls_to_one_node_and_stays_there_while_it_lives() {
        let nodes: Vec<_> = (1..=3).map(|n| (NodeId(Uuid::from_u128(n)), 1)).collect();
        for n in 0..100 {
            let tenant = TenantId(Uuid::from_u128(n));
            let first = chosen(tenant, &nodes).unwrap();
            let others: Vec<_> = nodes.iter().copied().filter(|(node, _)| *node != first).collect();
            assert_eq!(
                chosen(tenant, &[&others[..], &[(first, 1)]].concat()),
                Some(first)
            );
        }
    }
}
