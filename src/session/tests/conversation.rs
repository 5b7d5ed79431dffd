//! What is said, by whom, and how a session begins and ends.

use serde_json::{Map, Value};
use uuid::Uuid;

use super::world::{CUSTOMER, World, open, place};
use crate::model::{
    Body, CloseReason, LogId, MessageKind, QueueReason, Record, Role, SessionEvent, UserDataChange,
    Visibility,
};
use crate::session::{
    AfterLeave, AgentAct, Lost, Phase, Rejection, Said, ServiceAct, SessionInput, visible_to_agent,
    visible_to_customer,
};

fn shown(world: &World, session: LogId) -> Vec<&Record<SessionEvent>> {
    let kept = &world.sessions[&session];
    kept.records
        .iter()
        .filter(|record| visible_to_customer(&kept.state, record))
        .collect()
}

fn leave(after: AfterLeave) -> AgentAct {
    AgentAct::Leave { after }
}

fn reason(world: &World, session: LogId) -> Option<CloseReason> {
    match world.session(session).phase() {
        Phase::Closed { reason, .. } => Some(*reason),
        _ => None,
    }
}

#[test]
fn the_first_to_join_is_the_customer() {
    let mut world = World::new();
    let session = world.open(1);
    let first = world
        .events(session)
        .find(|event| matches!(event, SessionEvent::Joined { .. }));
    assert!(matches!(
        first,
        Some(SessionEvent::Joined {
            role: Role::Customer,
            ..
        })
    ));
    assert_eq!(world.session(session).data()["k"], "v");
}

#[test]
fn a_session_opens_once() {
    let mut world = World::new();
    let session = world.open(1);
    let again = SessionInput::Open(Box::new(open(false)));
    assert_eq!(world.ask(session, &again), Err(Rejection::NoSession));
}

#[test]
fn the_closing_line_is_the_last_thing_said() {
    let mut world = World::new();
    let session = world.held(1, "bob");
    world.command("bob", session, AgentAct::Complete).unwrap();
    let seen = shown(&world, session);
    assert!(matches!(seen[seen.len() - 1].event, SessionEvent::Closed { .. }));
    assert_eq!(seen[seen.len() - 2].body.as_str(), "Goodbye");
    assert!(matches!(
        seen[seen.len() - 2].event,
        SessionEvent::Message { from: None, .. }
    ));
}

#[test]
fn nobody_speaks_after_the_end_but_an_agent_may_still_note() {
    let mut world = World::new();
    let session = world.held(1, "bob");
    world.command("bob", session, AgentAct::Complete).unwrap();
    assert_eq!(world.customer_says(session), Err(Rejection::Closed));
    assert_eq!(world.say("bob", session, Visibility::All), Err(Rejection::Closed));
    let note = AgentAct::Note {
        comment: Some("done".to_owned()),
        disposition: None,
    };
    world.command("bob", session, note).unwrap();
    assert_eq!(world.session(session).comment(), Some("done"));
}

#[test]
fn a_leaving_customer_ends_the_session_and_frees_everybody() {
    let mut world = World::new();
    let session = world.held(1, "bob");
    world
        .ask(
            session,
            &SessionInput::CustomerLeave {
                participant: CUSTOMER,
            },
        )
        .unwrap();
    world.settle();
    assert_eq!(reason(&world, session), Some(CloseReason::Customer));
    assert!(world.desk("bob").places().is_empty());
    assert!(!world.is_listened_for(session));
}

#[test]
fn what_becomes_of_a_session_whose_agent_leaves_is_theirs_to_say() {
    for (after, ended) in [
        (AfterLeave::CloseIfNoAgents, true),
        (AfterLeave::ForceClose, true),
        (AfterLeave::KeepAlive, false),
    ] {
        let mut world = World::new();
        let session = world.held(1, "bob");
        world.command("bob", session, leave(after)).unwrap();
        assert_eq!(reason(&world, session).is_some(), ended, "{after:?}");
    }
}

#[test]
fn a_customer_who_speaks_where_nobody_listens_waits_for_whom_they_knew() {
    let mut world = World::new();
    let session = world.held(1, "bob");
    world.ready("eve", 3);
    world
        .command("bob", session, leave(AfterLeave::KeepAlive))
        .unwrap();
    world.settle();
    world.pass(1_000);
    world.customer_says(session).unwrap();
    assert!(world.events(session).any(|event| matches!(
        event,
        SessionEvent::Queued {
            reason: QueueReason::Woken,
            ..
        }
    )));
    world.settle();
    assert_eq!(
        world.session(session).offer().unwrap().agent,
        super::world::agent("bob")
    );
}

#[test]
fn words_between_agents_never_reach_the_customer() {
    let mut world = World::new();
    let session = world.held(1, "bob");
    let before = shown(&world, session).len();
    world.say("bob", session, Visibility::Agent).unwrap();
    assert_eq!(shown(&world, session).len(), before);
    let kept = &world.sessions[&session];
    let said = kept.records.last().unwrap();
    assert!(visible_to_agent(&kept.state, said, Visibility::Agent));
}

