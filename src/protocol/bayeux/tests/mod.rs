//! The machine against scripted servers: each fault by itself, then any answers in any order.

mod faults;
mod properties;
mod scripted;
