//! One attempt at one subscriber.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;
use secrecy::ExposeSecret as _;
use uuid::Uuid;

use crate::egress::dispatcher::{Callee, Calls, Connection, NotAnswered, Schedule, session};
use crate::model::{Millis, Notice, Target};
use crate::net::client::Guard;
use crate::protocol::channel::HttpCall;
use crate::protocol::{hub_signature, webhook};
use crate::provisioning::objects::{Kind, Stored, Webhook};
use crate::provisioning::{Act, Directory, ObjectId, SecretError, Snapshot, Snapshots};
use crate::shard::{Delivery, Shards, Verdict};
use crate::telemetry::names;

use super::health::Health;

/// The base of what subscribers are told.
#[derive(Debug, Clone)]
pub struct WebhookSettings {
    /// The base of our public addresses, without a slash at its end.
    pub base: String,
}

/// Connection 12 of one core.
pub struct Webhooks {
    calls: Calls,
    snapshots: Snapshots,
    directory: Arc<Directory>,
    settings: WebhookSettings,
    health: RefCell<Health>,
}

impl Webhooks {
    /// Connection 12 over this core's client; the directory is where a dead endpoint is switched off.
    #[must_use]
    pub fn new(
        calls: Calls,
        snapshots: Snapshots,
        directory: Arc<Directory>,
        settings: WebhookSettings,
    ) -> Self {
        Self {
            calls,
            snapshots,
            directory,
            settings,
            health: RefCell::default(),
        }
    }

    pub(super) const fn calls(&self) -> &Calls {
        &self.calls
    }

    pub(super) const fn snapshots(&self) -> &Snapshots {
        &self.snapshots
    }

    pub(super) const fn directory(&self) -> &Arc<Directory> {
        &self.directory
    }

    async fn attempt(&self, shards: &Shards, delivery: &Delivery) -> Verdict {
        let snapshot = self.snapshots.load_full();
        let Some(hook) = hook(&snapshot, delivery) else {
            return Verdict::Dead("the webhook is gone or switched off".to_owned());
        };
        if !hook.value.is_proved() {
            // It had answered when the session began, and has moved since.
            let wait = Schedule::Window.next(delivery.attempt.max(1), None, Uuid::new_v4().as_u64_pair().0);
            let never = || Verdict::Dead("the endpoint has not answered its challenge".to_owned());
            return wait.map_or_else(never, Verdict::Later);
        }
        let event = match delivery.notice {
            Notice::Started => webhook::Event::Started,
            Notice::Finished => webhook::Event::Finished,
            _ => return Verdict::Done,
        };
        let view = match session(shards, delivery.id).await {
            Ok(view) => view,
            Err(verdict) => return verdict,
        };
        let Some(about) = view.state.about() else {
            return Verdict::Dead("not a session".to_owned());
        };
        let effect = delivery.id.to_string();
        let body = webhook::body(
            webhook::operation_id(&effect),
            &webhook::Notice {
                event,
                session: view.log,
                media: about.media,
                subtype: view.state.subtype(),
                base: &self.settings.base,
            },
        );
        let Ok(call) = self.call(&snapshot, &hook, &effect, body) else {
            return Verdict::Spared(Duration::from_secs(30));
        };
        let target = format!("w{}", hook.id);
        let callee = Callee {
            tenant: delivery.tenant,
            target: &target,
            guard: Guard::Public,
        };
        match self.calls.make(&callee, call).await {
            Ok(answer) if answer.status == 200 => {
                self.health.borrow_mut().succeeded(&target);
                Verdict::Done
            }
            Ok(answer) if answer.status == 410 => {
                self.switch_off(&hook, "it answered 410").await;
                Verdict::Dead("410".to_owned())
            }
            Ok(answer) => {
                let after = answer.retry_after(self.calls.clock().wall_ms());
                self.failed(&hook, &target, delivery, answer.status.as_str(), after)
                    .await
            }
            Err(NotAnswered::Spared(after)) => Verdict::Spared(after),
            Err(NotAnswered::Failed(error)) => {
                tracing::info!(effect = %delivery.id, webhook = %hook.id, detail = error.detail(), "webhook failed");
                self.failed(&hook, &target, delivery, error.class().word(), None)
                    .await
            }
        }
    }

