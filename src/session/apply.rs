//! Records into state. Total: any record in any state, whatever a store gives back.

use std::sync::Arc;

use serde_json::{Map, Value};
use uuid::Uuid;

use crate::model::{
    LeaveReason, LogId, Millis, OfferKind, OfferOutcome, ParticipantId, Record, Role, SessionEvent,
    SupervisionMode, UserDataChange, Visibility,
};

use super::follow::is_sought;
use super::input::Place;
use super::participants::Participant;
use super::state::{About, COMMANDS_MAX, Executed, Held, Offer, Phase, Seek, Session, Silence};

/// Members of attached data kept; further ones are ignored.
const DATA_MAX: usize = 1_000;

impl Session {
    /// Takes the record with number `n` into the state.
    pub fn apply(&mut self, n: u64, record: &Record<SessionEvent>) {
        if let Some(command) = record.cause {
            self.remember(command, n, &record.event);
        }
        if is_of_outside(&record.event) {
            Arc::make_mut(&mut self.outside).apply(n, record);
        }
        let slept = self.sleeps();
        let body = record.body.as_str();
        if !matches!(record.event, SessionEvent::Snapshot) && record.body.bytes().is_some() {
            self.erased = false;
        }
        match &record.event {
            SessionEvent::Opened {
                tenant,
                media,
                endpoint,
                stream,
                locale,
                asynchronous,
                terms,
            } => {
                let profile: Map<String, Value> = serde_json::from_str(body).unwrap_or_default();
                if let Some(data) = profile.get("userData").and_then(Value::as_object) {
                    self.data = Arc::new(data.clone());
                }
                self.about = Some(Arc::new(About {
                    tenant: *tenant,
                    media: *media,
                    endpoint: endpoint.clone(),
                    stream: stream.clone(),
                    locale: locale.clone(),
                    asynchronous: *asynchronous,
                    at: record.at,
                    terms: Arc::clone(terms),
                }));
                self.home = terms.home.as_ref().map(Place::from);
                self.silence = Silence::Since(record.at);
            }
            SessionEvent::Joined {
                participant,
                role,
                agent,
                transport,
                visibility,
            } => {
                Arc::make_mut(&mut self.participants).add(Participant {
                    id: *participant,
                    role: *role,
                    agent: agent.clone(),
                    transport: *transport,
                    nickname: body.to_owned(),
                    visibility: *visibility,
                    mode: None,
                    present: true,
                    lost: false,
                    left: None,
                });
                if *role == Role::Agent && *visibility == Visibility::All && !self.is_closed() {
                    self.phase = Phase::Active;
                    self.avoid.clear();
                    self.told = None;
                    self.silence = Silence::Since(record.at);
                }
            }
            SessionEvent::Left { participant, reason } => {
                let before_the_end = (*reason != LeaveReason::Closed).then_some(n);
                Arc::make_mut(&mut self.participants).change(*participant, |left| {
                    left.present = false;
                    left.left = before_the_end;
                    left.lost = *reason == LeaveReason::Lost;
                });
                if self.places.iter().any(|held| held.participant == *participant) {
                    self.let_go = record.at;
                }
                self.places.retain(|held| held.participant != *participant);
                if self.phase == Phase::Active && self.participants.holders().next().is_none() {
                    self.phase = Phase::Parked;
                    self.seek = None;
                }
            }
            SessionEvent::Message { from, .. } => self.spoken(*from, record),
            SessionEvent::File { from, .. } => {
                self.files += 1;
                self.spoken(Some(*from), record);
            }
            SessionEvent::UserData { change, .. } => self.apply_data(*change, body),
            SessionEvent::Renamed { participant } => {
                Arc::make_mut(&mut self.participants)
                    .change(*participant, |named| body.clone_into(&mut named.nickname));
            }
            SessionEvent::Queued {
                queue,
                priority,
                skills,
                prefer,
                offer_ms,
                purpose,
                ..
            } => {
                let place = Place {
                    queue: queue.clone(),
                    priority: *priority,
                    skills: skills.clone(),
                    offer_ms: *offer_ms,
                };
                self.queued(place, *prefer, purpose, record.at);
            }
            SessionEvent::Unqueued => {
                self.seek = None;
                if matches!(self.phase, Phase::Waiting { .. }) {
                    self.phase = Phase::Parked;
                }
            }
            SessionEvent::PositionTold { position } => self.told = Some(*position),
            SessionEvent::Offering {
                offer,
                agent,
                desk,
                deadline,
                kind,
            } => {
                if self.is_closed() {
                    return;
                }
                self.offer = Some(Offer {
                    id: *offer,
                    agent: agent.clone(),
                    desk: *desk,
                    kind: kind.clone(),
                    deadline: *deadline,
                    shown: false,
                    name: String::new(),
                });
            }
            SessionEvent::Offered { offer } => {
                if let Some(present) = self.offer.as_mut().filter(|present| present.id == *offer) {
                    present.shown = true;
                    body.clone_into(&mut present.name);
                }
            }
            SessionEvent::OfferEnded { offer, outcome } => {
                if let Some(ended) = self.offer.take_if(|present| present.id == *offer) {
                    let said_no = *outcome != OfferOutcome::Withdrawn;
                    if said_no && is_sought(self, &ended.kind) && !self.avoid.contains(&ended.desk) {
                        self.avoid.push(ended.desk);
                    }
                }
            }
            SessionEvent::Accepted { offer, participant } => {
                if let Some(taken) = self.offer.take_if(|present| present.id == *offer) {
                    if is_sought(self, &taken.kind) {
                        self.seek = None;
                        self.avoid.clear();
                    }
                    if !matches!(taken.kind, OfferKind::Consult { .. }) {
                        self.last_desk = Some(taken.desk);
                    }
                    self.places.push(Held {
                        participant: *participant,
                        desk: taken.desk,
                        offer: taken.id,
                    });
                }
            }
            SessionEvent::Supervision { participant, mode } => {
                let mode = Some(*mode);
                Arc::make_mut(&mut self.participants)
                    .change(*participant, |supervisor| supervisor.mode = mode);
            }
            SessionEvent::Noted { .. } => {
                let note: Map<String, Value> = serde_json::from_str(body).unwrap_or_default();
                let text = |name: &str| note.get(name).and_then(Value::as_str).map(str::to_owned);
                self.comment = text("comment").or(self.comment.take());
                self.disposition = text("disposition").or(self.disposition.take());
            }
            SessionEvent::IdleAlerted => self.silence = Silence::Alerted(record.at),
            SessionEvent::Lost { participant } => self.set_lost(*participant, true),
            SessionEvent::Returned { participant } => self.set_lost(*participant, false),
            SessionEvent::Closed { reason } => {
                self.phase = Phase::Closed {
                    at: record.at,
                    reason: *reason,
                };
                self.offer = None;
                self.seek = None;
                self.places.clear();
            }
            SessionEvent::Erased => self.erase(),
            SessionEvent::Rollback { after, base } => self.bases.push((*after, *base)),
            SessionEvent::Snapshot
            | SessionEvent::Recovered { .. }
            | SessionEvent::Threaded
            | SessionEvent::Rich
            | SessionEvent::Announced { .. }
            | SessionEvent::Fetched { .. }
            | SessionEvent::Delivery { .. }
            | SessionEvent::Consent { .. }
            | SessionEvent::Turn
            | SessionEvent::Answered { .. }
            | SessionEvent::Passed => {}
        }
        // While a bot answers it does not sleep.
        if self.sleeps() && (!slept || record.event == SessionEvent::Turn) {
            self.asleep = record.at;
        }
    }

