//! Connection 3: agent desktops against a whole node, over real sockets.

pub(crate) mod commands;
pub(crate) mod desktop;
mod https;
pub(crate) mod node;
mod opening;
mod resume;
mod resume_nodes;
