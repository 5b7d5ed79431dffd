//! Kills under load: nothing acknowledged lost, nothing doubled, order kept.

pub(crate) mod checker;
mod client;
pub(crate) mod history;
mod run;
