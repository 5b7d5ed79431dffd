//! Which numbers may be written to: the tenant's list of prefixes.

/// Prefixes of numbers that may be written to, and of those that may not. The longest that fits decides; without any
/// allowed prefix everything is allowed that is not refused.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prefixes {
    allowed: Vec<String>,
    refused: Vec<String>,
}

impl Prefixes {
    /// A list of `+1`, `+44`, and so on; what is no `+` with 1 to 15 digits is left out and handed back.
    #[must_use]
    pub fn new<'t>(
        allowed: impl IntoIterator<Item = &'t str>,
        refused: impl IntoIterator<Item = &'t str>,
    ) -> (Self, Vec<String>) {
        let mut odd = Vec::new();
        let mut read = |list: &mut dyn Iterator<Item = &'t str>| {
            let mut kept = Vec::new();
            for text in list {
                let digits = text.strip_prefix('+').unwrap_or_default();
                let good = (1..=15).contains(&digits.len()) && digits.bytes().all(|c| c.is_ascii_digit());
                if good { &mut kept } else { &mut odd }.push(text.to_owned());
            }
            kept
        };
        let list = Self {
            allowed: read(&mut allowed.into_iter()),
            refused: read(&mut refused.into_iter()),
        };
        (list, odd)
    }

    /// Whether a number (`+` and digits) may be written to. Short codes and names have no country and are not judged here.
    #[must_use]
    pub fn allow(&self, number: &str) -> bool {
        if !number.starts_with('+') {
            return true;
        }
        let longest = |list: &[String]| {
            let fitting = list.iter().filter(|prefix| number.starts_with(prefix.as_str()));
            fitting.map(String::len).max()
        };
        match (longest(&self.allowed), longest(&self.refused)) {
            (None, None) => self.allowed.is_empty(),
            (None, Some(_)) => false,
            (Some(_), None) => true,
            // The same prefix in both: refusing is the mistake that costs less.
            (Some(allowed), Some(refused)) => allowed > refused,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_prefix_decides() {
        let (list, odd) = Prefixes::new(["+1", "+44", "+4479"], ["+1900", "+447", "44", "+x"]);
        assert_eq!(odd, ["44", "+x"]);
        for (number, verdict) in [
            ("+12025550101", true),
            ("+19005550101", false),
            ("+442071838750", true),
            ("+447700900000", false),
            ("+447900900000", true),
            ("+8821234567", false),
            ("40404", true),
        ] {
            assert_eq!(list.allow(number), verdict, "{number}");
        }
    }

    #[test]
    fn without_a_list_everything_is_allowed_that_is_not_refused() {
        let (list, _) = Prefixes::new([], ["+1900"]);
        assert!(list.allow("+442071838750") && !list.allow("+19005550101"));
        assert!(Prefixes::default().allow("+8821234567"));
        let (both, _) = Prefixes::new(["+1"], ["+1"]);
        assert!(!both.allow("+12025550101"));
    }
}
