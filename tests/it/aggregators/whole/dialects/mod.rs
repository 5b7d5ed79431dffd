//! The other providers, one after another at one node: a row each says how it calls, what it takes, and how it tells what became of it.

mod dialect;
mod faults;
mod mails;
mod run;
mod texts;
