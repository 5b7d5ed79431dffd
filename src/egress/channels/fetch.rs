//! A customer's file that lies at its provider.

use std::time::Duration;

use hyper::header::{AUTHORIZATION, HeaderValue, LOCATION};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::egress::dispatcher::{Callee, NotAnswered, Schedule, record};
use crate::log::media::{NotKept, keep};
use crate::model::MediaId;
use crate::net::client::{Answer, Call, Guard};
use crate::protocol::file::Refused;
use crate::provisioning::account;
use crate::provisioning::objects::{Channel, Stored};
use crate::session::{File, Rejection, ServiceAct, SessionInput};
use crate::shard::{Delivery, ShardError, Shards, Verdict};

use super::connection::Channels;
use super::transmit::dialect;

/// A file is fetched so often before it is given up.
const SCHEDULE: Schedule = Schedule::Fixed {
    every: Duration::from_secs(20),
    attempts: 6,
};
/// A file may lie elsewhere than where it is announced, so many times: providers send on to where their files are kept.
const ELSEWHERE: usize = 3;

impl Channels {
    pub(super) async fn fetch(
        &self,
        shards: &Shards,
        delivery: &Delivery,
        channel: &Stored<Channel>,
        n: u64,
    ) -> Verdict {
        let about = match record(shards, delivery.id, n).await {
            Ok(about) => about,
            Err(verdict) => return verdict,
        };
        if !about.view.state.outside().is_awaited(n) {
            return Verdict::Done;
        }
        let announced: Map<String, Value> =
            serde_json::from_str(about.entry.record.body.as_str()).unwrap_or_default();
        let text = |name: &str| announced.get(name).and_then(Value::as_str);
        let outcome = match text("source") {
            None => Err("erased".to_owned()),
            Some(url) => match self.get(delivery, channel, url, text("name")).await {
                Ok(outcome) => outcome,
                Err(spared @ Verdict::Spared(_)) => return spared,
                Err(verdict) => match SCHEDULE.next(delivery.attempt.max(1), None, 0) {
                    Some(_) => return verdict,
                    None => Err("unreachable".to_owned()),
                },
            },
        };
        let act = ServiceAct::Fetched { of: n, outcome };
        match shards.session(delivery.id.log, SessionInput::Service(act)).await {
            Ok(_) | Err(ShardError::Rejected(Rejection::Stale) | ShardError::NoSuchLog) => Verdict::Done,
            Err(_) => Verdict::Later(Duration::from_secs(2)),
        }
    }

    /// The file, or why it will never be one; a verdict when it is worth another attempt.
    async fn get(
        &self,
        delivery: &Delivery,
        channel: &Stored<Channel>,
        url: &str,
        name: Option<&str>,
    ) -> Result<Result<File, String>, Verdict> {
        let again = Verdict::Later(Duration::from_secs(20));
        let mut url = url.to_owned();
        let mut left = ELSEWHERE;
        let answer = loop {
            match self.ask(delivery, channel, &url).await {
                Ok(answer) if answer.status.is_success() => break answer,
                Ok(answer) if answer.status.is_server_error() || answer.status == 429 => return Err(again),
                Ok(answer) => match elsewhere(&url, &answer).filter(|_| left > 0) {
                    Some(next) => {
                        left -= 1;
                        url = next;
                    }
                    None => return Ok(Err("refused".to_owned())),
                },
                Err(NotAnswered::Failed(error)) if !error.is_worth_a_retry() => {
                    return Ok(Err(error.class().word().to_owned()));
                }
                Err(NotAnswered::Spared(after)) => return Err(Verdict::Spared(after)),
                Err(NotAnswered::Failed(_)) => return Err(again),
            }
        };
        let id = MediaId(Uuid::new_v4());
        match keep(&*self.media, delivery.tenant, id, name, answer.body).await {
            Ok(kept) => Ok(Ok(File {
                media: kept.id,
                mime: kept.mime.to_owned(),
                length: kept.length,
                name: kept.name,
            })),
            Err(NotKept::Refused(Refused::Infected)) => Ok(Err("infected".to_owned())),
            Err(NotKept::Refused(_)) => Ok(Err("type".to_owned())),
            Err(NotKept::Store(_)) => Err(again),
        }
    }

    /// Asks one address, which is vetted like any that a customer gives. Only the provider's own is shown the account's credentials.
    async fn ask(
        &self,
        delivery: &Delivery,
        channel: &Stored<Channel>,
        url: &str,
    ) -> Result<Answer, NotAnswered> {
        let target = format!("f{}", delivery.tenant);
        let callee = Callee {
            tenant: delivery.tenant,
            target: &target,
            guard: Guard::Public,
        };
        let mut call = Call::get(url, Guard::Public);
        call.max_response = Some(self.settings.max_file);
        let account = account(&self.snapshots.load(), channel).ok();
        let opens = dialect(&channel.value.provider).zip(account);
        let opens = opens.and_then(|(dialect, account)| dialect.opens(&account, url));
        if let Some(Ok(value)) = opens.map(HeaderValue::try_from) {
            call.headers.insert(AUTHORIZATION, value);
        }
        self.calls.send(&callee, call).await
    }
}

/// Where an answer sends on to; `None` of one that does not.
fn elsewhere(url: &str, answer: &Answer) -> Option<String> {
    if !matches!(answer.status.as_u16(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let to = answer.headers.get(LOCATION)?.to_str().ok()?;
    if !to.starts_with('/') || to.starts_with("//") {
        return Some(to.to_owned());
    }
    let authority = url.find("://")? + 3;
    let end = url[authority..]
        .find(['/', '?'])
        .map_or(url.len(), |at| authority + at);
    Some(format!("{}{to}", &url[..end]))
}
