//! What is said to GWS and its authentication service, and what they say: requests, answers and events (contract 1.5, 3 and 7).
//!
//! **Owns** paths, bodies and the reading of answers; nothing of it is secret but what is wrapped as such. **Leaves** sockets,
//! cookies and deadlines to `egress`, and how events arrive to [`super::bayeux`].
//!
//! **Must never happen**: a token or a client secret in text that may be logged; an answer believed beyond what was asked for;
//! an event that is not understood taken for one that is.

mod answer;
mod event;
mod objects;
mod operation;
mod session;
mod token;

pub use answer::{Outcome, outcome};
pub use event::{Event, InitializationState, Interaction, event};
pub use objects::{Group, ObjectKind, ObjectPage, Objects, Person, QueueObject, object_page};
pub use operation::{Action, Operation, Request};
pub use session::{
    ACTIVATE, CURRENT_SESSION, INITIALIZE, LOGOUT, NOTIFICATIONS, SESSION_COOKIE, activate_channels, channels,
};
pub use token::{TOKEN_PATH, Token, TokenError, TokenRequest, token};
