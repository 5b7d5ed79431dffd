//! `[drain]`: the graceful stop.

use std::time::Duration;

use super::reader::section;

section! {
    /// `[drain]`.
    pub struct Drain {
        /// Serving goes on for so long after readiness is withdrawn, until balancers have noticed.
        pub delay: Duration = Duration::from_secs(5),
        /// Sockets are told to reconnect spread over this time.
        pub window: Duration = Duration::from_secs(60),
        /// The whole stop takes no longer than this.
        pub deadline: Duration = Duration::from_secs(80),
    }
}
