//! From configured limits to those of a connection that takes them in more than one piece.

use std::rc::Rc;

use crate::config::{Config, Per, Rate};
use crate::ingress::workspace::WorkspaceSettings;
use crate::net::websocket::SocketLimits;
use crate::protocol::channel::sms::velocity::{Cap, Caps};

/// Of text messages that come in and that go out.
pub(super) fn texts(config: &Config) -> (Caps, Caps) {
    let texts = &config.limits.texts;
    let received = Caps {
        per_number: texts.received.map(cap),
        per_channel: None,
    };
    let sent = Caps {
        per_number: texts.sent.map(cap),
        per_channel: texts.channel.map(cap),
    };
    (received, sent)
}

/// A rate as a cap that holds its burst and drains evenly.
fn cap(rate: Rate) -> Cap {
    let millis = match rate.per {
        Per::Second => 1_000,
        Per::Minute => 60_000,
    };
    Cap {
        most: rate.burst,
        within: u64::from(rate.burst) * millis / u64::from(rate.events.max(1)),
    }
}

/// What one agent's socket and its HTTPS side are bound by.
pub(super) fn workspace(config: &Config) -> WorkspaceSettings {
    let limits = &config.limits;
    WorkspaceSettings {
        ticket_ttl: config.agent.ticket_ttl,
        resume_window: config.agent.resume_window,
        unauthenticated: limits.websocket.unauthenticated,
        reconnect_window: config.drain.window,
        allowed_origins: config.agent.allowed_origins.clone(),
        upload_limit: config.media.max_file.0,
        segments: limits.texts.segments,
        socket: Rc::new(SocketLimits::new(
            &limits.websocket,
            &config.agent,
            limits.rates.commands,
        )),
    }
}

/// What one stream of a campaign service is bound by.
pub(super) fn campaign(config: &Config) -> Rc<SocketLimits> {
    let limits = &config.limits;
    let ping = config.campaign.ping;
    Rc::new(SocketLimits {
        ping,
        // One acknowledgement a status, at the pace they are told.
        rate: Some(crate::runtime::Rate::per_second(1_000, 2_000)),
        // A consumer that answers no ping and none of the next is gone.
        dead: ping * 2,
        ..SocketLimits::new(&limits.websocket, &config.agent, limits.rates.commands)
    })
}
