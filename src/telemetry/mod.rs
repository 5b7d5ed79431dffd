//! Logs with redaction, and metrics with one list of names.
//!
//! Owns the form of a log line ([`logs`]), the words that stand for personal data in it ([`redact`]), every
//! metric name ([`names`]) and where their numbers are kept ([`Metrics`], [`CoreTally`], [`ApiMetrics`]). Who logs or
//! counts what is for others to say.
//!
//! What must never happen: a message's text, a secret, a phone number or an address in a line; one event on
//! two lines; a caller that waits for the reader of the log; a label whose values a peer can invent.

pub mod logs;
pub mod names;
pub mod redact;

mod api_metrics;
mod lag;
mod lines;
mod process;
mod recorder;
mod tally;
mod tenant_labels;

pub use api_metrics::ApiMetrics;
pub use lag::{Lag, watch_lag};
pub use logs::{LogError, Logs};
pub use recorder::{Metrics, MetricsError};
pub use redact::{Pseudonyms, Redacted};
pub use tally::{CoreTally, Count};
pub use tenant_labels::TenantLabels;
