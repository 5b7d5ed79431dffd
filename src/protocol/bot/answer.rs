//! What a bot says, whatever its dialect, and how much of it counts.

use serde_json::{Map, Value};

/// Messages of one answer.
const TEXTS: usize = 10;
/// Characters of one message.
const TEXT: usize = 8_000;
/// Choices of one answer.
const CHOICES: usize = 20;
/// Characters of a choice, as it is read and as the bot knows it.
const CHOICE: usize = 500;
/// Members of data to attach.
const DATA: usize = 100;
/// Characters of the name of a queue or a skill, as provisioning takes them.
const NAME: usize = 128;
/// Skills asked for.
const SKILLS: usize = 20;
/// Characters of the reason an agent reads.
const REASON: usize = 500;

/// What follows from a turn.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BotAnswer {
    /// What the customer reads, in order.
    pub texts: Vec<String>,
    /// Choices offered with the last text: (label, payload).
    pub quick_replies: Vec<(String, String)>,
    /// What is attached to the session.
    pub user_data: Map<String, Value>,
    /// The customer is to have a person.
    pub handover: Option<Handover>,
    /// The conversation is over. A hand-over is stronger.
    pub end: bool,
}

/// Where a bot sends a customer who is to have a person.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Handover {
    /// The queue; `None`: that of the endpoint.
    pub queue: Option<String>,
    /// What the agent must be able to do.
    pub skills: Vec<String>,
    /// What the agent reads about why.
    pub reason: Option<String>,
}

impl BotAnswer {
    /// The answer as it may be carried out: blank lines and control characters gone, a hand-over stronger than an end.
    ///
    /// # Errors
    /// [`BotFault::Unreadable`] for more than an answer may hold: nothing of it counts then.
    pub(super) fn settled(mut self) -> Result<Self, BotFault> {
        self.texts = self.texts.iter().map(|text| printable(text)).collect();
        self.texts.retain(|text| !text.is_empty());
        at_most(self.texts.len(), TEXTS)?;
        for text in &self.texts {
            at_most(text.chars().count(), TEXT)?;
        }
        self.quick_replies = self
            .quick_replies
            .iter()
            .map(|(label, payload)| (printable(label), printable(payload)))
            .filter(|(label, payload)| !label.is_empty() && !payload.is_empty())
            .collect();
        at_most(self.quick_replies.len(), CHOICES)?;
        for (label, payload) in &self.quick_replies {
            at_most(label.chars().count().max(payload.chars().count()), CHOICE)?;
        }
        at_most(self.user_data.len(), DATA)?;
        if let Some(handover) = &mut self.handover {
            self.end = false;
            handover.queue = handover.queue.take().filter(|queue| !queue.trim().is_empty());
            handover.reason = handover.reason.take().map(|reason| {
                let reason = printable(&reason);
                reason.chars().take(REASON).collect()
            });
            at_most(handover.skills.len(), SKILLS)?;
            for name in handover.skills.iter().chain(&handover.queue) {
                at_most(name.chars().count(), NAME)?;
            }
        }
        Ok(self)
    }
}

/// A text without what no customer can read; line breaks and tabs stay.
fn printable(text: &str) -> String {
    let seen: String = text
        .chars()
        .filter(|c| !c.is_control() || matches!(c, '\n' | '\t'))
        .collect();
    seen.trim().to_owned()
}

fn at_most(count: usize, most: usize) -> Result<(), BotFault> {
    if count <= most {
        Ok(())
    } else {
        Err(BotFault::Unreadable("more than an answer may hold"))
    }
}

/// Why there is no answer. The bot is treated as dead, whichever it is; agents are told which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BotFault {
    /// Not now: 408, 429 or 5xx.
    #[error("unavailable (status {0})")]
    Unavailable(u16),
    /// It does not know us or what we ask; somebody must look.
    #[error("refused (status {0})")]
    Refused(u16),
    /// Not what its contract says.
    #[error("unreadable: {0}")]
    Unreadable(&'static str),
}

impl BotFault {
    /// Whether a status is an answer at all.
    ///
    /// # Errors
    /// The fault that it stands for.
    pub(super) const fn of_status(status: u16) -> Result<(), Self> {
        match status {
            200..=299 => Ok(()),
            408 | 425 | 429 | 500.. => Err(Self::Unavailable(status)),
            _ => Err(Self::Refused(status)),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may end at the first surprise")]
mod tests {
    use super::*;

    #[test]
    fn a_handover_is_stronger_than_an_end_and_blank_lines_are_not_said() {
        let answer = BotAnswer {
            texts: vec![" \u{0}".to_owned(), "One\r\nmoment\u{7}".to_owned()],
            quick_replies: vec![
                ("Yes".to_owned(), "yes".to_owned()),
                (" ".to_owned(), "no".to_owned()),
            ],
            handover: Some(Handover {
                queue: Some(" ".to_owned()),
                ..Handover::default()
            }),
            end: true,
            ..BotAnswer::default()
        };
        let settled = answer.settled().unwrap();
        assert_eq!(settled.texts, ["One\nmoment"]);
        assert_eq!(settled.quick_replies, [("Yes".to_owned(), "yes".to_owned())]);
        assert_eq!(
            (settled.handover, settled.end),
            (Some(Handover::default()), false)
        );
    }

    #[test]
    fn an_answer_with_more_than_it_may_hold_counts_for_nothing() {
        let of = |texts: Vec<String>| {
            BotAnswer {
                texts,
                ..BotAnswer::default()
            }
            .settled()
        };
        assert!(of(vec!["a".repeat(TEXT); TEXTS]).is_ok());
        assert!(of(vec!["a".repeat(TEXT + 1)]).is_err());
        assert!(of(vec!["a".to_owned(); TEXTS + 1]).is_err());
    }

    #[test]
    fn a_status_says_whose_fault_it_is() {
        assert_eq!(BotFault::of_status(204), Ok(()));
        assert_eq!(BotFault::of_status(503), Err(BotFault::Unavailable(503)));
        assert_eq!(BotFault::of_status(429), Err(BotFault::Unavailable(429)));
        for status in [100, 302, 401, 404] {
            assert_eq!(BotFault::of_status(status), Err(BotFault::Refused(status)));
        }
    }
}
