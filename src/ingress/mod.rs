//! What peers ask of us, one file or folder a connection.
//!
//! A handler takes an authenticated, bounded request and answers in its dialect; it asks [`crate::shard`] and tells its
//! caller only what is safe. Handlers do not know each other.

pub mod aggregators;
pub mod answer;
pub mod campaign;
pub mod channel;
pub mod codes;
pub mod designer;
pub mod fields;
pub mod files;
pub mod media;
pub mod messaging;
pub mod outcome;
pub mod securemail;
pub mod tenant;
pub mod widgets;
pub mod workspace;
