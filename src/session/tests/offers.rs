//! The offer protocol between a session and a desk, and what agents ask of each other.

use super::world::{OFFER_MS, World, agent, desk_of, place};
use crate::model::{ChannelState, Crossing, LeaveReason, Media, OfferOutcome, Role, SessionEvent};
use crate::session::desk::Stage;
use crate::session::{
    AfterLeave, AgentAct, DeskAct, DeskInput, Phase, Purpose, Rejection, SessionInput, Target,
};

fn by_name(name: &str) -> Target {
    Target::Agent {
        agent: agent(name),
        desk: desk_of(name),
    }
}

fn ask(purpose: Purpose, target: Target) -> AgentAct {
    AgentAct::Ask { purpose, target }
}

fn holders(world: &World, session: crate::model::LogId) -> Vec<String> {
    let participants = world.session(session).participants();
    participants
        .holders()
        .map(|holder| holder.nickname.clone())
        .collect()
}

fn taken(world: &World, name: &str) -> usize {
    let places = world.desk(name).places();
    places
        .iter()
        .filter(|place| matches!(place.stage, Stage::Taken { .. }))
        .count()
}

#[test]
fn a_ready_agent_is_offered_a_waiting_session_and_takes_it() {
    let mut world = World::new();
    let session = world.open(1);
    world.ready("bob", 1);
    world.settle();
    assert!(world.session(session).offer().is_some_and(|offer| offer.shown));
    let reply = world.command("bob", session, AgentAct::Accept).unwrap();
    world.settle();
    assert_eq!(world.session(session).phase(), &Phase::Active);
    assert_eq!(holders(&world, session), ["bob"]);
    assert!(reply.participant.is_some());
    assert_eq!(
        (taken(&world, "bob"), world.desk("bob").free(Media::Chat)),
        (1, 0)
    );
}

#[test]
fn an_offer_cannot_be_accepted_before_the_desk_has_reserved_a_place() {
    let mut world = World::new();
    let session = world.open(1);
    world.ready("bob", 1);
    world.route();
    assert_eq!(
        world.command("bob", session, AgentAct::Accept),
        Err(Rejection::WrongState)
    );
}

#[test]
fn a_desk_without_room_refuses_and_the_session_waits_on() {
    let mut world = World::new();
    let session = world.open(1);
    world.connect("bob", 1);
    let matched = SessionInput::Matched {
        desk: desk_of("bob"),
        agent: agent("bob"),
    };
    world.ask(session, &matched).unwrap();
    world.settle();
    assert!(matches!(world.session(session).phase(), Phase::Waiting { .. }));
    assert!(world.events(session).any(|event| matches!(
        event,
        SessionEvent::OfferEnded {
            outcome: OfferOutcome::Refused,
            ..
        }
    )));
}

#[test]
fn a_rejected_session_goes_to_another_agent() {
    let mut world = World::new();
    let session = world.open(1);
    world.ready("bob", 1);
    world.settle();
    world.command("bob", session, AgentAct::Reject).unwrap();
    world.ready("eve", 1);
    world.settle();
    assert_eq!(world.session(session).offer().unwrap().agent, agent("eve"));
}

#[test]
fn a_lone_agent_who_rejects_has_a_rest_and_is_then_asked_again() {
    let mut world = World::new();
    let session = world.open(1);
    world.ready("bob", 1);
    world.settle();
    world.command("bob", session, AgentAct::Reject).unwrap();
    world.settle();
    assert!(world.session(session).offer().is_none());
    world.pass(5_000);
    world.settle();
    assert!(world.session(session).offer().is_some());
}

#[test]
fn an_agent_who_does_not_answer_is_not_ready_until_they_say_so() {
    let mut world = World::new();
    let session = world.open(1);
    world.ready("bob", 1);
    world.settle();
    world.pass(OFFER_MS);
    world.settle();
    assert!(world.session(session).offer().is_none());
    let (_, state) = world.desk("bob").channels().next().unwrap();
    assert!(matches!(state, ChannelState::NotReady { reason: Some(_) }));
    world.set_channel("bob", ChannelState::Ready);
    world.settle();
    assert!(world.session(session).offer().is_some());
}

#[test]
fn auto_accept_takes_the_session_unasked() {
    let mut world = World::new();
    let session = world.open(1);
    world.connect("bob", 1);
    let command = world.uuid();
    let act = DeskInput::Act {
        command,
        act: DeskAct::AutoAccept(true),
    };
    world.ask_desk(desk_of("bob"), &act).unwrap();
    world.set_channel("bob", ChannelState::Ready);
    world.settle();
    assert_eq!(holders(&world, session), ["bob"]);
    assert_eq!(taken(&world, "bob"), 1);
}

