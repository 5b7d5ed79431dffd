//! Whose request this is: the API key names the tenant, the client token the session and its customer.

use std::cell::RefCell;
use std::rc::Rc;

use hyper::header::{HeaderMap, HeaderName};

use crate::model::{LogId, Millis, TenantId};
use crate::protocol::client_token::{ClientToken, TokenKey, TokenKeys};
use crate::protocol::envelope::{Code, Fault};
use crate::provisioning::{ApiKeyGrant, SigningPurpose, Snapshot};

static API_KEY: HeaderName = HeaderName::from_static("x-api-key");
static CLIENT_KEY: HeaderName = HeaderName::from_static("x-nexus-client-key");

/// What an API key gave access to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Access {
    pub(super) tenant: TenantId,
}

/// Reads and judges the API key.
pub(super) fn api_key<'s>(
    snapshot: &'s Snapshot,
    headers: &HeaderMap,
    now: Millis,
) -> Result<&'s ApiKeyGrant, Fault> {
    let presented = single(headers, &API_KEY).ok_or(Fault::new(Code::NoCredentials))?;
    let grant = snapshot
        .api_key(presented, now)
        .map_err(|_| Fault::new(Code::BadApiKey))?;
    if grant.allows("consumer", "chat") {
        Ok(grant)
    } else {
        Err(Fault::new(Code::Forbidden))
    }
}

/// The token a request carries; `None` where it carries none.
pub(super) fn client_key(headers: &HeaderMap) -> Option<&str> {
    single(headers, &CLIENT_KEY).filter(|token| !token.is_empty())
}

/// A field that occurs exactly once, as text.
fn single<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

/// The signing keys of the snapshot in force, prepared once per version.
#[derive(Debug, Default)]
pub(super) struct Tokens(RefCell<Option<(u64, u32, Rc<TokenKeys>)>>);

impl Tokens {
    fn keys(&self, snapshot: &Snapshot, now: Millis) -> Rc<TokenKeys> {
        let ring = snapshot.signing_keys(SigningPurpose::ClientToken);
        let current = ring.current(now);
        let mut kept = self.0.borrow_mut();
        match kept.as_ref() {
            Some((version, id, keys)) if *version == snapshot.version() && *id == current.id => {
                Rc::clone(keys)
            }
            _ => {
                let prepare = |id: u32, secret: &[u8; 32]| TokenKey::new(&id.to_string(), secret);
                let others = ring.iter().filter(|key| key.id != current.id);
                let keys = Rc::new(TokenKeys::new(
                    prepare(current.id, current.secret()),
                    others.map(|key| prepare(key.id, key.secret())).collect(),
                ));
                *kept = Some((snapshot.version(), current.id, Rc::clone(&keys)));
                keys
            }
        }
    }

    pub(super) fn sign(&self, snapshot: &Snapshot, now: Millis, token: &ClientToken) -> String {
        self.keys(snapshot, now).sign(token)
    }

    /// Reads a token, whichever session it is for.
    pub(super) fn read(&self, snapshot: &Snapshot, now: Millis, text: &str) -> Result<ClientToken, Fault> {
        let read = self.keys(snapshot, now).verify(text);
        read.map_err(|_| Fault::new(Code::BadToken))
    }

    /// Reads the token of a request in a session. One for another session opens nothing here.
    pub(super) fn of_session(
        &self,
        snapshot: &Snapshot,
        now: Millis,
        headers: &HeaderMap,
        session: LogId,
    ) -> Result<ClientToken, Fault> {
        let text = client_key(headers).ok_or(Fault::new(Code::BadToken))?;
        let token = self.read(snapshot, now, text)?;
        if token.session == session {
            Ok(token)
        } else {
            Err(Fault::new(Code::InvalidSession))
        }
    }
}
