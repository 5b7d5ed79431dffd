//! The matching tables as the machines write them.

use super::world::{World, agent};
use crate::model::{ChannelState, MatchOp};
use crate::session::AgentAct;

#[test]
fn an_assignment_is_counted_once_and_a_rejection_never() {
    let mut world = World::new();
    let session = world.open(1);
    world.ready("bob", 1);
    world.settle();
    world.command("bob", session, AgentAct::Reject).unwrap();
    world.settle();
    assert_eq!(world.assigned, 0);
    world.pass(5_000);
    world.settle();
    world.command("bob", session, AgentAct::Accept).unwrap();
    world.settle();
    assert_eq!(world.assigned, 1);
    assert!(world.best_pair().is_none());
}

#[test]
fn an_assignment_that_is_told_twice_leaves_nobody_waiting() {
    let mut world = World::new();
    let session = world.open(1);
    world.ready("bob", 1);
    world.settle();
    world.ready("eve", 1);
    assert!(world.session(session).seeks_somebody());
    let told = world.told.len();
    world.command("bob", session, AgentAct::Accept).unwrap();
    // Whoever carried it out was slow, and somebody else does it once more.
    let again = world.told[told].clone();
    assert!(
        matches!(again, MatchOp::Unwait { assigned: true, .. }),
        "{again:?}"
    );
    world.write_tables(again);
    world.settle();
    assert_eq!(world.assigned, 1);
    assert_eq!(world.best_pair(), None);
    assert!(!world.session(session).seeks_somebody());
}

#[test]
fn a_session_keeps_its_turn_while_desks_are_asked() {
    let mut world = World::new();
    let session = world.open(1);
    let place = |world: &World| {
        world
            .waits(session)
            .map(|waits| (waits.since, waits.asked_until.is_some()))
    };
    let (since, _) = place(&world).unwrap();
    world.ready("bob", 1);
    world.settle();
    assert_eq!(place(&world), Some((since, true)), "bob is asked");
    world.command("bob", session, AgentAct::Reject).unwrap();
    assert_eq!(place(&world), Some((since, false)), "bob said no");
    world.ready("eve", 1);
    world.settle();
    world.command("eve", session, AgentAct::Accept).unwrap();
    assert_eq!(place(&world), None);
}

#[test]
fn a_desk_that_refuses_corrects_the_tables() {
    let mut world = World::new();
    world.ready("bob", 1);
    // A session that the tables send to a desk which has just become full.
    let first = world.open(1);
    let second = world.open(2);
    let desk = super::world::desk_of("bob");
    for session in [first, second] {
        let matched = crate::session::SessionInput::Matched {
            desk,
            agent: agent("bob"),
        };
        world.ask(session, &matched).unwrap();
    }
    world.settle();
    assert!(world.session(first).offer().is_some());
    assert!(world.session(second).offer().is_none());
    assert_eq!(world.desk("bob").places().len(), 1);
}

#[test]
fn a_session_and_an_agent_find_each_other_whoever_comes_first() {
    for session_first in [true, false] {
        let mut world = World::new();
        if session_first {
            world.open(1);
        }
        world.ready("bob", 1);
        if !session_first {
            world.open(1);
        }
        world.settle();
        assert!(world.session(World::session_id(1)).offer().is_some());
    }
}

#[test]
fn an_agent_who_is_not_ready_is_asked_by_colleagues_but_not_by_routing() {
    let mut world = World::new();
    let session = world.held(1, "bob");
    world.connect("eve", 1);
    world.open(2);
    world.set_channel("bob", ChannelState::NotReady { reason: None });
    world.settle();
    assert!(world.desk("eve").places().is_empty());
    let ask = AgentAct::Ask {
        purpose: crate::session::Purpose::Invite,
        target: crate::session::Target::Agent {
            agent: agent("eve"),
            desk: super::world::desk_of("eve"),
        },
    };
    world.command("bob", session, ask).unwrap();
    world.settle();
    assert_eq!(world.desk("eve").places().len(), 1);
}
