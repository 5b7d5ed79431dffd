//! The seam between a provider's dialect and the rest.

use bytes::Bytes;
use secrecy::SecretString;
use serde_json::{Map, Value};

use crate::model::Millis;

use super::inbound::Callback;
use super::outbound::{HttpCall, Outbound, SendAnswer};

/// A callback as it arrived. Signatures are checked over these very bytes.
#[derive(Debug, Clone, Copy)]
pub struct CallbackRequest<'r> {
    /// `POST`, or `GET` where the provider uses it.
    pub method: &'r str,
    /// The configured public address of this callback, path and all, without the query; never rebuilt from headers.
    pub url: &'r str,
    /// The raw query, without `?`; empty when there is none.
    pub query: &'r str,
    /// Names in lower case, in order of arrival, repeats kept.
    pub headers: &'r [(&'r str, &'r str)],
    /// The raw body.
    pub body: &'r Bytes,
    /// When it arrived.
    pub now: Millis,
}

impl<'r> CallbackRequest<'r> {
    /// The one value of a header; `None` when it is absent or there are several, since which counts is nobody's to guess.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&'r str> {
        let mut values = self.headers.iter().filter(|(known, _)| *known == name);
        match (values.next(), values.next()) {
            (Some((_, value)), None) => Some(value),
            _ => None,
        }
    }
}

/// A provider account as one channel uses it.
#[derive(Debug, Default)]
pub struct Account {
    /// Where the provider is called; `None`: its usual address.
    pub url: Option<String>,
    /// What authenticates our calls (`credentials` of the service or the channel): a JSON object or one plain secret.
    pub credentials: Option<SecretString>,
    /// Secrets that may sign callbacks (`secret` of the channel; two while one is being replaced).
    pub secrets: Vec<SecretString>,
    /// What else the provider needs, not secret: `config` of the service with that of the channel over it.
    pub config: Map<String, Value>,
}

/// Why a callback is not believed (the reasons that metrics tell apart; the caller is told none of them).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Forged {
    /// The channel has no secret to check with.
    #[error("no secret is configured")]
    NoSecret,
    /// Nothing was signed.
    #[error("the signature is absent")]
    Absent,
    /// The signature is another, or not for these bytes.
    #[error("the signature is wrong")]
    Wrong,
    /// The signature is good but too old, or from the future.
    #[error("the signature is stale")]
    Stale,
}

/// A believed callback that is not what its contract says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unreadable callback: {0}")]
pub struct Unreadable(pub &'static str);

/// What a provider wants to read from us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Content type; empty with an empty body.
    pub content_type: &'static str,
    /// The body.
    pub body: Bytes,
}

impl Reply {
    /// A status without a body.
    #[must_use]
    pub const fn empty(status: u16) -> Self {
        Self {
            status,
            content_type: "",
            body: Bytes::new(),
        }
    }
}

/// One provider's dialect: pure functions from bytes to the normalised forms and back.
pub trait Provider: Sync {
    /// The name in paths and in provisioning.
    fn name(&self) -> &'static str;

    /// Whether the account's owner sent this.
    ///
    /// # Errors
    /// [`Forged`], counted by reason.
    fn verify(&self, request: &CallbackRequest<'_>, account: &Account) -> Result<(), Forged>;

    /// Whether a secret may stand at the end of the callback's path, for a provider that can sign nothing.
    fn token_in_path(&self) -> bool {
        false
    }

    /// What an inbound callback says; at most a few hundred entries.
    ///
    /// # Errors
    /// [`Unreadable`].
    fn inbound(&self, request: &CallbackRequest<'_>) -> Result<Vec<Callback>, Unreadable>;

    /// What a status callback says.
    ///
    /// # Errors
    /// [`Unreadable`].
    fn status(&self, request: &CallbackRequest<'_>) -> Result<Vec<Callback>, Unreadable>;

    /// What makes a replay of a signed callback recognisable, where the dialect has something better than message ids.
    fn replay_id(&self, _request: &CallbackRequest<'_>) -> Option<String> {
        None
    }

    /// What is answered once everything in the callback is safe.
    fn accepted(&self) -> Reply {
        Reply::empty(200)
    }

    /// What is answered to a callback that is not believed.
    fn forged(&self) -> Reply {
        Reply::empty(403)
    }

    /// What is answered to a callback that will never be understood: whatever makes the provider stop sending it.
    fn unreadable(&self) -> Reply {
        Reply::empty(400)
    }

    /// What is answered when nothing can be kept now: whatever makes the provider send it again.
    fn later(&self) -> Reply {
        Reply::empty(503)
    }

    /// Whether the provider hardly sends again, so that a callback must be spooled while the log is away.
    fn hardly_retries(&self) -> bool {
        false
    }

    /// Whether the provider fetches the files of a text message at their addresses. One that does not is given the address among the words.
    fn fetches_files(&self) -> bool {
        false
    }

    /// The value of `authorization` that opens a customer's file at this address, where the provider keeps files for its accounts alone.
    /// `None` for an address that is not the provider's own: nobody else is shown its credentials.
    fn opens(&self, _account: &Account, _url: &str) -> Option<String> {
        None
    }

    /// The request that sends a message.
    ///
    /// # Errors
    /// A text for the operator: what the account lacks.
    fn send(&self, account: &Account, message: &Outbound) -> Result<HttpCall, String>;

    /// What the provider's answer means. `retry_after` is the header, parsed.
    fn sent(&self, status: u16, retry_after: Option<std::time::Duration>, body: &[u8]) -> SendAnswer;
}
