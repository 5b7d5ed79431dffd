//! The query of a request: each parameter known, each at most once.

use percent_encoding::percent_decode_str;

use crate::protocol::envelope::{Code, Fault};

/// The parameters of a query.
#[derive(Debug, Default)]
pub(super) struct Query(Vec<(String, String)>);

/// What may be asked.
const KNOWN: [&str; 4] = ["ccid", "interactionId", "agentId", "language"];

impl Query {
    /// Reads a query; what it does not know is refused, so that a mistyped parameter is not taken for none.
    pub(super) fn parse(text: Option<&str>) -> Result<Self, Fault> {
        let mut query = Self::default();
        for pair in text
            .unwrap_or_default()
            .split('&')
            .filter(|pair| !pair.is_empty())
        {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = percent_decode_str(value)
                .decode_utf8()
                .map_err(|_| Code::Malformed)?;
            if !KNOWN.contains(&name) || query.get(name).is_some() {
                return Err(Fault::new(Code::BadValue).detail("unknown or repeated query parameter"));
            }
            query.0.push((name.to_owned(), value.into_owned()));
        }
        Ok(query)
    }

    /// The value of a parameter.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_read_whole_or_refused() {
        let query = Query::parse(Some("ccid=a%20b&language=de")).unwrap();
        assert_eq!((query.get("ccid"), query.get("agentId")), (Some("a b"), None));
        for bad in ["colour=red", "ccid=1&ccid=2", "language=%ff"] {
            assert!(Query::parse(Some(bad)).is_err(), "{bad}");
        }
    }
}
