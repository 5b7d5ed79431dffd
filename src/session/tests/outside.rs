//! Channels, bots and webhooks: who is told what, and what a repeat changes.

use bytes::Bytes;
use serde_json::{Map, json};
use uuid::Uuid;

use crate::model::{
    DeliveryStatus, Effect, Home, Links, LogId, Media, Millis, Notice, ParticipantId, Record, SessionEvent,
    Target, TenantId, Terms, TransportId,
};
use crate::session::{
    Arrival, BotAct, BotThen, Circumstances, Decision, Open, Phase, Place, Rejection, ServiceAct, Session,
    SessionInput, SessionReply,
};

const CUSTOMER: ParticipantId = ParticipantId(Uuid::from_u128(1));

/// One session and everything its decisions made.
struct Stage {
    state: Session,
    top: u64,
    told: Vec<(Target, Notice)>,
    ids: u128,
}

impl Stage {
    fn open(links: Links) -> Self {
        Self::with(links, None)
    }

    fn quiet(links: Links) -> Self {
        Self::with(links, Some(Home::from(&place("sms"))))
    }

    fn with(links: Links, home: Option<Home>) -> Self {
        let mut stage = Self {
            state: Session::default(),
            top: 0,
            told: Vec::new(),
            ids: 100,
        };
        let profile = json!({"address": "+12025550101", "userData": {}});
        let open = Open {
            tenant: TenantId(Uuid::nil()),
            media: Media::Sms,
            endpoint: "sms".to_owned(),
            stream: None,
            locale: None,
            asynchronous: true,
            profile: profile.as_object().cloned().unwrap_or_default(),
            nickname: "Ann".to_owned(),
            participant: CUSTOMER,
            transport: TransportId(Uuid::nil()),
            place: place("sms"),
            welcome: None,
            terms: Terms {
                links,
                home,
                ..Terms::default()
            },
        };
        assert!(stage.ask(&SessionInput::Open(Box::new(open))).is_ok());
        stage
    }

    fn ask(&mut self, input: &SessionInput) -> Result<Decision<SessionEvent, SessionReply>, Rejection> {
        let ids = &mut self.ids;
        let mut fresh = || {
            *ids += 1;
            Uuid::from_u128(*ids)
        };
        let circumstances = Circumstances {
            log: LogId::from_bytes([7; 16]),
            top: self.top,
            now: Millis(1_000),
            fresh: &mut fresh,
        };
        let decision = self.state.clone().decide(input, circumstances)?;
        if matches!(input, SessionInput::Heard { .. }) {
            // Stores leave the question out where it says no.
            assert_eq!(
                self.state.reacts(),
                !decision.records.is_empty(),
                "{:?}",
                self.state.phase()
            );
        }
        self.take(&decision.records);
        for effect in &decision.effects {
            if let Effect::Deliver { target, notice, .. } = effect {
                self.told.push((target.clone(), notice.clone()));
            }
        }
        Ok(decision)
    }

    fn take(&mut self, records: &[Record<SessionEvent>]) {
        for record in records {
            self.top += 1;
            self.state.apply(self.top, record);
        }
    }

    fn arrive(&mut self, text: &'static str) -> u64 {
        let first = self.top + 1;
        let arrival = Arrival {
            text: Bytes::from_static(text.as_bytes()),
            ..Arrival::default()
        };
        let records = arrival
            .records(CUSTOMER, Millis(1_000), &mut || Uuid::nil())
            .unwrap();
        self.take(&records);
        first
    }

    fn serve(&mut self, act: ServiceAct) -> Result<Decision<SessionEvent, SessionReply>, Rejection> {
        self.ask(&SessionInput::Service(act))
    }
}

fn place(queue: &str) -> Place {
    Place {
        queue: queue.to_owned(),
        priority: 1,
        skills: Vec::new(),
        offer_ms: 1_000,
    }
}

fn by_sms() -> Links {
    Links {
        channel: Some("ch-1".to_owned()),
        started: vec!["hook".to_owned()],
        finished: vec!["hook".to_owned()],
        ..Links::default()
    }
}

fn with_bot() -> Links {
    Links {
        bot: Some("robo".to_owned()),
        ..by_sms()
    }
}

fn say(text: &str) -> ServiceAct {
    ServiceAct::Say {
        bot: None,
        kind: crate::model::MessageKind::Text,
        text: text.to_owned(),
        visibility: crate::model::Visibility::All,
    }
}

fn answer(turn: u64, then: BotThen) -> ServiceAct {
    ServiceAct::Answer(BotAct {
        turn,
        bot: "robo".to_owned(),
        says: vec!["hello".to_owned()],
        data: Map::new(),
        note: Some("wants a person".to_owned()),
        then,
    })
}

