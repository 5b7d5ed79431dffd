//! Notice of changes: a session of its own that listens, backed by a poll.
//!
//! A notification only says that something changed; the version is always read. After a lost session it is read anew, so
//! what was missed meanwhile is found at once.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tracing::{info, warn};

use super::error::{corrupt, failed};
use super::migrate::{migrate, verify};
use super::write::NOTICE;
use crate::postgres::{Connector, Heard, Session};
use crate::provisioning::store::StoreError;
use crate::runtime::Backoff;

pub(super) const VERSION: &str = "SELECT version FROM nex_version";
/// How long one read of the version may take before the session counts as lost.
const PATIENCE: Duration = Duration::from_secs(5);
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));

pub(super) struct Listener {
    pub(super) connector: Connector,
    pub(super) migrate: bool,
    /// How often the version is read without notice.
    pub(super) poll: Duration,
    pub(super) version: watch::Sender<u64>,
}

impl Listener {
    /// Listens for as long as it is polled.
    pub(super) async fn run(self) {
        let mut attempt = 0;
        loop {
            let heard = Arc::new(Heard::default());
            let lost = match self.connector.open(Arc::clone(&heard)).await {
                Ok(session) => self.listen(session, &heard, &mut attempt).await,
                Err(error) => error.into(),
            };
            warn!(error = %lost, "not listening to the provisioning store");
            let random = uuid::Uuid::new_v4().as_u64_pair().1;
            tokio::time::sleep(BACKOFF.delay(attempt, random)).await;
            attempt = attempt.saturating_add(1);
        }
    }

    async fn listen(&self, mut session: Session, heard: &Heard, attempt: &mut u32) -> StoreError {
        let readied = match self.migrate {
            true => migrate(&mut session).await.map(drop),
            false => verify(&mut session).await,
        };
        if let Err(error) = readied {
            return error;
        }
        if let Err(error) = session.client.batch_execute(&format!("LISTEN {NOTICE}")).await {
            return failed(error);
        }
        info!("listening to the provisioning store");
        loop {
            match tokio::time::timeout(PATIENCE, read_version(&mut session)).await {
                Ok(Ok(version)) => {
                    *attempt = 0;
                    self.version.send_if_modified(|known| {
                        let newer = version > *known;
                        *known = version.max(*known);
                        newer
                    });
                }
                Ok(Err(error)) => return error,
                Err(_) => return StoreError::Unavailable("no answer in time".to_owned()),
            }
            tokio::select! {
                () = heard.notified.notified() => {}
                () = tokio::time::sleep(self.poll) => {}
                () = heard.ended.notified() => return StoreError::Unavailable("connection lost".to_owned()),
            }
        }
    }
}

async fn read_version(session: &mut Session) -> Result<u64, StoreError> {
    let statement = session.prepared(VERSION).await?;
    let row = session.client.query_one(&statement, &[]).await.map_err(failed)?;
    u64::try_from(row.get::<_, i64>(0)).map_err(corrupt)
}
