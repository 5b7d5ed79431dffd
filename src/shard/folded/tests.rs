//! A session that rested is the one that never did.

use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::json;
use uuid::Uuid;

use crate::log::{StoredBody, StoredRecord};
use crate::model::{
    Body, CloseReason, DeliveryStatus, Home, Kinds, LeaveReason, Links, LogId, Media, MediaId, MessageId,
    MessageKind, Millis, OfferId, OfferKind, OfferOutcome, ParticipantId, QueueReason, Record, Role,
    SessionEvent, Spread, SupervisionMode, TenantId, Terms, TransportId, UserDataChange, Visibility,
};
use crate::protocol::dense::Packer;
use crate::session::Session;
use crate::shard::held::Held;
use crate::shard::machine::Machine;
use crate::shard::replica::{Misfit, Replica};

const TENANT: TenantId = TenantId(Uuid::from_u128(0xccc));
/// Few, so that the oldest are forgotten.
const TAIL: u32 = 12;

fn participant(id: u128) -> ParticipantId {
    ParticipantId(Uuid::from_u128(id))
}

fn terms() -> Terms {
    Terms {
        idle_text: "Still there?".to_owned(),
        keep_ms: 7,
        home: Some(Home {
            queue: "support".to_owned(),
            priority: 3,
            skills: vec!["english".to_owned()],
            offer_ms: 20_000,
        }),
        links: Links {
            channel: Some("sms".to_owned()),
            started: vec!["hook".to_owned()],
            history: true,
            bot: Some("tina".to_owned()),
            ..Links::default()
        },
        ..Terms::default()
    }
}

/// One of every kind.
fn events() -> Vec<SessionEvent> {
    let desk = LogId::desk(TENANT, &"bob".parse().unwrap());
    let (customer, agent) = (participant(1), participant(2));
    let offer = OfferId(Uuid::from_u128(3));
    vec![
        SessionEvent::Opened {
            tenant: TENANT,
            media: Media::Sms,
            endpoint: "web".to_owned(),
            stream: Some("x".to_owned()),
            locale: None,
            asynchronous: true,
            terms: Arc::new(terms()),
        },
        SessionEvent::Joined {
            participant: customer,
            role: Role::Customer,
            agent: None,
            transport: Some(TransportId(Uuid::from_u128(4))),
            visibility: Visibility::All,
        },
        SessionEvent::Queued {
            queue: "support".to_owned(),
            priority: 70_000,
            skills: vec!["english".to_owned(), String::new()],
            prefer: Some(desk),
            offer_ms: 20_000,
            purpose: OfferKind::Lead,
            reason: QueueReason::New,
        },
        SessionEvent::PositionTold { position: 300 },
        SessionEvent::Offering {
            offer,
            agent: "bob".parse().unwrap(),
            desk,
            deadline: Millis(u64::MAX),
            kind: OfferKind::Consult { by: agent },
        },
        SessionEvent::Offered { offer },
        SessionEvent::Accepted {
            offer,
            participant: agent,
        },
        SessionEvent::Joined {
            participant: agent,
            role: Role::Agent,
            agent: Some("bob".parse().unwrap()),
            transport: None,
            visibility: Visibility::Agent,
        },
        SessionEvent::OfferEnded {
            offer,
            outcome: OfferOutcome::TimedOut,
        },
        SessionEvent::Message {
            id: MessageId(Uuid::from_u128(5)),
            from: Some(customer),
            kind: MessageKind::Text,
            visibility: Visibility::All,
        },
        SessionEvent::Message {
            id: MessageId(Uuid::from_u128(6)),
            from: None,
            kind: MessageKind::CustomNotice,
            visibility: Visibility::Supervisor,
        },
        SessionEvent::File {
            id: MessageId(Uuid::from_u128(7)),
            from: agent,
            media: MediaId(Uuid::from_u128(8)),
            mime: "image/png".to_owned(),
            length: 123_456_789_012,
            visibility: Visibility::Agent,
        },
        SessionEvent::UserData {
            by: Some(agent),
            change: UserDataChange::Attach,
        },
        SessionEvent::UserData {
            by: None,
            change: UserDataChange::Delete,
        },
        SessionEvent::Renamed { participant: agent },
        SessionEvent::Unqueued,
        SessionEvent::Supervision {
            participant: agent,
            mode: SupervisionMode::BargeIn,
        },
        SessionEvent::Noted { by: agent },
        SessionEvent::IdleAlerted,
        SessionEvent::Lost {
            participant: customer,
        },
        SessionEvent::Returned {
            participant: customer,
        },
        SessionEvent::Rollback {
            after: 3,
            base: 1_000,
        },
        SessionEvent::Recovered {
            from: Some(customer),
            visibility: Visibility::All,
        },
        SessionEvent::Threaded,
        SessionEvent::Rich,
        SessionEvent::Announced { from: customer },
        SessionEvent::Fetched {
            of: 2,
            refused: Some("too-large".to_owned()),
        },
        SessionEvent::Delivery {
            of: 2,
            status: DeliveryStatus::OptOut,
        },
        SessionEvent::Consent { given: false },
        SessionEvent::Turn,
        SessionEvent::Answered { turn: 9 },
        SessionEvent::Left {
            participant: agent,
            reason: LeaveReason::Transferred,
        },
        SessionEvent::Closed {
            reason: CloseReason::Abandoned,
        },
        SessionEvent::Erased,
        SessionEvent::Passed,
        SessionEvent::Snapshot,
    ]
}

