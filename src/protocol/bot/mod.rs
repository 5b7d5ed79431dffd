//! Third-party bots in one shape: what a customer said and what a bot makes of it. Each provider's dialect is one file.
//!
//! **Owns** the normalised [`Turn`] and [`BotAnswer`], the [`BotDialect`] seam, the dialects behind it and how they prove who
//! calls (a signed body, a service account, Signature Version 4). **Leaves** sockets, deadlines, cached tokens and the loop
//! guard to `egress`, what an answer changes to `session`, and secrets to `provisioning`: an account is handed in.
//!
//! **Must never happen**: a bot called without proof of who calls where its dialect has one; an answer that is half
//! believed; a decoder that panics or keeps more than a small multiple of its input; a secret in a text for people.

mod answer;
mod choices;
mod dialect;
mod dialogflow_cx;
mod dialogflow_es;
mod google;
mod lex;
mod payload;
mod settings;
mod sigv4;
mod turn;
mod webhook;

pub use answer::{BotAnswer, BotFault, Handover};
pub use choices::{CHOICES, chosen, spelled_out};
pub use dialect::{AccessToken, BotDialect, Grant, dialect};
pub use sigv4::{SigV4, Signed};
pub use turn::{Line, Said, Turn, Voice};
