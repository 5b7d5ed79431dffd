//! The agent desktop at `/ux/workspace/`.
//!
//! `client.js` is the reference client of the agent stream and knows no page; `model.js` is what the desktop knows; the others
//! show it. Text of people is only ever set as text.

mod assets;

pub use assets::ASSETS;
