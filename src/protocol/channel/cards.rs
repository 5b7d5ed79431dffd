//! Cards and choices of a messenger, as an agent's desktop and a transcript can show them: their words as lines, their pictures as files.

use serde::Deserialize;

use super::inbound::{Attachment, AttachmentSource};

/// Cards of one message that are shown; no messenger shows more.
const MOST_CARDS: usize = 10;
/// Buttons of one card.
const MOST_BUTTONS: usize = 10;

/// One card.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Card {
    title: Option<String>,
    subtitle: Option<String>,
    /// Where it leads.
    url: Option<String>,
    /// The address of its picture.
    image: Option<String>,
    buttons: Vec<Button>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Button {
    text: Option<String>,
    url: Option<String>,
}

/// What a customer chose.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Choice {
    text: Option<String>,
    payload: Option<String>,
}

impl Choice {
    /// Its words; where it has none, what stands for it.
    #[must_use]
    pub fn words(self) -> Option<String> {
        let full = |text: &String| !text.trim().is_empty();
        self.text.filter(full).or(self.payload.filter(full))
    }
}

/// Adds the words of cards below a text, and gives their pictures.
pub fn unfold(text: &mut String, cards: Vec<Card>) -> Vec<Attachment> {
    let mut pictures = Vec::new();
    for card in cards.into_iter().take(MOST_CARDS) {
        let buttons = card.buttons.into_iter().take(MOST_BUTTONS);
        let buttons = buttons.filter_map(|button| match (button.text, button.url) {
            (Some(text), Some(url)) => Some(format!("[{text}: {url}]")),
            (Some(text), None) => Some(format!("[{text}]")),
            (None, url) => url,
        });
        let lines = [card.title, card.subtitle, card.url].into_iter().flatten();
        let lines = lines.chain(buttons).filter(|line| !line.trim().is_empty());
        let lines = lines.collect::<Vec<_>>().join("\n");
        if !text.is_empty() && !lines.is_empty() {
            text.push_str("\n\n");
        }
        text.push_str(&lines);
        pictures.extend(card.image.map(|url| Attachment {
            source: AttachmentSource::Url(url),
            name: None,
            mime: None,
        }));
    }
    pictures
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn cards_are_read_as_lines_and_their_pictures_as_files() {
        let cards = json!([
            {"title": "Bicycle", "subtitle": "EUR 300", "url": "https://shop.example/7", "image": "https://shop.example/7.png",
             "buttons": [{"text": "Buy"}, {"text": "More", "url": "https://shop.example/more"}, {}]},
            {"title": "Bell"}, {}
        ]);
        let mut text = "Which one?".to_owned();
        let pictures = unfold(&mut text, serde_json::from_value(cards).unwrap());
        assert_eq!(
            text,
            "Which one?\n\nBicycle\nEUR 300\nhttps://shop.example/7\n[Buy]\n[More: https://shop.example/more]\n\nBell"
        );
        let picture = AttachmentSource::Url("https://shop.example/7.png".to_owned());
        assert_eq!(
            pictures.iter().map(|file| &file.source).collect::<Vec<_>>(),
            [&picture]
        );
    }

    #[test]
    fn a_choice_without_words_is_what_stands_for_it() {
        let words = |choice| serde_json::from_value::<Choice>(choice).unwrap().words();
        assert_eq!(
            words(json!({"text": "Orders", "payload": "o"})).as_deref(),
            Some("Orders")
        );
        assert_eq!(words(json!({"text": " ", "payload": "o"})).as_deref(), Some("o"));
        assert_eq!(words(json!({})), None);
    }

    proptest! {
        #[test]
        fn any_number_of_cards_is_taken_within_bounds(titles in proptest::collection::vec(".{0,20}", 0..40)) {
            let cards = titles.into_iter().map(|title| Card { title: Some(title), ..Card::default() });
            let mut text = String::new();
            unfold(&mut text, cards.collect());
            prop_assert!(text.chars().count() <= MOST_CARDS * 22);
        }
    }
}
