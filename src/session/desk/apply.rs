//! Records into state. Total: any record in any state.

use crate::model::{ChannelState, DeskEvent, FreedReason, Record};

use super::input::DeskProfile;
use super::state::{ASK_AGAIN_MS, COMMANDS_MAX, Desk, Executed, Place, REST_MS, Stage};

impl Desk {
    /// Takes the record with number `n` into the state.
    pub fn apply(&mut self, n: u64, record: &Record<DeskEvent>) {
        if let Some(command) = record.cause.filter(|command| self.executed(*command).is_none()) {
            let over = (self.commands.len() + 1).saturating_sub(COMMANDS_MAX);
            let kept = self.commands[over..].iter().copied();
            self.commands = kept.chain([Executed { command, n }]).collect();
        }
        match &record.event {
            DeskEvent::Opened { tenant, agent } => {
                self.owner = Some((*tenant, agent.clone()));
                self.idle_since = record.at;
            }
            DeskEvent::Connected { conn } => {
                self.conn = *conn;
                self.lost = None;
            }
            DeskEvent::Profile {
                name,
                capacity,
                skills,
                queues,
                supervisor,
                grace_ms,
                auto_accept,
            } => {
                self.profile = DeskProfile {
                    name: name.clone(),
                    capacity: capacity.clone(),
                    skills: skills.clone(),
                    queues: queues.clone(),
                    supervisor: *supervisor,
                    grace_ms: *grace_ms,
                    auto_accept: *auto_accept,
                };
                self.channels
                    .retain(|(media, _)| capacity.iter().any(|(of, _)| of == media));
                for (media, _) in capacity {
                    if !self.channels.iter().any(|(of, _)| of == media) {
                        self.channels
                            .push((*media, ChannelState::NotReady { reason: None }));
                    }
                }
                self.channels.shrink_to_fit();
            }
            DeskEvent::Channel { media, state } => {
                if let Some((_, known)) = self.channels.iter_mut().find(|(of, _)| of == media) {
                    if *state == ChannelState::Ready && *known != ChannelState::Ready {
                        self.idle_since = record.at;
                    }
                    known.clone_from(state);
                }
                self.resting.retain(|(of, _)| of != media);
            }
            DeskEvent::AutoAccept { on } => self.auto_accept = *on,
            DeskEvent::Reserved(reservation) => self.places.push(Place {
                session: reservation.session,
                offer: reservation.offer,
                media: reservation.media,
                stage: Stage::Reserved {
                    ask_at: reservation.deadline.max(record.at).plus(ASK_AGAIN_MS),
                    asks: 0,
                },
            }),
            DeskEvent::Refused { .. } => {}
            DeskEvent::Taken {
                session,
                offer,
                participant,
            } => {
                self.idle_since = record.at;
                if let Some(place) = self
                    .places
                    .iter_mut()
                    .find(|place| place.session == *session && place.offer == *offer)
                {
                    place.stage = Stage::Taken {
                        participant: *participant,
                    };
                }
            }
            DeskEvent::Freed {
                session,
                offer,
                reason,
            } => {
                let of = |place: &Place| place.session == *session && place.offer == *offer;
                if let Some(at) = self.places.iter().position(of) {
                    let Place { media, .. } = self.places.remove(at);
                    if *reason == FreedReason::Rejected && !self.is_resting(media) {
                        self.resting.push((media, record.at.plus(REST_MS)));
                    }
                }
            }
            DeskEvent::Asked => {
                for place in &mut self.places {
                    if let Stage::Reserved { ask_at, asks } = &mut place.stage
                        && *ask_at <= record.at
                    {
                        *ask_at = record.at.plus(ASK_AGAIN_MS);
                        *asks = asks.saturating_add(1);
                    }
                }
            }
            DeskEvent::Watching { session, participant } => {
                self.watching.retain(|(known, _)| known != session);
                self.watching.push((*session, *participant));
            }
            DeskEvent::Unwatched { session } => self.watching.retain(|(known, _)| known != session),
            DeskEvent::Lost => self.lost = Some(record.at),
            DeskEvent::Returned => self.lost = None,
            DeskEvent::GaveUp => {
                for (_, state) in &mut self.channels {
                    *state = ChannelState::NotReady { reason: None };
                }
            }
            DeskEvent::Snapshot | DeskEvent::Rollback { .. } | DeskEvent::Passed => {}
        }
    }
}
