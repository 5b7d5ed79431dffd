//! The cards and quick replies of an agent's message, as the customer's messenger can show them. What it cannot show stays in the words.

use std::mem::take;

use serde_json::Value;

use crate::model::{Card, Media, Rich};
use crate::protocol::channel::Outbound;
use crate::provisioning::objects::Channel;

use super::choices;

/// Puts cards and quick replies where the messenger shows them.
pub(super) fn place(channel: &Channel, mut rich: Rich, message: &mut Outbound) {
    let pairs = rich.quick_replies.iter().map(|reply| {
        let payload = reply.payload.as_ref().unwrap_or(&reply.text);
        (reply.text.clone(), payload.clone())
    });
    let pairs: choices::Choices = pairs.collect();
    if shows_cards(channel, &rich.cards, !pairs.is_empty()) {
        message.cards = take(&mut rich.cards);
    }
    if choices::shows(channel, &pairs) {
        message.quick_replies = pairs;
        rich.quick_replies.clear();
    }
    message.text = rich.spelled_out();
}

/// Whether a channel's messenger shows these cards.
fn shows_cards(channel: &Channel, cards: &[Card], with_replies: bool) -> bool {
    let messenger = channel.provider == "third-party" && channel.media == Media::Social;
    let subtype = channel.config.get("subtype").and_then(Value::as_str);
    let fits = match subtype {
        // One, and below it either answers or a single link.
        Some("WhatsApp") => {
            let links = |card: &Card| card.buttons.iter().filter(|button| button.url.is_some()).count();
            let alone = |card: &Card| card.url.is_none() && (links(card) == 0 || card.buttons.len() == 1);
            !with_replies && cards.len() == 1 && cards.iter().all(alone)
        }
        Some(subtype) => !subtype.starts_with("Twitter") && !subtype.ends_with("Public"),
        None => true,
    };
    messenger && fits
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::choices::tests::channel;
    use super::*;

    fn placed(media: &str, subtype: &str, rich: &Value) -> Outbound {
        let rich: Rich = serde_json::from_value(rich.clone()).unwrap();
        let mut message = Outbound {
            text: rich.spelled_out(),
            ..Outbound::default()
        };
        place(&channel(media, subtype), rich, &mut message);
        message
    }

    #[test]
    fn each_messenger_gets_what_it_shows_and_the_rest_in_words() {
        let both = json!({"words": "Which?", "cards": [{"title": "Bicycle"}, {"title": "Bell"}],
            "quickReplies": [{"text": "Neither", "payload": "n"}, {"text": "Both"}]});
        let replies = [
            ("Neither".to_owned(), "n".to_owned()),
            ("Both".to_owned(), "Both".to_owned()),
        ];
        for (media, subtype, text, cards, shown) in [
            ("social", "FacebookPrivate", "Which?", 2, &replies[..]),
            ("social", "WhatsApp", "Which?\n\nBicycle\n\nBell", 0, &replies[..]),
            (
                "social",
                "TwitterPrivate",
                "Which?\n\nBicycle\n\nBell",
                0,
                &replies[..],
            ),
            (
                "social",
                "FacebookPublic",
                "Which?\n\nBicycle\n\nBell\n\n1. Neither\n2. Both",
                0,
                &[],
            ),
            (
                "sms",
                "",
                "Which?\n\nBicycle\n\nBell\n\n1. Neither\n2. Both",
                0,
                &[],
            ),
        ] {
            let message = placed(media, subtype, &both);
            assert_eq!((&*message.text, message.cards.len()), (text, cards), "{subtype}");
            assert_eq!(message.quick_replies, shown, "{subtype}");
        }
    }

    #[test]
    fn whatsapp_shows_one_card_with_answers_or_with_one_link() {
        let shown = |buttons: Value| {
            let rich = json!({"words": "w", "cards": [{"title": "t", "buttons": buttons}]});
            !placed("social", "WhatsApp", &rich).cards.is_empty()
        };
        let link = json!({"text": "More", "url": "https://shop.example"});
        assert!(shown(json!([])) && shown(json!([{"text": "Buy"}, {"text": "Not"}])) && shown(json!([link])));
        assert!(!shown(json!([link, {"text": "Buy"}])));
    }
}
