//! Routing by GWS: what waits goes there, what comes back is a pair. While GWS is away for too long the built-in router takes over.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::LocalBoxFuture;

use crate::log::{LogError, Pair};
use crate::model::{LogId, MatchOp, Media, TenantId, WaitingSession};
use crate::provisioning::Snapshots;
use crate::session::Phase;
use crate::shard::{Router, Shards};
use crate::telemetry::names;

use super::builtin::{BuiltinRouter, offer_all};

/// Sessions a core remembers to have submitted; the oldest knowledge is lost beyond, which costs a repetition.
const REMEMBERED: usize = 65_536;
/// How often it is looked at what waits.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// A session that waits, as GWS is told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    /// Which; also its id at GWS.
    pub session: LogId,
    /// Number of the record that says so: another one is another submission.
    pub n: u64,
    /// Where it waits.
    pub queue: String,
    /// Its medium.
    pub media: Media,
    /// Larger is served first.
    pub priority: u32,
}

/// What GWS made of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Submitted {
    /// It knows.
    Taken,
    /// It does not answer, or not now.
    Away,
    /// It will not; its code.
    Refused(i64),
}

/// The seam to GWS. Everything may be said again: said twice is said once.
pub trait Gws {
    /// Whether a tenant's sessions are routed there.
    fn routes(&self, tenant: TenantId) -> bool;

    /// For how long it has not answered this core; `None` while it does.
    fn away_for(&self, tenant: TenantId) -> Option<Duration>;

    /// Says that a session waits.
    fn submit<'a>(&'a self, tenant: TenantId, submission: &'a Submission) -> LocalBoxFuture<'a, Submitted>;

    /// Says that a session no longer waits.
    fn withdraw(
        &self,
        tenant: TenantId,
        session: LogId,
        n: u64,
        media: Media,
    ) -> LocalBoxFuture<'_, Submitted>;
}

/// Routes the tenants of GWS there, and all others by the built-in router. The matching tables are written for all of them: they
/// tell positions, and they are there when GWS is not.
pub struct GwsRouter {
    builtin: BuiltinRouter,
    gws: Rc<dyn Gws>,
    patience: Duration,
    submitted: RefCell<HashMap<LogId, Media>>,
    taken_over: RefCell<HashMap<TenantId, bool>>,
}

impl GwsRouter {
    /// A router that lets GWS be away for `patience`.
    #[must_use]
    pub fn new(builtin: BuiltinRouter, gws: Rc<dyn Gws>, patience: Duration) -> Self {
        Self {
            builtin,
            gws,
            patience,
            submitted: RefCell::default(),
            taken_over: RefCell::default(),
        }
    }

    /// Whether the matching tables decide for a tenant.
    #[must_use]
    pub fn decides(&self, tenant: TenantId) -> bool {
        if !self.gws.routes(tenant) {
            return true;
        }
        let away = self.gws.away_for(tenant);
        let over = away.is_some_and(|away| away >= self.patience);
        let before = self.taken_over.borrow_mut().insert(tenant, over).unwrap_or(false);
        if over != before {
            let event = if over { "takeover" } else { "handback" };
            metrics::counter!(names::GWS_ROUTING, "event" => event).increment(1);
            if over {
                tracing::warn!(%tenant, "GWS is away: the built-in router takes over");
            } else {
                tracing::info!(%tenant, "GWS routes again");
            }
            // It may have forgotten what it knew.
            self.submitted.borrow_mut().clear();
        }
        over
    }

    async fn submit(&self, tenant: TenantId, submission: &Submission) -> Submitted {
        let submitted = self.gws.submit(tenant, submission).await;
        let event = match submitted {
            Submitted::Taken => "submitted",
            Submitted::Away => "away",
            Submitted::Refused(code) => {
                tracing::warn!(%tenant, session = %submission.session, code, "GWS does not take a session");
                "refused"
            }
        };
        metrics::counter!(names::GWS_ROUTING, "event" => event).increment(1);
        if submitted != Submitted::Away {
            let mut known = self.submitted.borrow_mut();
            if known.len() >= REMEMBERED {
                known.clear();
            }
            known.insert(submission.session, submission.media);
        }
        submitted
    }

