//! Who outside must be told because of a decision: found by looking at its records, so that no rule has to remember it.

use crate::model::{Effect, Notice, OfferKind, Record, SessionEvent, Target, Visibility};

use super::draft::Draft;
use super::state::Phase;

/// Attached data that says who the customer is.
const WHO: [&str; 3] = ["EmailAddress", "PhoneNumber", "ContactId"];

impl Draft<'_> {
    /// Adds an effect for everything the connections of this session must hear.
    pub(super) fn tell_outside(&mut self) {
        let Some(about) = self.state.about().cloned() else {
            return;
        };
        let links = &about.terms.links;
        let customer = self.state.participants().customer().map(|customer| customer.id);
        let channel = links.channel.as_ref().map(|id| Target::Channel(id.clone()));
        let hooks = |ids: &[String]| ids.iter().cloned().map(Target::Webhook).collect::<Vec<_>>();
        let mut started = self.before.outside().started;
        // What was opened for nobody is told to contact history once its customer asks for somebody, if they ever do.
        let quiet = about.terms.home.is_some();
        let mut begun = !quiet || started || self.before.outside().turn > 0;
        let mut over = self.before.is_closed();
        let first = self.top + 1 - self.records.len() as u64;
        let mut told: Vec<(Target, Notice)> = Vec::new();
        for (n, record) in (first..).zip(&self.records) {
            if links.archive {
                told.extend(archived(record, n, over).map(|notice| (Target::Archive, notice)));
            }
            match &record.event {
                SessionEvent::Opened { .. } if links.history && !quiet => {
                    told.push((Target::History, Notice::Started));
                }
                SessionEvent::Queued { .. } | SessionEvent::Turn if !begun => {
                    begun = true;
                    told.extend(links.history.then_some((Target::History, Notice::Started)));
                }
                _ => {}
            }
            match &record.event {
                SessionEvent::Message {
                    from,
                    visibility: Visibility::All,
                    ..
                } if from.is_none() || *from != customer => {
                    told.extend(channel.clone().map(|to| (to, Notice::Said { n })));
                }
                SessionEvent::File { from, visibility, .. } => {
                    if Some(*from) != customer && *visibility == Visibility::All {
                        told.extend(channel.clone().map(|to| (to, Notice::Said { n })));
                    }
                    // What supervisors say among themselves is not kept there.
                    if links.history && *visibility != Visibility::Supervisor {
                        told.push((Target::History, Notice::Said { n }));
                    }
                }
                SessionEvent::Turn => {
                    let bot = links.bot.clone().map(Target::Bot);
                    told.extend(bot.map(|to| (to, Notice::Turn { n })));
                }
                SessionEvent::Queued {
                    purpose: OfferKind::Lead,
                    ..
                } if !started => {
                    started = true;
                    told.extend(hooks(&links.started).into_iter().map(|to| (to, Notice::Started)));
                }
                // What is remarked before the end is told with it.
                SessionEvent::Noted { .. } if over && links.history => {
                    told.push((Target::History, Notice::Said { n }));
                }
                SessionEvent::Closed { .. } => {
                    over = true;
                    if started {
                        let heard = hooks(&links.finished).into_iter();
                        told.extend(heard.map(|to| (to, Notice::Finished)));
                    }
                    told.extend((links.history && begun).then_some((Target::History, Notice::Finished)));
                }
                _ => {}
            }
        }
        // Nobody ends a session of a customer who may come back: what was said is kept when its agents let go of it.
        let slept =
            about.asynchronous && self.before.phase == Phase::Active && self.state.phase == Phase::Parked;
        if links.archive && slept {
            told.push((Target::Archive, Notice::Finished));
        }
        let tenant = about.tenant;
        let effects = told.into_iter().map(|(target, notice)| Effect::Deliver {
            tenant,
            target,
            notice,
        });
        self.effects.extend(effects);
    }
}

/// What our own history hears of a record.
fn archived(record: &Record<SessionEvent>, n: u64, over: bool) -> Option<Notice> {
    match &record.event {
        SessionEvent::Opened { .. } => Some(Notice::Started),
        // By then it is known better whose session it is.
        SessionEvent::UserData { .. } if WHO.iter().any(|name| record.body.as_str().contains(name)) => {
            Some(Notice::Said { n })
        }
        SessionEvent::Closed { .. } => Some(Notice::Finished),
        SessionEvent::Noted { .. } if over => Some(Notice::Finished),
        _ => None,
    }
}
