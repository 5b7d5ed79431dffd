//! What an uploaded file is, judged by its bytes while they pass.
//!
//! **Owns** the table of types that are taken, the marks by which each is known, and a file's safe name. The type and the
//! name that a sender claims decide nothing.
//!
//! **Must never happen**: a file taken that a browser could run, HTML and SVG above all, or that is two types at once; a
//! picture whose header asks a viewer for gigabytes.

mod inspector;
mod kind;
mod name;
mod size;

pub use inspector::{Inspector, Refused};
pub use kind::FileKind;
pub use name::safe_name;
