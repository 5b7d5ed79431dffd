//! The plug-in pages of Designer: masking rules, field codes, variables, prepared answers.
//!
//! One page and one program for the four; the address says which. `assets` names the files.

mod assets;

pub use assets::ASSETS;
