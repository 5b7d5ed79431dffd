//! Supervisors: who sees them, who hears them, and how it ends.

use super::world::{World, agent};
use crate::model::{LogId, Role, SessionEvent, SupervisionMode, Visibility};
use crate::session::{
    AfterLeave, AgentAct, DeskInput, Phase, Rejection, visible_to_agent, visible_to_customer,
};

fn supervise(world: &mut World, session: LogId, mode: SupervisionMode) {
    world
        .command("sue", session, AgentAct::Supervise { mode })
        .unwrap();
    world.settle();
}

/// How many records concern a supervisor and are seen with this sight.
fn traces(world: &World, session: LogId, sight: Visibility) -> usize {
    let kept = &world.sessions[&session];
    let supervisors: Vec<_> = kept
        .state
        .participants()
        .iter()
        .filter(|known| known.role == Role::Supervisor)
        .map(|known| known.id)
        .collect();
    kept.records
        .iter()
        .filter(|record| match &record.event {
            SessionEvent::Joined { participant, .. }
            | SessionEvent::Left { participant, .. }
            | SessionEvent::Supervision { participant, .. } => supervisors.contains(participant),
            _ => false,
        })
        .filter(|record| match sight {
            Visibility::All => visible_to_customer(&kept.state, record),
            _ => visible_to_agent(&kept.state, record, sight),
        })
        .count()
}

#[test]
fn a_monitor_is_seen_by_supervisors_only_and_says_nothing() {
    let mut world = World::new();
    let session = world.held(1, "bob");
    world.connect("sue", 0);
    supervise(&mut world, session, SupervisionMode::Monitor);
    assert_eq!(traces(&world, session, Visibility::All), 0);
    assert_eq!(traces(&world, session, Visibility::Agent), 0);
    assert!(traces(&world, session, Visibility::Supervisor) > 0);
    assert_eq!(
        world.say("sue", session, Visibility::All),
        Err(Rejection::Forbidden)
    );
    assert_eq!(world.desk("sue").watching().len(), 1);
    assert!(world.desk("sue").places().is_empty());
}

#[test]
fn a_coach_speaks_to_the_agents_only() {
    let mut world = World::new();
    let session = world.held(1, "bob");
    world.connect("sue", 0);
    supervise(&mut world, session, SupervisionMode::Coach);
    world.say("sue", session, Visibility::All).unwrap();
    let kept = &world.sessions[&session];
    let said = kept.records.last().unwrap();
    assert!(!visible_to_customer(&kept.state, said));
    assert!(visible_to_agent(&kept.state, said, Visibility::Agent));
    assert_eq!(traces(&world, session, Visibility::All), 0);
}

#[test]
fn who_barges_in_joins_before_everybody_and_leaves_before_everybody() {
    let mut world = World::new();
    let session = world.held(1, "bob");
    world.connect("sue", 0);
    supervise(&mut world, session, SupervisionMode::Monitor);
    supervise(&mut world, session, SupervisionMode::BargeIn);
    assert_eq!(traces(&world, session, Visibility::All), 1);
    world.say("sue", session, Visibility::All).unwrap();
    supervise(&mut world, session, SupervisionMode::Monitor);
    // What was seen once stays seen, and the way back is a leaving.
    assert_eq!(traces(&world, session, Visibility::All), 2);
    assert_eq!(world.desk("sue").watching().len(), 1);
    let present = world.session(session).participants().iter();
    assert_eq!(
        present
            .filter(|known| known.present && known.role == Role::Supervisor)
            .count(),
        1
    );
}

#[test]
fn the_end_of_supervision_ends_nothing_else() {
    let mut world = World::new();
    let session = world.held(1, "bob");
    world.connect("sue", 0);
    let keep = AgentAct::Leave {
        after: AfterLeave::KeepAlive,
    };
    supervise(&mut world, session, SupervisionMode::BargeIn);
    world.command("bob", session, keep).unwrap();
    let close = AgentAct::Leave {
        after: AfterLeave::CloseIfNoAgents,
    };
    world.command("sue", session, close).unwrap();
    world.settle();
    assert_eq!(world.session(session).phase(), &Phase::Parked);
    assert!(world.desk("sue").watching().is_empty());
}

#[test]
fn supervision_ends_with_the_desk() {
    let mut world = World::new();
    let session = world.held(1, "bob");
    let desk = world.connect("sue", 0);
    supervise(&mut world, session, SupervisionMode::Monitor);
    world.ask_desk(desk, &DeskInput::Lapsed).unwrap();
    world.pass(60_000);
    world.settle();
    assert!(
        world
            .session(session)
            .participants()
            .of_agent(&agent("sue"))
            .is_none()
    );
    assert!(world.desk("sue").watching().is_empty());
    assert_eq!(world.session(session).phase(), &Phase::Active);
}

#[test]
fn a_supervisor_who_takes_the_session_over_is_in_it_once() {
    let mut world = World::new();
    let session = world.open(1);
    world.connect("sue", 1);
    supervise(&mut world, session, SupervisionMode::Monitor);
    world.set_channel("sue", crate::model::ChannelState::Ready);
    world.settle();
    world.command("sue", session, AgentAct::Accept).unwrap();
    world.settle();
    let stays = world.session(session).participants().iter();
    let present = stays.filter(|known| known.present && known.agent == Some(agent("sue")));
    assert_eq!(present.map(|known| known.role).collect::<Vec<_>>(), [Role::Agent]);
    assert!(world.desk("sue").watching().is_empty());
}
