//! Opening a chat, and coming back to one.

use bytes::Bytes;
use hyper::header::ACCEPT_LANGUAGE;
use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use crate::model::{LogId, Media, ParticipantId, Spread, TenantId, TransportId};
use crate::net::http::Body;
use crate::protocol::client_token::ClientToken;
use crate::protocol::envelope::{Code, Fault};
use crate::protocol::widget::{CreateChat, created};
use crate::provisioning::objects::{
    BlockedCustomer, Endpoint, MessageTemplate, OpeningHours, Stored, Tenant,
};
use crate::routing;
use crate::session::{Open, SessionInput, Terms};
use crate::shard::Keyed;

use super::access::{Access, client_key};
use super::call::Call;
use super::conversation::{Room, refused};
use super::handler::Widgets;
use super::idempotency;
use super::options::millis;

/// A customer who comes back to a chat that is over has given no name this time.
const NAMELESS: &str = "Guest";

/// Opens a chat, or finds the one whose token came along. Coming back any number of times is one and the same.
pub(super) async fn create(
    widgets: &Widgets,
    call: &Call,
    access: &Access,
    body: Body,
) -> Result<Bytes, Fault> {
    let fields = call.fields(widgets, body).await?;
    let mut chat = CreateChat::read(&fields)?;
    call.note_operation(chat.operation.take());
    if let Some(text) = client_key(call.headers()) {
        let token = widgets.tokens().read(&call.snapshot, call.now, text)?;
        match resume(widgets, call, access, &token).await? {
            Some(answer) => return Ok(answer),
            None => drop(chat.nickname.get_or_insert_with(|| NAMELESS.to_owned())),
        }
    }
    widgets.limit_create(call, access.tenant)?;
    open(widgets, call, access, chat).await
}

/// The chat of a token, while it is open; `None` when it is over, so that a fresh one takes its place.
async fn resume(
    widgets: &Widgets,
    call: &Call,
    access: &Access,
    token: &ClientToken,
) -> Result<Option<Bytes>, Fault> {
    let entered = Room::enter(widgets.shards(), token.session, access.tenant, token.participant).await;
    let room = match entered {
        Ok(room) => room,
        // Forgotten, or another tenant's: neither is anything of this caller's.
        Err(fault) if fault.code == Code::InvalidSession => {
            return match widgets.shards().session_view(token.session).await {
                Ok(_) => Err(fault),
                Err(_) => Ok(None),
            };
        }
        Err(fault) => return Err(fault),
    };
    if room.state().closed_at().is_some() {
        return Ok(None);
    }
    let asked = widgets
        .shards()
        .session(token.session, SessionInput::Resume)
        .await;
    asked.map_err(refused)?;
    widgets.shards().heard_from(token.session);
    let text = widgets.tokens().sign(&call.snapshot, call.now, token);
    Ok(Some(created(&call.ids(), token.session, &text)))
}

async fn open(widgets: &Widgets, call: &Call, access: &Access, chat: CreateChat) -> Result<Bytes, Fault> {
    let snapshot = &call.snapshot;
    let tenant = &snapshot
        .tenant(access.tenant)
        .ok_or(Fault::new(Code::BadApiKey))?
        .value;
    if is_blocked(call, access.tenant) {
        return Err(Code::Forbidden.into());
    }
    let endpoint = find_endpoint(call, access.tenant, chat.endpoint.as_deref())?;
    let nickname = chat.nickname.ok_or(Fault::new(Code::InvalidNickname))?;
    let place =
        routing::place(snapshot, access.tenant, &endpoint.queue).ok_or(Fault::new(Code::InvalidEndpoint))?;
    let language = language(call, endpoint, tenant);
    let idempotent = idempotency::key(call.headers(), widgets.options().idempotency_key)?;
    let entropy = Uuid::new_v4().into_bytes();
    let spread = match idempotent {
        // A repeat must meet the key of the first, and keys live with their partition.
        Some(key) => Spread::of(&[access.tenant.0.as_bytes(), key.as_bytes()]),
        None => Spread::of(&[&entropy]),
    };
    let token = ClientToken {
        session: LogId::session(call.now, random_bits(), spread),
        transport: TransportId(Uuid::new_v4()),
        participant: ParticipantId(Uuid::new_v4()),
    };
    let profile = Value::Object(chat.profile);
    let fingerprint = idempotency::fingerprint(&[
        profile.to_string().as_bytes(),
        nickname.as_bytes(),
        endpoint.name.as_bytes(),
        chat.stream.as_deref().unwrap_or_default().as_bytes(),
    ]);
    let Value::Object(profile) = profile else {
        return Err(Code::Internal.into());
    };
    let input = SessionInput::Open(Box::new(Open {
        tenant: access.tenant,
        media: Media::Chat,
        endpoint: endpoint.name.clone(),
        asynchronous: endpoint.stream == "async",
        stream: chat.stream,
        locale: Some(language.clone()),
        profile,
        nickname,
        participant: token.participant,
        transport: token.transport,
        place,
        welcome: welcome(call, access.tenant, tenant, endpoint, &language),
        terms: Terms {
            links: routing::links(snapshot, access.tenant, endpoint, Media::Chat, None),
            last_agent_ms: routing::last_agent_ms(snapshot, access.tenant, &endpoint.queue),
            ..terms(widgets, call, access.tenant, tenant, &language)
        },
    }));
    let token = match idempotent {
        None => {
            widgets
                .shards()
                .session(token.session, input)
                .await
                .map_err(refused)?;
            token
        }
        Some(key) => {
            let key = idempotency::scoped(b'c', access.tenant, &[], key);
            let cause = idempotency::cause(key, fingerprint, remember(&token));
            match widgets
                .shards()
                .session_keyed(token.session, input, cause)
                .await
                .map_err(refused)?
            {
                Keyed::Now(_) => token,
                Keyed::Before { log, answer, .. } => {
                    recall(log, &answer).ok_or(Fault::new(Code::Internal))?
                }
            }
        }
    };
    let text = widgets.tokens().sign(snapshot, call.now, &token);
    Ok(created(&call.ids(), token.session, &text))
}