    /// The signed request. Only the timestamp of the optional scheme differs between two attempts.
    pub(super) fn call(
        &self,
        snapshot: &Snapshot,
        hook: &Stored<Webhook>,
        effect: &str,
        body: Bytes,
    ) -> Result<HttpCall, SecretError> {
        let mut headers = vec![
            ("content-type", "application/json".to_owned()),
            ("x-b3-traceid", webhook::trace_id(effect)),
        ];
        match snapshot.secret(hook, "secret") {
            Ok(secret) => {
                let secret = secret.expose_secret().as_bytes();
                headers.push((hub_signature::SHA1, hub_signature::sha1(secret, &body)));
                headers.push((hub_signature::SHA256, hub_signature::sha256(secret, &body)));
            }
            Err(SecretError::Absent) => {}
            Err(error) => return Err(error),
        }
        // While a secret is replaced the field holds the new one and the old one, separated by a space; both sign.
        match snapshot.secret(hook, "signingSecret") {
            Ok(secrets) => {
                let at = self.calls.clock().wall_ms() / 1_000;
                let id = format!("msg_{}", effect.replace('.', "_"));
                let signatures = secrets.expose_secret().split_whitespace();
                let signatures = signatures.filter_map(|secret| webhook::sign(secret, &id, at, &body));
                let signatures = signatures.collect::<Vec<_>>().join(" ");
                if !signatures.is_empty() {
                    headers.push((webhook::ID, id));
                    headers.push((webhook::TIMESTAMP, at.to_string()));
                    headers.push((webhook::SIGNATURE, signatures));
                }
            }
            Err(SecretError::Absent) => {}
            Err(error) => return Err(error),
        }
        Ok(HttpCall {
            method: "POST",
            url: hook.value.url.clone(),
            headers,
            body,
        })
    }

    async fn failed(
        &self,
        hook: &Stored<Webhook>,
        target: &str,
        delivery: &Delivery,
        why: &str,
        after: Option<Duration>,
    ) -> Verdict {
        let now = self.calls.clock().now();
        if self.health.borrow_mut().failed(target, now) {
            self.switch_off(hook, "it failed for five days").await;
        }
        match schedule(&hook.value).next(delivery.attempt.max(1), after, Uuid::new_v4().as_u64_pair().0) {
            Some(wait) => Verdict::Later(wait),
            None => Verdict::Dead(format!("every attempt failed; the last: {why}")),
        }
    }

    /// Switches an endpoint off, so that every node leaves it alone, and says so.
    async fn switch_off(&self, hook: &Stored<Webhook>, reason: &str) {
        tracing::warn!(webhook = %hook.id, reason, "webhook switched off");
        metrics::counter!(names::WEBHOOKS_DISABLED).increment(1);
        let act = Act {
            actor: format!("webhooks: {reason}"),
            at: Millis(self.calls.clock().wall_ms()),
        };
        let changed = self
            .directory
            .switch_off(hook.tenant, Kind::Webhook, &hook.id, &act)
            .await;
        if let Err(error) = changed {
            tracing::warn!(%error, webhook = %hook.id, "webhook could not be switched off");
        }
    }
}

impl Connection for Webhooks {
    fn tell<'a>(&'a self, shards: &'a Shards, delivery: &'a Delivery) -> LocalBoxFuture<'a, Verdict> {
        self.attempt(shards, delivery).boxed_local()
    }
}

fn hook(snapshot: &Snapshot, delivery: &Delivery) -> Option<Arc<Stored<Webhook>>> {
    let Target::Webhook(id) = &delivery.target else {
        return None;
    };
    let id = id.parse::<ObjectId>().ok()?;
    let hook = snapshot.get::<Webhook>(delivery.tenant, &id)?;
    hook.value.enabled.then(|| Arc::clone(hook))
}

/// What the subscription asks for, else full jitter over 72 h.
fn schedule(hook: &Webhook) -> Schedule {
    match (hook.retry_timeout_ms, hook.retry_attempts) {
        (None, None) => Schedule::Window,
        (every, attempts) => Schedule::Fixed {
            every: Duration::from_millis(every.unwrap_or(10_000).into()),
            attempts: attempts.unwrap_or(5),
        },
    }
}
