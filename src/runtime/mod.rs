//! Cores, mailboxes, clock, drain, backoff, limits, readiness.
