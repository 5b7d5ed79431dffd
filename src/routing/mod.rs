//! Which agent gets a waiting session.
//!
//! **Owns** the built-in router (longest idle, skills, capacity; [`crate::log::best_pair`] is its rule), what an agent's
//! provisioning means for it, routing by GWS through a seam ([`Gws`]), and what a waiting customer is told. **Leaves** to [`crate::session`] who holds what: a pair
//! suggested here is a hint until the desk has reserved and the agent has accepted.

mod builtin;
mod gws;
mod links;
mod needing;
mod positions;
mod profile;
mod target;

pub use builtin::{BuiltinRouter, sweep};
pub use gws::{Gws, GwsRouter, Submission, Submitted, watch_gws};
pub use links::links;
pub use needing::needing;
pub use positions::tell_positions;
pub use profile::{desk_profile, display_name, last_agent_ms, place, priority};
pub use target::{RouteTarget, route};
