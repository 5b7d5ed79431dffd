//! The provisioning API under `/nexus/v3/`: what an administrator reads and writes over HTTP.
//!
//! [`Target::of`] says whether a path is one of ours, [`answer`] does it. Both know nothing of servers or sockets:
//! method, path segments, query and body in, status and data out. What must never happen: an object of another tenant
//! told apart from one that does not exist, or a secret in an answer (but for a key just made, once).

mod answer;
mod body;
mod handler;
mod query;
mod refuse;
mod target;

pub use answer::{Reply, Request, answer};
pub use handler::ProvisioningApi;
pub use target::Target;
