//! How settings must fit together, each with the reason.

use std::net::SocketAddr;
use std::time::Duration;

use super::listen::PublicListener;
use super::load::Surroundings;
use super::problem::Problem;
use super::setting::{Auto, Setting};
use super::store::{Durability, StoreMode};
use super::whole::Config;

/// Files a node has open besides its connections: store, logs, upstream connections, media in flight.
const RESERVED_FILES: u64 = 256;

/// Every relation that does not hold.
pub(super) fn broken(config: &Config, surroundings: &Surroundings) -> Vec<Problem> {
    let mut broken = Vec::new();
    let mut must = |holds: bool, path: &str, why: String| {
        if !holds {
            broken.push(Problem::between(path, why));
        }
    };
    agent(config, &mut must);
    chat(config, &mut must);
    drain(config, &mut must);
    limits(config, surroundings, &mut must);
    listeners(config, &mut must);
    outbound(config, &mut must);
    campaign(config, &mut must);
    store(config, &mut must);
    broken
}

type Must<'a> = dyn FnMut(bool, &str, String) + 'a;

fn agent(config: &Config, must: &mut Must<'_>) {
    let agent = &config.agent;
    must(
        agent.ping < agent.dead,
        "agent.ping",
        format!(
            "must be below agent.dead ({}), or sockets are closed before they could answer a ping",
            agent.dead.show()
        ),
    );
    must(
        agent.dead < agent.desk_liveness,
        "agent.dead",
        format!(
            "must be below agent.desk_liveness ({}), or an agent is lost while the socket still counts",
            agent.desk_liveness.show()
        ),
    );
    must(
        (config.auth.jwks_file.is_none() && config.auth.jwks_url.is_none()) || config.auth.issuer.is_some(),
        "auth.issuer",
        "is needed with a key set: a key alone does not say who may issue".to_owned(),
    );
    must(
        config.auth.jwks_file.is_none() || config.auth.jwks_url.is_none(),
        "auth.jwks_url",
        "may not be given beside auth.jwks_file: which of them counts is for nobody to guess".to_owned(),
    );
    must(
        config.auth.jwks_url.as_deref().is_none_or(is_trustworthy),
        "auth.jwks_url",
        "must begin with https:// (http:// only on loopback): whoever can change the keys can make tokens"
            .to_owned(),
    );
    must(
        !config.auth.jwks_cooldown.is_zero() && config.auth.jwks_cooldown <= config.auth.jwks_refresh,
        "auth.jwks_cooldown",
        "must be above zero and at most auth.jwks_refresh".to_owned(),
    );
    must(
        !agent.ping.is_zero() && !agent.ticket_ttl.is_zero(),
        "agent",
        "ping and ticket_ttl must be above zero".to_owned(),
    );
}

/// Whether what is fetched there comes from whom it seems to.
fn is_trustworthy(url: &str) -> bool {
    let loopback = |host: &str| {
        let rest = url
            .strip_prefix("http://")
            .and_then(|rest| rest.strip_prefix(host));
        rest.is_some_and(|rest| rest.starts_with([':', '/']))
    };
    url.starts_with("https://") || ["127.0.0.1", "[::1]", "localhost"].into_iter().any(loopback)
}

fn chat(config: &Config, must: &mut Must<'_>) {
    let chat = &config.chat;
    must(
        chat.max_text <= config.limits.json.string.len(),
        "chat.max_text",
        format!(
            "must be at most limits.json.string ({}), or long messages are refused before they are measured",
            config.limits.json.string
        ),
    );
}

fn drain(config: &Config, must: &mut Must<'_>) {
    let drain = &config.drain;
    must(
        drain.delay + drain.window < drain.deadline,
        "drain.deadline",
        format!(
            "must be above drain.delay + drain.window ({}), or sockets are cut that were told they had time",
            (drain.delay + drain.window).show()
        ),
    );
}

fn limits(config: &Config, surroundings: &Surroundings, must: &mut Must<'_>) {
    let limits = &config.limits;
    must(
        limits.websocket.frame <= limits.websocket.message,
        "limits.websocket.frame",
        format!(
            "must be at most limits.websocket.message ({})",
            limits.websocket.message
        ),
    );
    must(
        limits.json.string <= limits.json.body,
        "limits.json.string",
        format!("must be at most limits.json.body ({})", limits.json.body),
    );
    must(
        limits.json.body.0 <= 256 * 1024,
        "limits.json.body",
        "must be at most 256KiB: one append to the log holds no more".to_owned(),
    );
    must(
        limits.http.request_line <= limits.http.header_bytes,
        "limits.http.request_line",
        format!(
            "must be at most limits.http.header_bytes ({})",
            limits.http.header_bytes
        ),
    );
    must(
        (1..=255).contains(&limits.http.idempotency_key),
        "limits.http.idempotency_key",
        "must be from 1 to 255".to_owned(),
    );
    if let (Auto::Fixed(total), Some(open_files)) = (limits.connections.total, surroundings.open_files) {
        let room = open_files.saturating_sub(RESERVED_FILES);
        must(
            u64::try_from(total).is_ok_and(|total| total <= room),
            "limits.connections.total",
            format!(
                "must be at most {room}: the process may have {open_files} files open and needs {RESERVED_FILES} \
                 for itself; raise the limit (`ulimit -n`, `LimitNOFILE=`)"
            ),
        );
    }
}

