//! What a message shows beside its words where the other side can show it: cards and quick replies.

use serde::{Deserialize, Serialize};

/// The rich part of a message. What a side cannot show it gets as words ([`Rich::spelled_out`]).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Rich {
    /// The words alone.
    pub words: String,
    /// In the order in which they are shown.
    pub cards: Vec<Card>,
    /// Answers offered; one is chosen, and then they are gone.
    pub quick_replies: Vec<QuickReply>,
}

/// One card.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Card {
    /// Its first line.
    pub title: String,
    /// What stands below it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subtitle: Option<String>,
    /// The address it leads to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The address of its picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Its buttons.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub buttons: Vec<Button>,
}

/// A button of a card: one that leads somewhere, or one that answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Button {
    /// What stands on it.
    pub text: String,
    /// The address it leads to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// What stands for it in the answer; the text where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<String>,
}

/// An answer offered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuickReply {
    /// What stands on it.
    pub text: String,
    /// What stands for it in the answer; the text where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<String>,
}

impl Rich {
    /// Whether there is nothing but words.
    #[must_use]
    pub const fn is_plain(&self) -> bool {
        self.cards.is_empty() && self.quick_replies.is_empty()
    }

    /// All of it in words: each card a paragraph, then the quick replies as numbered lines.
    #[must_use]
    pub fn spelled_out(&self) -> String {
        let mut all = vec![self.words.clone()];
        all.extend(self.cards.iter().map(Card::spelled_out));
        let replies = (1..).zip(&self.quick_replies);
        let replies: Vec<String> = replies
            .map(|(at, reply)| format!("{at}. {}", reply.text))
            .collect();
        if !replies.is_empty() {
            all.push(replies.join("\n"));
        }
        all.join("\n\n")
    }
}

impl Card {
    fn spelled_out(&self) -> String {
        let lines = [
            Some(&self.title),
            self.subtitle.as_ref(),
            self.url.as_ref(),
            self.image.as_ref(),
        ];
        let mut lines: Vec<String> = lines.into_iter().flatten().cloned().collect();
        lines.extend(self.buttons.iter().map(|button| match &button.url {
            Some(url) => format!("[{}: {url}]", button.text),
            None => format!("[{}]", button.text),
        }));
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cards_and_replies_can_be_read_without_a_messenger() {
        let rich: Rich = serde_json::from_value(serde_json::json!({
            "words": "Which one?",
            "cards": [{"title": "Bicycle", "subtitle": "EUR 300", "image": "https://shop.example/7.png",
                "buttons": [{"text": "Buy", "payload": "7"}, {"text": "More", "url": "https://shop.example/more"}]},
                {"title": "Bell"}],
            "quickReplies": [{"text": "Neither"}, {"text": "Both", "payload": "b"}]
        }))
        .unwrap();
        let said = "Which one?\n\nBicycle\nEUR 300\nhttps://shop.example/7.png\n[Buy]\n[More: https://shop.example/more]\n\nBell\n\n\
                    1. Neither\n2. Both";
        assert_eq!(rich.spelled_out(), said);
        let stored = serde_json::to_string(&rich).unwrap();
        assert_eq!(serde_json::from_str::<Rich>(&stored).unwrap(), rich);
    }
}
