//! The query of a list.

use percent_encoding::percent_decode_str;

use crate::model::TenantId;
use crate::protocol::envelope::{Code, Fault};
use crate::provisioning::ObjectId;

/// What a query may ask.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Query {
    /// The tenant meant, for operators.
    pub(super) ccid: Option<TenantId>,
    /// The id after which a page starts.
    pub(super) after: Option<ObjectId>,
    /// The version below which a page of the audit starts.
    pub(super) before: Option<u64>,
    /// How many at most.
    pub(super) limit: usize,
}

const LIMIT: usize = 100;
const LIMIT_MAX: usize = 500;

impl Query {
    /// Reads a query; what it does not know is refused, so that a mistyped filter is not taken for none.
    pub(super) fn parse(text: &str) -> Result<Query, Fault> {
        let mut query = Query {
            limit: LIMIT,
            ..Query::default()
        };
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = percent_decode_str(value)
                .decode_utf8()
                .map_err(|_| Code::Malformed)?;
            match name {
                "ccid" => query.ccid = Some(value.parse().map_err(|_| bad("ccid"))?),
                "after" => query.after = Some(value.parse().map_err(|_| bad("after"))?),
                "before" => query.before = Some(value.parse().map_err(|_| bad("before"))?),
                "limit" => {
                    let limit = value.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit));
                    query.limit = limit.ok_or_else(|| bad("limit"))?;
                }
                _ => return Err(Fault::new(Code::BadValue).detail("unknown query parameter")),
            }
        }
        Ok(query)
    }
}

fn bad(name: &'static str) -> Fault {
    Fault::new(Code::BadValue).detail(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_read_whole_or_refused() {
        let query = Query::parse("limit=5&after=a%3Ab").unwrap();
        assert_eq!((query.limit, query.after.unwrap().as_str()), (5, "a:b"));
        assert_eq!(Query::parse("").unwrap().limit, LIMIT);
        for text in [
            "limit=0",
            "limit=501",
            "limit=x",
            "ccid=1",
            "after=%ff",
            "colour=red",
            "before=-1",
        ] {
            assert!(Query::parse(text).is_err(), "{text}");
        }
    }
}
