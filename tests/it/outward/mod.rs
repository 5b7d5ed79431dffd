//! Connections that leave the house, on a whole node: what a peer sends and what it gets.

mod messaging;
mod webhooks;
