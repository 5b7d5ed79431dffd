//! The session log: one trait, three stores.