    async fn route(
        &self,
        tenant: TenantId,
        op: &MatchOp,
        pair: Option<Pair>,
    ) -> Result<Option<Pair>, LogError> {
        let said = match op {
            // It was named by GWS, or by the tables while that is away; what comes of it is said when it is known.
            MatchOp::Wait(WaitingSession {
                asked_until: Some(_), ..
            }) => return Ok(None),
            MatchOp::Wait(session) => {
                let submission = Submission {
                    session: session.session,
                    n: session.n,
                    queue: session.queue.clone(),
                    media: session.media,
                    priority: session.priority,
                };
                self.submit(tenant, &submission).await
            }
            MatchOp::Unwait { session, n, .. } => {
                let media = self.submitted.borrow_mut().remove(session);
                self.gws
                    .withdraw(tenant, *session, *n, media.unwrap_or(Media::Chat))
                    .await
            }
            MatchOp::Ready(_) | MatchOp::Unready { .. } | MatchOp::Release { .. } => {
                return Ok(pair.filter(|_| self.decides(tenant)));
            }
        };
        match said {
            _ if self.decides(tenant) => Ok(pair),
            Submitted::Taken => Ok(None),
            // Nobody at GWS will be found for it; here perhaps.
            Submitted::Refused(_) => Ok(pair.filter(|pair| concerns(op, pair.session))),
            // The effect is tried again until GWS answers, or has been away for too long.
            Submitted::Away => Err(LogError::unavailable("GWS does not answer")),
        }
    }
}

fn concerns(op: &MatchOp, session: LogId) -> bool {
    matches!(op, MatchOp::Wait(waiting) if waiting.session == session)
}

impl Router for GwsRouter {
    fn changed(&self, tenant: TenantId, op: MatchOp) -> LocalBoxFuture<'_, Result<Option<Pair>, LogError>> {
        Box::pin(async move {
            let pair = self.builtin.changed(tenant, op.clone()).await?;
            if self.gws.routes(tenant) {
                self.route(tenant, &op, pair).await
            } else {
                Ok(pair)
            }
        })
    }
}

/// Says again what GWS may have forgotten, and lets the tables decide where it is away, as long as the core runs.
pub async fn watch_gws(router: Rc<GwsRouter>, shards: Shards, snapshots: Snapshots) {
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let tenants: Vec<TenantId> = snapshots.load().tenants().map(|tenant| tenant.tenant).collect();
        let routed: Vec<TenantId> = tenants
            .into_iter()
            .filter(|tenant| router.gws.routes(*tenant))
            .collect();
        if routed.is_empty() {
            continue;
        }
        for session in shards.sessions_where(|standing| standing.waits && !standing.offered) {
            if !router.submitted.borrow().contains_key(&session) {
                say_again(&router, &shards, &routed, session).await;
            }
        }
        for tenant in routed {
            if router.decides(tenant) {
                offer_all(&shards, tenant).await;
            }
        }
    }
}

