//! From a signed request to its answer.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::header::{ALLOW, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, StatusCode};

use crate::ingress::answer;
use crate::ingress::channel::{Accounts, Callbacks, Doubt, Intake, Refusal, Taken};
use crate::log::media::SharedMedia;
use crate::model::Millis;
use crate::net::http::{Body, BodyError, Request, Response};
use crate::protocol::channel::Callback;
use crate::protocol::channel::third_party::{ThirdParty, accepted};
use crate::protocol::envelope::{CallIds, Code, Dialect, Fault, success};
use crate::provisioning::objects::{Channel, Stored};
use crate::provisioning::{ObjectId, Snapshot, Snapshots};
use crate::runtime::Clock;
use crate::telemetry::names;

use super::upload::upload;

/// Where a store in trouble asks callers to come back.
const COME_BACK: Duration = Duration::from_secs(1);
/// The header that names the contact centre.
const CONTACT_CENTER: &str = "x-ccid";

/// Bounds and addresses of connection 1.
#[derive(Debug, Clone)]
pub struct MessagingSettings {
    /// The base of our public addresses, without a slash at its end.
    pub base: String,
    /// Bytes of a message.
    pub body: usize,
    /// Bytes of a file.
    pub upload: u64,
}

/// Connection 1 of one core.
pub struct Messaging {
    intake: Rc<Intake>,
    pub(super) media: SharedMedia,
    snapshots: Snapshots,
    accounts: Accounts,
    clock: Clock,
    pub(super) settings: MessagingSettings,
}

/// What a path of ours asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Messages,
    Media,
}

impl Messaging {
    /// Connection 1 over this core's intake.
    #[must_use]
    pub fn new(
        intake: Rc<Intake>,
        media: SharedMedia,
        snapshots: Snapshots,
        clock: Clock,
        settings: MessagingSettings,
    ) -> Self {
        Self {
            intake,
            media,
            snapshots,
            accounts: Accounts::default(),
            clock,
            settings,
        }
    }

    /// Whether a path is of this connection: `/nexus/v3/channels/{id}/messages` and `…/media`. The channels themselves are
    /// provisioning.
    #[must_use]
    pub fn serves(path: &str) -> bool {
        target(path).is_some()
    }

    /// Answers a request.
    pub async fn call(&self, request: Request) -> Response {
        let (head, body) = request.into_parts();
        let trace = head
            .headers
            .get("x-b3-traceid")
            .and_then(|value| value.to_str().ok());
        let trace = trace.filter(|trace| trace.len() <= 64).map(str::to_owned);
        let ids = CallIds {
            reference: trace.as_deref().unwrap_or_default(),
            operation: None,
        };
        match self.answer(&head, body).await {
            Ok(data) => answer::json(StatusCode::OK, success(Dialect::Numeric, &ids, &data)),
            Err(fault) => {
                let mut response = answer::fault(Dialect::Numeric, &ids, &fault);
                if fault.code == Code::MethodNotAllowed {
                    response
                        .headers_mut()
                        .insert(ALLOW, HeaderValue::from_static("POST"));
                }
                response
            }
        }
    }

    async fn answer(&self, head: &Parts, body: Body) -> Result<serde_json::Value, Fault> {
        let (id, operation) = target(head.uri.path()).ok_or(Fault::new(Code::NotFound))?;
        if head.method != Method::POST {
            return Err(Code::MethodNotAllowed.into());
        }
        let limit = match operation {
            Operation::Messages => self.settings.body,
            Operation::Media => usize::try_from(self.settings.upload)
                .unwrap_or(usize::MAX)
                .saturating_add(4_096),
        };
        let body = body.collect(limit).await.map(Bytes::from).map_err(unreadable)?;
        let snapshot = self.snapshots.load_full();
        let channel = find(&snapshot, id, head)?;
        match operation {
            Operation::Messages => self.messages(head, &snapshot, &channel, &body).await,
            Operation::Media => {
                self.believe(head, &snapshot, &channel, &body, false)?;
                upload(self, &channel, head, body).await
            }
        }
    }

    async fn messages(
        &self,
        head: &Parts,
        snapshot: &Snapshot,
        channel: &Stored<Channel>,
        body: &Bytes,
    ) -> Result<serde_json::Value, Fault> {
        let now = Millis(self.clock.wall_ms());
        let mut told = serde_json::json!({});
        for callback in self.believe(head, snapshot, channel, body, true)? {
            let taken = self
                .intake
                .take(snapshot, channel, callback, now)
                .await
                .map_err(refused)?;
            if let Taken::Message { session, message, .. } = taken {
                told = accepted(&message.to_string(), &session.to_string());
            }
        }
        Ok(told)
    }