/// A record as the store would give it to this replica.
fn next(replica: &Replica<Session>, record: &Record<SessionEvent>, erased: bool) -> StoredRecord {
    let new = Session::encode(record);
    let at = replica.top.then(&new.digest);
    StoredRecord {
        n: at.n,
        hash: at.hash,
        digest: new.digest,
        envelope: new.envelope,
        body: match new.body {
            None => StoredBody::None,
            Some(_) if erased => StoredBody::Erased,
            Some(bytes) => StoredBody::Present(bytes),
        },
    }
}

fn record(
    replica: &Replica<Session>,
    event: SessionEvent,
    at: u64,
    said: Option<&str>,
) -> Record<SessionEvent> {
    if event == SessionEvent::Snapshot {
        return Machine::snapshot(&*replica.state, Millis(at));
    }
    let body = said.map_or_else(
        || json!({"userData": {"colour": "red", "n": [1, -2, 0.5]}, "subject": "s"}).to_string(),
        str::to_owned,
    );
    Record {
        at: Millis(at),
        cause: at.is_multiple_of(3).then(|| Uuid::from_u128(at.into())),
        event,
        body: if at.is_multiple_of(5) {
            Body::None
        } else {
            Body::text(&body)
        },
    }
}

/// Everything there is of it, apart from how its records are told.
fn seen(replica: &Replica<Session>) -> impl PartialEq + std::fmt::Debug {
    let view = replica.view(LogId::session(Millis(1), [0; 10], Spread::of(&[])), &[]);
    let tail: Vec<_> = view
        .tail
        .iter()
        .map(|entry| (entry.position(), entry.record.clone()))
        .collect();
    (view.top, view.state, tail, replica.time, replica.snapshot)
}

#[test]
fn every_kind_of_record_can_be_folded() {
    let events = events();
    for kind in SessionEvent::KINDS {
        let named = |event: &SessionEvent| serde_json::to_value(event).unwrap()["k"] == **kind;
        assert!(events.iter().any(named), "{kind} is missing here");
    }
    let mut replica = Replica::<Session>::empty(256);
    for (at, event) in (1..).zip(events) {
        let record = record(&replica, event, at, None);
        replica.take(&next(&replica, &record, false)).unwrap();
        let folded = replica.fold(&mut Packer::default()).unwrap();
        let opened = Replica::<Session>::unfold(&folded).unwrap();
        assert_eq!(seen(&opened), seen(&replica));
        assert_eq!(folded.top(), replica.top);
        let mut opened = opened;
        assert_eq!(opened.take(&next(&replica, &record, false)), Ok(()), "it goes on");
        assert!(
            opened.fold(&mut Packer::default()) != Some(folded),
            "and is another one then"
        );
    }
}

#[test]
fn a_text_that_was_erased_is_in_nothing_that_is_folded_afterwards() {
    let mut held = Held::from(Replica::<Session>::empty(256));
    let mut erased = false;
    for (at, event) in (1..).zip(events()) {
        let replica = held.open().unwrap();
        erased |= event == SessionEvent::Erased;
        let said = if erased { "" } else { "my secret" };
        let record = record(replica, event, at * 5 + 1, Some(said));
        let stored = next(replica, &record, false);
        replica.take(&stored).unwrap();
        let folded = held.fold(&mut Packer::default()).unwrap();
        let opened = folded.open::<Session>().unwrap();
        let said = opened
            .tail
            .iter()
            .any(|entry| entry.record.body.as_str() == "my secret");
        assert_eq!(said, !erased, "{record:?}");
    }
}

#[test]
fn what_everybody_asks_of_it_needs_no_opening() {
    let mut replica = Replica::<Session>::empty(256);
    for (at, event) in (1..).zip(events().into_iter().take(3)) {
        let record = record(&replica, event, at, None);
        replica.take(&next(&replica, &record, false)).unwrap();
    }
    let (top, standing) = (replica.top, replica.state.standing());
    assert!(standing.open && standing.waits && !standing.offered);
    let mut held = Held::from(replica);
    assert!(held.can_fold() && held.fold(&mut Packer::default()).is_some());
    assert!(!held.can_fold() && held.fold(&mut Packer::default()).is_none() && !held.can_rest());
    assert_eq!((held.top(), held.standing()), (Some(top), Some(standing)));
    let state = held.state().unwrap();
    assert!(matches!(held, Held::Folded(..)));
    assert_eq!(held.open().map(|replica| Arc::clone(&replica.state)), Some(state));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn a_session_that_rested_now_and_then_is_the_one_that_never_did(
        steps in vec((0usize..36, 0u64..40, proptest::option::of(".{0,8}"), any::<bool>(), any::<bool>()), 1..60),
    ) {
        let events = events();
        let mut awake = Replica::<Session>::empty(TAIL);
        let mut held = Held::from(Replica::<Session>::empty(TAIL));
        let mut at = 1_000;
        for (event, later, said, erased, rests) in steps {
            at += later;
            let record = record(&awake, events[event].clone(), at, said.as_deref());
            let stored = next(&awake, &record, erased && later % 4 == 0);
            let taken = awake.take(&stored);
            prop_assert!(!matches!(taken, Err(Misfit::Fork | Misfit::Gap)));
            let opened = held.open().unwrap();
            prop_assert_eq!(opened.take(&stored), taken);
            prop_assert_eq!(seen(opened), seen(&awake));
            prop_assert_eq!(held.top(), Some(awake.top));
            if rests && held.can_fold() {
                prop_assert!(held.fold(&mut Packer::default()).is_some());
            }
        }
    }
}