#[test]
fn what_is_said_to_the_customer_leaves_by_the_channel_and_what_they_say_does_not() {
    let mut stage = Stage::open(by_sms());
    stage.told.clear();
    stage.arrive("hi");
    stage.ask(&SessionInput::Heard { n: stage.top }).unwrap();
    assert!(stage.told.is_empty(), "{:?}", stage.told);
    assert!(!stage.state.reacts());
    stage.serve(say("welcome")).unwrap();
    let said = (Target::Channel("ch-1".to_owned()), Notice::Said { n: stage.top });
    assert_eq!(stage.told, [said]);
}

#[test]
fn a_subscriber_hears_once_that_it_started_and_once_that_it_finished() {
    let mut stage = Stage::open(by_sms());
    let hook = Target::Webhook("hook".to_owned());
    assert_eq!(stage.told, [(hook.clone(), Notice::Started)]);
    let again = ServiceAct::Route {
        place: place("other"),
        prefer: None,
    };
    stage.serve(again).unwrap();
    assert_eq!(stage.told.len(), 1);
    stage.serve(ServiceAct::Close).unwrap();
    assert_eq!(stage.told.last(), Some(&(hook, Notice::Finished)));
}

#[test]
fn history_hears_of_the_beginning_and_of_the_end() {
    let mut stage = Stage::open(Links {
        history: true,
        ..Links::default()
    });
    stage.serve(ServiceAct::Close).unwrap();
    let told = [Notice::Started, Notice::Finished].map(|notice| (Target::History, notice));
    assert_eq!(stage.told, told);
}

#[test]
fn a_delivery_status_never_moves_backwards() {
    let mut stage = Stage::open(by_sms());
    stage.serve(say("one")).unwrap();
    let of = stage.top;
    let mut got = |status| {
        let act = ServiceAct::Delivered {
            of,
            status,
            about: Map::new(),
        };
        stage.serve(act).map(|_| ())
    };
    assert_eq!(got(DeliveryStatus::Delivered), Ok(()));
    assert_eq!(got(DeliveryStatus::Sent), Err(Rejection::Stale));
    assert_eq!(got(DeliveryStatus::Delivered), Err(Rejection::Stale));
    assert_eq!(got(DeliveryStatus::Read), Ok(()));
    assert_eq!(stage.state.outside().delivery(of), Some(DeliveryStatus::Read));
}

#[test]
fn a_customer_by_a_channel_is_answered_by_the_bot_first_and_each_turn_once() {
    let mut stage = Stage::open(with_bot());
    assert_eq!(*stage.state.phase(), Phase::Parked);
    let n = stage.arrive("hi");
    stage.ask(&SessionInput::Heard { n }).unwrap();
    let turn = stage.top;
    assert_eq!(
        stage.told,
        [(Target::Bot("robo".to_owned()), Notice::Turn { n: turn })]
    );
    assert_eq!(
        stage.ask(&SessionInput::Heard { n }).map(|_| ()),
        Err(Rejection::Stale)
    );
    stage.serve(answer(turn, BotThen::Wait)).unwrap();
    let again = stage.serve(answer(turn, BotThen::Wait));
    assert_eq!(again.map(|_| ()), Err(Rejection::Stale));
    // The remark to agents does not leave by the channel.
    let said = stage
        .told
        .iter()
        .filter(|(to, _)| matches!(to, Target::Channel(_)));
    assert_eq!(said.count(), 1);
}

#[test]
fn a_bot_that_hands_over_leaves_and_the_session_waits_for_an_agent() {
    let mut stage = Stage::open(with_bot());
    let n = stage.arrive("agent please");
    stage.ask(&SessionInput::Heard { n }).unwrap();
    let turn = stage.top;
    stage
        .serve(answer(turn, BotThen::HandOver(place("people"))))
        .unwrap();
    assert!(matches!(stage.state.phase(), Phase::Waiting { place, .. } if place.queue == "people"));
    assert!(!stage.state.is_with_bot());
    let present = stage.state.participants().iter().filter(|known| known.present);
    assert_eq!(present.count(), 1, "only the customer");
    let told = &stage.told;
    assert!(
        told.contains(&(Target::Webhook("hook".to_owned()), Notice::Started)),
        "{told:?}"
    );
}

#[test]
fn a_mail_whose_writer_reads_by_a_mailbox_is_entered_there() {
    let arrival = Arrival {
        text: Bytes::from_static(b"look"),
        entered: true,
        ..Arrival::default()
    };
    let tenant = TenantId(Uuid::nil());
    let entered = Effect::Deliver {
        tenant,
        target: Target::Channel("box".to_owned()),
        notice: Notice::Arrived,
    };
    assert_eq!(arrival.effects(tenant, "box"), [entered, Effect::Heard]);
}

