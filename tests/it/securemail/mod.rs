//! Secure e-mail, on a whole node: a portal writes and reads for its customers, agents answer.

mod journey;
pub(crate) mod portal;
mod refusals;
