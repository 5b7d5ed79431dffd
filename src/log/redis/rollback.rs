//! Puts back what Redis lost, as soon as it is there again.
//!
//! After every reconnect the tops of all logs in the ring are compared with the store's. A missing append goes in again as it was if
//! what it continued is the store's top; that is a decided append like any other, so nodes that do the same at once do no harm. What
//! does not fit any more is said in the log and left to whoever decides there.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Instant;

use fred::types::config::Server;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use crate::log::append::{Answer, Append};
use crate::log::bounds::MAX_BATCH;
use crate::log::error::LogError;
use crate::model::{LogId, Position};

use super::encode;
use super::error::Access;
use super::link::{Call, Link};
use super::publication::Written;
use super::reply::{self, Items};
use super::ring::{Lost, Ring};

/// The ring of one core, shared between who writes, who hears, and who repairs.
#[derive(Debug)]
pub(super) struct Recent(Mutex<Ring>);

impl Recent {
    pub(super) fn new(ring: Ring) -> Arc<Self> {
        Arc::new(Self(Mutex::new(ring)))
    }

    pub(super) fn keep(&self, written: Written) {
        self.ring().keep(written, Instant::now());
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Repairs after each reconnect, until the link is gone.
pub(super) async fn mind(link: Weak<Link>, recent: Arc<Recent>, mut reconnects: Receiver<Server>) {
    loop {
        match reconnects.recv().await {
            Ok(_) | Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return,
        }
        let Some(link) = link.upgrade() else {
            return;
        };
        if let Err(error) = repair(&link, &recent).await {
            tracing::warn!(%error, "cannot tell whether redis has lost appends");
        }
    }
}

/// Compares every log in the ring with the store and puts back what it can.
async fn repair(link: &Link, recent: &Recent) -> Result<(), LogError> {
    let mut partitions: HashMap<u16, Vec<LogId>> = HashMap::new();
    {
        let mut ring = recent.ring();
        ring.forget(Instant::now());
        for log in ring.logs() {
            partitions.entry(link.number_of(log)).or_default().push(log);
        }
    }
    for (partition, logs) in partitions {
        for logs in logs.chunks(MAX_BATCH) {
            for (log, top) in logs.iter().zip(tops(link, partition, logs).await?) {
                let lost = recent.ring().lost(*log, top);
                match lost {
                    Lost::Nothing => {}
                    Lost::Known(appends) => put_back(link, *log, appends).await?,
                    Lost::Beyond => {
                        tracing::error!(%log, n = top.n, "redis lost appends that cannot be put back")
                    }
                }
            }
        }
    }
    Ok(())
}

async fn put_back(link: &Link, log: LogId, appends: Vec<Append>) -> Result<(), LogError> {
    for append in appends {
        let records = append.records.len();
        match written(link, append).await? {
            Answer::Appended { top, .. } => {
                tracing::warn!(%log, n = top.n, records, "put back what redis had lost");
            }
            // Somebody else did, or has gone on from there.
            Answer::Repeat { .. } | Answer::Refused { .. } => {}
            Answer::KeyReused | Answer::Closed | Answer::OptedOut => {
                tracing::error!(%log, "redis lost appends that cannot be put back");
                return Ok(());
            }
        }
    }
    Ok(())
}

async fn written(link: &Link, append: Append) -> Result<Answer, LogError> {
    let call = Call {
        function: "nexus_2_append",
        access: Access::Write,
        partition: link.number_of(append.log),
    };
    let frame = link.call(call, || encode::append(&append)).await?;
    let (answer, _) = reply::answer(frame, append.log)?;
    Ok(answer)
}

async fn tops(link: &Link, partition: u16, logs: &[LogId]) -> Result<Vec<Position>, LogError> {
    let call = Call {
        function: "nexus_2_tops",
        access: Access::Read,
        partition,
    };
    let args = || logs.iter().copied().map(encode::log).collect();
    let mut items = Items::of(link.call(call, args).await?, "tops")?;
    logs.iter().map(|_| items.position()).collect()
}
