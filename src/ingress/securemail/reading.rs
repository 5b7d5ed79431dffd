//! Reading a mailbox: its list, a mail, a file of it, and that it was read.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::ingress::files;
use crate::log::LogError;
use crate::model::{DeliveryStatus, LogId, MailAuthor, Millis};
use crate::net::http::Body;
use crate::protocol::envelope::{Code, Fault};
use crate::protocol::file::FileKind;
use crate::protocol::securemail::{Listing, Mark, Query, listed, read};
use crate::session::{ServiceAct, SessionInput};
use crate::shard::{FoundMail, ShardError};

use super::customer::Customer;
use super::handler::{Call, SecureMail, Told};

impl SecureMail {
    /// A page of the mailbox, newest first.
    pub(super) async fn list(&self, call: &Call<'_>) -> Result<Told, Fault> {
        let query = Query::read(&call.parameters()?)?;
        let customer = call.customer_of(query.whose.clone())?;
        let mailbox = customer.mailbox(&self.shards);
        let oldest = Millis(call.now.0.saturating_sub(customer.keep_ms()));
        let mut listing = Listing::new(&query, oldest);
        let mut upto = None;
        loop {
            let page = mailbox.page(upto).await.map_err(unread)?;
            let wants_more = page.entries.iter().all(|entry| listing.take(entry));
            match page.below {
                Some(below) if wants_more => upto = Some(below),
                _ => break,
            }
        }
        let page = listing.finish();
        let data = serde_json::to_value(listed(query.index, &page));
        data.map(Told::Data).map_err(|_| Code::Internal.into())
    }

    /// A mail with its words.
    pub(super) async fn read(&self, call: &Call<'_>, session: LogId, n: u64) -> Result<Told, Fault> {
        let customer = call.customer()?;
        let found = self.find(&customer, session, n).await?;
        let data = serde_json::to_value(read(&found.mail, &found.letter, found.is_read()));
        data.map(Told::Data).map_err(|_| Code::Internal.into())
    }

    /// A file of a mail.
    pub(super) async fn download(
        &self,
        call: &Call<'_>,
        session: LogId,
        n: u64,
        number: usize,
    ) -> Result<Told, Fault> {
        let customer = call.customer()?;
        let found = self.find(&customer, session, n).await?;
        let file = found.letter.files.get(number - 1).ok_or(Code::NotFound)?;
        let kind = FileKind::of_mime(&file.mime).ok_or(Code::NotFound)?;
        let given = files::give(&self.media, customer.tenant, file.media, &file.name, kind).await;
        given.map(Told::File)
    }

    /// Notes that the customer has read a mail: at the mail, where the agent sees it, then in the mailbox.
    pub(super) async fn mark(
        &self,
        call: &Call<'_>,
        body: Body,
        session: LogId,
        n: u64,
    ) -> Result<Told, Fault> {
        let customer = call.customer()?;
        let fields = self.fields(call, body).await?;
        Mark::read(&fields)?;
        let found = self.find(&customer, session, n).await?;
        let act = ServiceAct::Delivered {
            of: n,
            status: DeliveryStatus::Read,
            about: Map::new(),
        };
        let own = found.mail.author == MailAuthor::Customer;
        if !own {
            match self.shards.session(session, SessionInput::Service(act)).await {
                // Known already, or of a session that takes nothing any more: the mailbox counts.
                Ok(_) | Err(ShardError::Rejected(_) | ShardError::NoSuchLog) => {}
                Err(_) => return Err(Fault::unavailable(Duration::from_secs(1))),
            }
            let marked = customer.mailbox(&self.shards).read(session, n, call.now).await;
            marked.map_err(unread)?;
        }
        Ok(Told::Safe(json!({"status": "read"})))
    }

    /// The mail, if it is this customer's. Whatever is not is told the same.
    pub(super) async fn find(&self, customer: &Customer, session: LogId, n: u64) -> Result<FoundMail, Fault> {
        let found = self.shards.mail(session, n, &customer.channel.value.name).await;
        let found = match found {
            Ok(found) => found.ok_or(Code::NotFound)?,
            Err(ShardError::NoSuchLog | ShardError::Rejected(())) => return Err(Code::NotFound.into()),
            Err(ShardError::Unavailable { retry_after, .. }) => return Err(Fault::unavailable(retry_after)),
            Err(_) => return Err(Fault::unavailable(Duration::from_secs(5))),
        };
        let about = found.view.state.about();
        let of_tenant = about.is_some_and(|about| about.tenant == customer.tenant);
        let channel = customer.channel.id.to_string();
        if of_tenant && found.is_of(&channel, customer.address.as_str()) {
            Ok(found)
        } else {
            Err(Code::NotFound.into())
        }
    }
}

/// A mailbox that could not be read or written.
fn unread(error: LogError) -> Fault {
    tracing::warn!(%error, "mailbox");
    match error {
        LogError::Unavailable { retry_after, .. } => Fault::unavailable(retry_after),
        _ => Fault::unavailable(Duration::from_secs(1)),
    }
}

/// The envelope's `data` of an upload.
pub(super) fn uploaded(file: &files::Stored) -> Value {
    json!({
        "id": file.media_id,
        "name": file.name,
        "mimetype": file.mime,
        "length": file.length,
    })
}
