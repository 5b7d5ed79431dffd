//! Durations: `"500ms"`, `"30s"`, `"1h30m"`, `"3d"`.

use std::fmt::Write as _;
use std::time::Duration;

use super::layers::Raw;
use super::origin::Origin;
use super::setting::{Setting, quoted, text_of};

const UNITS: [(&str, u64); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

impl Setting for Duration {
    fn read(raw: &Raw, _: &Origin) -> Result<Self, String> {
        text_of(raw)
            .and_then(parse)
            .ok_or_else(|| "a duration such as \"30s\", \"500ms\" or \"1h30m\"".to_owned())
    }

    fn show(&self) -> String {
        let mut rest = u64::try_from(self.as_millis()).unwrap_or(u64::MAX);
        let mut text = String::new();
        for (unit, millis) in UNITS {
            if rest >= millis {
                let _ = write!(text, "{}{unit}", rest / millis);
                rest %= millis;
            }
        }
        if text.is_empty() {
            text.push_str("0s");
        }
        quoted(text)
    }
}

/// Numbers each followed by a unit, with nothing else between.
fn parse(text: &str) -> Option<Duration> {
    let mut total = 0u64;
    let mut rest = text.trim();
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let letters = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let (_, millis) = UNITS.iter().find(|(unit, _)| *unit == &rest[..letters])?;
        total = total.checked_add(number.checked_mul(*millis)?)?;
        rest = &rest[letters..];
    }
    Some(Duration::from_millis(total))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_duration_needs_its_unit() {
        assert_eq!(parse("30s"), Some(Duration::from_secs(30)));
        assert_eq!(parse("1h30m"), Some(Duration::from_secs(5_400)));
        assert_eq!(parse("500ms"), Some(Duration::from_millis(500)));
        for wrong in [
            "",
            "30",
            "s",
            "30x",
            "-1s",
            "1 s",
            "99999999999999999999d",
            "1.5s",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(millis in 0u64..10_000_000_000) {
            let duration = Duration::from_millis(millis);
            let shown = duration.show();
            prop_assert_eq!(parse(shown.trim_matches('"')), Some(duration));
        }
    }
}
