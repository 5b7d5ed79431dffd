//! The graceful stop: named phases, work that holds a phase open, one deadline, and a report.
//!
//! Everybody who must do something at the end holds a [`DrainToken`]: it tells the phase, wakes on a change,
//! and hands out [`Retain`] guards that keep a named phase open while they live. The process moves on when
//! nothing retains the phase, or when the one deadline for the whole drain has passed. Stopping must be
//! correct even if nothing is waited for; waiting only makes it kinder.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::Instant;

/// Where the process is in its life. Only ever moves forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Serving.
    Running,
    /// Serving, but telling balancers to send nothing new.
    NotReady,
    /// No new connections; idle ones are closed, long-lived ones are told to reconnect elsewhere.
    Closing,
    /// What is in flight is finished: requests, appends.
    Flushing,
    /// Leases and watches are given back.
    Released,
    /// Nothing is waited for any more.
    Stopped,
}

impl Phase {
    /// Every phase in which the drain can wait, in order.
    const WAITING: [Self; 4] = [Self::NotReady, Self::Closing, Self::Flushing, Self::Released];

    /// The name used in logs and in the report.
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::NotReady => "not-ready",
            Self::Closing => "closing",
            Self::Flushing => "flushing",
            Self::Released => "released",
            Self::Stopped => "stopped",
        }
    }
}

/// How long the drain may take.
#[derive(Clone, Copy, Debug)]
pub struct DrainPlan {
    /// How long to stay in [`Phase::NotReady`], so that balancers notice. Nothing can shorten it but a cut.
    pub not_ready: Duration,
    /// The one deadline of the whole drain, counted from its start.
    pub deadline: Duration,
}

#[derive(Debug)]
struct Shared {
    retained: [AtomicUsize; 4],
    released: Notify,
    cut: AtomicBool,
}

/// Moves the phases. One per process.
#[derive(Debug)]
pub struct Drain {
    phase: watch::Sender<Phase>,
    shared: Arc<Shared>,
}

/// Everybody's view of the drain. Cheap to clone, usable from every core.
#[derive(Clone, Debug)]
pub struct DrainToken {
    phase: watch::Receiver<Phase>,
    shared: Arc<Shared>,
}

/// Keeps one phase open while it lives.
#[derive(Debug)]
pub struct Retain {
    slot: usize,
    shared: Arc<Shared>,
}

/// How one phase ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PhaseReport {
    /// Which phase.
    pub phase: Phase,
    /// How long it lasted.
    pub took: Duration,
    /// How many guards held it open when it began.
    pub held: usize,
    /// How many still held it open when it was left: work that was cut.
    pub cut: usize,
}

/// How the drain went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DrainReport {
    /// Guards that were let go in time.
    pub clean: usize,
    /// Guards that were still held when their phase was left.
    pub cut: usize,
    /// Phase by phase.
    pub phases: Vec<PhaseReport>,
}

impl Default for Drain {
    fn default() -> Self {
        Self::new()
    }
}

impl Drain {
    /// A process in [`Phase::Running`].
    pub fn new() -> Self {
        let shared = Shared {
            retained: std::array::from_fn(|_| AtomicUsize::new(0)),
            released: Notify::new(),
            cut: AtomicBool::new(false),
        };
        Self {
            phase: watch::Sender::new(Phase::Running),
            shared: Arc::new(shared),
        }
    }

    /// A view to hand out.
    pub fn token(&self) -> DrainToken {
        DrainToken {
            phase: self.phase.subscribe(),
            shared: Arc::clone(&self.shared),
        }
    }

    /// The present phase.
    pub fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    /// Ends the drain now: each phase is left at once. For a second signal.
    pub fn cut(&self) {
        self.shared.cut.store(true, Ordering::Release);
        self.shared.released.notify_waiters();
    }

    /// Moves through all phases and reports. A phase lasts until nothing retains it, or until the deadline.
    pub async fn run(&self, plan: DrainPlan) -> DrainReport {
        let deadline = Instant::now() + plan.deadline;
        let mut report = DrainReport {
            clean: 0,
            cut: 0,
            phases: Vec::with_capacity(4),
        };
        for (slot, phase) in Phase::WAITING.into_iter().enumerate() {
            let began = Instant::now();
            let held = self.shared.count(slot);
            self.advance(phase);
            let least = if phase == Phase::NotReady {
                began + plan.not_ready
            } else {
                began
            };
            self.shared.wait(slot, least.min(deadline), deadline).await;
            let cut = self.shared.count(slot);
            report.clean += held.saturating_sub(cut);
            report.cut += cut;
            report.phases.push(PhaseReport {
                phase,
                took: began.elapsed(),
                held,
                cut,
            });
        }
        self.advance(Phase::Stopped);
        report
    }

