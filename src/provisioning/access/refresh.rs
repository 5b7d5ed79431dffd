//! When the published key set is fetched: by a schedule, and sooner when a token names a key nobody here knows.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout};

/// The longest a caller is kept waiting for a key set.
const PATIENCE: Duration = Duration::from_secs(3);

/// Brings those who need a newer key set together with whoever fetches it. Shared by all cores.
#[derive(Debug)]
pub struct Refresh {
    cooldown: Duration,
    state: Mutex<State>,
    wanted: Notify,
    fetches: watch::Sender<u64>,
}

#[derive(Debug)]
struct State {
    under_way: bool,
    not_before: Instant,
}

impl Refresh {
    /// However many ask, `cooldown` passes between two fetches: a token that names an unknown key costs an attacker nothing.
    pub fn new(cooldown: Duration) -> Self {
        Self {
            cooldown,
            state: Mutex::new(State {
                under_way: false,
                not_before: Instant::now(),
            }),
            wanted: Notify::new(),
            fetches: watch::Sender::new(0),
        }
    }

    /// Waits for a newer key set: the one that is being fetched, or one that is fetched for this. Comes back at once where one
    /// was fetched a moment ago, and after a few seconds in any case.
    pub(super) async fn ask(&self) {
        let mut fetches = self.fetches.subscribe();
        {
            let state = self.state();
            if !state.under_way {
                if Instant::now() < state.not_before {
                    return;
                }
                self.wanted.notify_one();
            }
        }
        // Whether it came or not, the token is looked at with the keys there are.
        let _ = timeout(PATIENCE, fetches.changed()).await;
    }

    /// Asks for a fetch without waiting for it.
    pub fn hurry(&self) {
        self.wanted.notify_one();
    }

    /// Whoever fetches waits here until it is time: `at_most` so long. From then on a fetch is under way.
    pub async fn due(&self, at_most: Duration) {
        let _ = timeout(at_most, self.wanted.notified()).await;
        self.state().under_way = true;
    }

    /// The fetch is over, and what came of it in force.
    pub fn done(&self) {
        {
            let mut state = self.state();
            state.under_way = false;
            state.not_before = Instant::now() + self.cooldown;
        }
        self.fetches
            .send_modify(|fetches| *fetches = fetches.wrapping_add(1));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COOLDOWN: Duration = Duration::from_secs(10);
    const SCHEDULE: Duration = Duration::from_secs(600);

    #[tokio::test(start_paused = true)]
    async fn many_who_ask_at_once_wait_for_one_fetch_and_the_next_asker_for_none() {
        let refresh = Refresh::new(COOLDOWN);
        let fetching = async {
            refresh.due(SCHEDULE).await;
            tokio::task::yield_now().await;
            refresh.done();
        };
        let began = Instant::now();
        tokio::join!(refresh.ask(), refresh.ask(), fetching, refresh.ask());
        refresh.ask().await;
        assert!(began.elapsed() < PATIENCE, "{:?}", began.elapsed());
        assert_eq!(*refresh.fetches.borrow(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn after_the_cooldown_one_may_ask_again_and_is_not_kept_for_ever() {
        let refresh = Refresh::new(COOLDOWN);
        refresh.done();
        tokio::time::advance(COOLDOWN).await;
        let began = Instant::now();
        // Nobody fetches.
        refresh.ask().await;
        assert_eq!(began.elapsed(), PATIENCE);
        refresh.due(SCHEDULE).await;
        assert_eq!(began.elapsed(), PATIENCE, "the wish was kept");
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_wish_the_schedule_decides() {
        let refresh = Refresh::new(COOLDOWN);
        let began = Instant::now();
        refresh.due(SCHEDULE).await;
        assert_eq!(began.elapsed(), SCHEDULE);
    }
}
