//! A customer's page with a small chat widget: plain HTML, CSS and JavaScript that speak chat v3 by its contract alone.
//!
//! **Must never happen**: text of a participant as markup; a script or style that the page did not come with.

mod assets;

pub use assets::{ASSETS, settings};
