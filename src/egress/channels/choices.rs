//! What stands beside the words of a message, and a bot's choices as the customer's messenger can show them.

use serde_json::Value;

use crate::egress::dispatcher::{About, record};
use crate::log::EffectId;
use crate::model::{Media, Rich, Role, SessionEvent};
use crate::protocol::bot::{CHOICES, spelled_out};
use crate::protocol::channel::Outbound;
use crate::provisioning::objects::Channel;
use crate::shard::{Shards, Verdict};

/// WhatsApp shows so many buttons.
const WHATSAPP_MOST: usize = 3;
/// Characters on one of them.
const WHATSAPP_LABEL: usize = 20;

/// Pairs of label and payload.
pub(super) type Choices = Vec<(String, String)>;

/// What stands beside the words of a message.
pub(super) enum Beside {
    /// Nothing.
    Nothing,
    /// A bot's choices.
    Choices(Choices),
    /// An agent's cards and quick replies.
    Rich(Rich),
}

/// Whether a record's author is a bot.
pub(super) fn is_by_a_bot(about: &About) -> bool {
    let SessionEvent::Message { from: Some(from), .. } = &about.entry.record.event else {
        return false;
    };
    let author = about.view.state.participants().get(*from);
    author.is_some_and(|author| author.role == Role::Bot)
}

/// What stands beside a message: in the record after it (of a bot's, after its last words), written with it. What the session offers by
/// now may be something else.
///
/// # Errors
/// The verdict when the record cannot be read now.
pub(super) async fn beside(shards: &Shards, id: EffectId, about: &About) -> Result<Beside, Verdict> {
    let said = matches!(
        about.entry.record.event,
        SessionEvent::Message { from: Some(_), .. }
    );
    if !said || about.view.top.n <= about.entry.n {
        return Ok(Beside::Nothing);
    }
    let next = match record(shards, id, about.entry.n + 1).await {
        Ok(next) => next,
        Err(Verdict::Spared(wait)) => return Err(Verdict::Spared(wait)),
        Err(_) => return Ok(Beside::Nothing),
    };
    let body = next.entry.record.body.as_str();
    Ok(match &next.entry.record.event {
        SessionEvent::UserData { by: Some(_), .. } if is_by_a_bot(about) => Beside::Choices(choices(body)),
        // One of a newer release is sent in its words.
        SessionEvent::Rich => serde_json::from_str(body).map_or(Beside::Nothing, Beside::Rich),
        _ => Beside::Nothing,
    })
}

fn choices(body: &str) -> Choices {
    let data: Value = serde_json::from_str(body).unwrap_or_default();
    let pairs = data.get(CHOICES).and_then(Value::as_array);
    let pair = |pair: &Value| {
        Some((
            pair.get(0)?.as_str()?.to_owned(),
            pair.get(1)?.as_str()?.to_owned(),
        ))
    };
    pairs.into_iter().flatten().filter_map(pair).collect()
}

/// Puts choices where the messenger shows them as buttons; everywhere else they stay the numbered lines that end the words.
pub(super) fn place(channel: &Channel, choices: Choices, message: &mut Outbound) {
    if !shows(channel, &choices) {
        return;
    }
    let lines = spelled_out(&choices);
    if let Some(words) = message.text.strip_suffix(&lines) {
        let words = words.trim_end_matches('\n').to_owned();
        // A message of buttons alone keeps its lines: no messenger shows buttons without words.
        if !words.is_empty() {
            message.text = words;
        }
    }
    message.quick_replies = choices;
}

/// Whether a channel's messenger shows these choices as buttons.
pub(super) fn shows(channel: &Channel, choices: &[(String, String)]) -> bool {
    let messenger = channel.provider == "third-party" && channel.media == Media::Social;
    let subtype = channel.config.get("subtype").and_then(Value::as_str);
    let fits = match subtype {
        Some("WhatsApp") => {
            let short = |(label, _): &(String, String)| label.chars().count() <= WHATSAPP_LABEL;
            choices.len() <= WHATSAPP_MOST && choices.iter().all(short)
        }
        // What everybody reads has no buttons.
        Some(subtype) => !subtype.ends_with("Public"),
        None => true,
    };
    messenger && fits && !choices.is_empty()
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;

    pub(in super::super) fn channel(media: &str, subtype: &str) -> Channel {
        let channel = json!({"name": "c", "media": media, "provider": "third-party", "address": "bank", "endpoint": "e",
            "webhookUrl": "https://peer.example.com/hook", "config": {"subtype": subtype}});
        serde_json::from_value(channel).unwrap()
    }

    fn shown(channel: &Channel, labels: &[&str]) -> Outbound {
        let choices: Choices = labels
            .iter()
            .map(|label| ((*label).to_owned(), label.to_lowercase()))
            .collect();
        let mut message = Outbound {
            text: format!("What is it about?\n{}", spelled_out(&choices)),
            ..Outbound::default()
        };
        place(channel, choices, &mut message);
        message
    }

    #[test]
    fn a_messenger_gets_buttons_and_a_text_message_numbered_lines() {
        let buttons = shown(&channel("social", "WhatsApp"), &["Billing", "Orders"]);
        assert_eq!(buttons.text, "What is it about?");
        assert_eq!(
            buttons.quick_replies[1],
            ("Orders".to_owned(), "orders".to_owned())
        );
        let text = shown(&channel("sms", ""), &["Billing", "Orders"]);
        assert_eq!(text.text, "What is it about?\n1. Billing\n2. Orders");
        assert!(text.quick_replies.is_empty());
    }

    #[test]
    fn what_does_not_fit_on_buttons_stays_lines() {
        let four = shown(&channel("social", "WhatsApp"), &["A", "B", "C", "D"]);
        assert!(four.quick_replies.is_empty() && four.text.ends_with("4. D"));
        let long = shown(&channel("social", "WhatsApp"), &["Something else that is long"]);
        assert!(long.quick_replies.is_empty());
        let facebook = shown(&channel("social", "FacebookPrivate"), &["A", "B", "C", "D"]);
        assert_eq!(facebook.quick_replies.len(), 4);
    }
}
