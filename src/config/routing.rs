//! `[routing]`: the built-in router.

use std::time::Duration;

use super::reader::section;

section! {
    /// `[routing]`.
    pub struct Routing {
        /// How long an agent has to answer an offer, unless the queue says otherwise.
        pub offer_timeout: Duration = Duration::from_secs(20),
        /// How long a returning customer waits for the agent they had; zero prefers nobody.
        pub last_agent: Duration = Duration::from_secs(30),
        /// How often waiting and ready are compared again, should an index be wrong.
        pub sweep: Duration = Duration::from_secs(60),
    }
}
