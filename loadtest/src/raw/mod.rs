//! Yardsticks: the engines under the server's stores, driven by clients that do nothing else.

pub mod redb;
pub mod redis;
mod resp;