#[test]
fn auto_accept_is_what_was_provisioned_until_the_agent_says_otherwise() {
    let mut world = World::new();
    world.connect_as("bob", 1, true);
    assert!(world.desk("bob").auto_accept());
    let command = world.uuid();
    let act = DeskInput::Act {
        command,
        act: DeskAct::AutoAccept(false),
    };
    world.ask_desk(desk_of("bob"), &act).unwrap();
    // Connecting again does not undo what they chose.
    world.connect_as("bob", 1, true);
    assert!(!world.desk("bob").auto_accept());
    // Provisioned otherwise and back, it is as provisioned.
    world.connect_as("bob", 1, false);
    world.connect_as("bob", 1, true);
    assert!(world.desk("bob").auto_accept());
}

#[test]
fn a_late_reservation_for_an_offer_that_is_over_is_freed_again() {
    let mut world = World::new();
    let session = world.open(1);
    world.ready("bob", 1);
    world.route();
    // The session gives up before the desk hears of it; what it said arrives in the wrong order.
    world.pass(OFFER_MS - 1);
    let leave = SessionInput::CustomerLeave {
        participant: super::world::CUSTOMER,
    };
    world.ask(session, &leave).unwrap();
    let free = world
        .flight
        .iter()
        .position(|sent| matches!(sent.message, Crossing::Free { .. }));
    world.deliver(free.unwrap(), false);
    world.settle();
    assert!(world.desk("bob").places().is_empty());
}

#[test]
fn a_desk_whose_session_says_nothing_asks_and_hears_the_truth() {
    let mut world = World::new();
    let session = world.open(1);
    world.ready("bob", 1);
    world.settle();
    world.command("bob", session, AgentAct::Reject).unwrap();
    // What the session told the desk is lost, which the log does not do: the desk finds out by itself.
    world.flight.clear();
    world.set_channel("bob", ChannelState::NotReady { reason: None });
    assert_eq!(world.desk("bob").places().len(), 1);
    world.pass(OFFER_MS + 5_000);
    world.settle();
    assert!(world.desk("bob").places().is_empty());
}

#[test]
fn a_desk_whose_session_is_gone_frees_the_place_in_the_end() {
    let mut world = World::new();
    world.open(1);
    world.ready("bob", 1);
    world.settle();
    world.sessions.clear();
    for _ in 0..40 {
        world.flight.clear();
        world.pass(OFFER_MS + 5_000);
    }
    assert!(world.desk("bob").places().is_empty());
}

#[test]
fn a_transfer_to_an_agent_hands_the_session_over_when_they_accept() {
    let mut world = World::new();
    let session = world.held(1, "bob");
    world.ready("eve", 1);
    world
        .command("bob", session, ask(Purpose::Transfer, by_name("eve")))
        .unwrap();
    world.settle();
    assert_eq!(holders(&world, session), ["bob"]);
    world.command("eve", session, AgentAct::Accept).unwrap();
    world.settle();
    assert_eq!(holders(&world, session), ["eve"]);
    assert_eq!((taken(&world, "bob"), taken(&world, "eve")), (0, 1));
}

#[test]
fn a_transfer_to_a_queue_leaves_the_session_waiting_there() {
    let mut world = World::new();
    let session = world.held(1, "bob");
    world
        .command(
            "bob",
            session,
            ask(Purpose::Transfer, Target::Queue(place("other"))),
        )
        .unwrap();
    world.settle();
    assert!(matches!(world.session(session).phase(), Phase::Waiting { place, .. } if place.queue == "other"));
    assert_eq!(taken(&world, "bob"), 0);
}

#[test]
fn an_invited_agent_joins_and_a_consulted_one_is_hidden_from_the_customer() {
    let mut world = World::new();
    let session = world.held(1, "bob");
    for (name, purpose) in [("eve", Purpose::Invite), ("dan", Purpose::Consult)] {
        world.ready(name, 1);
        world
            .command("bob", session, ask(purpose, by_name(name)))
            .unwrap();
        world.settle();
        world.command(name, session, AgentAct::Accept).unwrap();
        world.settle();
    }
    assert_eq!(holders(&world, session), ["bob", "eve"]);
    let kept = &world.sessions[&session];
    let joined: Vec<&str> = kept
        .records
        .iter()
        .filter(|record| matches!(record.event, SessionEvent::Joined { .. }))
        .filter(|record| crate::session::visible_to_customer(&kept.state, record))
        .map(|record| record.body.as_str())
        .collect();
    assert_eq!(joined, ["Ann", "bob", "eve"]);
}

