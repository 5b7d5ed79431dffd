//! Many agents and many chats on two nodes in one queue: everybody is served, and no agent ever has more than they can take.
//! `NEXUS_TEST_CHATS` sets how many chats; the default is what a build server has time for.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures_util::future::{join, join_all};
use serde_json::{Value, json};
use tokio::sync::Notify;
use uuid::Uuid;

use crate::support::customer::Customer;
use crate::support::dice::Dice;
use crate::support::pair::Pair;
use crate::support::part::number;
use crate::workspace::desktop::Desktop;

const AGENTS: usize = 6;
const CAPACITY: usize = 3;
/// Customers who come at once, wait until all of them were served, and come again.
const CROWD: usize = 40;
/// How long nothing at all may happen to an agent before it is asked whether everybody was served.
const TURN: Duration = Duration::from_millis(100);
/// Nobody is served within this: the run is stuck.
const STUCK: Duration = Duration::from_secs(30);

/// What the agents share.
struct Floor {
    chats: usize,
    served: Cell<usize>,
    last: Cell<Instant>,
    changed: Notify,
}

impl Floor {
    fn is_open(&self) -> bool {
        assert!(
            self.last.get().elapsed() < STUCK,
            "nobody was served for {STUCK:?} after {} of {}",
            self.served.get(),
            self.chats
        );
        self.served.get() < self.chats
    }

    fn serves(&self) {
        self.served.set(self.served.get() + 1);
        self.last.set(Instant::now());
        self.changed.notify_one();
    }
}

/// What an agent has, in their own eyes: a place is taken from when they see the offer until they send what ends it.
#[derive(Default)]
struct Agent {
    offered: BTreeSet<String>,
    held: BTreeSet<String>,
    accepting: Vec<(Uuid, String)>,
    most: usize,
    served: usize,
    rejected: usize,
}

#[test]
fn a_crowd_on_two_nodes_is_served_and_no_agent_has_more_than_they_can_take() {
    let chats = number("NEXUS_TEST_CHATS", 80);
    let pair = Pair::start(AGENTS, CAPACITY);
    let began = Instant::now();
    let floor = Floor {
        chats,
        served: Cell::new(0),
        last: Cell::new(began),
        changed: Notify::new(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let agents = join_all((0..AGENTS).map(|agent| works(&pair, agent, &floor)));
    let (agents, ()) = runtime.unwrap().block_on(join(agents, come(&pair, &floor)));
    let served: Vec<usize> = agents.iter().map(|agent| agent.served).collect();
    let most: Vec<usize> = agents.iter().map(|agent| agent.most).collect();
    let rejected: usize = agents.iter().map(|agent| agent.rejected).sum();
    eprintln!(
        "{chats} chats served by {AGENTS} agents of capacity {CAPACITY} on two nodes in {:.0?}: {served:?}, {rejected} offers \
         rejected, at most {most:?} at once",
        began.elapsed()
    );
    assert!(
        most.contains(&CAPACITY),
        "nobody was ever busy, so nothing is proved: {most:?}"
    );
}

/// Customers come in crowds, on both nodes.
async fn come(pair: &Pair, floor: &Floor) {
    let mut come = 0;
    while come < floor.chats {
        let crowd = CROWD.min(floor.chats - come);
        join_all((0..crowd).map(|one| Customer::open(pair.addr(one % 2), "all"))).await;
        come += crowd;
        while floor.served.get() < come.saturating_sub(CROWD / 2) && floor.is_open() {
            let _ = tokio::time::timeout(TURN, floor.changed.notified()).await;
        }
    }
}

async fn works(pair: &Pair, agent: usize, floor: &Floor) -> Agent {
    let mut dice = Dice::new(u64::try_from(agent).unwrap());
    let mut me = Agent::default();
    let mut desk = pair.agent(agent, agent % 2).await;
    desk.does("ready", json!({"media": "chat"})).await;
    let mut known: Vec<Value> = std::mem::take(&mut desk.memory.seen);
    while floor.is_open() {
        for frame in std::mem::take(&mut known) {
            me.hears(&mut desk, &frame, &mut dice, floor).await;
        }
        if let Ok(frame) = tokio::time::timeout(TURN, desk.frame()).await {
            known.push(frame.expect("an open connection"));
            desk.memory.seen.clear();
        } else if !me.held.is_empty() {
            me.completes(&mut desk, &mut dice, floor).await;
        }
    }
    me
}

impl Agent {
    async fn hears(&mut self, desk: &mut Desktop, frame: &Value, dice: &mut Dice, floor: &Floor) {
        if let Some(channels) = frame["channels"].as_array() {
            for channel in channels.iter().filter(|channel| channel["name"] == "chat") {
                assert!(
                    channel["busy"].as_u64() <= channel["capacity"].as_u64(),
                    "{channel}"
                );
            }
        }
        if frame["event"] == "reply" {
            assert_eq!(frame["status"]["code"], 0, "{frame}");
            let accepted = |(id, _): &(Uuid, String)| frame["cmdId"] == id.to_string().as_str();
            if let Some(at) = self.accepting.iter().position(accepted) {
                let (_, session) = self.accepting.swap_remove(at);
                self.offered.remove(&session);
                self.held.insert(session);
                if self.held.len() == CAPACITY || dice.roll(3) == 0 {
                    self.completes(desk, dice, floor).await;
                }
            }
            return;
        }
        let Some(session) = frame["log"].as_str() else {
            return;
        };
        if frame["interaction"]["state"] != "Invited" || !self.offered.insert(session.to_owned()) {
            return;
        }
        let taken = self.offered.len() + self.held.len();
        self.most = self.most.max(taken);
        assert!(
            taken <= CAPACITY,
            "an offer beyond capacity: {:?} offered, {:?} held",
            self.offered,
            self.held
        );
        let id = Uuid::new_v4();
        if dice.roll(6) == 0 {
            self.offered.remove(session);
            self.rejected += 1;
            desk.send(json!({"cmd": "reject", "cmdId": id, "session": session}))
                .await;
        } else {
            self.accepting.push((id, session.to_owned()));
            desk.send(json!({"cmd": "accept", "cmdId": id, "session": session}))
                .await;
        }
    }

    /// Ends one of the chats, and rests for a moment now and then.
    async fn completes(&mut self, desk: &mut Desktop, dice: &mut Dice, floor: &Floor) {
        let Some(session) = self.held.pop_first() else {
            return;
        };
        desk.send(json!({"cmd": "complete", "cmdId": Uuid::new_v4(), "session": session}))
            .await;
        self.served += 1;
        floor.serves();
        if dice.roll(5) == 0 {
            for cmd in ["not-ready", "ready"] {
                desk.send(json!({"cmd": cmd, "cmdId": Uuid::new_v4(), "media": "chat"}))
                    .await;
            }
        }
    }
}
