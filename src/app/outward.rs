//! The way out of one core: its client, and every connection that tells somebody outside.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use anyhow::{Context as _, Result};

use crate::config::Config;
use crate::egress::campaign::Campaign;
use crate::egress::channels::{ChannelSettings, Channels};
use crate::egress::dispatcher::{Calls, Connection, Tries};
use crate::egress::history::{History, OwnHistory};
use crate::egress::webhooks::{WebhookSettings, Webhooks};
use crate::egress::{Bots, Dispatcher};
use crate::log::media::SharedMedia;
use crate::net::client::{Client, ClientOptions, SystemResolver, Trust};
use crate::shard::Campaigns;

use super::limits;
use super::serving::Parts;

/// Names looked up at once on one core.
const LOOKUPS: usize = 16;

/// What every core's client is made of. Reads the disk.
pub(super) fn options(config: &Config) -> Result<ClientOptions> {
    let trust = Trust::load(&config.outbound).context("[outbound]")?;
    Ok(ClientOptions::new(&config.outbound, trust, own(config)))
}

/// Where this node listens: no customer's URL leads there.
fn own(config: &Config) -> Vec<SocketAddr> {
    let listen = &config.listen;
    let mut own = vec![
        listen.public.address,
        listen.internal.address,
        listen.admin.address,
    ];
    own.extend(listen.public.plain_address);
    own
}

/// The base of our addresses as others know them, without a slash at its end.
pub(super) fn base(config: &Config) -> String {
    let public = &config.listen.public;
    match &public.url {
        Some(url) => url.trim_end_matches('/').to_owned(),
        None => format!("https://{}", public.address),
    }
}

/// A core's client.
pub(super) fn client(parts: &Parts) -> Client {
    Client::new(parts.outbound.clone(), SystemResolver::new(LOOKUPS))
}

/// A core's way out for what is told of effects.
pub(super) fn calls(parts: &Parts, client: Client) -> Calls {
    Calls::new(client, parts.clock.clone())
}

/// Connection 12 of a core.
pub(super) fn webhooks(parts: &Parts, calls: &Calls) -> Rc<Webhooks> {
    let settings = WebhookSettings {
        base: base(&parts.config),
    };
    let directory = Arc::clone(&parts.directory);
    Rc::new(Webhooks::new(
        calls.clone(),
        parts.snapshots.clone(),
        directory,
        settings,
    ))
}

/// Everybody who is told of effects.
pub(super) fn dispatcher(
    parts: &Parts,
    calls: &Calls,
    media: &SharedMedia,
    campaigns: &Rc<Campaigns>,
    webhooks: Rc<Webhooks>,
    (history, own): (&Rc<History>, &Rc<OwnHistory>),
) -> Dispatcher {
    let config = &parts.config;
    let channels = ChannelSettings {
        base: base(config),
        address_ttl: config.media.address_ttl,
        max_file: config.media.max_file.len(),
        segments: config.limits.texts.segments,
        texts: limits::texts(config).1,
    };
    Dispatcher {
        tries: Tries::default(),
        bots: Some(Rc::new(Bots::new(calls.clone(), parts.snapshots.clone()))),
        channels: Some(Rc::new(Channels::new(
            calls.clone(),
            parts.snapshots.clone(),
            Rc::clone(media),
            channels,
        ))),
        webhooks: Some(webhooks),
        history: Some(Rc::clone(history) as Rc<dyn Connection>),
        archive: Some(Rc::clone(own) as Rc<dyn Connection>),
        campaigns: Some(Rc::new(Campaign::new(
            Rc::clone(campaigns),
            // Bulkheads of their own: what is slow for a campaign holds no session's place.
            self::calls(parts, client(parts)),
            parts.snapshots.clone(),
            base(config),
        ))),
    }
}
