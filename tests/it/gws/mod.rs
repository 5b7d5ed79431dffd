//! Connection 7 against real Bayeux servers, a strict GWS of our own in Node, and every fault one by one.

mod faults;
mod node;
mod peer;
mod real_servers;
mod rest;
mod routing;
