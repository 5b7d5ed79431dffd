//! From configured limits to those of a connection that takes them in more than one piece.

use std::rc::Rc;

use crate::config::Config;
use crate::ingress::workspace::WorkspaceSettings;
use crate::net::websocket::SocketLimits;

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
