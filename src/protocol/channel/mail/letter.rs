//! What a provider says of a mail, as an [`Inbound`]: the one place where all dialects of mail meet.

use aws_lc_rs::digest;
use serde_json::Value;

use super::header::{HeaderValue, Mailbox};
use super::loops::sign_of_automation;
use super::mime::{Block, Mime};
use super::reply::new_words;
use crate::protocol::channel::{Attachment, Inbound, Unreadable, hex};

/// Characters of a value that is attached to the session.
const LONGEST_VALUE: usize = 300;

/// A mail and what its provider knows about its way.
#[derive(Debug, Default)]
pub(super) struct Letter {
    /// The provider's own id.
    pub id: Option<String>,
    /// The mail.
    pub mime: Mime,
    /// The sender of the envelope; empty for a bounce, `None` where the provider does not say.
    pub sender: Option<String>,
    /// The mailbox of ours that it came to.
    pub recipient: Option<String>,
    /// The new words of a reply, where the provider has found them.
    pub new_words: Option<String>,
    /// Results of the provider's own checks: (`spf`, `pass`) and so on.
    pub checks: Vec<(&'static str, String)>,
}

impl Letter {
    /// A mail that the provider has taken apart.
    #[must_use]
    pub(super) fn of(head: super::head::Head, block: Block, attachments: Vec<Attachment>) -> Self {
        let report = head
            .field("content-type")
            .is_some_and(|kind| kind.to_ascii_lowercase().starts_with("multipart/report"));
        Self {
            mime: Mime {
                head,
                blocks: vec![block],
                attachments,
                report,
            },
            ..Self::default()
        }
    }

    /// Puts it in the shape of all channels.
    ///
    /// # Errors
    /// [`Unreadable`]: nobody is named as the one who wrote.
    pub(super) fn into_inbound(self) -> Result<Inbound, Unreadable> {
        let Mime {
            head,
            blocks,
            attachments,
            report,
        } = self.mime;
        let automatic = sign_of_automation(&head, self.sender.as_deref(), report);
        let sender = self
            .sender
            .as_deref()
            .and_then(|sender| Mailbox::new(sender).ok());
        let from = head.from.clone().or(sender).ok_or(Unreadable("no sender"))?;
        let whole: Vec<String> = blocks
            .iter()
            .map(Block::words)
            .filter(|words| !words.trim().is_empty())
            .collect();
        let whole = whole.join("\n\n");
        let id = self
            .id
            .filter(|id| (1..=200).contains(&id.len()) && !id.contains(char::is_control))
            .unwrap_or_else(|| {
                id_of(
                    head.thread.message_id.as_deref(),
                    &from,
                    head.subject.as_deref(),
                    &whole,
                )
            });
        let words = match &self.new_words {
            Some(words) if !words.trim().is_empty() && whole.contains(words.trim()) => words.trim(),
            _ => new_words(&whole),
        };
        let mut inbound = Inbound {
            id,
            text: words.to_owned(),
            nickname: head.from_name.clone(),
            at: head.at,
            attachments,
            automatic: automatic.is_some(),
            ..Inbound::default()
        };
        let mut attach = |name: &str, value: &str| {
            let value: String = value
                .chars()
                .filter(|char| !char.is_control())
                .take(LONGEST_VALUE)
                .collect();
            if !value.is_empty() {
                inbound.user_data.insert(name.to_owned(), Value::String(value));
            }
        };
        for (check, result) in &self.checks {
            attach(&format!("mail.{check}"), result);
        }
        attach(
            "mail.authenticationResults",
            vouched_results(&head.fields).unwrap_or_default(),
        );
        attach("mail.automatic", automatic.unwrap_or_default());
        attach(
            "mail.replyTo",
            head.reply_to
                .as_ref()
                .filter(|to| **to != from)
                .map_or("", Mailbox::as_str),
        );
        attach(
            "mail.cc",
            &head.cc.iter().map(Mailbox::as_str).collect::<Vec<_>>().join(", "),
        );
        attach(
            "mail.sender",
            self.sender
                .as_deref()
                .filter(|sender| !sender.eq_ignore_ascii_case(from.as_str()))
                .unwrap_or_default(),
        );
        let to = self.recipient.as_deref().and_then(|to| Mailbox::new(to).ok());
        inbound.to = to
            .or_else(|| head.to.first().cloned())
            .map_or_else(String::new, String::from);
        inbound.from = from.into();
        inbound.subject = head
            .subject
            .map(|subject| HeaderValue::flattened(&subject).into());
        inbound.thread = head.thread;
        Ok(inbound)
    }
}

/// What makes a repeat recognisable where the provider gives no id: the mail's own, bound to who wrote what, so that nobody can use up the id of
/// another's mail.
fn id_of(message_id: Option<&str>, from: &Mailbox, subject: Option<&str>, text: &str) -> String {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in [
        message_id.unwrap_or_default(),
        from.as_str(),
        subject.unwrap_or_default(),
        text,
    ] {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part.as_bytes());
    }
    format!("mail-{}", hex(&context.finish().as_ref()[..16]))
}

/// The results that the last server wrote: those above the first `Received`. Whatever stands below may be the sender's own.
fn vouched_results(fields: &[(String, String)]) -> Option<&str> {
    let above = fields.iter().take_while(|(name, _)| name != "received");
    above
        .filter(|(name, _)| name == "authentication-results")
        .map(|(_, value)| value.as_str())
        .next()
}
