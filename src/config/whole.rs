//! The whole configuration, for the composition root, which hands each part its section.

use super::agent::Agent;
use super::aggregators::Aggregators;
use super::auth::Auth;
use super::campaign::Campaign;
use super::chat::Chat;
use super::cores::Cores;
use super::drain::Drain;
use super::limits::Limits;
use super::listen::Listen;
use super::media::Media;
use super::outbound::Outbound;
use super::postgres::Postgres;
use super::provisioning::Provisioning;
use super::reader::{Reader, Section};
use super::routing::Routing;
use super::scan::MediaScan;
use super::store::Store;
use super::telemetry::Telemetry;

/// Every section.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Config {
    /// Addresses and certificates.
    pub listen: Listen,
    /// Bounds on what peers may do.
    pub limits: Limits,
    /// The session log.
    pub store: Store,
    /// The database of provisioning.
    pub postgres: Postgres,
    /// Keys and tenants.
    pub provisioning: Provisioning,
    /// Tokens of the auth service.
    pub auth: Auth,
    /// The agent stream.
    pub agent: Agent,
    /// The chat API.
    pub chat: Chat,
    /// Outbound campaigns.
    pub campaign: Campaign,
    /// Which agent.
    pub routing: Routing,
    /// Files and pictures.
    pub media: Media,
    /// Who looks at them.
    pub media_scan: MediaScan,
    /// Callbacks of SMS and e-mail providers.
    pub aggregators: Aggregators,
    /// Requests the service makes itself.
    pub outbound: Outbound,
    /// The graceful stop.
    pub drain: Drain,
    /// Logs and metrics.
    pub telemetry: Telemetry,
    /// Threads.
    pub cores: Cores,
}

impl Config {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            listen: Listen::read("listen", reader),
            limits: Limits::read("limits", reader),
            store: Store::read("store", reader),
            postgres: Postgres::read("postgres", reader),
            provisioning: Provisioning::read("provisioning", reader),
            auth: Auth::read("auth", reader),
            agent: Agent::read("agent", reader),
            chat: Chat::read("chat", reader),
            campaign: Campaign::read("campaign", reader),
            routing: Routing::read("routing", reader),
            media: Media::read("media", reader),
            media_scan: MediaScan::read("media.scan", reader),
            aggregators: Aggregators::read("aggregators", reader),
            outbound: Outbound::read("outbound", reader),
            drain: Drain::read("drain", reader),
            telemetry: Telemetry::read("telemetry", reader),
            cores: Cores::read("cores", reader),
        }
    }
}
