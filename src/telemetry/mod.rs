//! Logs with redaction and metrics with one list of names.