/// What a repeat needs besides the session.
fn remember(token: &ClientToken) -> Bytes {
    let ids = [token.transport.0.into_bytes(), token.participant.0.into_bytes()];
    Bytes::copy_from_slice(ids.as_flattened())
}

fn recall(session: LogId, answer: &[u8]) -> Option<ClientToken> {
    let (transport, participant) = answer.split_at_checked(16)?;
    Some(ClientToken {
        session,
        transport: TransportId(Uuid::from_slice(transport).ok()?),
        participant: ParticipantId(Uuid::from_slice(participant).ok()?),
    })
}

/// Ten of the random bytes of two UUIDs.
fn random_bits() -> [u8; 10] {
    let (one, two) = (Uuid::new_v4().into_bytes(), Uuid::new_v4().into_bytes());
    let mut bits = [0; 10];
    bits[..5].copy_from_slice(&one[..5]);
    bits[5..].copy_from_slice(&two[..5]);
    bits
}

/// The endpoint that is named, else the one called `default`, else the first by name.
fn find_endpoint<'c>(call: &'c Call, tenant: TenantId, name: Option<&str>) -> Result<&'c Endpoint, Fault> {
    let usable =
        |endpoint: &Stored<Endpoint>| endpoint.value.enabled && endpoint.value.media_type == Media::Chat;
    let found = match name {
        Some(name) => call.snapshot.endpoint(tenant, name),
        None => call.snapshot.endpoint(tenant, "default").or_else(|| {
            let usable = call
                .snapshot
                .all::<Endpoint>(tenant)
                .filter(|endpoint| usable(endpoint));
            usable.min_by(|one, other| one.value.name.cmp(&other.value.name))
        }),
    };
    let endpoint = found.filter(|endpoint| usable(endpoint));
    endpoint
        .map(|endpoint| &endpoint.value)
        .ok_or(Fault::new(Code::InvalidEndpoint))
}

fn is_blocked(call: &Call, tenant: TenantId) -> bool {
    let address = call.address.to_canonical().to_string();
    let now = Timestamp::from_millisecond(i64::try_from(call.now.0).unwrap_or(i64::MAX)).unwrap_or_default();
    call.snapshot
        .named::<BlockedCustomer>(tenant, &address)
        .is_some_and(|blocked| blocked.value.holds(Media::Chat, now))
}

/// The browser's first language, else the endpoint's, else the tenant's.
fn language(call: &Call, endpoint: &Endpoint, tenant: &Tenant) -> String {
    let asked = call
        .headers()
        .get(ACCEPT_LANGUAGE)
        .and_then(|value| value.to_str().ok());
    let first = asked
        .and_then(|list| list.split([',', ';']).next())
        .map(str::trim);
    let is_tag = |tag: &&str| {
        (2..=35).contains(&tag.len())
            && tag
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let spoken = first.filter(is_tag).or(endpoint.language.as_deref());
    spoken.unwrap_or(&tenant.default_language).to_owned()
}

fn said(call: &Call, id: TenantId, tenant: &Tenant, name: &str, language: &str) -> Option<String> {
    let template = call.snapshot.named::<MessageTemplate>(id, name)?;
    template.value.render(language, &tenant.default_language, &[])
}

/// The first line of the service: a welcome, or outside the opening hours that nobody is here.
fn welcome(
    call: &Call,
    id: TenantId,
    tenant: &Tenant,
    endpoint: &Endpoint,
    language: &str,
) -> Option<String> {
    let queue = call.snapshot.queue(id, &endpoint.queue);
    let hours = endpoint
        .opening_hours
        .as_deref()
        .or_else(|| queue.and_then(|queue| queue.value.opening_hours.as_deref()))
        .and_then(|name| call.snapshot.named::<OpeningHours>(id, name));
    let now = Timestamp::from_millisecond(i64::try_from(call.now.0).unwrap_or(i64::MAX)).unwrap_or_default();
    let open = hours.is_none_or(|hours| hours.value.is_open(now, &tenant.time_zone));
    said(
        call,
        id,
        tenant,
        if open { "welcome" } else { "closed-hours" },
        language,
    )
}

fn terms(widgets: &Widgets, call: &Call, id: TenantId, tenant: &Tenant, language: &str) -> Terms {
    let options = widgets.options();
    Terms {
        idle_alert_ms: millis(options.idle.0),
        idle_close_ms: millis(options.idle.1),
        idle_text: said(call, id, tenant, "idle", language).unwrap_or_default(),
        closing_text: said(call, id, tenant, "closing", language).unwrap_or_default(),
        max_files: options.uploads,
        ..Terms::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeat_is_told_the_token_of_the_first() {
        let token = ClientToken {
            session: LogId::from_bytes([7; 16]),
            transport: TransportId(Uuid::from_u128(1)),
            participant: ParticipantId(Uuid::from_u128(2)),
        };
        assert_eq!(recall(token.session, &remember(&token)), Some(token));
        assert_eq!(recall(token.session, b"short"), None);
    }
}
