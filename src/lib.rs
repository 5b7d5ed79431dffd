//! Nexus: the Digital Channels service of a contact centre.
//!
//! # The map, bottom to top
//!
//! A module imports only from layers below it; `tests/tidy.rs` holds the same table as data.
//!
//! | layer | module | owns |
//! |---|---|---|
//! | L0 | [`model`] | ids, records, effects: plain data, no I/O, no clock |
//! | L1 | [`config`] | typed sections, every mistake reported at once |
//! | L2 | [`telemetry`], [`runtime`] | logs, metrics; cores, drain, limits, clock |
//! | L3 | [`protocol`], [`session`], [`postgres`] | bytes to model and back; the pure machines; sessions with the database |
//! | L4 | [`net`], [`log`], [`provisioning`] | sockets; the session log and its stores; tenants and keys |
//! | L5 | [`shard`] | the per-core table of replicas |
//! | L6 | [`routing`] | which agent |
//! | L7 | [`ingress`], [`egress`] | one file or folder a connection |
//! | L8 | [`api`] | path tables, authentication, the one mapping from error to status |
//! | L9 | [`app`] | the composition root, the only module that knows every other |

pub mod api;
pub mod app;
pub mod config;
pub mod egress;
pub mod ingress;
pub mod log;
pub mod model;
pub mod net;
pub mod postgres;
pub mod protocol;
pub mod provisioning;
pub mod routing;
pub mod runtime;
pub mod session;
pub mod shard;
pub mod telemetry;