async fn say_again(router: &GwsRouter, shards: &Shards, routed: &[TenantId], session: LogId) {
    let Ok(view) = shards.session_view(session).await else {
        return;
    };
    let (Some(about), Phase::Waiting { place, .. }) = (view.state.about(), view.state.phase()) else {
        return;
    };
    if routed.contains(&about.tenant) {
        let submission = Submission {
            session,
            n: view.top.n,
            queue: place.queue.clone(),
            media: about.media,
            priority: place.priority,
        };
        router.submit(about.tenant, &submission).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::HOLD_MS;
    use crate::log::memory::MemoryStore;
    use crate::model::{AgentId, Millis, ReadyDesk, Spread};
    use crate::runtime::{Clock, TestClock};
    use std::cell::Cell;
    use uuid::Uuid;

    struct Fake {
        answer: Cell<Submitted>,
        away: Cell<Option<Duration>>,
        said: RefCell<Vec<String>>,
    }

    impl Gws for Fake {
        fn routes(&self, tenant: TenantId) -> bool {
            tenant.0.as_u128() == 1
        }

        fn away_for(&self, _: TenantId) -> Option<Duration> {
            self.away.get()
        }

        fn submit<'a>(&'a self, _: TenantId, submission: &'a Submission) -> LocalBoxFuture<'a, Submitted> {
            self.said
                .borrow_mut()
                .push(format!("submit {}", submission.queue));
            Box::pin(std::future::ready(self.answer.get()))
        }

        fn withdraw(&self, _: TenantId, _: LogId, _: u64, media: Media) -> LocalBoxFuture<'_, Submitted> {
            self.said.borrow_mut().push(format!("withdraw {media}"));
            Box::pin(std::future::ready(self.answer.get()))
        }
    }

    const TENANT: TenantId = TenantId(Uuid::from_u128(1));
    const OTHER: TenantId = TenantId(Uuid::from_u128(2));

    fn router() -> (GwsRouter, Rc<Fake>) {
        router_at(Clock::system())
    }

    fn router_at(clock: Clock) -> (GwsRouter, Rc<Fake>) {
        let gws = Rc::new(Fake {
            answer: Cell::new(Submitted::Taken),
            away: Cell::new(None),
            said: RefCell::default(),
        });
        let log = MemoryStore::new(16, clock).unwrap().core();
        let seam: Rc<dyn Gws> = Rc::clone(&gws) as Rc<dyn Gws>;
        (
            GwsRouter::new(BuiltinRouter::new(log), seam, Duration::from_secs(30)),
            gws,
        )
    }

    fn session() -> LogId {
        LogId::session(Millis(1), [9; 10], Spread::of(&[b"s"]))
    }

    fn wait() -> MatchOp {
        MatchOp::Wait(WaitingSession {
            session: session(),
            n: 2,
            queue: "sales".to_owned(),
            media: Media::Sms,
            priority: 1,
            since: Millis(1),
            skills: Vec::new(),
            prefer: None,
            avoid: Vec::new(),
            asked_until: None,
        })
    }

    fn ready(tenant: TenantId) -> MatchOp {
        let agent: AgentId = "anna".parse().unwrap();
        MatchOp::Ready(ReadyDesk {
            desk: LogId::desk(tenant, &agent),
            n: 1,
            agent,
            queues: vec!["sales".to_owned()],
            skills: Vec::new(),
            free: vec![(Media::Sms, 1)],
            idle_since: Millis(1),
        })
    }

    #[tokio::test]
    async fn what_waits_goes_to_gws_and_nobody_is_asked_here() {
        let (router, gws) = router();
        assert_eq!(router.changed(TENANT, ready(TENANT)).await.unwrap(), None);
        assert_eq!(router.changed(TENANT, wait()).await.unwrap(), None);
        let gone = MatchOp::Unwait {
            session: session(),
            n: 3,
            assigned: true,
        };
        assert_eq!(router.changed(TENANT, gone).await.unwrap(), None);
        assert_eq!(*gws.said.borrow(), ["submit sales", "withdraw sms"]);
    }

    #[tokio::test]
    async fn tenants_without_gws_are_routed_here() {
        let (router, gws) = router();
        assert_eq!(router.changed(OTHER, ready(OTHER)).await.unwrap(), None);
        assert!(router.changed(OTHER, wait()).await.unwrap().is_some());
        assert!(gws.said.borrow().is_empty());
    }

    #[tokio::test]
    async fn a_short_absence_is_waited_for_and_a_long_one_is_not() {
        let clock = TestClock::at(1_000);
        let (router, gws) = router_at(clock.clock());
        router.changed(TENANT, ready(TENANT)).await.unwrap();
        gws.answer.set(Submitted::Away);
        gws.away.set(Some(Duration::from_secs(29)));
        assert!(router.changed(TENANT, wait()).await.is_err(), "tried again");
        // What the tables named meanwhile, and nobody used, is held no more.
        clock.advance(Duration::from_millis(HOLD_MS));
        gws.away.set(Some(Duration::from_secs(30)));
        assert!(
            router.changed(TENANT, wait()).await.unwrap().is_some(),
            "taken over"
        );
        gws.answer.set(Submitted::Taken);
        gws.away.set(None);
        assert_eq!(router.changed(TENANT, wait()).await.unwrap(), None, "handed back");
    }

    #[tokio::test]
    async fn a_session_gws_refuses_is_routed_here() {
        let (router, gws) = router();
        router.changed(TENANT, ready(TENANT)).await.unwrap();
        gws.answer.set(Submitted::Refused(404));
        assert!(router.changed(TENANT, wait()).await.unwrap().is_some());
    }
}
