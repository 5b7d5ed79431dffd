//! The per-core table of log replicas.
