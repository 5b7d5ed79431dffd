//! Connection 3: agent desktops against a whole node, over real sockets.

mod commands;
pub(crate) mod desktop;
mod https;
mod node;
mod opening;
mod resume;
