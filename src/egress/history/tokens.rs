//! The token presented to a contact service: that of the tenant's link to the authentication service (contract 1.5), kept until
//! shortly before it runs out. A tenant without such a link presents none.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use secrecy::{ExposeSecret as _, SecretString};

use crate::egress::dispatcher::{Callee, Calls};
use crate::egress::gws::Account;
use crate::model::TenantId;
use crate::net::client::Guard;
use crate::protocol::channel::HttpCall;
use crate::protocol::gws::{TOKEN_PATH, TokenRequest, token};
use crate::provisioning::Snapshot;

/// What asking for a token may take; the requests it is for have the rest of the attempt.
const DEADLINE: Duration = Duration::from_secs(3);
/// Tenants whose tokens are kept; beyond it they are asked for anew.
const KEPT: usize = 4_096;

/// The tokens of one core.
#[derive(Default)]
pub(super) struct Tokens(RefCell<HashMap<TenantId, Kept>>);

struct Kept {
    /// Of the link it was got with.
    version: u64,
    token: Rc<SecretString>,
    renew: Instant,
}

/// There is none for now.
pub(super) struct NoToken;

impl Tokens {
    /// The tenant's token; `None` for a tenant without a link.
    pub(super) async fn of(
        &self,
        calls: &Calls,
        snapshot: &Snapshot,
        tenant: TenantId,
    ) -> Result<Option<Rc<SecretString>>, NoToken> {
        let Some(account) = Account::of(snapshot, tenant) else {
            return Ok(None);
        };
        let now = calls.clock().now();
        if let Some(kept) = self.0.borrow().get(&tenant)
            && kept.version == account.version
            && now < kept.renew
        {
            return Ok(Some(Rc::clone(&kept.token)));
        }
        let basic = TokenRequest::basic(&account.client_id, &account.client_secret);
        let call = HttpCall {
            method: "POST",
            url: format!("{}{TOKEN_PATH}", account.auth_url),
            headers: vec![
                ("content-type", "application/x-www-form-urlencoded".to_owned()),
                ("authorization", basic.expose_secret().to_owned()),
            ],
            body: Bytes::from(TokenRequest::ClientCredentials.body(&account.client_id)),
        };
        let target = format!("a{tenant}");
        let callee = Callee {
            tenant,
            target: &target,
            guard: Guard::Operator,
        };
        let answer = calls.make_within(&callee, call, DEADLINE).await;
        let answer = answer.map_err(|_| NoToken)?;
        let got = token(answer.status.as_u16(), &answer.body).map_err(|error| {
            tracing::warn!(%error, %tenant, "no token for contact history");
            NoToken
        })?;
        let kept = Kept {
            version: account.version,
            token: Rc::new(got.access),
            renew: now + got.lives.mul_f64(0.8),
        };
        let token = Rc::clone(&kept.token);
        let mut all = self.0.borrow_mut();
        if all.len() >= KEPT {
            all.clear();
        }
        all.insert(tenant, kept);
        Ok(Some(token))
    }

    /// The service does not take it: another one is asked for next time.
    pub(super) fn forget(&self, tenant: TenantId) {
        self.0.borrow_mut().remove(&tenant);
    }
}
