//! Connections 1 and 11, outwards: what is said in a session leaves by its channel, and files a customer sent are fetched.
//!
//! **Owns** the rendering of a record into the normalised message, the judgement of the provider's answer and its record in the
//! session. **Must never happen**: a second send of a message whose acceptance is recorded; a send to somebody who opted out.

mod choices;
mod connection;
mod fetch;
mod gate;
mod mailbox;
mod render;
mod rich;
mod send;
mod transmit;

pub use connection::{ChannelSettings, Channels};
pub use transmit::{Sent, Way, refer};
