//! A message in plain text, for a channel that carries nothing else.

use crate::protocol::channel::{AttachmentSource, Outbound};

/// The words, then the choices one a line, then the links. The same message always gives the same text.
#[must_use]
pub(super) fn words(message: &Outbound, with_links: bool) -> String {
    let mut text = message.text.clone();
    let choices = message.quick_replies.iter().map(|(label, _)| label.as_str());
    let links = message.attachments.iter().filter_map(|file| match &file.source {
        AttachmentSource::Url(url) if with_links => Some(url.as_str()),
        _ => None,
    });
    for line in choices.chain(links) {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(line);
    }
    text
}

/// The links of a message, for a provider that fetches media itself.
pub(super) fn links(message: &Outbound) -> impl Iterator<Item = &str> {
    message.attachments.iter().filter_map(|file| match &file.source {
        AttachmentSource::Url(url) => Some(url.as_str()),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::channel::Attachment;

    #[test]
    fn choices_and_links_follow_the_words() {
        let message = Outbound {
            text: "Which?".into(),
            quick_replies: vec![("Yes".into(), "y".into()), ("No".into(), "n".into())],
            attachments: vec![Attachment {
                source: AttachmentSource::Url("https://files.example.com/a".into()),
                name: None,
                mime: None,
            }],
            ..Outbound::default()
        };
        assert_eq!(
            words(&message, true),
            "Which?\nYes\nNo\nhttps://files.example.com/a"
        );
        assert_eq!(words(&message, false), "Which?\nYes\nNo");
        assert_eq!(words(&Outbound::default(), true), "");
    }
}
