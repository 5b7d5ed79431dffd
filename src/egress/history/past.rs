//! What a contact did before, read for an agent. It may fail; nothing of the chat waits for it.

use std::time::Duration;

use hyper::Method;

use crate::egress::dispatcher::{Callee, NotAnswered, headers};
use crate::model::{LogId, TenantId};
use crate::net::client::{Call, Excess, Guard};
use crate::protocol::channel::HttpCall;
use crate::protocol::envelope::{Code, Fault};
use crate::protocol::ucs::{Answer, Earlier, PAGE_MAX, PageAsked, PastPage, Site, dialect};
use crate::shard::{ShardError, Shards};

use super::connection::History;
use super::who;

/// What a page may take. An agent does not wait longer for a list.
const DEADLINE: Duration = Duration::from_secs(3);
/// Bytes of a page.
const BODY_MAX: usize = 512 * 1_024;
/// However long the service asks to be left alone, an agent may ask again after this.
const LONGEST: Duration = Duration::from_secs(60);
/// When a page was not to be had, it may be asked for again after this.
const AGAIN: Duration = Duration::from_secs(5);

impl History {
    /// The earlier interactions of a session's customer: `limit` (1 to [`PAGE_MAX`]) from `cursor` on, without the session itself.
    /// A tenant without contact history, and a customer who is nobody known, have none.
    ///
    /// # Errors
    /// 503 with the time to ask again after when the service does not answer within three seconds, is overloaded or away; 502
    /// when it refuses.
    pub async fn earlier(
        &self,
        shards: &Shards,
        tenant: TenantId,
        session: LogId,
        limit: u16,
        cursor: Option<&str>,
    ) -> Result<Earlier, Fault> {
        let snapshot = self.snapshots.load_full();
        let stored = snapshot.tenant(tenant);
        let Some((stored, url)) = stored.and_then(|stored| Some((stored, stored.value.ucs_url.as_deref()?)))
        else {
            return match &self.own {
                Some(own) => own.earlier(shards, tenant, session, limit, cursor).await,
                None => Ok(Earlier::default()),
            };
        };
        let contact = who::contact(shards, session).await.map_err(|error| match error {
            ShardError::NoSuchLog | ShardError::Rejected(()) => Code::NotFound.into(),
            _ => Fault::unavailable(AGAIN),
        })?;
        let Some(contact) = contact else {
            return Ok(Earlier::default());
        };
        let token = self.tokens.of(&self.calls, &snapshot, tenant).await;
        let token = token.map_err(|_| Fault::unavailable(AGAIN))?;
        let site = Site {
            base: url.trim_end_matches('/'),
            ccid: tenant,
            sid: &stored.value.sid,
            bearer: token.as_deref(),
        };
        let asked = PageAsked {
            contact: &contact,
            limit: limit.clamp(1, PAGE_MAX),
            cursor,
        };
        let dialect = dialect(stored.value.ucs_dialect.as_deref());
        let (status, body, after) = self.read(tenant, dialect.past(&site, &asked)).await?;
        if status == 401 {
            self.tokens.forget(tenant);
        }
        let page = dialect
            .listed(status, &body, &asked)
            .map_err(|answer| match answer {
                Answer::Refused { .. } | Answer::Unknown => Fault::new(Code::BadGateway),
                Answer::Done | Answer::Before | Answer::Later => {
                    Fault::unavailable(after.unwrap_or(AGAIN).min(LONGEST))
                }
            });
        // A contact that was merged or deleted there has no past there.
        let mut page = match page {
            Err(_) if matches!(status, 404 | 410) => PastPage::default(),
            page => page?,
        };
        let own = session.to_string();
        page.interactions.retain(|past| past.id != own);
        let masker = self.maskers.of(&snapshot, tenant);
        for past in &mut page.interactions {
            for text in [&mut past.subject, &mut past.comment].into_iter().flatten() {
                *text = masker.mask(text).into_owned();
            }
        }
        Ok(Earlier {
            contact_id: Some(contact),
            page,
        })
    }

    async fn read(
        &self,
        tenant: TenantId,
        call: HttpCall,
    ) -> Result<(u16, bytes::Bytes, Option<Duration>), Fault> {
        let target = format!("h{tenant}");
        // Places of its own: agents who look back take none from what is to be written.
        let callee = Callee {
            tenant,
            target: &target,
            guard: Guard::Operator,
        };
        let mut request = Call::new(Method::GET, call.url, Guard::Operator);
        request.headers = headers(&call.headers);
        request.deadline = Some(DEADLINE);
        request.max_response = Some(BODY_MAX);
        request.excess = Excess::Refuse;
        let sent = self.calls.send(&callee, request);
        match tokio::time::timeout(DEADLINE, sent).await {
            Ok(Ok(answer)) => {
                let after = answer.retry_after(self.calls.clock().wall_ms());
                Ok((answer.status.as_u16(), answer.body, after))
            }
            Ok(Err(NotAnswered::Spared(after))) => Err(Fault::unavailable(after)),
            Ok(Err(NotAnswered::Failed(error))) => {
                tracing::info!(%tenant, detail = error.detail(), "the past of a contact was not read");
                Err(Fault::unavailable(AGAIN))
            }
            Err(_) => Err(Fault::unavailable(AGAIN)),
        }
    }
}
