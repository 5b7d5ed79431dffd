//! From raw bytes to callbacks that are believed.

use bytes::Bytes;
use hyper::HeaderMap;

use crate::model::Millis;
use crate::protocol::channel::{Account, Callback, CallbackRequest, Forged, Provider, Unreadable};
use crate::provisioning::Snapshot;
use crate::provisioning::objects::{Channel, Stored};
use crate::telemetry::names;

use super::accounts::Accounts;

/// One callback as it arrived.
#[derive(Debug, Clone, Copy)]
pub struct Callbacks<'r> {
    /// `POST` or `GET`.
    pub method: &'r str,
    /// The public address of the callback, as configured, without the query.
    pub url: &'r str,
    /// The raw query.
    pub query: &'r str,
    /// The header.
    pub headers: &'r HeaderMap,
    /// The raw body.
    pub body: &'r Bytes,
    /// Whether it is a status callback.
    pub status: bool,
}

/// What a believed callback says.
#[derive(Debug)]
pub struct Believed {
    /// In the order it says it.
    pub callbacks: Vec<Callback>,
    /// What makes a replay of it recognisable, where its dialect has something.
    pub replay: Option<String>,
}

/// Why a callback was not taken. Each is counted by its reason; its sender is told no more than the status.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Doubt {
    /// The signature.
    #[error(transparent)]
    Forged(#[from] Forged),
    /// The content.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// A secret of the channel cannot be opened on this node.
    #[error("the channel's secrets cannot be opened")]
    Locked,
}

impl Callbacks<'_> {
    /// Checks the signature over the bytes as they came, then reads them.
    ///
    /// # Errors
    /// [`Doubt`]; nothing has changed then.
    pub fn believe(
        &self,
        provider: &dyn Provider,
        snapshot: &Snapshot,
        accounts: &Accounts,
        channel: &Stored<Channel>,
        now: Millis,
    ) -> Result<Believed, Doubt> {
        let caller = accounts.of(snapshot, channel);
        caller.received.increment(1);
        let account = caller.account.as_ref().map_err(|_| Doubt::Locked);
        let believed = account.and_then(|account| self.read(provider, account, now));
        if let Err(doubt) = &believed {
            let name = match doubt {
                Doubt::Forged(Forged::NoSecret) => names::HUB_NO_SECRET,
                Doubt::Forged(Forged::Absent) => names::HUB_NO_SIGNATURE,
                Doubt::Forged(Forged::Wrong | Forged::Stale) => names::HUB_INVALID_SIGNATURE,
                Doubt::Unreadable(_) | Doubt::Locked => names::HUB_FAILED,
            };
            count_refused(name, channel);
            tracing::info!(channel = %channel.id, provider = provider.name(), reason = %doubt, "callback refused");
        }
        believed
    }

    fn read(&self, provider: &dyn Provider, account: &Account, now: Millis) -> Result<Believed, Doubt> {
        // A header that is no text cannot be signed by anybody we know.
        let headers: Vec<(&str, &str)> = self
            .headers
            .iter()
            .filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
            .collect();
        let request = CallbackRequest {
            method: self.method,
            url: self.url,
            query: self.query,
            headers: &headers,
            body: self.body,
            now,
        };
        provider.verify(&request, account)?;
        let callbacks = if self.status {
            provider.status(&request)
        } else {
            provider.inbound(&request)
        };
        Ok(Believed {
            callbacks: callbacks?,
            replay: provider.replay_id(&request),
        })
    }
}

/// Counts a callback that was refused, by the labels the original's dashboards use.
pub fn count_refused(name: &'static str, channel: &Stored<Channel>) {
    metrics::counter!(
        name,
        "channelType" => channel.value.media.as_str(),
        "channelProvider" => channel.value.provider.clone(),
        "channelId" => channel.id.to_string()
    )
    .increment(1);
}
