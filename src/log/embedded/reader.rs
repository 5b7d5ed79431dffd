//! Threads that read, so that no core waits for the disk.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{io, thread};

use redb::ReadTransaction;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use crate::log::error::LogError;

use super::database::Database;
use super::fault::Fault;
use super::requests::Reply;

type Job = Box<dyn FnOnce(&Database) + Send>;

/// The readers of a store. They end when this is dropped.
pub(super) struct Readers {
    queues: Vec<mpsc::Sender<Job>>,
    turn: AtomicUsize,
}

impl Readers {
    pub(super) fn start(count: usize, queue: usize, database: &Arc<Database>) -> io::Result<Self> {
        let mut queues = Vec::with_capacity(count);
        for number in 0..count.max(1) {
            let (sender, mut jobs) = mpsc::channel::<Job>(queue.max(1));
            let database = Arc::clone(database);
            thread::Builder::new()
                .name(format!("log-reader-{number}"))
                .spawn(move || {
                    while let Some(job) = jobs.blocking_recv() {
                        job(&database);
                    }
                })?;
            queues.push(sender);
        }
        Ok(Self {
            queues,
            turn: AtomicUsize::new(0),
        })
    }

    /// Hands a read over to the next reader; the answer comes by the reply.
    pub(super) fn read<T: Send + 'static>(
        &self,
        reply: Reply<T>,
        read: impl FnOnce(&ReadTransaction) -> Result<T, Fault> + Send + 'static,
    ) -> Result<(), LogError> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % self.queues.len();
        let job = Box::new(move |database: &Database| {
            let answer = database.begin_read().and_then(|transaction| read(&transaction));
            reply.send(answer.map_err(LogError::from));
        });
        self.queues[turn].try_send(job).map_err(|error| {
            LogError::unavailable(match error {
                TrySendError::Full(_) => "too many reads wait for the disk",
                TrySendError::Closed(_) => "the log store is closed",
            })
        })
    }
}
