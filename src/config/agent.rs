//! `[agent]`: the agent stream (connection 3).

use std::time::Duration;

use super::reader::section;

section! {
    /// `[agent]`.
    pub struct Agent {
        /// How long a ticket may be used.
        pub ticket_ttl: Duration = Duration::from_secs(30),
        /// How long after a cut a socket may resume.
        pub resume_window: Duration = Duration::from_secs(24 * 3_600),
        /// How often an idle socket is pinged, jittered.
        pub ping: Duration = Duration::from_secs(20),
        /// A socket that was silent for so long is closed.
        pub dead: Duration = Duration::from_secs(35),
        /// How long after an agent was lost its sessions are offered to others.
        pub grace: Duration = Duration::from_secs(60),
        /// A desk that no node heard from for so long is lost.
        pub desk_liveness: Duration = Duration::from_secs(45),
        /// A customer's page that no node heard from for so long is away.
        pub widget_liveness: Duration = Duration::from_secs(120),
        /// Origins a browser may connect from, exact (`https://desktop.example`); a page of our own is always let in.
        pub allowed_origins: Vec<String> = Vec::new(),
    }
}
