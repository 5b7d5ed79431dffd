//! Sessions and desks under any interleaving: messages late, twice and out of order, agents and customers coming and going,
//! nodes crashing. What must always hold, and what must hold once the world is at rest.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::world::{CUSTOMER, World, agent, desk_of, place};
use crate::model::{ChannelState, LogId, Media, OfferId, SessionEvent};
use crate::session::desk::Stage;
use crate::session::{AfterLeave, AgentAct, DeskInput, Phase, Purpose, SessionInput, Target};

const AGENTS: [(&str, u16); 3] = [("bob", 1), ("eve", 2), ("dan", 1)];
const SESSIONS: u8 = 4;

#[derive(Debug, Clone)]
enum Step {
    Open(u8),
    Deliver(Index),
    Repeat(Index),
    Route,
    Accept(usize, u8),
    Reject(usize, u8),
    Leave(usize, u8, bool),
    AskAgent(usize, u8, usize, u8),
    AskQueue(usize, u8, u8),
    Remove(usize, u8, usize),
    Complete(usize, u8),
    CustomerSays(u8),
    CustomerLeaves(u8),
    CustomerLost(u8),
    Lapse(usize),
    Connect(usize),
    Ready(usize),
    NotReady(usize),
    Pass(u64),
    Crash,
}

fn step() -> impl Strategy<Value = Step> {
    let agent = 0..AGENTS.len();
    let session = 0..SESSIONS;
    prop_oneof![
        3 => session.clone().prop_map(Step::Open),
        12 => any::<Index>().prop_map(Step::Deliver),
        3 => any::<Index>().prop_map(Step::Repeat),
        8 => Just(Step::Route),
        8 => (agent.clone(), session.clone()).prop_map(|(a, s)| Step::Accept(a, s)),
        2 => (agent.clone(), session.clone()).prop_map(|(a, s)| Step::Reject(a, s)),
        2 => (agent.clone(), session.clone(), any::<bool>()).prop_map(|(a, s, keep)| Step::Leave(a, s, keep)),
        3 => (agent.clone(), session.clone(), agent.clone(), 0u8..3).prop_map(|(a, s, b, p)| Step::AskAgent(a, s, b, p)),
        2 => (agent.clone(), session.clone(), 0u8..3).prop_map(|(a, s, p)| Step::AskQueue(a, s, p)),
        1 => (agent.clone(), session.clone(), agent.clone()).prop_map(|(a, s, b)| Step::Remove(a, s, b)),
        1 => (agent.clone(), session.clone()).prop_map(|(a, s)| Step::Complete(a, s)),
        2 => session.clone().prop_map(Step::CustomerSays),
        1 => session.clone().prop_map(Step::CustomerLeaves),
        1 => session.prop_map(Step::CustomerLost),
        2 => agent.clone().prop_map(Step::Lapse),
        3 => agent.clone().prop_map(Step::Connect),
        6 => agent.clone().prop_map(Step::Ready),
        1 => agent.prop_map(Step::NotReady),
        4 => (0u64..70_000).prop_map(Step::Pass),
        1 => Just(Step::Crash),
    ]
}

fn purpose(number: u8) -> Purpose {
    [Purpose::Invite, Purpose::Consult, Purpose::Transfer][usize::from(number) % 3]
}

