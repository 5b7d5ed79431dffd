//! Connection 6 in bytes: the batch a campaign service posts, the state of one, and the frames of its stream.
//!
//! **Owns** the wording and bounds of contract section 6, which is ours, and the fold of a batch's records into its state. **Leaves** the
//! log to [`crate::shard`], the sends to `egress`.
//!
//! **Must never happen**: a status that moves backwards; a batch taken for another with the same id.

mod batch;
mod frame;
mod request;

pub use batch::{Batch, Row};
pub use frame::{BadFrame, ServiceStatus, ack_of, record_status, status_name};
pub use request::{BATCH_MAX, BatchRequest, CampaignMessage, RECORDS_MAX, is_name};
