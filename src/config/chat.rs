//! `[chat]`: the chat API (connection 2).

use std::time::Duration;

use super::reader::section;

section! {
    /// `[chat]`.
    pub struct Chat {
        /// A live chat in which nobody wrote for so long is told so.
        pub idle_alert: Duration = Duration::from_secs(255),
        /// So long after the alert it is closed.
        pub idle_close: Duration = Duration::from_secs(45),
        /// Characters of one message.
        pub max_text: usize = 16_384,
        /// Members of a session's user data.
        pub user_data_keys: usize = 100,
        /// How long a closed chat still answers a widget that heard of the end.
        pub close_linger: Duration = Duration::from_secs(10),
        /// The same for one that has not.
        pub close_linger_unheard: Duration = Duration::from_secs(60),
        /// Origins a browser may call from; empty lets every origin (the API key decides).
        pub allowed_origins: Vec<String> = Vec::new(),
    }
}