    fn advance(&self, to: Phase) {
        self.phase.send_if_modified(|phase| {
            let forward = to > *phase;
            if forward {
                *phase = to;
            }
            forward
        });
    }
}

impl Shared {
    fn count(&self, slot: usize) -> usize {
        self.retained[slot].load(Ordering::Acquire)
    }

    /// Waits until `least` has passed and nothing retains `slot`, but never beyond `deadline`.
    async fn wait(&self, slot: usize, least: Instant, deadline: Instant) {
        loop {
            let released = self.released.notified();
            let now = Instant::now();
            if self.cut.load(Ordering::Acquire) || now >= deadline || (now >= least && self.count(slot) == 0)
            {
                return;
            }
            let until = if now < least { least } else { deadline };
            let _ = tokio::time::timeout_at(until, released).await;
        }
    }
}

impl DrainToken {
    /// A token of a process that never drains, for parts that run without one (tests, tools).
    pub fn never() -> Self {
        let drain = Drain::new();
        drain.token()
    }

    /// The present phase.
    pub fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    /// Resolves with the new phase after the next change since this token last looked. Cancel-safe. When the
    /// drain itself is gone there are no more changes and this waits for ever.
    pub async fn changed(&mut self) -> Phase {
        match self.phase.changed().await {
            Ok(()) => *self.phase.borrow_and_update(),
            Err(_) => std::future::pending().await,
        }
    }

    /// Resolves once the process has reached `phase`. Cancel-safe.
    pub async fn reached(&mut self, phase: Phase) {
        if self.phase.wait_for(|now| *now >= phase).await.is_err() {
            std::future::pending().await
        }
    }

    /// Keeps `phase` open until the guard is dropped. `None` when that phase is already over, or is one the
    /// drain does not wait in.
    pub fn retain(&self, phase: Phase) -> Option<Retain> {
        let slot = Phase::WAITING.iter().position(|waiting| *waiting == phase)?;
        self.shared.retained[slot].fetch_add(1, Ordering::AcqRel);
        let retain = Retain {
            slot,
            shared: Arc::clone(&self.shared),
        };
        (self.phase() <= phase).then_some(retain)
    }
}

impl Drop for Retain {
    fn drop(&mut self) {
        if self.shared.retained[self.slot].fetch_sub(1, Ordering::AcqRel) == 1 {
            self.shared.released.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: DrainPlan = DrainPlan {
        not_ready: Duration::from_secs(5),
        deadline: Duration::from_secs(60),
    };

    #[tokio::test(start_paused = true)]
    async fn an_idle_process_drains_as_soon_as_balancers_have_had_their_time() {
        let drain = Drain::new();
        let report = drain.run(PLAN).await;
        assert_eq!((report.clean, report.cut), (0, 0));
        assert_eq!(report.phases[0].took, Duration::from_secs(5));
        assert_eq!(drain.phase(), Phase::Stopped);
    }

    #[tokio::test(start_paused = true)]
    async fn a_phase_waits_for_its_guards_and_only_for_its_own() {
        let drain = Drain::new();
        let mut token = drain.token();
        let request = token.retain(Phase::Flushing).unwrap();
        let run = drain.run(PLAN);
        tokio::pin!(run);
        tokio::select! {
            _ = &mut run => panic!("left a phase that was held open"),
            () = token.reached(Phase::Flushing) => {}
        }
        drop(request);
        let report = run.await;
        assert_eq!((report.clean, report.cut), (1, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn the_deadline_cuts_what_does_not_let_go_and_says_so() {
        let drain = Drain::new();
        let _stuck = drain.token().retain(Phase::Closing).unwrap();
        let began = Instant::now();
        let report = drain.run(PLAN).await;
        assert_eq!(began.elapsed(), PLAN.deadline);
        assert_eq!((report.clean, report.cut), (0, 1));
        assert_eq!(report.phases[1].phase, Phase::Closing);
        assert_eq!(report.phases[1].cut, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_second_signal_ends_the_wait() {
        let drain = Drain::new();
        let _stuck = drain.token().retain(Phase::Closing).unwrap();
        let began = Instant::now();
        let (report, ()) = tokio::join!(drain.run(PLAN), async {
            drain.token().reached(Phase::NotReady).await;
            drain.cut();
        });
        assert_eq!(report.cut, 1);
        assert_eq!(began.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn phases_are_seen_in_order_and_a_late_guard_is_refused() {
        let drain = Drain::new();
        let token = drain.token();
        drain.run(PLAN).await;
        assert_eq!(token.phase(), Phase::Stopped);
        assert!(token.retain(Phase::Flushing).is_none());
        assert!(token.retain(Phase::Running).is_none());
    }
}