#[test]
fn a_consult_by_queue_finds_whoever_is_ready_there_and_not_the_one_who_asks() {
    let mut world = World::new();
    let session = world.held(1, "bob");
    world.ready("eve", 1);
    world
        .command("bob", session, ask(Purpose::Consult, Target::Queue(place("q"))))
        .unwrap();
    world.settle();
    assert_eq!(world.session(session).offer().unwrap().agent, agent("eve"));
    world.command("eve", session, AgentAct::Accept).unwrap();
    world.settle();
    assert_eq!(holders(&world, session), ["bob"]);
    assert_eq!(world.session(session).phase(), &Phase::Active);
    assert!(world.best_pair().is_none());
}

#[test]
fn a_search_that_finds_only_the_one_who_asks_is_over() {
    let mut world = World::new();
    let session = world.held(1, "bob");
    world
        .command("bob", session, ask(Purpose::Invite, Target::Queue(place("q"))))
        .unwrap();
    world.settle();
    assert!(world.session(session).offer().is_none() && world.best_pair().is_none());
    assert_eq!(holders(&world, session), ["bob"]);
}

#[test]
fn what_an_agent_asked_falls_when_they_leave() {
    let mut world = World::new();
    let session = world.held(1, "bob");
    world.ready("eve", 1);
    world
        .command("bob", session, ask(Purpose::Invite, by_name("eve")))
        .unwrap();
    world.settle();
    let leave = AgentAct::Leave {
        after: AfterLeave::KeepAlive,
    };
    world.command("bob", session, leave).unwrap();
    world.settle();
    assert_eq!(
        world.command("eve", session, AgentAct::Accept),
        Err(Rejection::WrongState)
    );
    assert!(world.desk("eve").places().is_empty());
}

#[test]
fn a_cancelled_consult_frees_the_desk() {
    let mut world = World::new();
    let session = world.held(1, "bob");
    world.ready("eve", 1);
    world
        .command("bob", session, ask(Purpose::Consult, by_name("eve")))
        .unwrap();
    world.settle();
    world.command("bob", session, AgentAct::CancelAsk).unwrap();
    world.settle();
    assert!(world.desk("eve").places().is_empty());
    assert_eq!(
        world.command("bob", session, AgentAct::CancelAsk),
        Err(Rejection::WrongState)
    );
}

#[test]
fn an_adviser_goes_with_the_last_holder() {
    let mut world = World::new();
    let session = world.held(1, "bob");
    world.ready("eve", 1);
    world
        .command("bob", session, ask(Purpose::Consult, by_name("eve")))
        .unwrap();
    world.settle();
    world.command("eve", session, AgentAct::Accept).unwrap();
    world.settle();
    world
        .command(
            "bob",
            session,
            AgentAct::PlaceInQueue {
                place: place("other"),
            },
        )
        .unwrap();
    world.settle();
    assert_eq!((taken(&world, "bob"), taken(&world, "eve")), (0, 0));
    let agents = world.session(session).participants().iter();
    assert!(
        agents
            .filter(|known| known.role == Role::Agent)
            .all(|known| !known.present)
    );
}

#[test]
fn an_adviser_may_not_decide_about_the_session() {
    let mut world = World::new();
    let session = world.held(1, "bob");
    world.ready("eve", 1);
    world
        .command("bob", session, ask(Purpose::Consult, by_name("eve")))
        .unwrap();
    world.settle();
    world.command("eve", session, AgentAct::Accept).unwrap();
    for act in [
        AgentAct::Complete,
        AgentAct::PlaceInQueue { place: place("q") },
        AgentAct::Remove { agent: agent("bob") },
    ] {
        assert_eq!(world.command("eve", session, act), Err(Rejection::Forbidden));
    }
}

#[test]
fn a_removed_agent_is_out_and_their_place_is_free() {
    let mut world = World::new();
    let session = world.held(1, "bob");
    world.ready("eve", 1);
    world
        .command("bob", session, ask(Purpose::Invite, by_name("eve")))
        .unwrap();
    world.settle();
    world.command("eve", session, AgentAct::Accept).unwrap();
    world.settle();
    world
        .command("bob", session, AgentAct::Remove { agent: agent("eve") })
        .unwrap();
    world.settle();
    assert_eq!(holders(&world, session), ["bob"]);
    assert_eq!(taken(&world, "eve"), 0);
    assert!(world.events(session).any(|event| matches!(
        event,
        SessionEvent::Left {
            reason: LeaveReason::Removed,
            ..
        }
    )));
}

#[test]
fn a_repeated_command_gets_the_first_answer_and_writes_nothing() {
    let mut world = World::new();
    let session = world.open(1);
    world.ready("bob", 1);
    world.settle();
    let id = world.uuid();
    let first = world.command_again(id, "bob", session, AgentAct::Accept).unwrap();
    let written = world.events(session).count();
    let again = world.command_again(id, "bob", session, AgentAct::Accept).unwrap();
    assert!(again.repeated && !first.repeated);
    assert_eq!(again.participant, first.participant);
    assert_eq!(world.events(session).count(), written);
}
