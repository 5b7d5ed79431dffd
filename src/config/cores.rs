//! `[cores]`: threads.

use super::reader::section;
use super::setting::Auto;

section! {
    /// `[cores]`.
    pub struct Cores {
        /// How many threads serve. Auto: one for each processor the process may use.
        pub count: Auto<usize> = Auto::Auto,
        /// Whether each is bound to a processor.
        pub pin: bool = false,
    }
}
