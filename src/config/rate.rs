//! Rates: `"20/s burst 40"`, `"60/min burst 10"`.

use std::fmt;
use std::str::FromStr;

/// So many events in a time, and how many at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Events in the time; at least one.
    pub events: u32,
    /// The time.
    pub per: Per,
    /// Events at once; at least one.
    pub burst: u32,
}

/// The time of a [`Rate`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Per {
    /// A second.
    Second,
    /// A minute.
    Minute,
}

/// Not a rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a rate such as \"20/s burst 40\"")]
pub struct NotARate;

impl Rate {
    /// So many a second.
    pub const fn per_second(events: u32, burst: u32) -> Self {
        Self {
            events,
            per: Per::Second,
            burst,
        }
    }

    /// So many a minute.
    pub const fn per_minute(events: u32, burst: u32) -> Self {
        Self {
            events,
            per: Per::Minute,
            burst,
        }
    }
}

impl FromStr for Rate {
    type Err = NotARate;

    fn from_str(text: &str) -> Result<Self, NotARate> {
        let (rate, burst) = text.split_once(" burst ").ok_or(NotARate)?;
        let (events, per) = rate.trim().split_once('/').ok_or(NotARate)?;
        let at_least_one = |text: &str| match text.trim().parse() {
            Ok(number) if number > 0 => Ok(number),
            _ => Err(NotARate),
        };
        Ok(Self {
            events: at_least_one(events)?,
            per: match per.trim() {
                "s" => Per::Second,
                "min" => Per::Minute,
                _ => return Err(NotARate),
            },
            burst: at_least_one(burst)?,
        })
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let per = match self.per {
            Per::Second => "s",
            Per::Minute => "min",
        };
        write!(f, "{}/{per} burst {}", self.events, self.burst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_says_how_many_in_what_time_and_at_once() {
        assert_eq!("20/s burst 40".parse(), Ok(Rate::per_second(20, 40)));
        assert_eq!("60/min burst 1".parse(), Ok(Rate::per_minute(60, 1)));
        for wrong in ["", "20", "20/s", "0/s burst 1", "1/s burst 0", "1/h burst 1"] {
            assert_eq!(wrong.parse::<Rate>(), Err(NotARate), "{wrong}");
        }
        assert_eq!(Rate::per_minute(5, 6).to_string(), "5/min burst 6");
    }
}
