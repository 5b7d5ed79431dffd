//! What could not be delivered, for administrators: listed, looked at, sent again, forgotten.
//!
//! `GET /nexus/v3/dead-letters[?after=&limit=]`, `GET|DELETE /nexus/v3/dead-letters/{id}`,
//! `POST /nexus/v3/dead-letters/{id}/replay`; permission `nexus:admin:read` to look, `nexus:admin:write` to change. A letter is
//! a reference: it holds no words and no address.

use hyper::{Method, StatusCode};
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::ingress::answer;
use crate::log::{DeadEffect, EffectId, LogError};
use crate::model::{Effect, LogId, Notice, Target, TenantId};
use crate::net::http::{Request, Response};
use crate::protocol::agent::timestamp;
use crate::protocol::entry::decode_effect;
use crate::protocol::envelope::{CallIds, Code, Dialect, Fault, success};
use crate::provisioning::access::Principal;
use crate::shard::Shards;

use super::auth::permit;

const BASE: &str = "/nexus/v3/dead-letters";
const LIMIT: usize = 100;
const LIMIT_MAX: usize = 256;

/// Dead letters over one core's log.
pub struct DeadLetters {
    shards: Shards,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Letter {
    id: String,
    session_id: LogId,
    target: Value,
    notice: Value,
    reason: String,
    attempts: u32,
    at: String,
}

/// What a path asks for.
#[derive(Debug, PartialEq, Eq)]
enum Asked {
    List,
    One(EffectId),
    Replay(EffectId),
}

impl DeadLetters {
    /// The dead letters of every partition, through this core's log.
    #[must_use]
    pub fn new(shards: Shards) -> Self {
        Self { shards }
    }