/// Does a step; what the machines refuse changes nothing.
fn take(world: &mut World, step: &Step) {
    let name = |agent: usize| AGENTS[agent].0;
    let id = World::session_id;
    match *step {
        Step::Open(session) if !world.sessions.contains_key(&id(session)) => {
            world.open(session);
        }
        Step::Open(_) => {}
        Step::Deliver(at) if !world.flight.is_empty() => world.deliver(at.index(world.flight.len()), false),
        Step::Repeat(at) if !world.flight.is_empty() => world.deliver(at.index(world.flight.len()), true),
        Step::Deliver(_) | Step::Repeat(_) => {}
        Step::Route => {
            world.route();
        }
        Step::Accept(agent, session) => {
            let _ = world.command(name(agent), id(session), AgentAct::Accept);
        }
        Step::Reject(agent, session) => {
            let _ = world.command(name(agent), id(session), AgentAct::Reject);
        }
        Step::Leave(agent, session, keep) => {
            let after = if keep {
                AfterLeave::KeepAlive
            } else {
                AfterLeave::CloseIfNoAgents
            };
            let _ = world.command(name(agent), id(session), AgentAct::Leave { after });
        }
        Step::AskAgent(asker, session, other, number) => {
            let target = Target::Agent {
                agent: agent(name(other)),
                desk: desk_of(name(other)),
            };
            let purpose = purpose(number);
            let _ = world.command(name(asker), id(session), AgentAct::Ask { purpose, target });
        }
        Step::AskQueue(asker, session, number) => {
            let (purpose, target) = (purpose(number), Target::Queue(place("q")));
            let _ = world.command(name(asker), id(session), AgentAct::Ask { purpose, target });
        }
        Step::Remove(asker, session, other) => {
            let act = AgentAct::Remove {
                agent: agent(name(other)),
            };
            let _ = world.command(name(asker), id(session), act);
        }
        Step::Complete(agent, session) => {
            let _ = world.command(name(agent), id(session), AgentAct::Complete);
        }
        Step::CustomerSays(session) => {
            let _ = world.customer_says(id(session));
        }
        Step::CustomerLeaves(session) => {
            let _ = world.ask(
                id(session),
                &SessionInput::CustomerLeave {
                    participant: CUSTOMER,
                },
            );
        }
        Step::CustomerLost(session) => {
            let _ = world.ask(id(session), &SessionInput::Lapsed);
        }
        Step::Lapse(agent) => {
            let _ = world.ask_desk(desk_of(name(agent)), &DeskInput::Lapsed);
        }
        Step::Connect(agent) => {
            world.connect(name(agent), AGENTS[agent].1);
        }
        Step::Ready(agent) => {
            world.connect(name(agent), AGENTS[agent].1);
            world.set_channel(name(agent), ChannelState::Ready);
        }
        Step::NotReady(agent) => {
            world.connect(name(agent), AGENTS[agent].1);
            world.set_channel(name(agent), ChannelState::NotReady { reason: None });
        }
        Step::Pass(ms) => world.pass(ms),
        Step::Crash => world.crash(),
    }
}

/// Never more places in use than there are.
fn capacity_holds(world: &World) {
    for (name, places) in AGENTS {
        let Some(desk) = world.desks.get(&desk_of(name)) else {
            continue;
        };
        let used = desk
            .state
            .places()
            .iter()
            .filter(|place| place.media == Media::Chat)
            .count();
        assert!(used <= usize::from(places), "{name} holds {used} of {places}");
    }
}

/// An offer ends before the next begins.
fn offered_once_at_a_time(world: &World, session: LogId) {
    let mut standing: Option<OfferId> = None;
    for event in world.events(session) {
        match event {
            SessionEvent::Offering { offer, .. } => {
                assert_eq!(standing, None, "two offers at once in {session}");
                standing = Some(*offer);
            }
            SessionEvent::OfferEnded { offer, .. } | SessionEvent::Accepted { offer, .. } => {
                assert_eq!(standing.take(), Some(*offer));
            }
            _ => {}
        }
    }
}

/// Lets everything arrive and every offer and grace run out.
fn come_to_rest(world: &mut World) {
    for _ in 0..40 {
        world.settle();
        world.pass(10_000);
        capacity_holds(world);
    }
    world.settle();
}

/// What the desks hold, and what the sessions believe that they hold.
fn both_views(world: &World) -> [BTreeSet<(LogId, LogId)>; 2] {
    let mut of_desks = BTreeSet::new();
    for (desk, kept) in &world.desks {
        for held in kept.state.places() {
            assert!(
                matches!(held.stage, Stage::Taken { .. }) || !world.session(held.session).is_closed(),
                "a reservation outlived its session"
            );
            of_desks.insert((*desk, held.session));
        }
    }
    let mut of_sessions = BTreeSet::new();
    for (session, kept) in &world.sessions {
        of_sessions.extend(kept.state.places.iter().map(|held| (held.desk, *session)));
        of_sessions.extend(
            kept.state
                .offer()
                .filter(|offer| offer.shown)
                .map(|offer| (offer.desk, *session)),
        );
    }
    [of_desks, of_sessions]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn capacity_offers_and_views_hold_under_any_interleaving(steps in vec(step(), 1..120)) {
        let mut world = World::new();
        for step in &steps {
            take(&mut world, step);
            capacity_holds(&world);
        }
        come_to_rest(&mut world);
        let sessions: Vec<LogId> = world.sessions.keys().copied().collect();
        for session in sessions {
            offered_once_at_a_time(&world, session);
            let state = world.session(session);
            prop_assert!(state.offer().is_none(), "an offer stands for ever");
            let holders = state.participants().holders().count();
            match state.phase() {
                Phase::Active => prop_assert!(holders > 0),
                Phase::Parked | Phase::Waiting { .. } | Phase::Closed { .. } => prop_assert_eq!(holders, 0),
            }
        }
        let [of_desks, of_sessions] = both_views(&world);
        prop_assert_eq!(of_desks, of_sessions);
        prop_assert!(world.best_pair().is_none(), "a session waits beside an agent who is free");
        world.crash();
    }
}
