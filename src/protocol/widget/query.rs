//! The query of a read (`contracts/chat-v3.md` 2.4).

use bytes::BytesMut;

use crate::protocol::body::{Limits, decode_form};
use crate::protocol::envelope::{Code, Fault};

use super::index::Index;
use super::request::{correlation, text};
use super::window::MOST;

/// Bytes of a query that is read without decoding it. Fewer than a form may have keys.
const PLAIN: usize = 512;

/// Which messages are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Query {
    /// What is new.
    Poll,
    /// The newest so many.
    Newest(usize),
    /// So many that end at and include this one.
    Page(Index, usize),
    /// This one and all after it.
    From(Index),
}

impl Query {
    /// Reads the query part of a URL, and the `operationId` in it. Other parameters are ignored.
    ///
    /// # Errors
    /// 400 when the query cannot be read, `index` is none of ours, or `count` is no positive number.
    pub fn read(query: Option<&str>) -> Result<(Self, Option<String>), Fault> {
        let query = query.unwrap_or_default();
        if is_plain(query) {
            return Self::of(|name| Ok(plain_text(query, name)));
        }
        let fields = decode_form(BytesMut::from(query.as_bytes()), &Limits::default())?;
        Self::of(|name| text(&fields, &[name]))
    }

    /// From the text of each parameter.
    fn of<'q>(
        text: impl Fn(&'static str) -> Result<Option<&'q str>, Fault>,
    ) -> Result<(Self, Option<String>), Fault> {
        let count = number(text("count")?)?;
        let index = text("index")?
            .map(|index| Index::parse(index).ok_or(Fault::new(Code::BadValue).detail("index")))
            .transpose()?;
        let query = match (index, count) {
            (None, None) => Self::Poll,
            (None, Some(count)) => Self::Newest(count),
            (Some(index), Some(count)) => Self::Page(index, count),
            (Some(index), None) => Self::From(index),
        };
        Ok((query, correlation(text("operationId")?)?))
    }
}

/// Whether a query means what it says: nothing in it is escaped or nested, and it is too short to meet a limit of forms. Those of
/// the widget are.
fn is_plain(query: &str) -> bool {
    query.len() <= PLAIN && !query.bytes().any(|byte| matches!(byte, b'%' | b'+' | b'['))
}

/// The text of a parameter of a plain query, where it has any. Of two the last counts.
fn plain_text<'q>(query: &'q str, name: &str) -> Option<&'q str> {
    let pairs = query.rsplit('&');
    let mut texts = pairs.filter_map(|pair| match pair.split_once('=') {
        Some((named, text)) => (named == name).then_some(text),
        None => (pair == name).then_some(""),
    });
    texts.next().filter(|text| !text.is_empty())
}

fn number(count: Option<&str>) -> Result<Option<usize>, Fault> {
    let Some(count) = count else {
        return Ok(None);
    };
    let digits = (1..=9).contains(&count.len()) && count.bytes().all(|byte| byte.is_ascii_digit());
    match count.parse::<usize>() {
        Ok(count) if digits && count > 0 => Ok(Some(count.min(MOST))),
        _ => Err(Fault::new(Code::BadValue).detail("count")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(query: &str) -> Query {
        Query::read(Some(query)).unwrap().0
    }

    #[test]
    fn the_four_reads_of_the_widget_are_told_apart() {
        let index = Index::parse("1000000000040000").unwrap();
        assert_eq!(read("operationId=a-b"), Query::Poll);
        assert_eq!(read("count=20&operationId=a-b"), Query::Newest(20));
        assert_eq!(
            read("index=1000000000040000&count=20&operationId=a"),
            Query::Page(index, 20)
        );
        assert_eq!(read("operationId=a&index=1000000000040000"), Query::From(index));
        assert_eq!(Query::read(None).unwrap(), (Query::Poll, None));
    }

    #[test]
    fn an_empty_parameter_is_an_absent_one() {
        assert_eq!(read("index=&count=&operationId="), Query::Poll);
    }

    #[test]
    fn a_count_is_held_to_what_the_widget_asks_for() {
        assert_eq!(read("count=999999999"), Query::Newest(10_000));
    }

    #[test]
    fn nonsense_is_a_bad_value() {
        for query in [
            "count=0",
            "count=-1",
            "count=+1",
            "count=x",
            "index=4",
            "index=x&count=2",
            "count=9999999999",
        ] {
            assert_eq!(
                Query::read(Some(query)).unwrap_err().code,
                Code::BadValue,
                "{query}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_query_makes_it_panic(query in "\\PC{0,80}") {
            let _ = Query::read(Some(&query));
        }

        #[test]
        fn a_query_reads_the_same_whether_or_not_it_has_to_be_decoded(
            pairs in proptest::collection::vec("(index|count|operationId|other)?(=(1000000000040000|20|[0-9a-z=]{0,4}))?", 0..5),
        ) {
            let query = pairs.join("&");
            let escaped = format!("other=%20&{query}");
            prop_assert_eq!(Query::read(Some(&query)), Query::read(Some(&escaped)));
        }
    }
}
