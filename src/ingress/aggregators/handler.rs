//! From a provider's callback to the answer that provider wants.

use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::http::request::Parts;
use hyper::{Method, StatusCode};
use uuid::Builder;

use crate::ingress::channel::{Accounts, Callbacks, Doubt, Intake, Refusal, count_refused};
use crate::log::{LogError, Referred};
use crate::model::{Digest, LogId, Millis};
use crate::net::http::{Body, Request, Response, ResponseBody};
use crate::protocol::channel::{Provider, Reply, hex, provider, reference_key};
use crate::provisioning::objects::{Channel, Stored};
use crate::provisioning::{ObjectId, Snapshot, Snapshots};
use crate::runtime::Clock;
use crate::shard::Shards;
use crate::telemetry::names;

use super::keeping::{entry, keep};
use super::spool::Spool;

/// A seal is known for so long: more than twice the window in which it is good.
const REPLAY_MS: u64 = 15 * 60_000;

/// Bounds and addresses of connection 11.
#[derive(Debug, Clone)]
pub struct AggregatorSettings {
    /// The base of our public addresses, without a slash at its end: what providers sign.
    pub base: String,
    /// Bytes of a callback; a mail comes with its attachments.
    pub body: usize,
}

/// Connection 11, inwards, of one core.
pub struct Aggregators {
    intake: Rc<Intake>,
    shards: Shards,
    snapshots: Snapshots,
    accounts: Accounts,
    clock: Clock,
    settings: AggregatorSettings,
    /// Where callbacks of providers that hardly send again wait while the log is away.
    spool: Option<Arc<Spool>>,
}

/// What a path names.
struct Target<'p> {
    provider: &'static dyn Provider,
    channel: &'p str,
    status: bool,
}

impl Aggregators {
    /// Connection 11 over this core's intake.
    #[must_use]
    pub fn new(
        intake: Rc<Intake>,
        shards: Shards,
        snapshots: Snapshots,
        clock: Clock,
        settings: AggregatorSettings,
        spool: Option<Arc<Spool>>,
    ) -> Self {
        Self {
            intake,
            shards,
            snapshots,
            accounts: Accounts::default(),
            clock,
            settings,
            spool,
        }
    }

    /// Answers a callback: `/nexus/v3/aggregators/{provider}/{channel}/inbound` or `…/status`, with a token behind it where the
    /// provider has nothing better.
    pub async fn call(&self, request: Request) -> Response {
        let (head, body) = request.into_parts();
        let Some(target) = target(head.uri.path()) else {
            return respond(Reply::empty(404));
        };
        if head.method != Method::POST && head.method != Method::GET {
            let mut response = respond(Reply::empty(405));
            response
                .headers_mut()
                .insert(ALLOW, HeaderValue::from_static("GET, POST"));
            return response;
        }
        respond(self.answer(&target, &head, body).await)
    }

    async fn answer(&self, target: &Target<'_>, head: &Parts, body: Body) -> Reply {
        let provider = target.provider;
        let Ok(body) = body.collect(self.settings.body).await.map(Bytes::from) else {
            return provider.unreadable();
        };
        let snapshot = self.snapshots.load_full();
        let Some(channel) = find(&snapshot, target) else {
            metrics::counter!(
                names::HUB_UNKNOWN, "channelType" => "", "channelProvider" => provider.name(), "channelId" => ""
            )
            .increment(1);
            return Reply::empty(404);
        };
        let now = Millis(self.clock.wall_ms());
        let url = format!("{}{}", self.settings.base, head.uri.path());
        let callbacks = Callbacks {
            method: head.method.as_str(),
            url: &url,
            query: head.uri.query().unwrap_or_default(),
            headers: &head.headers,
            body: &body,
            status: target.status,
        };
        let believed = match callbacks.believe(provider, &snapshot, &self.accounts, &channel, now) {
            Ok(believed) => believed,
            Err(Doubt::Forged(_)) => return provider.forged(),
            Err(Doubt::Unreadable(_)) => return provider.unreadable(),
            Err(Doubt::Locked) => return provider.later(),
        };
        match self.is_replay(&channel, believed.replay.as_deref(), &body).await {
            Ok(false) => {}
            Ok(true) => {
                count_refused(names::HUB_INVALID_SIGNATURE, &channel);
                tracing::info!(channel = %channel.id, "a seal was used for another callback");
                return provider.forged();
            }
            Err(_) => return provider.later(),
        }
        let spool = self.spool.as_deref().filter(|_| provider.hardly_retries());
        let waiting =
            spool.and_then(|spool| Some((spool, entry(&callbacks, &believed, provider, &channel, now)?)));
        if let Some((spool, entry)) = &waiting
            && spool.is_before(&entry.peers)
        {
            return keep(provider, spool, entry).await;
        }
        for callback in believed.callbacks {
            match self.intake.take(&snapshot, &channel, callback, now).await {
                Ok(_) => {}
                Err(Refusal::IdReused) => {
                    // The first stands. To its provider it is taken, or it would be sent again for days.
                    count_refused(names::HUB_FAILED, &channel);
                    tracing::info!(channel = %channel.id, "a known id came with another message");
                }
                Err(Refusal::TooLarge | Refusal::NoSuchMedia) => {
                    count_refused(names::HUB_FAILED, &channel);
                    return provider.unreadable();
                }
                Err(error @ (Refusal::LeadsNowhere | Refusal::TooFast | Refusal::Unavailable)) => {
                    if let (Refusal::Unavailable, Some((spool, entry))) = (&error, &waiting) {
                        return keep(provider, spool, entry).await;
                    }
                    count_refused(names::HUB_FAILED, &channel);
                    tracing::warn!(channel = %channel.id, %error, "callback not taken; its provider sends it again");
                    return provider.later();
                }
            }
        }
        provider.accepted()
    }

