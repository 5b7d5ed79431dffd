//! Tickets and resume tokens: giving them out and taking them back.

use std::time::Duration;

use aws_lc_rs::rand;

use crate::log::SharedLog;
use crate::model::Millis;
use crate::protocol::agent::Credential;
use crate::protocol::sealed::{self, Claims, Purpose, SealKey};
use crate::provisioning::{SigningPurpose, Snapshot, Snapshots};
use crate::runtime::clock::Clock;
use crate::telemetry::names;

use super::principal::AgentPrincipal;

/// Gives out and takes back the credentials of the stream.
#[derive(Clone)]
pub(super) struct Admission {
    snapshots: Snapshots,
    log: SharedLog,
    clock: Clock,
    ticket_ttl: Duration,
    resume_window: Duration,
}

/// Why a credential does not open a stream.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    /// It is not good, was used, or its agent may no longer work. The bearer is told nothing more.
    #[error("not authorised")]
    Unauthorised,
    /// Whether it was used cannot be found out now.
    #[error("the log is unavailable")]
    Unavailable,
}

impl Admission {
    pub(super) fn new(
        snapshots: Snapshots,
        log: SharedLog,
        clock: Clock,
        ticket_ttl: Duration,
        resume_window: Duration,
    ) -> Self {
        Self {
            snapshots,
            log,
            clock,
            ticket_ttl,
            resume_window,
        }
    }

    /// A ticket for one stream. `None` only if the system has no randomness.
    pub(super) fn ticket(&self, principal: &AgentPrincipal) -> Option<String> {
        self.seal(Purpose::Ticket, principal, 0)
    }

    /// A token for the stream after connection `conn`. `None` only if the system has no randomness.
    pub(super) fn resume_token(&self, principal: &AgentPrincipal, conn: u64) -> Option<String> {
        self.seal(Purpose::Resume, principal, conn)
    }

    /// Takes a credential; a ticket is spent by it, in the whole cluster.
    pub(super) async fn admit(&self, credential: &Credential<'_>) -> Result<AgentPrincipal, Refused> {
        let claims = match credential {
            Credential::Ticket(text) => self.open(Purpose::Ticket, text, self.ticket_ttl)?,
            Credential::Resume(text) => self
                .open(Purpose::Resume, text, self.resume_window)
                .inspect_err(|_| metrics::counter!(names::RESUMES, "outcome" => "expired").increment(1))?,
        };
        let principal = AgentPrincipal {
            tenant: claims.tenant,
            agent: claims.agent,
        };
        if !principal.is_enabled(&self.snapshots.load()) {
            return Err(Refused::Unauthorised);
        }
        if matches!(credential, Credential::Ticket(_)) {
            self.spend(claims.id).await?;
        }
        Ok(principal)
    }

    async fn spend(&self, id: [u8; 16]) -> Result<(), Refused> {
        // Kept a little longer than a ticket lives, so that no clock makes it good again.
        let keep = millis(self.ticket_ttl).saturating_mul(2).saturating_add(10_000);
        match self.log.spend(id, keep).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(Refused::Unauthorised),
            Err(error) => {
                tracing::warn!(%error, "a ticket could not be spent");
                Err(Refused::Unavailable)
            }
        }
    }

    fn seal(&self, purpose: Purpose, principal: &AgentPrincipal, conn: u64) -> Option<String> {
        let now = Millis(self.clock.wall_ms());
        let (mut nonce, mut id) = ([0; 12], [0; 16]);
        rand::fill(&mut nonce).ok()?;
        rand::fill(&mut id).ok()?;
        let claims = Claims {
            tenant: principal.tenant,
            agent: principal.agent.clone(),
            conn,
            issued: now,
            id,
        };
        let snapshot = self.snapshots.load();
        let key = snapshot.signing_keys(ring(purpose)).current(now);
        let key = SealKey {
            id: key.id,
            secret: key.secret(),
        };
        sealed::seal(purpose, key, nonce, &claims)
    }

    fn open(&self, purpose: Purpose, text: &str, lifetime: Duration) -> Result<Claims, Refused> {
        let snapshot = self.snapshots.load();
        let snapshot: &Snapshot = &snapshot;
        let ring = snapshot.signing_keys(ring(purpose));
        let find = |id| ring.find(id).map(|key| key.secret());
        sealed::open(
            purpose,
            text,
            find,
            Millis(self.clock.wall_ms()),
            millis(lifetime),
        )
        .map_err(|reason| {
            tracing::debug!(%reason, ?purpose, "agent credential refused");
            Refused::Unauthorised
        })
    }
}

const fn ring(purpose: Purpose) -> SigningPurpose {
    match purpose {
        Purpose::Ticket => SigningPurpose::Ticket,
        Purpose::Resume => SigningPurpose::Resume,
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
