//! The cards and quick replies of an agent's message: within what the messengers show, and leading nowhere but to the web.

use crate::model::{Button, Card, QuickReply, Rich};

use super::decode::is_web_address;
use super::error::FrameFault;
use super::fields::Fields;

/// Cards of one message.
const CARDS: usize = 10;
/// Buttons of one card.
const BUTTONS: usize = 3;
/// Quick replies of one message.
const REPLIES: usize = 10;
/// Characters of a title and of what stands below it.
const LINE: usize = 80;
/// Characters on a button.
const LABEL: usize = 20;
/// Bytes that stand for an answer.
const PAYLOAD: usize = 1_000;

/// What there is beside the words.
pub(super) fn rich(fields: &mut Fields<'_>, words: &str) -> Result<Option<Rich>, FrameFault> {
    let rich = Rich {
        words: words.to_owned(),
        cards: fields.cards.take().unwrap_or_default(),
        quick_replies: fields.quick_replies.take().unwrap_or_default(),
    };
    if rich.cards.len() > CARDS || !rich.cards.iter().all(is_card) {
        return Err(FrameFault::BadValue("cards"));
    }
    if rich.quick_replies.len() > REPLIES || !rich.quick_replies.iter().all(is_reply) {
        return Err(FrameFault::BadValue("quickReplies"));
    }
    Ok((!rich.is_plain()).then_some(rich))
}

fn is_card(card: &Card) -> bool {
    let addresses = card.url.iter().chain(&card.image);
    is_line(&card.title, LINE)
        && card
            .subtitle
            .as_ref()
            .is_none_or(|subtitle| is_line(subtitle, LINE))
        && addresses.into_iter().all(|address| is_web_address(address))
        && card.buttons.len() <= BUTTONS
        && card.buttons.iter().all(is_button)
}

fn is_button(button: &Button) -> bool {
    let leads = button.url.as_ref().is_none_or(|url| is_web_address(url));
    let one = button.url.is_none() || button.payload.is_none();
    is_line(&button.text, LABEL) && leads && one && is_payload(button.payload.as_ref())
}

fn is_reply(reply: &QuickReply) -> bool {
    is_line(&reply.text, LABEL) && is_payload(reply.payload.as_ref())
}

fn is_line(text: &str, most: usize) -> bool {
    !text.trim().is_empty() && text.chars().count() <= most && !text.chars().any(char::is_control)
}

fn is_payload(payload: Option<&String>) -> bool {
    payload.is_none_or(|payload| (1..=PAYLOAD).contains(&payload.len()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use crate::protocol::agent::{ClientFrame, Command, FrameFault, SessionCommand, decode_frame};

    fn frame(more: &Value) -> String {
        let mut frame = json!({"cmd": "send-message", "cmdId": "5f2c1f9e-2f51-4a5c-8f3b-6d7c1a9e0b22",
            "session": "018c2f30-5a1b-7c3d-9e4f-0a1b2c3d4e5f", "message": "Which one?"});
        let members = more.as_object().cloned().unwrap_or_default();
        frame.as_object_mut().unwrap().extend(members);
        frame.to_string()
    }

    fn fault(more: &Value) -> Option<FrameFault> {
        decode_frame(frame(more).as_bytes())
            .err()
            .map(|error| error.fault)
    }

    #[test]
    fn cards_and_quick_replies_are_read_with_the_words() {
        let more = json!({"cards": [{"title": "Bicycle", "image": "https://shop.example/7.png",
            "buttons": [{"text": "Buy", "payload": "7"}, {"text": "More", "url": "https://shop.example/more"}]}],
            "quickReplies": [{"text": "Neither"}]});
        let text = frame(&more);
        let Ok(ClientFrame::Do {
            command:
                Command::Session {
                    command: SessionCommand::Show(rich),
                    ..
                },
            ..
        }) = decode_frame(text.as_bytes())
        else {
            panic!("{text}");
        };
        assert_eq!((&*rich.words, rich.cards.len()), ("Which one?", 1));
        assert_eq!(rich.quick_replies[0].text, "Neither");
        let empty = frame(&json!({"cards": [], "quickReplies": []}));
        assert!(matches!(
            decode_frame(empty.as_bytes()),
            Ok(ClientFrame::Do {
                command: Command::Session {
                    command: SessionCommand::Say { .. },
                    ..
                },
                ..
            })
        ));
    }

    #[test]
    fn what_no_messenger_shows_is_refused_by_its_name() {
        let long = "x".repeat(81);
        for cards in [
            json!([{"title": ""}]),
            json!([{"title": long}]),
            json!([{"title": "a\nb"}]),
            json!([{"title": "a", "url": "javascript:alert(1)"}]),
            json!([{"title": "a", "image": "data:image/png;base64,AA"}]),
            json!([{"title": "a", "buttons": [{"text": "b"}, {"text": "b"}, {"text": "b"}, {"text": "b"}]}]),
            json!([{"title": "a", "buttons": [{"text": "b", "url": "https://x.example", "payload": "p"}]}]),
            json!([{"title": "a", "buttons": [{"text": "more than twenty chars"}]}]),
            Value::Array(vec![json!({"title": "a"}); 11]),
        ] {
            assert_eq!(
                fault(&json!({"cards": cards})),
                Some(FrameFault::BadValue("cards")),
                "{cards}"
            );
        }
        for replies in [
            json!([{"text": " "}]),
            json!([{"text": "a", "payload": ""}]),
            Value::Array(vec![json!({"text": "a"}); 11]),
        ] {
            let fault = fault(&json!({"quickReplies": replies}));
            assert_eq!(fault, Some(FrameFault::BadValue("quickReplies")), "{replies}");
        }
        assert_eq!(
            fault(&json!({"cards": [{"title": "a", "color": "red"}]})),
            Some(FrameFault::Malformed)
        );
        let whisper = json!({"cards": [{"title": "a"}], "visibility": "Agent"});
        assert_eq!(fault(&whisper), Some(FrameFault::BadValue("visibility")));
    }

    proptest! {
        #[test]
        fn any_card_is_read_calmly(title in ".{0,90}", url in ".{0,30}", text in ".{0,25}") {
            let _ = fault(&json!({"cards": [{"title": title, "url": url, "buttons": [{"text": text}]}]}));
        }
    }
}
