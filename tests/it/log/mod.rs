//! The session log: one suite of behaviours, run over every store.

// The lints' exception for tests does not reach the functions that tests call.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::cast_possible_truncation)]

#[macro_use]
mod suite;

mod crash;
mod embedded;
mod memory;
mod redis;
