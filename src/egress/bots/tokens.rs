//! Tokens of bots, kept on one core until shortly before they expire.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use secrecy::SecretString;
use tokio::sync::Mutex;

use crate::protocol::bot::AccessToken;

/// A token is not used in its last minute: it must outlast the call, and clocks differ.
const MARGIN: Duration = Duration::from_secs(60);
/// Bots remembered; beyond it the memory begins anew.
const REMEMBERED: usize = 1_024;

/// Whoever finds none asks for it, and those who come meanwhile wait for that one.
type Place = Rc<Mutex<Option<Held>>>;

struct Held {
    token: SecretString,
    until: Instant,
}

/// The tokens of one core, by bot.
#[derive(Default)]
pub(super) struct Tokens(RefCell<HashMap<String, Place>>);

impl Tokens {
    /// The bot's token, fetched where there is none that still holds.
    pub(super) async fn get<E>(
        &self,
        bot: String,
        now: Instant,
        fetch: impl Future<Output = Result<AccessToken, E>>,
    ) -> Result<SecretString, E> {
        let place = self.place(bot);
        let mut held = place.lock().await;
        if let Some(held) = held.as_ref().filter(|held| now < held.until) {
            return Ok(held.token.clone());
        }
        let given = fetch.await?;
        let holds = Duration::from_secs(given.seconds).saturating_sub(MARGIN);
        *held = Some(Held {
            token: given.secret.clone(),
            until: now + holds,
        });
        Ok(given.secret)
    }

    /// Forgets a bot's token. `false`: there was none.
    pub(super) fn forget(&self, bot: &str) -> bool {
        self.0.borrow_mut().remove(bot).is_some()
    }

    fn place(&self, bot: String) -> Place {
        let mut places = self.0.borrow_mut();
        if places.len() >= REMEMBERED && !places.contains_key(&bot) {
            places.clear();
        }
        Rc::clone(places.entry(bot).or_default())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may end at the first surprise")]
mod tests {
    use std::cell::Cell;
    use std::convert::Infallible;

    use futures_util::FutureExt as _;
    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn a_token_is_fetched_once_until_shortly_before_it_expires() {
        let (tokens, fetched, start) = (Tokens::default(), Cell::new(0_u64), Instant::now());
        let get = |bot: &str, after: u64| {
            let fetch = async {
                fetched.set(fetched.get() + 1);
                Ok::<_, Infallible>(AccessToken {
                    secret: format!("t{}", fetched.get()).into(),
                    seconds: 3_600,
                })
            };
            let got = tokens.get(bot.to_owned(), start + Duration::from_secs(after), fetch);
            got.now_or_never().unwrap().unwrap().expose_secret().to_owned()
        };
        assert_eq!([get("a", 0), get("a", 3_539), get("b", 0)], ["t1", "t1", "t2"]);
        assert_eq!(get("a", 3_540), "t3");
        assert!(tokens.forget("a") && !tokens.forget("a"));
        assert_eq!(get("a", 3_541), "t4");
    }

    #[test]
    fn a_fetch_that_failed_is_made_again() {
        let tokens = Tokens::default();
        let failed = tokens.get("a".to_owned(), Instant::now(), async {
            Err::<AccessToken, _>(())
        });
        assert!(failed.now_or_never().unwrap().is_err());
        let token = async {
            Ok::<_, ()>(AccessToken {
                secret: "t".to_owned().into(),
                seconds: 1,
            })
        };
        assert!(
            tokens
                .get("a".to_owned(), Instant::now(), token)
                .now_or_never()
                .unwrap()
                .is_ok()
        );
    }
}
