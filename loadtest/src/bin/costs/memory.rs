//! Bytes of a session at rest.

use anyhow::Result;

use super::allocations;
use super::chat::{Core, Keeps, REST};
use super::told;

/// Sessions, from some of which the slope is read: what is made once is made by then.
const SESSIONS: [u32; 2] = [200, 1_200];
/// Messages in each.
const MESSAGES: u32 = 10;
const WORDS: &str = "Hello, I have a question about my order from last week: it has not arrived yet.";
/// Bytes it was seen to take.
const RECORDED: u32 = 2_350;

/// Counts what one with ten messages in memory takes; whether it is within bounds.
pub fn of_a_session() -> Result<bool> {
    let core = Core::start(Keeps::File)?;
    let mut before = 0;
    for (from, to) in [(0, SESSIONS[0]), (SESSIONS[0], SESSIONS[1])] {
        for _ in from..to {
            let chat = core.chat()?;
            for _ in 0..MESSAGES {
                core.say(&chat, WORDS)?;
            }
        }
        core.idle(5 * REST);
        if from == 0 {
            before = allocations::in_use();
        }
    }
    let grown = allocations::in_use() - before;
    let each = grown as f64 / f64::from(SESSIONS[1] - SESSIONS[0]);
    Ok(told("session/at-rest/10-messages", "bytes", each, RECORDED))
}
