//! Records into state. Total: any record in any state, whatever a store gives back.

use std::sync::Arc;

use serde::Deserialize as _;
use serde_json::{Map, Value};

use crate::model::{
    LeaveReason, OfferKind, OfferOutcome, Record, Role, SessionEvent, SupervisionMode, UserDataChange,
    Visibility,
};

use super::input::{Place, Terms};
use super::participants::Participant;
use super::state::{About, COMMANDS_MAX, Held, Offer, Phase, Session, Silence};

/// Members of attached data kept; further ones are ignored.
const DATA_MAX: usize = 1_000;

impl Session {
    /// Takes the record with number `n` into the state.
    pub fn apply(&mut self, _n: u64, record: &Record<SessionEvent>) {
        if let Some(cause) = record.cause {
            if !self.commands.contains(&cause) {
                self.commands.push_back(cause);
            }
            if self.commands.len() > COMMANDS_MAX {
                self.commands.pop_front();
            }
        }
        let body = record.body.as_str();
        match &record.event {
            SessionEvent::Opened {
                tenant,
                media,
                endpoint,
                stream,
                locale,
                asynchronous,
            } => {
                let body: Map<String, Value> = serde_json::from_str(body).unwrap_or_default();
                let terms = body
                    .get("terms")
                    .and_then(|terms| Terms::deserialize(terms).ok())
                    .unwrap_or_default();
                if let Some(data) = body
                    .get("profile")
                    .and_then(|profile| profile.get("userData"))
                    .and_then(Value::as_object)
                {
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
                    terms,
                }));
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
                });
                if *role == Role::Agent && *visibility == Visibility::All {
                    self.phase = Phase::Active;
                    self.avoid.clear();
                    self.told = None;
                    self.silence = Silence::Since(record.at);
                }
            }
            SessionEvent::Left { participant, reason } => {
                Arc::make_mut(&mut self.participants).change(*participant, |left| {
                    left.present = false;
                    left.lost = *reason == LeaveReason::Lost;
                });
                self.places.retain(|held| held.participant != *participant);
                if self.phase == Phase::Active && self.participants.holders().next().is_none() {
                    self.phase = Phase::Parked;
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
                ..
            } => {
                if !self.is_closed() {
                    let place = Place {
                        queue: queue.clone(),
                        priority: *priority,
                        skills: skills.clone(),
                        offer_ms: *offer_ms,
                    };
                    self.home = Some(place.clone());
                    self.phase = Phase::Waiting {
                        place,
                        since: record.at,
                        prefer: *prefer,
                    };
                    self.avoid.clear();
                    self.told = None;
                }
            }
            SessionEvent::Unqueued => {
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
                    if said_no && ended.kind == OfferKind::Lead && !self.avoid.contains(&ended.desk) {
                        self.avoid.push(ended.desk);
                    }
                }
            }
            SessionEvent::Accepted { offer, participant } => {
                if let Some(taken) = self.offer.take_if(|present| present.id == *offer) {
                    self.last_desk = Some(taken.desk);
                    self.places.push(Held {
                        participant: *participant,
                        desk: taken.desk,
                        offer: taken.id,
                    });
                }
            }
            SessionEvent::Supervision { participant, mode } => {
                let (mode, visibility) = (*mode, seen_as(*mode));
                Arc::make_mut(&mut self.participants).change(*participant, |supervisor| {
                    supervisor.mode = Some(mode);
                    supervisor.visibility = visibility;
                });
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
                self.places.clear();
            }
            SessionEvent::Rollback { after, base } => self.bases.push((*after, *base)),
            SessionEvent::Snapshot | SessionEvent::Recovered { .. } => {}
        }
    }

    fn spoken(&mut self, from: Option<crate::model::ParticipantId>, record: &Record<SessionEvent>) {
        // The service's own lines do not break the silence they speak of.
        if from.is_some() {
            self.silence = Silence::Since(record.at);
        }
    }

    fn set_lost(&mut self, participant: crate::model::ParticipantId, lost: bool) {
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

/// Who is told of a supervisor who takes part in this way.
pub(super) const fn seen_as(mode: SupervisionMode) -> Visibility {
    match mode {
        SupervisionMode::Monitor => Visibility::Supervisor,
        SupervisionMode::Coach => Visibility::Agent,
        SupervisionMode::BargeIn => Visibility::All,
    }
}
