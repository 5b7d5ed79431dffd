//! Providers' dialects, judged by programs that others wrote, and each way through a whole node.

mod mail;
mod sms;
pub(crate) mod whole;
