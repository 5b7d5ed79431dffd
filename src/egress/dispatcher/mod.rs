//! The effect dispatcher: which connection tells whom, when an attempt is made again, and when it is given up.

mod calls;
mod dispatch;
mod records;
mod schedule;
mod tries;

pub use calls::{Callee, Calls, DEADLINE, NotAnswered, headers};
pub use dispatch::{Connection, Dispatcher};
pub use records::{About, record, session, unread};
pub use schedule::{Schedule, WINDOW};
pub use tries::Tries;