    /// Checks the signature over the whole raw body; of a message also reads it.
    fn believe(
        &self,
        head: &Parts,
        snapshot: &Snapshot,
        channel: &Stored<Channel>,
        body: &Bytes,
        reads: bool,
    ) -> Result<Vec<Callback>, Fault> {
        let url = format!("{}{}", self.settings.base, head.uri.path());
        let callbacks = Callbacks {
            method: "POST",
            url: &url,
            query: head.uri.query().unwrap_or_default(),
            headers: &head.headers,
            body,
            status: false,
        };
        let now = Millis(self.clock.wall_ms());
        match callbacks.believe(&ThirdParty, snapshot, &self.accounts, channel, now) {
            Ok(believed) => Ok(believed.callbacks),
            // What was signed well and is a file is not for the reader of messages.
            Err(Doubt::Unreadable(_)) if !reads => Ok(Vec::new()),
            Err(Doubt::Unreadable(what)) => Err(Fault::new(Code::Malformed).detail(what.0)),
            Err(Doubt::Forged(_)) => Err(Code::BadSignature.into()),
            Err(Doubt::Locked) => Err(Fault::unavailable(COME_BACK)),
        }
    }
}

/// The channel and the operation of a path.
fn target(path: &str) -> Option<(&str, Operation)> {
    let (id, rest) = path.strip_prefix("/nexus/v3/channels/")?.split_once('/')?;
    let operation = match rest {
        "messages" => Operation::Messages,
        "media" => Operation::Media,
        _ => return None,
    };
    Some((id, operation))
}

/// The channel a request is about. One of another provider, another contact centre, or switched off is not there.
fn find(snapshot: &Snapshot, id: &str, head: &Parts) -> Result<Arc<Stored<Channel>>, Fault> {
    let found = id.parse::<ObjectId>().ok();
    let found = found.and_then(|id| snapshot.channel(&id).cloned());
    let mut centers = head.headers.get_all(CONTACT_CENTER).iter();
    let center = match (centers.next(), centers.next()) {
        (Some(center), None) => center.to_str().unwrap_or_default(),
        _ => return Err(Fault::new(Code::MissingField).detail(CONTACT_CENTER)),
    };
    let usable = |channel: &Arc<Stored<Channel>>| {
        let tenant = snapshot.tenant(channel.tenant);
        channel.value.enabled
            && channel.value.provider == "third-party"
            && channel.tenant.to_string() == center
            && tenant.is_some_and(|tenant| tenant.value.enabled)
    };
    found.filter(usable).ok_or_else(|| {
        metrics::counter!(
            names::HUB_UNKNOWN, "channelType" => "", "channelProvider" => "third-party", "channelId" => ""
        )
        .increment(1);
        Fault::new(Code::NotFound)
    })
}

fn refused(refusal: Refusal) -> Fault {
    match refusal {
        Refusal::LeadsNowhere => Fault::new(Code::Conflict).detail("the channel leads to no queue"),
        Refusal::IdReused => Fault::new(Code::KeyReused).detail("id"),
        Refusal::NoSuchMedia => Fault::new(Code::BadValue).detail("attachments"),
        Refusal::TooLarge => Fault::new(Code::TooLarge),
        Refusal::TooFast => Fault::new(Code::Throttled),
        Refusal::Unavailable => Fault::unavailable(COME_BACK),
    }
}

fn unreadable(error: BodyError) -> Fault {
    match error {
        BodyError::TooLarge => Code::TooLarge.into(),
        BodyError::TooSlow => Code::RequestTimeout.into(),
        BodyError::Cut | BodyError::Malformed => Code::Malformed.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_messages_and_media_of_a_channel_are_of_this_connection() {
        assert_eq!(
            target("/nexus/v3/channels/ch-1/messages"),
            Some(("ch-1", Operation::Messages))
        );
        assert_eq!(
            target("/nexus/v3/channels/ch-1/media"),
            Some(("ch-1", Operation::Media))
        );
        for path in [
            "/nexus/v3/channels",
            "/nexus/v3/channels/ch-1",
            "/nexus/v3/channels/ch-1/",
            "/nexus/v3/channels/ch-1/messages/x",
        ] {
            assert!(!Messaging::serves(path), "{path}");
        }
    }
}