    /// Whether a seal that does not cover the body came with another body before, at any node. The same body again is a provider
    /// that asks once more, and goes on: its messages are known by their ids.
    async fn is_replay(
        &self,
        channel: &Stored<Channel>,
        replay: Option<&str>,
        body: &Bytes,
    ) -> Result<bool, LogError> {
        let Some(replay) = replay else { return Ok(false) };
        let id = channel.id.to_string();
        let seal = Digest::of(&[b"seal", id.as_bytes(), b"\0", replay.as_bytes()]);
        let key = reference_key(&id, &hex(&seal.0[..16]));
        let mut digest = [0; 16];
        digest.copy_from_slice(&Digest::of(&[body]).0[..16]);
        let body = Referred {
            // Where a log's id is kept there may be anything that has the form of one.
            log: LogId::from_bytes(Builder::from_custom_bytes(digest).into_uuid().into_bytes()),
            n: 0,
        };
        match self.shards.log().referred(key.clone()).await? {
            Some(known) => Ok(known != body),
            None => {
                self.shards.log().refer(key, body, REPLAY_MS).await?;
                Ok(false)
            }
        }
    }
}

fn target(path: &str) -> Option<Target<'_>> {
    let rest = path.strip_prefix("/nexus/v3/aggregators/")?;
    let mut parts = rest.split('/');
    let (name, channel, what) = (parts.next()?, parts.next()?, parts.next()?);
    let status = match what {
        "inbound" => false,
        "status" => true,
        _ => return None,
    };
    let provider = provider(name)?;
    let token = parts.next();
    let fits = token.is_none() || (provider.token_in_path() && parts.next().is_none());
    fits.then_some(Target {
        provider,
        channel,
        status,
    })
}

fn find(snapshot: &Snapshot, target: &Target<'_>) -> Option<Arc<Stored<Channel>>> {
    let id = target.channel.parse::<ObjectId>().ok()?;
    let channel = snapshot.channel(&id)?;
    let usable = channel.value.enabled
        && channel.value.provider == target.provider.name()
        && snapshot
            .tenant(channel.tenant)
            .is_some_and(|tenant| tenant.value.enabled);
    usable.then(|| Arc::clone(channel))
}

fn respond(reply: Reply) -> Response {
    let mut response = Response::new(ResponseBody::full(reply.body));
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if !reply.content_type.is_empty() {
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static(reply.content_type));
    }
    if reply.status == 503 {
        response
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_a_provider_a_channel_and_what_it_is_about() {
        let read = |rest: &str| {
            let path = format!("/nexus/v3/aggregators/{rest}");
            target(&path).map(|target| (target.provider.name(), target.channel.to_owned(), target.status))
        };
        let twilio = |status| Some(("twilio", "ch-1".to_owned(), status));
        assert_eq!(read("twilio/ch-1/inbound"), twilio(false));
        assert_eq!(read("twilio/ch-1/status"), twilio(true));
        // A token stands only behind those who have nothing better.
        assert_eq!(
            read("kaleyra/ch-1/status/t-1"),
            Some(("kaleyra", "ch-1".to_owned(), true))
        );
        for wrong in [
            "twilio/ch-1/inbound/t-1",
            "kaleyra/ch-1/inbound/t-1/x",
            "twilio/ch-1",
            "twilio/ch-1/other",
            "nobody/ch-1/inbound",
            "",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
