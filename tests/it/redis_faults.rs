//! What Redis, the network and an operator can do to the session log, and what may come of it: never a false answer.

// The lints' exception for tests does not reach the functions that tests call.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::cast_possible_truncation)]

mod given;
mod outages;
mod races;
mod rollback;
mod slots;
mod tampering;
mod watching;
mod whole;
