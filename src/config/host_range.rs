//! Who may be reached: a range of addresses, one name, or all names below a domain.

use std::fmt;
use std::str::FromStr;

use super::range::IpRange;

/// `"10.0.0.0/8"`, `"gws.example.internal"`, or `".svc.cluster.local"` for every name that ends so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostRange {
    /// Addresses.
    Addresses(IpRange),
    /// One name, in lower case.
    Name(String),
    /// All names with this end, which begins with a dot; in lower case.
    Below(String),
}

/// Neither a range nor a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("neither a range such as \"10.0.0.0/8\" nor a name such as \"gws.example.internal\"")]
pub struct NotAHostRange;

impl HostRange {
    /// Whether `name`, in lower case, is meant by name.
    pub fn names(&self, name: &str) -> bool {
        match self {
            Self::Addresses(_) => false,
            Self::Name(own) => own == name,
            Self::Below(end) => name.len() > end.len() && name.ends_with(end.as_str()),
        }
    }
}

impl FromStr for HostRange {
    type Err = NotAHostRange;

    fn from_str(text: &str) -> Result<Self, NotAHostRange> {
        if let Ok(range) = text.parse() {
            return Ok(Self::Addresses(range));
        }
        let name = text.to_ascii_lowercase();
        let below = name.starts_with('.');
        let label = |label: &str| {
            !label.is_empty()
                && label
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        };
        let number = |label: &str| label.bytes().all(|b| b.is_ascii_digit());
        let mut labels = name.strip_prefix('.').unwrap_or(&name).split('.');
        if !labels.clone().all(label) || labels.next_back().is_none_or(number) {
            return Err(NotAHostRange);
        }
        Ok(if below {
            Self::Below(name)
        } else {
            Self::Name(name)
        })
    }
}

impl fmt::Display for HostRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Addresses(range) => range.fmt(f),
            Self::Name(name) | Self::Below(name) => f.write_str(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_names_and_domains_are_told_apart() {
        let parse = |text: &str| text.parse::<HostRange>();
        assert!(matches!(parse("10.0.0.0/8"), Ok(HostRange::Addresses(_))));
        assert!(matches!(parse("::1"), Ok(HostRange::Addresses(_))));
        assert!(parse("GWS.example").unwrap().names("gws.example"));
        assert!(!parse("gws.example").unwrap().names("a.gws.example"));
        assert!(parse(".svc.local").unwrap().names("a.svc.local"));
        assert!(!parse(".svc.local").unwrap().names("svc.local"));
        for wrong in ["", ".", "10.0.0.0/33", "10.0.0.300", "a..b", "a b", "https://a"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
