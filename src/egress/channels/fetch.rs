//! A customer's file that lies at its provider.

use std::time::Duration;

use serde_json::{Map, Value};
use uuid::Uuid;

use crate::egress::dispatcher::{Callee, NotAnswered, Schedule, record};
use crate::log::media::{NotKept, keep};
use crate::model::MediaId;
use crate::net::client::{Call, Guard};
use crate::protocol::file::Refused;
use crate::session::{File, Rejection, ServiceAct, SessionInput};
use crate::shard::{Delivery, ShardError, Shards, Verdict};

use super::connection::Channels;

/// A file is fetched so often before it is given up.
const SCHEDULE: Schedule = Schedule::Fixed {
    every: Duration::from_secs(20),
    attempts: 6,
};

impl Channels {
    pub(super) async fn fetch(&self, shards: &Shards, delivery: &Delivery, n: u64) -> Verdict {
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
            Some(url) => match self.get(delivery, url, text("name")).await {
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
        url: &str,
        name: Option<&str>,
    ) -> Result<Result<File, String>, Verdict> {
        let target = format!("f{}", delivery.tenant);
        let callee = Callee {
            tenant: delivery.tenant,
            target: &target,
            guard: Guard::Public,
        };
        let mut call = Call::get(url, Guard::Public);
        call.max_response = Some(self.settings.max_file);
        let again = Verdict::Later(Duration::from_secs(20));
        let answer = match self.calls.send(&callee, call).await {
            Ok(answer) if answer.status.is_success() => answer,
            Ok(answer) if answer.status.is_server_error() || answer.status == 429 => return Err(again),
            Ok(_) => return Ok(Err("refused".to_owned())),
            Err(NotAnswered::Failed(error)) if !error.is_worth_a_retry() => {
                return Ok(Err(error.class().word().to_owned()));
            }
            Err(NotAnswered::Spared(after)) => return Err(Verdict::Spared(after)),
            Err(NotAnswered::Failed(_)) => return Err(again),
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
}
