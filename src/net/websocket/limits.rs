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
    /// The time a peer may take for one write, and up to a quarter more; beyond it the connection is closed with
    /// [`SocketLimits::slow`].
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

impl SocketLimits {
    /// The time that a peer has for a write, whose next ping is `until_ping` away: where it stands in its round of pings is as good as
    /// chance. Thousands of sockets that stop reading at once are not closed at once, which would keep all others waiting.
    pub(super) fn patience(&self, until_ping: Duration) -> Duration {
        let part = until_ping.as_secs_f64() / self.ping.as_secs_f64();
        self.stall + self.stall.mul_f64(part.min(1.0) / 4.0)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_who_stall_at_once_are_given_up_one_after_another() {
        let limits = SocketLimits::default();
        let patience = |part: u32| limits.patience(limits.ping * part / 4).as_secs_f64();
        let of_each: Vec<f64> = (0..=5).map(patience).collect();
        assert_eq!(of_each, [30.0, 31.875, 33.75, 35.625, 37.5, 37.5]);
        let never_pinged = SocketLimits {
            ping: Duration::ZERO,
            ..limits
        };
        let patience = never_pinged.patience(Duration::ZERO);
        assert!(patience >= never_pinged.stall && patience <= never_pinged.stall * 5 / 4);
    }
}
