//! The session that a first message opens.

use serde_json::{Map, Value};
use uuid::{Builder, Uuid};

use crate::log::PeerKey;
use crate::model::{Digest, Media, Millis, ParticipantId, TransportId};
use crate::protocol::channel::{Inbound, peer_name};
use crate::protocol::securemail;
use crate::provisioning::Snapshot;
use crate::provisioning::objects::{Channel, Endpoint, Stored};
use crate::routing;
use crate::session::{Open, Terms};

/// After so long without a word a session by a channel frees its agent and sleeps until the customer writes again.
const SILENCE_MS: u64 = 30 * 60_000;
/// Characters of a name.
const NAME: usize = 100;

/// Tenant, channel, address and conversation, joined unambiguously.
pub(super) fn peer_key(channel: &Stored<Channel>, address: &str, conversation: Option<&str>) -> PeerKey {
    let mut key = peer_name(channel.tenant, &channel.id.to_string(), address).to_vec();
    if let Some(conversation) = conversation {
        // No address has a zero byte in it.
        key.push(0);
        key.extend_from_slice(conversation.as_bytes());
    }
    PeerKey(key.into())
}

/// A peer is the same participant in every session of theirs: a message can be admitted before it is known into which.
pub(super) fn participant(peer: &PeerKey) -> ParticipantId {
    ParticipantId(derived(b"participant", peer))
}

fn derived(what: &[u8], peer: &PeerKey) -> Uuid {
    let digest = Digest::of(&[what, &peer.0]);
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest.0[..16]);
    Builder::from_custom_bytes(bytes).into_uuid()
}

/// The endpoint a channel's sessions enter by: the one it names, else the one that names it.
pub(super) fn endpoint<'s>(snapshot: &'s Snapshot, channel: &Stored<Channel>) -> Option<&'s Endpoint> {
    let id = channel.id.to_string();
    let named = channel
        .value
        .endpoint
        .as_deref()
        .and_then(|name| snapshot.endpoint(channel.tenant, name));
    let found = named.or_else(|| {
        snapshot
            .all::<Endpoint>(channel.tenant)
            .filter(|endpoint| endpoint.value.channel_id.as_deref() == Some(&id))
            .min_by(|one, other| one.value.name.cmp(&other.value.name))
    });
    found
        .map(|endpoint| &endpoint.value)
        .filter(|endpoint| endpoint.enabled)
}

/// What opens a session for this message. `None`: the channel leads to no queue that takes sessions.
pub(super) fn opening(
    snapshot: &Snapshot,
    channel: &Stored<Channel>,
    peer: &PeerKey,
    message: &Inbound,
    now: Millis,
) -> Option<Open> {
    let endpoint = endpoint(snapshot, channel)?;
    let (tenant, media) = (channel.tenant, channel.value.media);
    let place = routing::place(snapshot, tenant, &endpoint.queue)?;
    // The endpoint's own hours, else those of the queue it leads to.
    let hours = endpoint.opening_hours.as_deref().or_else(|| {
        let queue = snapshot.queue(tenant, &endpoint.queue)?;
        queue.value.opening_hours.as_deref()
    });
    let open = snapshot.is_open(tenant, hours, now);
    let language = endpoint.language.clone();
    let said =
        |occasion: &str| snapshot.text(tenant, &format!("{occasion}-{media}"), language.as_deref(), &[]);
    // Whoever answers a secure mail may take days over it, and the customer may read the answer in a month.
    let (idle_alert_ms, keep_ms) = if is_secure(channel) {
        (0, snapshot.transcripts_ms(tenant))
    } else {
        (SILENCE_MS, 0)
    };
    let nickname: String = message
        .nickname
        .as_deref()
        .unwrap_or(&message.from)
        .chars()
        .filter(|c| !c.is_control())
        .take(NAME)
        .collect();
    Some(Open {
        tenant,
        media,
        endpoint: endpoint.name.clone(),
        stream: Some(endpoint.stream.clone()),
        locale: language.clone(),
        asynchronous: true,
        profile: profile(channel, message),
        nickname,
        participant: participant(peer),
        transport: TransportId(derived(b"transport", peer)),
        place,
        // Each line costs a message: without a template of this medium nothing is said.
        welcome: said(if open { "welcome" } else { "closed-hours" }),
        terms: Terms {
            idle_alert_ms,
            idle_close_ms: 0,
            keep_ms,
            closing_text: said("closing").unwrap_or_default(),
            links: routing::links(snapshot, tenant, endpoint, media, Some(channel.id.to_string())),
            ..Terms::default()
        },
    })
}

/// Whether the other side of a channel is a mailbox of ours.
pub(super) fn is_secure(channel: &Stored<Channel>) -> bool {
    channel.value.provider == securemail::PROVIDER
}

fn profile(channel: &Stored<Channel>, message: &Inbound) -> Map<String, Value> {
    let mut data = message.user_data.clone();
    let address_key = match channel.value.media {
        Media::Email => "EmailAddress",
        Media::Sms => "PhoneNumber",
        Media::Chat | Media::Social => "ChannelAddress",
    };
    data.insert(address_key.to_owned(), message.from.clone().into());
    data.insert("ChannelId".to_owned(), channel.id.to_string().into());
    if let Some(subject) = &message.subject {
        data.insert("Subject".to_owned(), subject.clone().into());
    }
    let subtype = message.subtype.clone().or_else(|| {
        let configured = channel.value.config.get("subtype").and_then(Value::as_str);
        configured.map(str::to_owned)
    });
    let members = [
        ("address", Some(Value::from(message.from.clone()))),
        ("conversation", message.conversation.clone().map(Value::from)),
        ("subject", message.subject.clone().map(Value::from)),
        ("subtype", subtype.map(Value::from)),
        ("userData", Some(Value::Object(data))),
    ];
    members
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect()
}
