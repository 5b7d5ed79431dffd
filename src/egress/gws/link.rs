//! One core's way to GWS for all tenants: operations with typed outcomes, and the seam of routing.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::{LocalBoxFuture, join_all};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::model::{LogId, Media, TenantId};
use crate::net::client::Client;
use crate::protocol::gws::{Action, Operation, Outcome};
use crate::provisioning::Snapshots;
use crate::routing::{Gws, Submission, Submitted};
use crate::runtime::Clock;
use crate::telemetry::names;

use super::account::Account;
use super::session::Session;
use super::standing::{PROBE_EVERY, Standings};

/// Operations. `cause` names what an operation follows from (an effect's id): the same cause is the same operation over all
/// attempts, and done twice is done once.
#[derive(Clone)]
pub struct GwsLink(Rc<Inner>);

struct Inner {
    client: Client,
    snapshots: Snapshots,
    clock: Clock,
    sessions: RefCell<HashMap<TenantId, Rc<Session>>>,
    standings: Standings,
}

impl GwsLink {
    /// A link that has spoken to nobody yet.
    #[must_use]
    pub fn new(client: Client, snapshots: Snapshots, clock: Clock) -> Self {
        Self(Rc::new(Inner {
            client,
            snapshots,
            clock,
            sessions: RefCell::default(),
            standings: Standings::default(),
        }))
    }

    /// Lets an interaction wait in a queue of GWS; creates it if it is not there.
    pub async fn submit(
        &self,
        tenant: TenantId,
        cause: &str,
        interaction: LogId,
        media: Media,
        queue: &str,
        properties: Map<String, Value>,
    ) -> Outcome {
        let action = Action::PlaceInQueue {
            queue: queue.to_owned(),
            added: properties,
            changed: Map::new(),
            deleted: Vec::new(),
        };
        self.operate(tenant, cause, interaction, media, action).await
    }

    /// An interaction is over for GWS.
    pub async fn stop(&self, tenant: TenantId, cause: &str, interaction: LogId, media: Media) -> Outcome {
        self.operate(tenant, cause, interaction, media, Action::Complete)
            .await
    }

    /// Changes what is attached to an interaction.
    pub async fn update(
        &self,
        tenant: TenantId,
        cause: &str,
        interaction: LogId,
        media: Media,
        data: Map<String, Value>,
    ) -> Outcome {
        self.operate(tenant, cause, interaction, media, Action::UpdateUserData(data))
            .await
    }

    /// Any other operation.
    pub async fn operate(
        &self,
        tenant: TenantId,
        cause: &str,
        interaction: LogId,
        media: Media,
        action: Action,
    ) -> Outcome {
        let Some(session) = self.session(tenant) else {
            return Outcome::Refused(0);
        };
        // However many wait, one at a time finds out whether it is still away.
        if !self.0.standings.may_try(tenant, self.0.clock.now()) {
            return Outcome::Later(Some(PROBE_EVERY));
        }
        let operation = Operation {
            interaction: interaction.to_string(),
            media,
            action,
        };
        // The same over all attempts, and another one for another cause.
        let asked = serde_json::to_vec(&operation.request("").body).unwrap_or_default();
        let id = Uuid::new_v8(short(&crate::model::Digest::of(&[
            operation.interaction.as_bytes(),
            cause.as_bytes(),
            &asked,
        ])));
        let outcome = session.operate(&operation, &id.to_string()).await;
        match outcome {
            Outcome::Done | Outcome::Refused(_) => {
                if self.0.standings.answered(tenant) {
                    metrics::counter!(names::GWS_LINK, "event" => "returned").increment(1);
                    tracing::info!(%tenant, "GWS answers again");
                }
            }
            Outcome::Later(_) | Outcome::SignInAgain => {
                self.0.standings.failed(tenant, self.0.clock.now());
            }
        }
        outcome
    }

    /// Says goodbye for every tenant. What is asked afterwards begins a session anew.
    pub async fn end(&self) {
        let sessions: Vec<_> = self.0.sessions.borrow_mut().drain().collect();
        join_all(sessions.iter().map(|(_, session)| session.end())).await;
    }

    /// The session of a tenant; a new one when its link has changed.
    fn session(&self, tenant: TenantId) -> Option<Rc<Session>> {
        let account = Account::of(&self.0.snapshots.load(), tenant)?;
        let mut sessions = self.0.sessions.borrow_mut();
        if let Some(session) = sessions.get(&tenant)
            && session.account().version == account.version
        {
            return Some(Rc::clone(session));
        }
        let session = Rc::new(Session::new(self.0.client.clone(), account, self.0.clock.clone()));
        sessions.insert(tenant, Rc::clone(&session));
        Some(session)
    }
}

impl Gws for GwsLink {
    fn routes(&self, tenant: TenantId) -> bool {
        Account::routes(&self.0.snapshots.load(), tenant)
    }

    fn away_for(&self, tenant: TenantId) -> Option<Duration> {
        self.0.standings.away_for(tenant, self.0.clock.now())
    }

    fn submit<'a>(&'a self, tenant: TenantId, submission: &'a Submission) -> LocalBoxFuture<'a, Submitted> {
        let mut properties = Map::new();
        properties.insert("Priority".to_owned(), json!(submission.priority));
        properties.insert("TenantId".to_owned(), json!(tenant.to_string()));
        async move {
            let (session, cause) = (submission.session, submission.n.to_string());
            GwsLink::submit(
                self,
                tenant,
                &cause,
                session,
                submission.media,
                &submission.queue,
                properties,
            )
            .map(submitted)
            .await
        }
        .boxed_local()
    }

    fn withdraw(
        &self,
        tenant: TenantId,
        session: LogId,
        n: u64,
        media: Media,
    ) -> LocalBoxFuture<'_, Submitted> {
        async move { submitted(self.stop(tenant, &n.to_string(), session, media).await) }.boxed_local()
    }
}

fn submitted(outcome: Outcome) -> Submitted {
    match outcome {
        Outcome::Done => Submitted::Taken,
        Outcome::Later(_) | Outcome::SignInAgain => Submitted::Away,
        Outcome::Refused(code) => Submitted::Refused(code),
    }
}

fn short(digest: &crate::model::Digest) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest.0[..16]);
    bytes
}