    /// Whether a path is of this API.
    #[must_use]
    pub fn serves(path: &str) -> bool {
        path.strip_prefix(BASE)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// Answers a request of `who`.
    pub async fn call(&self, who: Result<Principal, Fault>, request: Request) -> Response {
        let ids = CallIds::default();
        match self.answer(who, &request).await {
            Ok(data) => answer::json(StatusCode::OK, success(Dialect::Numeric, &ids, &data)),
            Err(fault) => answer::fault(Dialect::Numeric, &ids, &fault),
        }
    }

    async fn answer(&self, who: Result<Principal, Fault>, request: &Request) -> Result<Value, Fault> {
        let who = who?;
        let asked = asked(request.uri().path()).ok_or(Fault::new(Code::NotFound))?;
        match (&asked, request.method()) {
            (Asked::List, &Method::GET) => {
                permit(&who, "admin", "read")?;
                let (after, limit) = query(request.uri().query().unwrap_or_default())?;
                self.list(who.tenant, after, limit).await
            }
            (Asked::One(id), &Method::GET) => {
                permit(&who, "admin", "read")?;
                let letter = self
                    .find(who.tenant, *id)
                    .await?
                    .ok_or(Fault::new(Code::NotFound))?;
                Ok(json!(describe(&letter)))
            }
            (Asked::One(id), &Method::DELETE) => {
                permit(&who, "admin", "write")?;
                let log = self.shards.log();
                let gone = log
                    .discard_dead(self.partition(*id), who.tenant, *id)
                    .await
                    .map_err(fault)?;
                done(gone)
            }
            (Asked::Replay(id), &Method::POST) => {
                permit(&who, "admin", "write")?;
                let log = self.shards.log();
                let back = log
                    .replay_effect(self.partition(*id), who.tenant, *id)
                    .await
                    .map_err(fault)?;
                done(back)
            }
            _ => Err(Code::MethodNotAllowed.into()),
        }
    }

    /// A page over all partitions, in their order; its cursor is the last letter's id.
    async fn list(&self, tenant: TenantId, after: Option<EffectId>, limit: usize) -> Result<Value, Fault> {
        let log = self.shards.log();
        let mut letters: Vec<Letter> = Vec::new();
        let first = after.map_or(0, |id| self.partition(id));
        for partition in first..log.info().partitions {
            let after = after.filter(|_| partition == first);
            let wanted = limit - letters.len();
            let found = log
                .dead_effects(partition, tenant, after, wanted)
                .await
                .map_err(fault)?;
            letters.extend(found.iter().map(describe));
            if letters.len() >= limit {
                break;
            }
        }
        let next = (letters.len() >= limit)
            .then(|| letters.last().map(|letter| letter.id.clone()))
            .flatten();
        let count = log.dead_count(tenant).await.map_err(fault)?;
        Ok(json!({"letters": letters, "next": next, "count": count}))
    }

    async fn find(&self, tenant: TenantId, id: EffectId) -> Result<Option<DeadEffect>, Fault> {
        let log = self.shards.log();
        let mut after = None;
        loop {
            let page = log
                .dead_effects(self.partition(id), tenant, after, LIMIT_MAX)
                .await
                .map_err(fault)?;
            if let Some(found) = page.iter().find(|letter| letter.id == id) {
                return Ok(Some(found.clone()));
            }
            if page.len() < LIMIT_MAX {
                return Ok(None);
            }
            after = page.last().map(|letter| letter.id);
        }
    }

    fn partition(&self, id: EffectId) -> u16 {
        id.log.spread().partition(self.shards.log().info().partitions)
    }
}

fn done(found: bool) -> Result<Value, Fault> {
    if found {
        Ok(json!({}))
    } else {
        Err(Code::NotFound.into())
    }
}

fn describe(letter: &DeadEffect) -> Letter {
    let (target, notice) = match decode_effect(&letter.payload) {
        Ok(Effect::Deliver { target, notice, .. }) => (named(&target), told(&notice)),
        _ => (Value::Null, Value::Null),
    };
    Letter {
        id: letter.id.to_string(),
        session_id: letter.id.log,
        target,
        notice,
        reason: letter.reason.clone(),
        attempts: letter.attempts,
        at: timestamp(letter.at),
    }
}

fn named(target: &Target) -> Value {
    serde_json::to_value(target).unwrap_or_default()
}

fn told(notice: &Notice) -> Value {
    serde_json::to_value(notice).unwrap_or_default()
}

fn asked(path: &str) -> Option<Asked> {
    let rest = path.strip_prefix(BASE)?.trim_start_matches('/');
    if rest.is_empty() {
        return Some(Asked::List);
    }
    match rest.split_once('/') {
        None => Some(Asked::One(effect_id(rest)?)),
        Some((id, "replay")) => Some(Asked::Replay(effect_id(id)?)),
        Some(_) => None,
    }
}

/// An effect's id as it is shown: log, number, place, with dots between.
fn effect_id(text: &str) -> Option<EffectId> {
    let mut parts = text.split('.');
    let (log, n, place) = (parts.next()?, parts.next()?, parts.next()?);
    let log = Uuid::try_parse(log).ok().filter(|_| log.len() == 32)?;
    parts.next().is_none().then_some(EffectId {
        log: LogId::from_bytes(log.into_bytes()),
        n: n.parse().ok()?,
        place: place.parse().ok()?,
    })
}

fn query(text: &str) -> Result<(Option<EffectId>, usize), Fault> {
    let (mut after, mut limit) = (None, LIMIT);
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        match pair.split_once('=') {
            Some(("after", id)) => {
                after = Some(effect_id(id).ok_or(Fault::new(Code::BadValue).detail("after"))?)
            }
            Some(("limit", number)) => {
                let number = number
                    .parse()
                    .ok()
                    .filter(|number| (1..=LIMIT_MAX).contains(number));
                limit = number.ok_or(Fault::new(Code::BadValue).detail("limit"))?;
            }
            _ => return Err(Fault::new(Code::BadValue).detail("unknown query parameter")),
        }
    }
    Ok((after, limit))
}

#[allow(clippy::needless_pass_by_value, reason = "the shape `map_err` takes")]
fn fault(error: LogError) -> Fault {
    tracing::warn!(%error, "dead letters could not be reached");
    Fault::unavailable(std::time::Duration::from_secs(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_to_one_letter_or_to_all() {
        let id = "01890a5d7c117a3d8e2a1f2b3c4d5e6f.12.0";
        let effect = effect_id(id).unwrap();
        assert_eq!(effect.to_string(), id);
        assert_eq!(asked(BASE), Some(Asked::List));
        assert_eq!(asked(&format!("{BASE}/{id}")), Some(Asked::One(effect)));
        assert_eq!(asked(&format!("{BASE}/{id}/replay")), Some(Asked::Replay(effect)));
        for bad in ["x", "1.2.3", &format!("{id}.4"), &format!("{id}/dance")] {
            assert_eq!(asked(&format!("{BASE}/{bad}")), None, "{bad}");
        }
        assert!(!DeadLetters::serves("/nexus/v3/dead-letters2"));
    }
}
