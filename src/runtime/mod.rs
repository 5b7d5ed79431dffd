//! What the process runs on: cores, mailboxes between them, clock, limits, readiness and drain.
//!
//! Generic on purpose: nothing here knows a session, a tenant or a protocol. The parts are small and do not
//! know each other; the composition root ties them together. What must never happen here: an unbounded
//! queue, a wait without an end, or a clock or random number read where an argument would do.

pub mod backoff;
pub mod bell;
pub mod clock;
pub mod cores;
pub mod drain;
pub mod limit;
pub mod mailbox;
pub mod ready;

pub use backoff::Backoff;
pub use bell::Bell;
pub use clock::{Clock, TestClock};
pub use cores::{CoreFailure, CoreId, Cores};
pub use drain::{Drain, DrainPlan, DrainReport, DrainToken, Phase, Retain};
pub use limit::{Bucket, KeyedLimit, Permit, Permits, Rate};
pub use mailbox::{Mailbox, Mailroom};
pub use ready::{Latch, Readiness};
