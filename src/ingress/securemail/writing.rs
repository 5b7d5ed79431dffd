//! Writing: files first, then the mail that names them.

use std::time::Duration;

use hyper::header::HeaderMap;
use uuid::{Builder, Uuid};

use crate::ingress::channel::{Refusal, Taken};
use crate::ingress::files;
use crate::model::{Digest, LogId};
use crate::net::http::Body;
use crate::protocol::channel::mail::reply_subject;
use crate::protocol::channel::{Attachment, AttachmentSource, Callback, Inbound, parse_id};
use crate::protocol::envelope::{Code, Fault};
use crate::protocol::securemail::{Attached, Compose, sent};

use super::customer::Customer;
use super::handler::{Call, SecureMail, Told};
use super::reading::uploaded;

const IDEMPOTENCY_KEY: &str = "idempotency-key";

impl SecureMail {
    /// Keeps a file until a mail names it.
    pub(super) async fn upload(&self, call: &Call<'_>, body: Body) -> Result<Told, Fault> {
        call.parameters()?;
        let limit = self.settings.upload;
        let kept = files::take(&self.media, call.access.tenant, &call.head.headers, body, limit).await?;
        Ok(Told::Safe(uploaded(&kept)))
    }

    /// Takes a mail of the customer's: the first of a conversation, or one that answers another.
    pub(super) async fn send(&self, call: &Call<'_>, body: Body) -> Result<Told, Fault> {
        let fields = self.fields(call, body).await?;
        let mail = Compose::read(&fields)?;
        let key = self.key(&call.head.headers)?;
        let customer = call.customer_of(mail.whose.clone())?;
        let (conversation, answered) = match &mail.reply_to {
            None => (fresh(&customer, key), None),
            Some(id) => {
                let (session, n) = parse_id(id).ok_or(Fault::new(Code::BadValue).detail("replyTo"))?;
                let found = self.find(&customer, session, n).await?;
                (found.mail.conversation, Some(found.mail.subject))
            }
        };
        // A repeat without a key is another mail.
        let id = key.map_or_else(|| Uuid::new_v4().to_string(), str::to_owned);
        let inbound = Inbound {
            id,
            from: customer.address.as_str().to_owned(),
            to: customer.channel.value.address.clone(),
            nickname: mail.name,
            text: mail.text,
            subject: mail.subject.or(answered.as_deref().map(reply_subject)),
            attachments: mail.attachments.into_iter().map(attachment).collect(),
            conversation: Some(conversation.clone()),
            user_data: mail.user_data,
            ..Inbound::default()
        };
        let callback = Callback::Message(Box::new(inbound));
        let taken = self
            .intake
            .take(call.snapshot, &customer.channel, callback, call.now)
            .await;
        match taken.map_err(refused)? {
            Taken::Message { session, first, .. } => {
                self.enter(&customer, session, first).await;
                Ok(Told::Safe(sent(session, first, &conversation)))
            }
            Taken::Noted => Err(Code::Forbidden.into()),
        }
    }

    /// Enters the mail at once, so that the next list shows it. It is safe already: where this fails, the effect that was written
    /// with it enters it.
    async fn enter(&self, customer: &Customer, session: LogId, n: u64) {
        let Ok(found) = self.find(customer, session, n).await else {
            return;
        };
        if let Err(error) = customer.mailbox(&self.shards).enter(&found.mail).await {
            tracing::warn!(%error, %session, "a mail is not in its mailbox yet");
        }
    }

    /// The idempotency key: printable ASCII; none where there is none.
    fn key<'h>(&self, headers: &'h HeaderMap) -> Result<Option<&'h str>, Fault> {
        let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
        let Some(value) = values.next() else {
            return Ok(None);
        };
        let text = value.to_str().unwrap_or_default();
        let sound = (1..=self.settings.idempotency_key).contains(&text.len())
            && text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        if values.next().is_some() || !sound {
            return Err(Fault::new(Code::BadValue).detail("Idempotency-Key"));
        }
        Ok(Some(text))
    }
}

/// The name of a new conversation. A repeat under the same key must come to the same one, or it would not be known for a repeat.
fn fresh(customer: &Customer, key: Option<&str>) -> String {
    let Some(key) = key else {
        return Uuid::new_v4().to_string();
    };
    let channel = customer.channel.id.to_string();
    let digest = Digest::of(&[
        customer.tenant.0.as_bytes(),
        channel.as_bytes(),
        &[0],
        customer.address.as_str().as_bytes(),
        &[0],
        key.as_bytes(),
    ]);
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest.0[..16]);
    Builder::from_custom_bytes(bytes).into_uuid().to_string()
}

fn attachment(file: Attached) -> Attachment {
    Attachment {
        source: AttachmentSource::Media(file.id.to_string()),
        name: file.name,
        mime: None,
    }
}

fn refused(refusal: Refusal) -> Fault {
    match refusal {
        Refusal::LeadsNowhere => Fault::new(Code::InvalidEndpoint).detail("the box leads to no queue"),
        Refusal::IdReused => Code::KeyReused.into(),
        Refusal::NoSuchMedia => Fault::new(Code::BadValue).detail("attachments"),
        Refusal::TooLarge => Code::TooLarge.into(),
        Refusal::TooFast => Code::Throttled.into(),
        Refusal::Unavailable => Fault::unavailable(Duration::from_secs(1)),
    }
}
