//! The bounds of one socket, with the defaults they have in the product.

use std::time::Duration;

use super::reader::MessageLimits;
use crate::config::{self, Agent, WebSocketLimits};
use crate::runtime::limit::Rate;

/// The bounds of one socket; shared by all sockets of a kind.
#[derive(Clone, Debug)]
pub struct SocketLimits {
    /// What the peer may send.
    pub messages: MessageLimits,
    /// How often data messages may come. Faster ones are not refused: reading pauses.
    pub rate: Option<Rate>,
    /// How often the server pings; the first ping comes at a random part of it.
    pub ping: Duration,
    /// A peer that sent nothing for so long is gone.
    pub dead: Duration,
    /// The time a peer may take for one write; beyond it the connection is closed with [`SocketLimits::slow`].
    pub stall: Duration,
    /// The close code of a peer that takes too long.
    pub slow: u16,
    /// Time for the closing handshake.
    pub close: Duration,
    /// Whether permessage-deflate is used if offered.
    pub deflate: bool,
}

impl SocketLimits {
    /// The bounds of the settings for the agent stream; `commands` bounds its data messages.
    pub fn new(limits: &WebSocketLimits, agent: &Agent, commands: config::Rate) -> Self {
        let control = limits.control_per_second;
        Self {
            messages: MessageLimits {
                frame: limits.frame.len(),
                message: limits.message.len(),
                fragments: u16::try_from(limits.fragments).unwrap_or(u16::MAX),
                control: Rate::per_second(control, control),
            },
            rate: Some(commands.into()),
            ping: agent.ping,
            dead: agent.dead,
            stall: limits.write,
            deflate: limits.deflate,
            ..Self::default()
        }
    }
}

impl Default for SocketLimits {
    fn default() -> Self {
        Self {
            messages: MessageLimits::default(),
            rate: None,
            ping: Duration::from_secs(20),
            dead: Duration::from_secs(35),
            stall: Duration::from_secs(30),
            slow: 4408,
            close: Duration::from_secs(5),
            deflate: false,
        }
    }
}