fn listeners(config: &Config, must: &mut Must<'_>) {
    let public = &config.listen.public;
    let certificates = [
        ("listen.public", &public.certificate_file, &public.key_file),
        (
            "listen.internal",
            &config.listen.internal.certificate_file,
            &config.listen.internal.key_file,
        ),
    ];
    for (section, certificate, key) in certificates {
        must(
            certificate.is_some() == key.is_some(),
            section,
            "certificate_file and key_file belong together".to_owned(),
        );
    }
    must(
        config.listen.internal.client_ca_file.is_none() || config.listen.internal.certificate_file.is_some(),
        "listen.internal.client_ca_file",
        "needs certificate_file and key_file: a peer shows its certificate only within TLS".to_owned(),
    );
    must(
        public.certificate_file.is_some() || public.address.ip().is_loopback(),
        "listen.public.certificate_file",
        "is needed: a generated certificate is for loopback only".to_owned(),
    );
    must(
        public.plain_address.is_none_or(|plain| plain.ip().is_loopback()) || !public.proxies.is_empty(),
        "listen.public.plain_address",
        "must be loopback, or listen.public.proxies must name the balancer that speaks TLS before it"
            .to_owned(),
    );
    if config.provisioning.development_tenant {
        for (path, address) in reachable(public, config.listen.internal.address) {
            must(
                address.ip().is_loopback(),
                path,
                "must be loopback while provisioning.development_tenant is on: its credentials are public"
                    .to_owned(),
            );
        }
    }
}

fn reachable(public: &PublicListener, internal: SocketAddr) -> Vec<(&'static str, SocketAddr)> {
    let mut addresses = vec![
        ("listen.public.address", public.address),
        ("listen.internal.address", internal),
    ];
    addresses.extend(
        public
            .plain_address
            .map(|plain| ("listen.public.plain_address", plain)),
    );
    addresses
}

fn campaign(config: &Config, must: &mut Must<'_>) {
    let campaign = &config.campaign;
    must(
        campaign.buffer > 0,
        "campaign.buffer",
        "must be above zero: else no batch is ever taken".to_owned(),
    );
    must(
        campaign.ping >= Duration::from_secs(1),
        "campaign.ping",
        "must be at least 1s".to_owned(),
    );
}

fn outbound(config: &Config, must: &mut Must<'_>) {
    let outbound = &config.outbound;
    must(
        !outbound.deadline.is_zero() && outbound.deadline <= Duration::from_secs(120),
        "outbound.deadline",
        "must be above zero and at most 2m: no peer may hold a call longer".to_owned(),
    );
    must(
        !outbound.connect_timeout.is_zero() && outbound.connect_timeout <= outbound.deadline,
        "outbound.connect_timeout",
        format!(
            "must be above zero and at most outbound.deadline ({})",
            outbound.deadline.show()
        ),
    );
    must(
        config.limits.texts.segments > 0,
        "limits.texts.segments",
        "must be above zero: else no text is ever sent".to_owned(),
    );
    must(
        config.media.address_ttl >= Duration::from_secs(3_600),
        "media.address_ttl",
        "must be at least 1h: a provider and a customer need a while to fetch what was sent last".to_owned(),
    );
    must(
        config.media.address_ttl <= Duration::from_secs(7 * 24 * 3_600),
        "media.address_ttl",
        "must be at most 7d: with the 6d in which a message is tried and replayed that is as long as the key that signs is kept"
            .to_owned(),
    );
    must(
        outbound.client_cert_file.is_some() == outbound.client_key_file.is_some(),
        "outbound",
        "client_cert_file and client_key_file belong together".to_owned(),
    );
    must(
        outbound.connections > 0,
        "outbound.connections",
        "must be above zero".to_owned(),
    );
}

fn store(config: &Config, must: &mut Must<'_>) {
    let store = &config.store;
    must(
        store.partitions.is_power_of_two() && store.partitions <= 4_096,
        "store.partitions",
        "must be a power of two from 1 to 4096: a log's partition is the last bits of its id".to_owned(),
    );
    must(
        store.mode != StoreMode::Redis || !store.redis.urls.is_empty(),
        "store.redis.urls",
        "is needed while store.mode is \"redis\"".to_owned(),
    );
    must(
        store.mode != StoreMode::Memory || store.durability == Durability::None,
        "store.durability",
        "must be \"none\" while store.mode is \"memory\": say so by name".to_owned(),
    );
    const SCHEMES: [&str; 4] = ["redis", "rediss", "redis-cluster", "rediss-cluster"];
    must(
        store.redis.urls.iter().all(|url| SCHEMES.contains(&url.scheme())),
        "store.redis.urls",
        format!("must begin with one of {}", SCHEMES.join("://, ") + "://"),
    );
    let postgres = config.postgres.url.as_ref();
    must(
        postgres.is_none_or(|url| ["postgres", "postgresql"].contains(&url.scheme())),
        "postgres.url",
        "must begin with postgres://".to_owned(),
    );
    must(
        store.mode != StoreMode::Redis || postgres.is_some() || config.provisioning.development_tenant,
        "postgres.url",
        "is needed while store.mode is \"redis\": nodes that share sessions must share tenants".to_owned(),
    );
    must(
        config.provisioning.master_key_file.is_none() || !config.provisioning.master_key.is_set(),
        "provisioning.master_key",
        "is given twice, by itself and as master_key_file".to_owned(),
    );
    must(
        postgres.is_none()
            || config.provisioning.master_key_file.is_some()
            || config.provisioning.master_key.is_set()
            || config.provisioning.development_tenant,
        "provisioning.master_key_file",
        "is needed with postgres.url: a key made by one node cannot open what another sealed".to_owned(),
    );
}