    /// Forgets who the customer was and what they and others gave away of them.
    fn erase(&mut self) {
        let names = Arc::make_mut(&mut self.participants);
        let everybody: Vec<ParticipantId> = names.iter().map(|known| known.id).collect();
        for id in everybody {
            names.change(id, |known| known.nickname.clear());
        }
        self.data = Arc::default();
        self.comment = None;
        self.disposition = None;
        let outside = Arc::make_mut(&mut self.outside);
        outside.address = None;
        outside.conversation = None;
        outside.subject = None;
        outside.references.clear();
        self.erased = true;
    }

    /// The first record of a command stands for it.
    fn remember(&mut self, command: Uuid, n: u64, event: &SessionEvent) {
        if self.executed(command).is_some() {
            return;
        }
        let participant = match event {
            SessionEvent::Accepted { participant, .. } | SessionEvent::Joined { participant, .. } => {
                Some(*participant)
            }
            _ => None,
        };
        let commands = Arc::make_mut(&mut self.commands);
        if commands.len() >= COMMANDS_MAX {
            commands.pop_front();
        }
        commands.push_back(Executed {
            command,
            n,
            participant,
        });
    }

    fn queued(&mut self, place: Place, prefer: Option<LogId>, purpose: &OfferKind, at: Millis) {
        if self.is_closed() {
            return;
        }
        self.avoid.clear();
        if *purpose != OfferKind::Lead {
            // Those who are in it are asked last.
            self.avoid.extend(self.places.iter().map(|held| held.desk));
            self.seek = Some(Seek {
                place,
                since: at,
                purpose: purpose.clone(),
            });
            return;
        }
        self.home = Some(place.clone());
        self.seek = None;
        self.told = None;
        self.phase = Phase::Waiting {
            place,
            since: at,
            prefer,
        };
    }

    fn spoken(&mut self, from: Option<ParticipantId>, record: &Record<SessionEvent>) {
        // The service's own lines do not break the silence they speak of.
        if from.is_some() {
            self.silence = Silence::Since(record.at);
        }
    }

    fn set_lost(&mut self, participant: ParticipantId, lost: bool) {
        Arc::make_mut(&mut self.participants).change(participant, |known| known.lost = lost);
    }

    fn apply_data(&mut self, change: UserDataChange, body: &str) {
        let data = Arc::make_mut(&mut self.data);
        match change {
            UserDataChange::Attach | UserDataChange::Update => {
                for (key, value) in serde_json::from_str::<Map<String, Value>>(body).unwrap_or_default() {
                    if data.len() < DATA_MAX || data.contains_key(&key) {
                        data.insert(key, value);
                    }
                }
            }
            UserDataChange::Delete => {
                for key in serde_json::from_str::<Vec<String>>(body).unwrap_or_default() {
                    data.remove(&key);
                }
            }
        }
    }
}

/// Whether a record concerns the world outside; the others must not copy what is known of it.
const fn is_of_outside(event: &SessionEvent) -> bool {
    matches!(
        event,
        SessionEvent::Opened { .. }
            | SessionEvent::Queued { .. }
            | SessionEvent::Threaded
            | SessionEvent::Announced { .. }
            | SessionEvent::Fetched { .. }
            | SessionEvent::Delivery { .. }
            | SessionEvent::Consent { .. }
            | SessionEvent::Turn
            | SessionEvent::Answered { .. }
    )
}

/// Who is told of a supervisor who takes part in this way.
pub(super) const fn seen_as(mode: SupervisionMode) -> Visibility {
    match mode {
        SupervisionMode::Monitor => Visibility::Supervisor,
        SupervisionMode::Coach => Visibility::Agent,
        SupervisionMode::BargeIn => Visibility::All,
    }
}
