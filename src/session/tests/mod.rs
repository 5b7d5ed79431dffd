//! What sessions and desks promise, told in a world whose time and messages the test holds.

mod conversation;
mod interleavings;
mod matching;
mod offers;
mod outside;
mod supervision;
mod time;
mod totality;
mod world;