#[test]
fn a_file_that_was_announced_comes_in_once() {
    let mut stage = Stage::open(by_sms());
    let announced = json!({"source": "https://files.example.com/1"});
    let arrival = Arrival {
        text: Bytes::from_static(b"look"),
        announced: vec![announced.as_object().cloned().unwrap_or_default()],
        ..Arrival::default()
    };
    let effects = arrival.effects(TenantId(Uuid::nil()), "ch-1");
    let fetch = Effect::Deliver {
        tenant: TenantId(Uuid::nil()),
        target: Target::Channel("ch-1".to_owned()),
        notice: Notice::Fetch { after: 1 },
    };
    assert_eq!(effects, [fetch, Effect::Heard]);
    let first = stage.top + 1;
    let records = arrival.records(CUSTOMER, Millis(1), &mut || Uuid::nil()).unwrap();
    stage.take(&records);
    let fetched = |outcome| ServiceAct::Fetched {
        of: first + 1,
        outcome,
    };
    let file = crate::session::File {
        media: crate::model::MediaId(Uuid::nil()),
        mime: "image/png".to_owned(),
        length: 3,
        name: "a.png".to_owned(),
    };
    assert!(stage.serve(fetched(Ok(file.clone()))).is_ok());
    assert_eq!(stage.serve(fetched(Ok(file))).map(|_| ()), Err(Rejection::Stale));
    assert_eq!(stage.state.files(), 1);
}

#[test]
fn who_opted_out_is_said_nothing_to() {
    let mut stage = Stage::open(by_sms());
    let stop = Arrival {
        text: Bytes::from_static(b"STOP"),
        consent: Some(false),
        ..Arrival::default()
    };
    let records = stop.records(CUSTOMER, Millis(1), &mut || Uuid::nil()).unwrap();
    stage.take(&records);
    assert!(stage.state.outside().opted_out);
    let start = Arrival {
        consent: Some(true),
        ..stop
    };
    let records = start.records(CUSTOMER, Millis(1), &mut || Uuid::nil()).unwrap();
    stage.take(&records);
    assert!(!stage.state.outside().opted_out);
}

#[test]
fn what_answers_a_stop_stands_after_it_and_is_sent() {
    let stop = Arrival {
        text: Bytes::from_static(b"STOP"),
        consent: Some(false),
        reply: Some("You will hear nothing more.".to_owned()),
        ..Arrival::default()
    };
    let records = stop.records(CUSTOMER, Millis(1), &mut || Uuid::nil()).unwrap();
    let reply = records.last().map(|record| record.body.as_str());
    assert_eq!((reply, records.len()), (Some("You will hear nothing more."), 3));
    let sent = Effect::Deliver {
        tenant: TenantId(Uuid::nil()),
        target: Target::Channel("ch-1".to_owned()),
        notice: Notice::Replied { after: 2 },
    };
    // It wakes no session and no bot.
    assert_eq!(stop.effects(TenantId(Uuid::nil()), "ch-1"), [sent]);
}

#[test]
fn what_asks_for_nobody_opens_a_session_that_sleeps_until_its_customer_writes() {
    let mut stage = Stage::quiet(by_sms());
    assert_eq!(stage.state.phase(), &Phase::Parked);
    assert!(
        stage.told.iter().all(|(_, notice)| *notice != Notice::Started),
        "{:?}",
        stage.told
    );
    stage.ask(&SessionInput::Heard { n: stage.top }).unwrap();
    assert!(matches!(stage.state.phase(), Phase::Waiting { place, .. } if place.queue == "sms"));
}

#[test]
fn history_hears_of_a_session_opened_for_nobody_only_when_its_customer_wakes_it() {
    let history = || Links {
        history: true,
        ..by_sms()
    };
    let told = |stage: &Stage| -> Vec<Notice> {
        let of = stage.told.iter().filter(|(to, _)| *to == Target::History);
        of.map(|(_, notice)| notice.clone()).collect()
    };
    let mut woken = Stage::quiet(history());
    woken.ask(&SessionInput::Heard { n: woken.top }).unwrap();
    woken.serve(ServiceAct::Close).unwrap();
    assert_eq!(told(&woken), [Notice::Started, Notice::Finished]);
    let mut never = Stage::quiet(history());
    never.serve(ServiceAct::Close).unwrap();
    assert_eq!(told(&never), []);
    let mut answered = Stage::quiet(Links {
        history: true,
        ..with_bot()
    });
    answered.ask(&SessionInput::Heard { n: answered.top }).unwrap();
    assert_eq!(told(&answered), [Notice::Started], "the bot answers");
}
