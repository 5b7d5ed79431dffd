//! The query of every request: whose mailbox, and of a list which part of it.

use bytes::BytesMut;

use crate::protocol::body::{Fields, Limits, decode_form};
use crate::protocol::envelope::{Code, Fault};

use super::address::{Address, is_securebox};

/// Mails of a page where none are asked for.
const USUAL: usize = 10;
/// Mails of a page at most.
const MOST: usize = 100;
/// Bytes of an `operationId`.
const OPERATION: usize = 256;

/// Whose mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whose {
    /// The customer's.
    pub address: Address,
    /// In which box; `None`: the tenant's only one, or the one without a name.
    pub securebox: Option<String>,
}

/// Which mails are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Status {
    /// Those of the contact centre that the customer has not read.
    Unread,
    /// Those they have read, and their own.
    Read,
    /// All.
    #[default]
    All,
}

/// The query of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// Whose mailbox.
    pub whose: Whose,
    /// Which mails.
    pub status: Status,
    /// How many newer ones are passed over.
    pub index: usize,
    /// How many are wanted; at most 100.
    pub count: usize,
}

impl Query {
    /// Reads the query of a list.
    ///
    /// # Errors
    /// 400 with the parameter's name.
    pub fn read(fields: &Fields) -> Result<Self, Fault> {
        let status = match text(fields, &["status"])? {
            None | Some("all") => Status::All,
            Some("unread") => Status::Unread,
            Some("read") => Status::Read,
            Some(_) => return Err(bad("status")),
        };
        let count = number(fields, "count")?.unwrap_or(USUAL);
        if count == 0 {
            return Err(bad("count"));
        }
        Ok(Self {
            whose: Whose::read(fields, &[])?,
            status,
            index: number(fields, "index")?.unwrap_or(0),
            count: count.min(MOST),
        })
    }
}

impl Whose {
    /// Reads `address` and `securebox` below a path of keys.
    ///
    /// # Errors
    /// 400 with the field's name.
    pub fn read(fields: &Fields, below: &[&str]) -> Result<Self, Fault> {
        let at = |name: &'static str| [below, &[name]].concat();
        let address = text(fields, &at("address"))?;
        let address = address.ok_or(Fault::new(Code::MissingField).detail("address"))?;
        let securebox = text(fields, &at("securebox"))?;
        if securebox.is_some_and(|name| !is_securebox(name)) {
            return Err(bad("securebox"));
        }
        Ok(Self {
            address: Address::read(address).ok_or_else(|| bad("address"))?,
            securebox: securebox.map(str::to_owned),
        })
    }
}

/// The parameters of a query.
///
/// # Errors
/// 400.
pub(super) fn parameters(query: Option<&str>) -> Result<Fields, Fault> {
    let raw = BytesMut::from(query.unwrap_or_default().as_bytes());
    Ok(decode_form(raw, &Limits::default())?)
}

impl Query {
    /// The parameters of a query, before it is known what is asked.
    ///
    /// # Errors
    /// 400.
    pub fn parameters(query: Option<&str>) -> Result<Fields, Fault> {
        parameters(query)
    }

    /// The caller's correlation id.
    ///
    /// # Errors
    /// 400 when it is longer than 256 bytes or no text.
    pub fn operation(fields: &Fields) -> Result<Option<String>, Fault> {
        match text(fields, &["operationId"])? {
            Some(id) if id.len() > OPERATION => Err(bad("operationId")),
            id => Ok(id.map(str::to_owned)),
        }
    }
}

/// A text at a path; whatever is there that is no text is named in the refusal.
pub(super) fn text<'f>(fields: &'f Fields, path: &[&str]) -> Result<Option<&'f str>, Fault> {
    fields
        .text(path)
        .map_err(|_| Fault::new(Code::BadValue).detail(path.join(".")))
}

pub(super) fn bad(field: &'static str) -> Fault {
    Fault::new(Code::BadValue).detail(field)
}

fn number(fields: &Fields, name: &'static str) -> Result<Option<usize>, Fault> {
    let Some(digits) = text(fields, &[name])? else {
        return Ok(None);
    };
    let plain = (1..=6).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number = digits.parse().ok().filter(|_| plain);
    number.map(Some).ok_or_else(|| bad(name))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(query: &str) -> Result<Query, Fault> {
        Query::read(&parameters(Some(query))?)
    }

    #[test]
    fn the_documented_query_is_read() {
        let query =
            read("address=Ann%40mail.example&status=unread&index=20&count=5&securebox=bank01").unwrap();
        assert_eq!(query.whose.address.as_str(), "ann@mail.example");
        assert_eq!(query.whose.securebox.as_deref(), Some("bank01"));
        assert_eq!((query.status, query.index, query.count), (Status::Unread, 20, 5));
        let usual = read("address=a@b").unwrap();
        assert_eq!((usual.status, usual.index, usual.count), (Status::All, 0, 10));
        assert_eq!(read("address=a@b&count=1000").unwrap().count, 100);
    }

    #[test]
    fn nonsense_is_refused_by_name() {
        for (query, field) in [
            ("", "address"),
            ("address=ann", "address"),
            ("address=a@b&status=new", "status"),
            ("address=a@b&count=0", "count"),
            ("address=a@b&count=-1", "count"),
            ("address=a@b&index=x", "index"),
            ("address=a@b&index=9999999", "index"),
            ("address=a@b&securebox=a-b", "securebox"),
        ] {
            let fault = read(query).unwrap_err();
            assert_eq!(
                (fault.code.name(), fault.detail.as_deref()),
                ("INVALID_PARAMETER", Some(field)),
                "{query}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_query_makes_it_panic(query in "\\PC{0,120}") {
            let _ = read(&query);
        }

        #[test]
        fn what_is_asked_is_what_is_read(local in "[a-z0-9.]{1,20}", index in 0usize..999_999, count in 1usize..=100, name in "[A-Za-z0-9]{3,16}") {
            let query = read(&format!("address={local}@mail.example&index={index}&count={count}&securebox={name}")).unwrap();
            prop_assert_eq!((query.index, query.count), (index, count));
            prop_assert_eq!(query.whose.securebox, Some(name));
        }
    }
}
