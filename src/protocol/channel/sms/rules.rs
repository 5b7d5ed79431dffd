//! What a channel's `config` says of numbers: `allowedPrefixes` and `refusedPrefixes` (lists of `+1`, `+44` and so on), and how much
//! may be sent, `perNumber` and `perChannel` (`{ most = 20, withinSec = 60 }`) and `maxSegments` of one text.

use serde_json::{Map, Value};

use super::policy::Prefixes;
use super::velocity::{Cap, Caps};

/// The rules of one channel.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules {
    /// Which numbers.
    pub prefixes: Prefixes,
    /// How much, where the channel says so itself.
    pub caps: Caps,
    /// Short messages that one text may be, where the channel says so itself.
    pub segments: Option<usize>,
}

/// The longest time of a cap: a day.
const LONGEST_SECONDS: u64 = 86_400;
/// The parts of one message are numbered with a byte (3GPP TS 23.040).
const MOST_SEGMENTS: u64 = 255;

impl Rules {
    /// Reads them, with the names of what cannot be read; that is left out.
    #[must_use]
    pub fn of(config: &Map<String, Value>) -> (Self, Vec<&'static str>) {
        let mut odd = Vec::new();
        let mut list = |name: &'static str| match config.get(name) {
            None => Vec::new(),
            Some(Value::Array(items)) if items.iter().all(Value::is_string) => {
                items.iter().filter_map(Value::as_str).collect()
            }
            Some(_) => {
                odd.push(name);
                Vec::new()
            }
        };
        let (allowed, refused) = (list("allowedPrefixes"), list("refusedPrefixes"));
        let (prefixes, unread) = Prefixes::new(allowed.iter().copied(), refused.iter().copied());
        let holds = |list: &[&str]| list.iter().any(|item| unread.iter().any(|odd| odd == item));
        if holds(&allowed) {
            odd.push("allowedPrefixes");
        }
        if holds(&refused) {
            odd.push("refusedPrefixes");
        }
        let mut cap = |name: &'static str| {
            let value = config.get(name)?;
            let read = read_cap(value);
            if read.is_none() {
                odd.push(name);
            }
            read
        };
        let caps = Caps {
            per_number: cap("perNumber"),
            per_channel: cap("perChannel"),
        };
        let segments = match config.get("maxSegments") {
            None => None,
            Some(value) => {
                let read = value.as_u64().filter(|most| (1..=MOST_SEGMENTS).contains(most));
                if read.is_none() {
                    odd.push("maxSegments");
                }
                read.and_then(|most| usize::try_from(most).ok())
            }
        };
        let rules = Self {
            prefixes,
            caps,
            segments,
        };
        (rules, odd)
    }
}

fn read_cap(value: &Value) -> Option<Cap> {
    let object = value.as_object().filter(|object| object.len() == 2)?;
    let most = object.get("most")?.as_u64().filter(|most| *most > 0)?;
    let seconds = object.get("withinSec")?.as_u64()?;
    (1..=LONGEST_SECONDS).contains(&seconds).then_some(Cap {
        most: u32::try_from(most).ok()?,
        within: seconds * 1_000,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(config: Value) -> (Rules, Vec<&'static str>) {
        Rules::of(config.as_object().unwrap())
    }

    #[test]
    fn a_channel_without_rules_bounds_nothing() {
        assert_eq!(
            rules(serde_json::json!({"subtype": "x"})),
            (Rules::default(), Vec::new())
        );
    }

    #[test]
    fn rules_are_read_and_what_is_none_is_named() {
        let (read, odd) = rules(
            serde_json::json!({"allowedPrefixes": ["+1"], "refusedPrefixes": ["+1900"],
            "perNumber": {"most": 3, "withinSec": 60}, "maxSegments": 4}),
        );
        assert_eq!(read.segments, Some(4));
        assert!(
            odd.is_empty() && read.prefixes.allow("+12025550101") && !read.prefixes.allow("+19005550101")
        );
        let cap = Cap {
            most: 3,
            within: 60_000,
        };
        assert_eq!((read.caps.per_number, read.caps.per_channel), (Some(cap), None));
        let (_, odd) = rules(
            serde_json::json!({"allowedPrefixes": "+1", "refusedPrefixes": ["1900"],
            "perNumber": {"most": 0, "withinSec": 60}, "perChannel": {"most": 1}, "maxSegments": 256}),
        );
        assert_eq!(
            odd,
            [
                "allowedPrefixes",
                "refusedPrefixes",
                "perNumber",
                "perChannel",
                "maxSegments"
            ]
        );
    }
}
