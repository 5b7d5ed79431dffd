//! Connections that leave the house, on a whole node: what a peer sends and what it gets.

mod campaign;
mod crash;
mod dead_letters;
mod guides;
mod history;
pub(crate) mod keeping;
mod kept;
mod messaging;
mod ownership;
mod past;
mod webhooks;

pub(crate) use webhooks::event;
