//! One file per story.

pub mod widgets;
