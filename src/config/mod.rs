//! Typed settings: where they come from, what they may be, and how they must fit together.
//!
//! Layers, each over the one before: `config/default.toml` (compiled in; it is the documentation), a file, the
//! environment (`NEXUS__SECTION__KEY`), the command line (`--set section.key=value`). An unknown key is an
//! error; every mistake is reported at once, with where it was made. Each effective value keeps its origin.
//!
//! One file a section. A part of the service takes its own section and never [`Config`]. Secrets come from a
//! file named by a `*_file` key or from the environment, never from a settings file, and are never shown.
//!
//! What must never happen: a value outside its range reaching a section, or a secret in a message.

mod agent;
mod aggregators;
mod auth;
mod campaign;
mod chat;
mod choice;

mod cores;
mod drain;
mod duration;
mod effective;
mod host_range;
mod layers;
mod limits;
mod listen;
mod load;
mod media;
mod origin;
mod outbound;
mod postgres;
mod problem;
mod provisioning;
mod range;
mod rate;
mod reader;
mod relations;
mod routing;
mod scan;
mod secret;
mod server_url;
mod setting;
mod size;
mod store;
mod telemetry;
mod whole;

pub use agent::Agent;
pub use aggregators::Aggregators;
pub use auth::Auth;
pub use campaign::Campaign;
pub use chat::Chat;
pub use cores::Cores;
pub use drain::Drain;
pub use effective::Effective;
pub use host_range::HostRange;
pub use limits::{
    ConnectionLimits, HttpLimits, JsonLimits, Limits, QueueLimits, RateLimits, TextLimits, WebSocketLimits,
};
pub use listen::{AdminListener, InternalListener, Listen, PublicListener};
pub use load::{DEFAULT, Loaded, Sources, Surroundings, load};
pub use media::Media;
pub use origin::Origin;
pub use outbound::Outbound;
pub use postgres::Postgres;
pub use problem::{Problem, Problems};
pub use provisioning::Provisioning;
pub use range::IpRange;
pub use rate::{Per, Rate};
pub use routing::Routing;
pub use scan::{MediaScan, ScannerAddress};
pub use secret::Secret;
pub use server_url::ServerUrl;
pub use setting::{Auto, Setting};
pub use size::ByteSize;
pub use store::{Durability, Redis, Store, StoreMode};
pub use telemetry::{LogFormat, Telemetry};
pub use whole::Config;
