//! The four plug-in pages of Designer under `/admin/ux/`, and what stands behind them (contract section 4).
//!
//! **Owns** their session, a sealed short-lived cookie, and `/admin/ux/api/`, which hands the four collections of the pages
//! on to the provisioning API under the token in it, and previews. **Leaves** what may be written to provisioning.
//!
//! **Must never happen**: a request that another site caused and that changes something: the cookie is `SameSite=Strict`,
//! goes nowhere but here, and nothing is done without a header that no other site can send; a token that a script can read.

mod handler;
mod preview;
mod session;

pub use handler::Plugins;
