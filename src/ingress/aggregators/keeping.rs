//! What of a callback may wait on the disk of this node, and how.

use crate::ingress::channel::{Believed, Callbacks, says_consent};
use crate::model::{Digest, Media, Millis};
use crate::protocol::channel::{Callback, Provider, Reply, hex};
use crate::provisioning::objects::{Channel, Stored};

use super::spool::{Entry, Spool};

/// The entry of a callback; `None` where it must not wait: a STOP holds everywhere once it is answered, and a START that waited
/// could undo a STOP that did not.
pub(super) fn entry(
    callbacks: &Callbacks<'_>,
    believed: &Believed,
    provider: &dyn Provider,
    channel: &Stored<Channel>,
    now: Millis,
) -> Option<Entry> {
    let mut peers = Vec::new();
    for callback in &believed.callbacks {
        if let Callback::Message(message) = callback {
            if says_consent(Media::Sms, &message.text) {
                return None;
            }
            let id = channel.id.to_string();
            let peer = Digest::of(&[id.as_bytes(), b"\0", message.from.as_bytes()]);
            peers.push(hex(&peer.0[..16]));
        }
    }
    let kind = callbacks.headers.get("content-type");
    Some(Entry {
        provider: provider.name().to_owned(),
        channel: channel.id.to_string(),
        status: callbacks.status,
        method: callbacks.method.to_owned(),
        query: callbacks.query.to_owned(),
        content_type: kind
            .and_then(|kind| kind.to_str().ok())
            .unwrap_or_default()
            .to_owned(),
        at: now.0,
        peers,
        body: callbacks.body.clone(),
    })
}

/// The answer once a callback is on the disk, or is not.
pub(super) async fn keep(provider: &dyn Provider, spool: &Spool, entry: &Entry) -> Reply {
    match spool.keep(entry).await {
        Ok(()) => provider.accepted(),
        Err(error) => {
            tracing::warn!(channel = entry.channel, %error, "callback not kept");
            provider.later()
        }
    }
}