#[test]
fn a_stranger_can_do_nothing() {
    let mut world = World::new();
    let session = world.held(1, "bob");
    world.connect("eve", 1);
    assert_eq!(
        world.say("eve", session, Visibility::All),
        Err(Rejection::NotParticipant)
    );
    let other = SessionInput::CustomerText {
        participant: crate::model::ParticipantId(Uuid::from_u128(999)),
        text: "x".into(),
    };
    assert_eq!(world.ask(session, &other), Err(Rejection::NotParticipant));
}

#[test]
fn attached_data_is_changed_and_bounded() {
    let mut world = World::new();
    let session = world.held(1, "bob");
    let data = |key: &str, value: &str| Map::from_iter([(key.to_owned(), Value::from(value))]);
    let change = |change, data| AgentAct::Data { change, data };
    world
        .command("bob", session, change(UserDataChange::Attach, data("a", "1")))
        .unwrap();
    world
        .command("bob", session, change(UserDataChange::Delete, data("k", "")))
        .unwrap();
    let keys: Vec<&String> = world.session(session).data().keys().collect();
    assert_eq!(keys, ["a"]);
    let large = change(UserDataChange::Attach, data("b", &"x".repeat(70_000)));
    assert_eq!(world.command("bob", session, large), Err(Rejection::TooMuch));
    let customer = SessionInput::CustomerData {
        participant: CUSTOMER,
        data: (0..1_001).map(|n| (n.to_string(), Value::Null)).collect(),
    };
    assert_eq!(world.ask(session, &customer), Err(Rejection::TooMuch));
}

#[test]
fn a_text_that_no_record_can_hold_is_refused() {
    let mut world = World::new();
    let session = world.open(1);
    let text = SessionInput::CustomerText {
        participant: CUSTOMER,
        text: vec![b'x'; 65_537].into(),
    };
    assert_eq!(world.ask(session, &text), Err(Rejection::TooMuch));
}

#[test]
fn a_bot_comes_in_with_its_first_words_and_only_once() {
    let mut world = World::new();
    let session = world.open(1);
    for _ in 0..2 {
        let act = ServiceAct::Say {
            bot: Some("Robo".to_owned()),
            kind: MessageKind::Text,
            text: "beep".to_owned(),
            visibility: Visibility::All,
        };
        world.ask(session, &SessionInput::Service(act)).unwrap();
    }
    let bots = world.session(session).participants().iter();
    assert_eq!(bots.filter(|known| known.role == Role::Bot).count(), 1);
}

#[test]
fn a_strategy_may_send_a_waiting_session_elsewhere_but_not_one_that_is_held() {
    let mut world = World::new();
    let session = world.open(1);
    let route = SessionInput::Service(ServiceAct::Route {
        place: place("vip"),
        prefer: None,
    });
    world.ask(session, &route).unwrap();
    assert!(matches!(world.session(session).phase(), Phase::Waiting { place, .. } if place.queue == "vip"));
    let held = world.held(2, "bob");
    assert_eq!(world.ask(held, &route), Err(Rejection::WrongState));
}

#[test]
fn positions_told_to_the_customer_only_fall() {
    let mut world = World::new();
    let session = world.open(1);
    let told = |position: u64| SessionInput::Position {
        position,
        text: format!("You are number {position}"),
    };
    world.ask(session, &told(3)).unwrap();
    assert_eq!(world.ask(session, &told(3)), Err(Rejection::Stale));
    assert_eq!(world.ask(session, &told(5)), Err(Rejection::Stale));
    world.ask(session, &told(1)).unwrap();
    assert_eq!(world.session(session).told_position(), Some(1));
}

#[test]
fn words_recovered_from_a_lost_history_reach_whom_they_were_for() {
    let mut world = World::new();
    let session = world.held(1, "bob");
    let recovered = |visibility| Record {
        at: world.now,
        cause: None,
        event: SessionEvent::Recovered {
            from: None,
            visibility,
        },
        body: Body::text("x"),
    };
    let state = world.session(session);
    assert!(visible_to_customer(state, &recovered(Visibility::All)));
    assert!(!visible_to_customer(state, &recovered(Visibility::Agent)));
}

#[test]
fn what_a_lost_history_said_is_kept_once_and_raises_the_index() {
    let mut world = World::new();
    let session = world.held(1, "bob");
    let lost = |cause: u128, after, text: &'static str| {
        SessionInput::Lost(Lost {
            cause: Uuid::from_u128(cause),
            after,
            said: vec![Said {
                from: None,
                visibility: Visibility::All,
                text: text.into(),
            }],
        })
    };
    let before = world.sessions[&session].records.len();
    world.ask(session, &lost(1, 3, "first")).unwrap();
    world.ask(session, &lost(2, 3, "second")).unwrap();
    // Another node held it too.
    world.ask(session, &lost(1, 3, "first")).unwrap();
    assert_eq!(world.session(session).bases(), [(3, 1_000)], "one fork, one step");
    let kept: Vec<_> = world.sessions[&session].records[before..]
        .iter()
        .filter(|record| matches!(record.event, SessionEvent::Recovered { .. }))
        .map(|record| record.body.clone())
        .collect();
    assert_eq!(kept, [Body::text("first"), Body::text("second")]);
    world.ask(session, &lost(3, 9, "third")).unwrap();
    assert_eq!(world.session(session).bases(), [(3, 1_000), (9, 2_000)]);
}
