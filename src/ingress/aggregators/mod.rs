//! Connection 11, inwards: callbacks of SMS and e-mail aggregators (contract section 11), each answered as its provider expects
//! and only when everything it says is safe: in the log, or, where a provider hardly sends again, in this node's spool.

mod handler;
mod keeping;
mod spool;

pub use handler::{AggregatorSettings, Aggregators};
pub use spool::{Feeder, Spool};
