//! One thread a core, each with its own single-threaded runtime.
//!
//! A core's work is built on its own thread, so it may hold `Rc` and other things that never leave it. The
//! first core that fails, by an error or by a panic, ends the wait with its reason: half a process is worse
//! than none, and stopping is safe at any point.

use std::any::Any;
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::JoinHandle;

use futures_util::future::LocalBoxFuture;
use tokio::runtime::Builder;
use tokio::sync::mpsc;
use tokio::task::LocalSet;

/// Which core: `0..cores`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CoreId(pub u16);

impl CoreId {
    /// The core's place in a table.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

impl fmt::Display for CoreId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "core-{}", self.0)
    }
}

/// What a core's work answers when it ends.
pub type CoreResult = Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// The first core that did not end well.
#[derive(Debug, thiserror::Error)]
pub enum CoreFailure {
    /// Its work ended with an error.
    #[error("{core} failed: {source}")]
    Failed {
        /// Which core.
        core: CoreId,
        /// What its work said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Its work panicked.
    #[error("{core} panicked: {message}")]
    Panicked {
        /// Which core.
        core: CoreId,
        /// The panic's message.
        message: String,
    },
}

/// The running cores.
#[derive(Debug)]
pub struct Cores {
    threads: Vec<JoinHandle<()>>,
    ended: mpsc::Receiver<Result<(), CoreFailure>>,
    running: usize,
}

impl Cores {
    /// Starts one thread for each `work`, named `core-0` and so on; with `pin`, bound to a processor each
    /// where the system allows it. Each `work` is called on its own thread, inside its runtime.
    ///
    /// # Errors
    /// When a thread cannot be started.
    pub fn start<W>(works: Vec<W>, pin: bool) -> io::Result<Self>
    where
        W: FnOnce(CoreId) -> LocalBoxFuture<'static, CoreResult> + Send + 'static,
    {
        let running = works.len();
        let processors = if pin {
            core_affinity::get_core_ids().unwrap_or_default()
        } else {
            Vec::new()
        };
        let (end, ended) = mpsc::channel(running.max(1));
        let mut threads = Vec::with_capacity(running);
        for (index, work) in works.into_iter().enumerate() {
            let core = CoreId(u16::try_from(index).unwrap_or(u16::MAX));
            let processor = (!processors.is_empty()).then(|| processors[index % processors.len()]);
            let end = end.clone();
            let thread = std::thread::Builder::new()
                .name(core.to_string())
                .spawn(move || {
                    if let Some(processor) = processor
                        && !core_affinity::set_for_current(processor)
                    {
                        tracing::debug!(%core, "not pinned to a processor");
                    }
                    // One place per core: the channel cannot be full.
                    let _ = end.try_send(run(core, work));
                })?;
            threads.push(thread);
        }
        Ok(Self {
            threads,
            ended,
            running,
        })
    }

    /// Waits until all cores have ended well, or the first has not. After a failure the other cores may
    /// still run: the caller is expected to end the process. Cancel-safe.
    ///
    /// # Errors
    /// The first [`CoreFailure`].
    pub async fn ended(&mut self) -> Result<(), CoreFailure> {
        while self.running > 0 {
            match self.ended.recv().await {
                Some(ended) => {
                    self.running -= 1;
                    ended?;
                }
                None => break,
            }
        }
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
        Ok(())
    }
}

fn run<W>(core: CoreId, work: W) -> Result<(), CoreFailure>
where
    W: FnOnce(CoreId) -> LocalBoxFuture<'static, CoreResult>,
{
    let outcome = catch_unwind(AssertUnwindSafe(|| -> CoreResult {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        LocalSet::new().block_on(&runtime, async { work(core).await })
    }));
    match outcome {
        Ok(Ok(())) => Ok(()),
        Ok(Err(source)) => Err(CoreFailure::Failed { core, source }),
        Err(panic) => Err(CoreFailure::Panicked {
            core,
            message: message_of(panic.as_ref()),
        }),
    }
}

fn message_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::rc::Rc;

    type Work = Box<dyn FnOnce(CoreId) -> LocalBoxFuture<'static, CoreResult> + Send>;

    #[tokio::test]
    async fn each_core_runs_its_own_local_tasks_on_a_named_thread() {
        let work = || -> Work {
            Box::new(|core| {
                Box::pin(async move {
                    let not_send = Rc::new(core);
                    let name = tokio::task::spawn_local(async move {
                        (
                            not_send.to_string(),
                            std::thread::current().name().map(str::to_owned),
                        )
                    });
                    let (expected, name) = name.await?;
                    if name.as_deref() == Some(expected.as_str()) {
                        Ok(())
                    } else {
                        Err("wrong thread".into())
                    }
                })
            })
        };
        Cores::start(vec![work(), work(), work()], true)
            .unwrap()
            .ended()
            .await
            .unwrap();
    }

    #[tokio::test]
    async fn the_first_failure_ends_the_wait_while_others_still_run() {
        let works: Vec<Work> = vec![
            Box::new(|_| Box::pin(std::future::pending())),
            Box::new(|_| Box::pin(async { Err("store is gone".into()) })),
        ];
        let failure = Cores::start(works, false).unwrap().ended().await.unwrap_err();
        assert_eq!(failure.to_string(), "core-1 failed: store is gone");
    }

    #[tokio::test]
    async fn a_panic_is_a_failure_with_its_message() {
        let works: Vec<Work> = vec![Box::new(|_| Box::pin(async { panic!("invariant broken") }))];
        let failure = Cores::start(works, false).unwrap().ended().await.unwrap_err();
        assert_eq!(failure.to_string(), "core-0 panicked: invariant broken");
    }
}
