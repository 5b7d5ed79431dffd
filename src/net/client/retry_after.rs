//! `Retry-After`: seconds, or a date.

use std::time::Duration;

use jiff::fmt::rfc2822;

/// The wait a `Retry-After` value asks for at `now_ms` (Unix time): a number of seconds, or an HTTP date, which
/// is no wait when it has passed. Anything else is none.
pub fn retry_after(value: &str, now_ms: u64) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) {
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let at = rfc2822::parse(value).ok()?.timestamp().as_millisecond();
    let at = u64::try_from(at).unwrap_or(0);
    Some(Duration::from_millis(at.saturating_sub(now_ms)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn seconds_and_dates_are_read() {
        // 1994-11-06 08:49:37 UTC.
        let at = 784_111_777_000;
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        assert_eq!(retry_after("120", at), Some(Duration::from_secs(120)));
        assert_eq!(retry_after(" 0 ", at), Some(Duration::ZERO));
        assert_eq!(retry_after(date, at - 5_000), Some(Duration::from_secs(5)));
        assert_eq!(retry_after(date, at + 5_000), Some(Duration::ZERO));
        for wrong in ["", "-1", "1.5", "soon", "1 s"] {
            assert_eq!(retry_after(wrong, at), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn no_value_is_a_panic(value: String, now: u64) {
            let _ = retry_after(&value, now);
        }
    }
}
