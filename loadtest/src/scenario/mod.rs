//! One file per story.

pub mod widgets;
pub mod workspace;
