//! What holds where an object of provisioning does not say.

use std::time::Duration;

/// The node's own settings, for what a tenant or a queue may settle for itself and has not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usual {
    /// How long an agent has to answer an offer.
    pub offer_timeout: Duration,
    /// How long a customer is remembered with the agent they had; zero prefers nobody.
    pub last_agent: Duration,
    /// How long a lost agent keeps their sessions.
    pub agent_grace: Duration,
}

impl Usual {
    /// As configured.
    #[must_use]
    pub const fn from_config(routing: &crate::config::Routing, agent: &crate::config::Agent) -> Self {
        Self {
            offer_timeout: routing.offer_timeout,
            last_agent: routing.last_agent,
            agent_grace: agent.grace,
        }
    }
}

impl Default for Usual {
    fn default() -> Self {
        Self::from_config(
            &crate::config::Routing::default(),
            &crate::config::Agent::default(),
        )
    }
}
