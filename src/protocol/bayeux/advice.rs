//! What a server advises, within what we are willing to follow.

use serde_json::Value;

/// The shortest pause between two connects, in milliseconds: an interval of nothing is a tight loop.
const INTERVAL_MIN: u64 = 50;
/// The longest pause a server may ask for.
const INTERVAL_MAX: u64 = 60_000;
/// The longest a server may say it holds a connect.
const TIMEOUT_MAX: u64 = 120_000;
/// How long a connect is held when nothing was said.
const TIMEOUT_USUAL: u64 = 30_000;
/// The pause while the server sees several clients behind one cookie, each of which keeps it from holding the others' connects.
const SHARED_INTERVAL: u64 = 2_000;

/// What to do when a connect has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reconnect {
    /// Connect again.
    Retry,
    /// The session is lost.
    Handshake,
    /// Stop.
    Never,
}

/// The advice in force. All times are in milliseconds and within bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Advice {
    pub(super) reconnect: Reconnect,
    interval: u64,
    pub(super) timeout: u64,
    shared: bool,
}

impl Default for Advice {
    fn default() -> Self {
        Self {
            reconnect: Reconnect::Retry,
            interval: INTERVAL_MIN,
            timeout: TIMEOUT_USUAL,
            shared: false,
        }
    }
}

impl Advice {
    /// Later advice replaces earlier; the times it does not name, or names in no number, stay.
    pub(super) fn replaced_by(self, later: Option<&Value>) -> Self {
        let Some(later) = later.filter(|advice| advice.is_object()) else {
            return self;
        };
        let negative = later["interval"].as_f64().is_some_and(|interval| interval < 0.0);
        Self {
            reconnect: match later["reconnect"].as_str() {
                _ if negative => Reconnect::Never,
                Some("none") => Reconnect::Never,
                Some("handshake") => Reconnect::Handshake,
                _ => Reconnect::Retry,
            },
            interval: milliseconds(&later["interval"])
                .unwrap_or(self.interval)
                .clamp(INTERVAL_MIN, INTERVAL_MAX),
            timeout: milliseconds(&later["timeout"])
                .unwrap_or(self.timeout)
                .min(TIMEOUT_MAX),
            shared: later["multiple-clients"].as_bool().unwrap_or(false),
        }
    }

    /// The pause before the next connect.
    pub(super) fn pause(&self) -> u64 {
        if self.shared {
            self.interval.max(SHARED_INTERVAL)
        } else {
            self.interval
        }
    }
}

/// A number of milliseconds, whole or not; one too large for a pause is as good as the largest.
fn milliseconds(value: &Value) -> Option<u64> {
    if let Some(whole) = value.as_u64() {
        return Some(whole);
    }
    let number = value.as_f64()?;
    let capped = number.clamp(0.0, 4_294_967_295.0);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and 2^32 - 1"
    )]
    let whole = capped as u64;
    Some(whole)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn a_tight_loop_and_an_endless_wait_are_clamped() {
        let advice = Advice::default().replaced_by(Some(&json!({"interval": 0, "timeout": 1e300})));
        assert_eq!((advice.pause(), advice.timeout), (50, 120_000));
        let advice = advice.replaced_by(Some(&json!({"interval": u64::MAX})));
        assert_eq!((advice.pause(), advice.timeout), (60_000, 120_000));
    }

    #[test]
    fn a_negative_interval_forbids_to_try_again() {
        let advice = Advice::default().replaced_by(Some(&json!({"reconnect": "retry", "interval": -1})));
        assert_eq!(advice.reconnect, Reconnect::Never);
    }

    #[test]
    fn later_advice_takes_back_what_earlier_advice_said() {
        let several = Advice::default().replaced_by(Some(&json!({"multiple-clients": true})));
        assert_eq!(several.pause(), 2_000);
        assert_eq!(
            several.replaced_by(Some(&json!({"reconnect": "retry"}))).pause(),
            50
        );
    }

    proptest! {
        #[test]
        fn no_advice_leaves_the_bounds(interval in any::<f64>(), timeout in any::<f64>(), several: bool) {
            let advice = json!({"interval": interval, "timeout": timeout, "multiple-clients": several});
            let advice = Advice::default().replaced_by(Some(&advice));
            prop_assert!((50..=60_000).contains(&advice.pause()));
            prop_assert!(advice.timeout <= 120_000);
        }
    }
}
