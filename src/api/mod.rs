//! Path tables of the listeners, authentication, and the one mapping from error to status.

pub mod auth;
pub mod contacts;
pub mod dead_letters;
pub mod documents;
pub mod front;
pub mod health;
pub mod internal;
pub mod pages;
pub mod plugins;
pub mod provisioning;
pub mod public;
pub mod refusals;
pub mod route;
pub mod ux;
