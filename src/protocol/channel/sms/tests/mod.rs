//! What all dialects of text messages must hold, each against the words of the contract.

mod answers;
mod forging;
mod given;
mod reading;
mod sending;
mod vectors;
