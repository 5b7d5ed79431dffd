//! Mails of secure e-mail: records of a session as their customer's mailbox knows them.

use std::sync::Arc;

use crate::log::Mailbox;
use crate::model::{DeliveryStatus, LogId, MailAuthor, Millis};
use crate::protocol::channel::mail::reply_subject;
use crate::protocol::securemail::{Letter, Mail};
use crate::session::{FILES_MAX, visible_to_customer};

use super::error::ShardError;
use super::handle::Shards;
use super::view::SessionView;

/// A mail with what it says.
#[derive(Debug)]
pub struct FoundMail {
    /// The session it is in.
    pub view: Arc<SessionView>,
    /// As the mailbox lists it.
    pub mail: Mail,
    /// What it says.
    pub letter: Letter,
}

impl FoundMail {
    /// Whether the customer has read it; what they wrote themselves they have.
    #[must_use]
    pub fn is_read(&self) -> bool {
        let status = self.view.state.outside().delivery(self.mail.n);
        self.mail.author == MailAuthor::Customer || status == Some(DeliveryStatus::Read)
    }

    /// Whether it was written or read in this channel, by this address.
    #[must_use]
    pub fn is_of(&self, channel: &str, address: &str) -> bool {
        let about = self.view.state.about();
        let by = about.and_then(|about| about.terms.links.channel.as_deref());
        by == Some(channel) && self.view.state.outside().address.as_deref() == Some(address)
    }
}

impl Shards {
    /// The mail that begins with record `n` of a session; `None` where customers see none there. `centre` is the name of whoever
    /// has none.
    ///
    /// # Errors
    /// [`ShardError::NoSuchLog`], or why the log could not be read.
    pub async fn mail(
        &self,
        session: LogId,
        n: u64,
        centre: &str,
    ) -> Result<Option<FoundMail>, ShardError<()>> {
        let view = self.session_view(session).await?;
        let records = self.session_page_forward(session, n, FILES_MAX + 2).await?;
        let state = &view.state;
        let customer = state.participants().customer().map(|customer| customer.id);
        let first = records
            .first()
            .filter(|first| first.n == n && visible_to_customer(state, &first.record));
        let Some(first) = first else { return Ok(None) };
        let letter = Letter::read(records.iter().map(|entry| &entry.record), customer);
        let Some(letter) = letter else { return Ok(None) };
        let outside = state.outside();
        let of_customer = letter.from.is_some() && letter.from == customer;
        let subject = match (&letter.subject, &outside.subject) {
            (Some(own), _) => own.clone(),
            (None, Some(subject)) if !of_customer => reply_subject(subject),
            (None, subject) => subject.clone().unwrap_or_default(),
        };
        let name = letter.from.and_then(|from| state.participants().get(from));
        let name = name.map(|writer| writer.nickname.as_str());
        let mail = Mail {
            session,
            n,
            conversation: outside.conversation.clone().unwrap_or_default(),
            author: if of_customer {
                MailAuthor::Customer
            } else {
                MailAuthor::Centre
            },
            from: name.filter(|name| !name.is_empty()).unwrap_or(centre).to_owned(),
            subject,
            files: u32::try_from(letter.files.len()).unwrap_or(u32::MAX),
            at: first.record.at,
        };
        Ok(Some(FoundMail { view, mail, letter }))
    }

    /// The mailbox with this id, whose entries are kept so long.
    #[must_use]
    pub fn mailbox(&self, id: LogId, keep_ms: u64) -> Mailbox {
        Mailbox::new(self.log(), id, keep_ms)
    }

    /// The present time, as everything here goes by it.
    #[must_use]
    pub fn wall(&self) -> Millis {
        Millis(self.clock().wall_ms())
    }
}
