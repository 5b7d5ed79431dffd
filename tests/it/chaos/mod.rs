//! Kills under load: nothing acknowledged lost, nothing doubled, order kept.

pub mod checker;
pub mod history;
