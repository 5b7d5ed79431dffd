//! Any records in any order lead to a state, and any question to any state has an answer.

use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::Map;
use uuid::Uuid;

use super::world::{TENANT, World, agent, desk_of};
use crate::model::{
    Body, ChannelState, CloseReason, Crossing, DeliveryStatus, DeskEvent, FreedReason, LeaveReason, Media,
    MessageId, MessageKind, Millis, OfferId, OfferKind, OfferOutcome, ParticipantId, QueueReason, Record,
    Reservation, Role, SessionEvent, SupervisionMode, UserDataChange, Visibility,
};
use crate::session::{
    BotAct, BotThen, Desk, DeskInput, DeskTimer, ServiceAct, Session, SessionInput, SessionTimer,
};

fn participant() -> impl Strategy<Value = ParticipantId> {
    (0u128..4).prop_map(|id| ParticipantId(Uuid::from_u128(id)))
}

fn offer() -> impl Strategy<Value = OfferId> {
    (0u128..3).prop_map(|id| OfferId(Uuid::from_u128(id)))
}

fn kind() -> impl Strategy<Value = OfferKind> {
    prop_oneof![
        Just(OfferKind::Lead),
        participant().prop_map(|by| OfferKind::Transfer { by }),
        participant().prop_map(|by| OfferKind::Invite { by }),
        participant().prop_map(|by| OfferKind::Consult { by }),
    ]
}

fn visibility() -> impl Strategy<Value = Visibility> {
    prop_oneof![
        Just(Visibility::All),
        Just(Visibility::Agent),
        Just(Visibility::Supervisor)
    ]
}

fn session_event() -> impl Strategy<Value = SessionEvent> {
    prop_oneof![
        any::<bool>().prop_map(|asynchronous| SessionEvent::Opened {
            tenant: TENANT,
            media: Media::Chat,
            endpoint: String::new(),
            stream: None,
            locale: None,
            asynchronous,
            terms: Arc::default(),
        }),
        (participant(), any::<u8>(), visibility()).prop_map(|(participant, role, visibility)| {
            SessionEvent::Joined {
                participant,
                role: [Role::Customer, Role::Agent, Role::Supervisor, Role::Bot][usize::from(role) % 4],
                agent: Some(agent("bob")),
                transport: None,
                visibility,
            }
        }),
        participant().prop_map(|participant| SessionEvent::Left {
            participant,
            reason: LeaveReason::Left
        }),
        (participant(), visibility()).prop_map(|(from, visibility)| SessionEvent::Message {
            id: MessageId(Uuid::nil()),
            from: Some(from),
            kind: MessageKind::Text,
            visibility,
        }),
        Just(SessionEvent::UserData {
            by: None,
            change: UserDataChange::Update
        }),
        Just(SessionEvent::UserData {
            by: None,
            change: UserDataChange::Delete
        }),
        kind().prop_map(|purpose| SessionEvent::Queued {
            queue: "q".to_owned(),
            priority: 1,
            skills: Vec::new(),
            prefer: None,
            offer_ms: 1,
            purpose,
            reason: QueueReason::New,
        }),
        Just(SessionEvent::Unqueued),
        (offer(), kind()).prop_map(|(offer, kind)| SessionEvent::Offering {
            offer,
            agent: agent("bob"),
            desk: desk_of("bob"),
            deadline: Millis(9),
            kind,
        }),
        offer().prop_map(|offer| SessionEvent::Offered { offer }),
        offer().prop_map(|offer| SessionEvent::OfferEnded {
            offer,
            outcome: OfferOutcome::TimedOut
        }),
        (offer(), participant())
            .prop_map(|(offer, participant)| SessionEvent::Accepted { offer, participant }),
        participant().prop_map(|participant| SessionEvent::Supervision {
            participant,
            mode: SupervisionMode::Coach
        }),
        participant().prop_map(|by| SessionEvent::Noted { by }),
        Just(SessionEvent::IdleAlerted),
        participant().prop_map(|participant| SessionEvent::Lost { participant }),
        Just(SessionEvent::Closed {
            reason: CloseReason::Idle
        }),
        Just(SessionEvent::Threaded),
        Just(SessionEvent::Rich),
        participant().prop_map(|from| SessionEvent::Announced { from }),
        (0u64..9).prop_map(|of| SessionEvent::Fetched { of, refused: None }),
        (0u64..9).prop_map(|of| SessionEvent::Delivery {
            of,
            status: DeliveryStatus::Sent
        }),
        any::<bool>().prop_map(|given| SessionEvent::Consent { given }),
        Just(SessionEvent::Turn),
        any::<u64>().prop_map(|turn| SessionEvent::Answered { turn }),
        Just(SessionEvent::Snapshot),
        Just(SessionEvent::Passed),
    ]
}

