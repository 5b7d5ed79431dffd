//! `[routing]`: the built-in router, and when it stands in for GWS.

use std::time::Duration;

use super::reader::section;

section! {
    /// `[routing]`.
    pub struct Routing {
        /// How long an agent has to answer an offer, unless the queue says otherwise.
        pub offer_timeout: Duration = Duration::from_secs(20),
        /// How long a customer is remembered with the agent they had, unless the queue says otherwise; zero prefers nobody.
        pub last_agent: Duration = Duration::from_secs(24 * 3_600),
        /// How often waiting and ready are compared again, should a node have died between the two.
        pub sweep: Duration = Duration::from_secs(5),
        /// How long GWS may be away before the built-in router takes over its tenants.
        pub gws_patience: Duration = Duration::from_secs(30),
    }
}
