//! The pages in the binary, as files and as what their programs need to know.

pub mod plugins;
pub mod widget;
pub mod workspace;
