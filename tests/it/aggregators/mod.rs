//! Providers' dialects, judged by programs that others wrote.

mod mail;
mod sms;
