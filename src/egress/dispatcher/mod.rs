//! The effect dispatcher: which connection tells whom, when an attempt is made again, and when it is given up.

mod dispatch;
mod schedule;

pub use dispatch::{Connection, Dispatcher};
pub use schedule::Schedule;
