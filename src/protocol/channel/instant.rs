//! The ways providers write an instant.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::fmt::strtime;
use jiff::tz::TimeZone;

use crate::model::Millis;

/// Reads RFC 3339, the same with an offset without a colon, `YYYY-MM-DD hh:mm:ss` in UTC, and seconds or milliseconds
/// since the epoch. `None` for anything else: an instant is never worth refusing a message for.
#[must_use]
pub fn instant(text: &str) -> Option<Millis> {
    let text = text.trim();
    if text.len() > 40 {
        return None;
    }
    if text.bytes().all(|c| c.is_ascii_digit()) {
        let number: u64 = text.parse().ok()?;
        // The year 5138 in seconds is the year 1973 in milliseconds: nobody means either.
        return Some(Millis(if number < 100_000_000_000 {
            number * 1_000
        } else {
            number
        }));
    }
    let stamp = text.parse::<Timestamp>().ok().or_else(|| {
        if let Ok(civil) = text.parse::<DateTime>() {
            return civil.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp());
        }
        strtime::parse("%Y-%m-%dT%H:%M:%S%.f%z", text)
            .ok()?
            .to_timestamp()
            .ok()
    })?;
    u64::try_from(stamp.as_millisecond()).ok().map(Millis)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_way_names_the_same_instant() {
        for text in [
            "2023-11-14T22:13:20Z",
            "2023-11-14T22:13:20.000+00:00",
            "2023-11-14T23:13:20.000+0100",
            "2023-11-14 22:13:20",
            "1700000000",
            "1700000000000",
        ] {
            assert_eq!(instant(text), Some(Millis(1_700_000_000_000)), "{text}");
        }
        for text in ["", "yesterday", "1969-01-01T00:00:00Z", "99999999999999999999"] {
            assert_eq!(instant(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_reader(text in ".{0,50}") {
            let _ = instant(&text);
        }
    }
}
