//! Bytes of a session at rest.

use anyhow::Result;

use super::allocations;
use super::chat::{Core, Keeps, REST};
use super::told;

/// Sessions, from some of which the slope is read: what is made once is made by then.
const SESSIONS: [u32; 2] = [200, 1_200];
/// What is said in each: as people do, no line like another, 80 bytes on average.
const WORDS: [&str; 10] = [
    "Hello, I have a question about my order from last week: it has not arrived yet.",
    "The number is 4711-0815. The page says shipped since Monday, but nothing came.",
    "Yes, the address is right, and our neighbours did not take anything in for us.",
    "No, I got no mail from the carrier. Should I have? I looked among the spam as well.",
    "That would be a pity, it is a birthday present for my daughter, and she is nine on Friday.",
    "Could you send another one by express? I would pay the difference if I have to.",
    "All right, thank you. How long does it usually take until they answer you?",
    "I can wait. Please write to me here, I keep this window open while I work.",
    "One more thing: the invoice shows two lamps, though I ordered only a single one.",
    "Great, then we have everything. Thanks a lot for the quick help, and a nice weekend!",
];
/// Bytes it was seen to take.
const RECORDED: u32 = 2_040;

/// Counts what one with ten messages in memory takes; whether it is within bounds.
pub fn of_a_session() -> Result<bool> {
    let core = Core::start(Keeps::File)?;
    let mut before = 0;
    for (from, to) in [(0, SESSIONS[0]), (SESSIONS[0], SESSIONS[1])] {
        for _ in from..to {
            let chat = core.chat()?;
            for words in WORDS {
                core.say(&chat, words)?;
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
