//! Connection 11, inwards: callbacks of SMS and e-mail aggregators (contract section 11), each answered as its provider expects
//! and only when everything it says is safe.

mod handler;

pub use handler::{AggregatorSettings, Aggregators};
