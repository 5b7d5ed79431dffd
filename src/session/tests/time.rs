//! What follows from time passing and from nothing being heard.

use super::world::{World, agent};
use crate::model::{ChannelState, CloseReason, LogId, QueueReason, SessionEvent};
use crate::session::{DeskInput, Phase, Rejection, SessionInput};

fn reason(world: &World, session: LogId) -> Option<CloseReason> {
    match world.session(session).phase() {
        Phase::Closed { reason, .. } => Some(*reason),
        _ => None,
    }
}

#[test]
fn a_silent_chat_is_told_and_then_ended() {
    let mut world = World::new();
    let session = world.held(1, "bob");
    world.pass(254_000);
    assert!(
        !world
            .events(session)
            .any(|event| *event == SessionEvent::IdleAlerted)
    );
    world.pass(1_000);
    assert!(
        world
            .events(session)
            .any(|event| *event == SessionEvent::IdleAlerted)
    );
    world.pass(45_000);
    assert_eq!(reason(&world, session), Some(CloseReason::Idle));
    let last = &world.sessions[&session].records;
    assert_eq!(last[last.len() - 2].body.as_str(), "Ended for silence");
}

#[test]
fn a_word_after_the_alert_saves_the_chat() {
    let mut world = World::new();
    let session = world.held(1, "bob");
    world.pass(255_000);
    world.customer_says(session).unwrap();
    world.pass(45_000);
    assert_eq!(reason(&world, session), None);
    world.pass(210_000);
    world.pass(45_000);
    assert_eq!(reason(&world, session), Some(CloseReason::Idle));
}

#[test]
fn a_waiting_chat_is_not_ended_for_silence() {
    let mut world = World::new();
    let session = world.open(1);
    world.pass(3_600_000);
    assert_eq!(reason(&world, session), None);
}

#[test]
fn a_silent_asynchronous_session_frees_its_agent_and_sleeps() {
    let mut world = World::new();
    let session = world.open_asynchronous(1);
    world.ready("bob", 1);
    world.settle();
    world
        .command("bob", session, crate::session::AgentAct::Accept)
        .unwrap();
    world.settle();
    world.pass(300_000);
    world.settle();
    assert_eq!(world.session(session).phase(), &Phase::Parked);
    assert!(world.desk("bob").places().is_empty());
    world.pass(86_400_000);
    assert_eq!(world.session(session).phase(), &Phase::Parked);
    world.customer_says(session).unwrap();
    assert!(matches!(world.session(session).phase(), Phase::Waiting { .. }));
}

#[test]
fn a_session_that_nobody_wakes_ends_without_a_word_before_its_log_does() {
    let mut world = World::new();
    let session = world.open_asynchronous(1);
    world.ready("bob", 1);
    world.settle();
    world
        .command("bob", session, crate::session::AgentAct::Accept)
        .unwrap();
    world.settle();
    world.pass(300_000);
    world.settle();
    let said = world.sessions[&session].records.len();
    world.pass(crate::session::SLEEP_MS - 1);
    assert_eq!(world.session(session).phase(), &Phase::Parked);
    world.pass(1);
    assert_eq!(reason(&world, session), Some(CloseReason::Idle));
    assert_eq!(
        world.sessions[&session].records.len(),
        said + 1,
        "no line is said"
    );
}

#[test]
fn a_session_that_is_woken_sleeps_anew() {
    let mut world = World::new();
    let session = world.open_asynchronous(1);
    world.ready("bob", 1);
    world.settle();
    for _ in 0..2 {
        world
            .command("bob", session, crate::session::AgentAct::Accept)
            .unwrap();
        world.settle();
        world.pass(300_000);
        world.settle();
        world.pass(crate::session::SLEEP_MS - 1);
        world.customer_says(session).unwrap();
        world.settle();
    }
    assert_eq!(reason(&world, session), None);
}

#[test]
fn a_customer_who_goes_away_while_waiting_has_abandoned_the_chat() {
    let mut world = World::new();
    let session = world.open(1);
    assert!(world.is_listened_for(session));
    world.ask(session, &SessionInput::Lapsed).unwrap();
    assert_eq!(reason(&world, session), Some(CloseReason::Abandoned));
    assert!(!world.is_listened_for(session));
    assert!(world.best_pair().is_none());
}

#[test]
fn a_customer_who_goes_away_from_an_agent_may_come_back_once() {
    let mut world = World::new();
    let session = world.held(1, "bob");
    world.ask(session, &SessionInput::Lapsed).unwrap();
    assert!(world.is_listened_for(session) && reason(&world, session).is_none());
    world.ask(session, &SessionInput::Returned).unwrap();
    assert_eq!(world.ask(session, &SessionInput::Returned), Err(Rejection::Stale));
    world.ask(session, &SessionInput::Lapsed).unwrap();
    world.ask(session, &SessionInput::Lapsed).unwrap();
    assert_eq!(reason(&world, session), Some(CloseReason::Abandoned));
}

#[test]
fn a_customer_who_writes_has_come_back() {
    let mut world = World::new();
    let session = world.held(1, "bob");
    world.ask(session, &SessionInput::Lapsed).unwrap();
    assert!(world.session(session).is_customer_lost());
    world.customer_says(session).unwrap();
    assert!(!world.session(session).is_customer_lost());
}

#[test]
fn a_lost_agent_keeps_their_session_for_the_grace_and_then_others_are_asked() {
    let mut world = World::new();
    let session = world.held(1, "bob");
    let desk = super::world::desk_of("bob");
    world.ready("eve", 1);
    world.ask_desk(desk, &DeskInput::Lapsed).unwrap();
    world.pass(59_999);
    world.settle();
    assert_eq!(world.session(session).phase(), &Phase::Active);
    world.pass(1);
    world.settle();
    assert!(world.events(session).any(|event| matches!(
        event,
        SessionEvent::Queued {
            reason: QueueReason::AgentLost,
            ..
        }
    )));
    assert_eq!(world.session(session).offer().unwrap().agent, agent("eve"));
    assert!(world.desk("bob").places().is_empty());
    let written = world.desks[&desk].records.len();
    world.pass(60_000);
    assert_eq!(world.desks[&desk].records.len(), written, "a desk gives up once");
}

#[test]
fn an_agent_who_comes_back_within_the_grace_has_lost_nothing() {
    let mut world = World::new();
    let session = world.held(1, "bob");
    let desk = super::world::desk_of("bob");
    world.ask_desk(desk, &DeskInput::Lapsed).unwrap();
    world.pass(30_000);
    world.connect("bob", 3);
    world.pass(60_000);
    world.settle();
    assert_eq!(world.session(session).phase(), &Phase::Active);
    assert_eq!(world.desk("bob").places().len(), 1);
    let (_, state) = world.desk("bob").channels().next().unwrap();
    assert_eq!(*state, ChannelState::Ready);
}

#[test]
fn a_lost_desk_is_offered_nothing() {
    let mut world = World::new();
    let session = world.open(1);
    let desk = world.ready("bob", 1);
    world.ask_desk(desk, &DeskInput::Lapsed).unwrap();
    world.settle();
    assert!(world.session(session).offer().is_none());
    world.connect("bob", 1);
    world.settle();
    assert!(world.session(session).offer().is_some());
}

#[test]
fn the_newest_connection_has_the_highest_number() {
    let mut world = World::new();
    world.connect("bob", 1);
    world.connect("bob", 1);
    assert_eq!(world.desk("bob").conn(), 2);
}