fn desk_event() -> impl Strategy<Value = DeskEvent> {
    let session = World::session_id(1);
    prop_oneof![
        Just(DeskEvent::Opened {
            tenant: TENANT,
            agent: agent("bob")
        }),
        any::<u64>().prop_map(|conn| DeskEvent::Connected { conn }),
        any::<u16>().prop_map(|places| DeskEvent::Profile {
            name: String::new(),
            capacity: vec![(Media::Chat, places)],
            skills: Vec::new(),
            queues: Vec::new(),
            supervisor: false,
            grace_ms: 60_000,
            auto_accept: places % 2 == 0,
        }),
        Just(DeskEvent::Channel {
            media: Media::Chat,
            state: ChannelState::Ready
        }),
        (offer(), any::<u64>()).prop_map(move |(offer, deadline)| DeskEvent::Reserved(Reservation {
            session,
            offer,
            media: Media::Chat,
            kind: OfferKind::Lead,
            deadline: Millis(deadline),
        })),
        (offer(), participant()).prop_map(move |(offer, participant)| DeskEvent::Taken {
            session,
            offer,
            participant
        }),
        offer().prop_map(move |offer| DeskEvent::Freed {
            session,
            offer,
            reason: FreedReason::Rejected
        }),
        Just(DeskEvent::Asked),
        Just(DeskEvent::Lost),
        Just(DeskEvent::Returned),
        Just(DeskEvent::GaveUp),
        Just(DeskEvent::Passed),
    ]
}

fn record<E>(at: u64, event: E, body: &str) -> Record<E> {
    Record {
        at: Millis(at),
        cause: None,
        event,
        body: Body::text(body),
    }
}

proptest! {
    #[test]
    fn a_session_takes_any_records_and_answers_any_question(
        events in vec((any::<u64>(), session_event(), "[{}\\[\\]\":a-c0-9]{0,8}"), 0..40),
        offer in offer(),
        from in participant(),
    ) {
        let mut world = World::new();
        let log = World::session_id(1);
        let mut state = Session::default();
        for (n, (at, event, body)) in (1..).zip(events) {
            state.apply(n, &record(at, event, &body));
        }
        world.sessions.entry(log).or_default().state = state;
        let inputs = [
            SessionInput::Crossing(Crossing::Reserved { offer, name: "bob".to_owned(), auto: true }),
            SessionInput::Crossing(Crossing::AgentLost { desk: desk_of("bob"), participant: from }),
            SessionInput::Timer { timer: SessionTimer::Offer, due: Millis(1) },
            SessionInput::Timer { timer: SessionTimer::Idle, due: Millis(1) },
            SessionInput::Matched { desk: desk_of("bob"), agent: agent("bob") },
            SessionInput::Lapsed,
            SessionInput::Heard { n: 1 },
            SessionInput::Service(ServiceAct::Delivered {
                of: 1,
                status: DeliveryStatus::Failed,
                about: Map::new(),
            }),
            SessionInput::Service(ServiceAct::Fetched {
                of: 1,
                outcome: Err("gone".to_owned()),
            }),
            SessionInput::Service(ServiceAct::Answer(BotAct {
                turn: 1,
                bot: "bot".to_owned(),
                says: vec!["hello".to_owned()],
                data: Map::new(),
                note: None,
                then: BotThen::Close,
            })),
            SessionInput::CustomerLeave { participant: from },
        ];
        for input in inputs {
            let _ = world.ask(log, &input);
        }
    }

    #[test]
    fn a_desk_takes_any_records_and_answers_any_question(
        events in vec((any::<u64>(), desk_event()), 0..40),
        offer in offer(),
    ) {
        let mut world = World::new();
        let desk = desk_of("bob");
        let mut state = Desk::default();
        for (n, (at, event)) in (1..).zip(events) {
            state.apply(n, &record(at, event, ""));
        }
        world.desks.entry(desk).or_default().state = state;
        let session = World::session_id(1);
        let inputs = [
            DeskInput::Crossing(Crossing::Free { session, offer, reason: FreedReason::TimedOut }),
            DeskInput::Timer { timer: DeskTimer::Reservation, due: Millis(1) },
            DeskInput::Timer { timer: DeskTimer::Grace, due: Millis(1) },
            DeskInput::Timer { timer: DeskTimer::Rest, due: Millis(1) },
            DeskInput::Lapsed,
            DeskInput::Returned,
        ];
        for input in inputs {
            let _ = world.ask_desk(desk, &input);
        }
    }
}
