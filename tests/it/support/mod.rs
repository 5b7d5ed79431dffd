//! Starts the real parts the tests need, on private ports and sockets.
//!
//! A part that is not installed fails the test that asked for it, with the command that installs it.

#![allow(dead_code, reason = "each area uses its own share of what the parts offer")]

pub(crate) mod chat;
pub(crate) mod chromium;
pub(crate) mod clamd;
pub(crate) mod contacts;
pub(crate) mod customer;
pub(crate) mod dice;
pub(crate) mod http;
pub(crate) mod node;
pub(crate) mod pair;
pub(crate) mod part;
pub(crate) mod postgres;
pub(crate) mod process;
pub(crate) mod provisioned;
pub(crate) mod python;
pub(crate) mod receiver;
pub(crate) mod redis;
pub(crate) mod services;
pub(crate) mod whole;
