//! `application/x-www-form-urlencoded` with bracket nesting, decoded in place.

use std::ops::Range;

use bytes::BytesMut;
use smallvec::SmallVec;

use super::error::BodyError;
use super::fields::{Fields, Scalar, Step, narrow};
use super::limits::Limits;

/// Decodes a form. `a[b][c]=x` nests, `a[]=x` and `a[0]=x` make lists, `+` is a space, a value that is absent is empty. A name
/// whose brackets do not pair is taken as it stands.
///
/// # Errors
/// [`BodyError`]: a broken escape, bytes that are not UTF-8, or a limit.
pub fn decode(mut body: BytesMut, limits: &Limits) -> Result<Fields, BodyError> {
    let pairs = unescape(&mut body, limits)?;
    let body = body.freeze();
    let mut fields = Fields::default();
    for (name, value) in pairs {
        let text = checked(&body, &name)?;
        checked(&body, &value)?;
        if value.len() > limits.string || name.len() > limits.string {
            return Err(BodyError::StringTooLong);
        }
        let path = path(text, name.start);
        // The body itself is the outermost container.
        if path.len() > limits.depth {
            return Err(BodyError::TooDeep);
        }
        fields.push(&path, Scalar::Text(narrow(value)));
    }
    Ok(fields.over(body))
}

type Pairs = SmallVec<[(Range<usize>, Range<usize>); 8]>;

/// Decodes escapes towards the front, which never overtakes the reading place, and notes where names and values came to lie.
fn unescape(body: &mut [u8], limits: &Limits) -> Result<Pairs, BodyError> {
    let mut pairs = Pairs::new();
    let (mut read, mut write) = (0, 0);
    while read < body.len() {
        let start = write;
        let mut equals = None;
        while let Some(&byte) = body.get(read) {
            read += 1;
            let decoded = match byte {
                b'&' => break,
                b'=' if equals.is_none() => {
                    equals = Some(write);
                    continue;
                }
                b'+' => b' ',
                b'%' => {
                    let digits = body.get(read..read + 2).ok_or(BodyError::Escape)?;
                    read += 2;
                    hex(digits[0])? << 4 | hex(digits[1])?
                }
                other => other,
            };
            body[write] = decoded;
            write += 1;
        }
        let middle = equals.unwrap_or(write);
        if equals.is_some() || middle > start {
            if pairs.len() == limits.keys {
                return Err(BodyError::TooManyKeys);
            }
            pairs.push((start..middle, middle..write));
        }
    }
    Ok(pairs)
}

fn hex(digit: u8) -> Result<u8, BodyError> {
    match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        b'A'..=b'F' => Ok(digit - b'A' + 10),
        _ => Err(BodyError::Escape),
    }
}

fn checked<'b>(body: &'b [u8], range: &Range<usize>) -> Result<&'b str, BodyError> {
    std::str::from_utf8(&body[range.clone()]).map_err(|_| BodyError::NotUtf8)
}

/// Splits `a[b][]` into its steps; `offset` is where the name begins in the body.
fn path(name: &str, offset: usize) -> SmallVec<[Step; 8]> {
    let whole = || SmallVec::from_iter([Step::Key(narrow(offset..offset + name.len()))]);
    let Some(open) = name.find('[') else {
        return whole();
    };
    let mut steps: SmallVec<[Step; 8]> = SmallVec::from_iter([Step::Key(narrow(offset..offset + open))]);
    let mut at = open;
    while at < name.len() {
        let Some(inner) = name[at..]
            .strip_prefix('[')
            .and_then(|rest| rest.split_once(']'))
            .map(|(inner, _)| inner)
            .filter(|inner| !inner.contains('['))
        else {
            return whole();
        };
        let start = offset + at + 1;
        steps.push(match inner {
            "" => Step::Push,
            _ => Step::Key(narrow(start..start + inner.len())),
        });
        at += inner.len() + 2;
    }
    steps
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn form(text: &str) -> Result<Fields, BodyError> {
        decode(BytesMut::from(text.as_bytes()), &Limits::default())
    }

    #[test]
    fn brackets_nest_whether_or_not_they_are_escaped() {
        let plain = form("data[userData][k]=v&operationId=1").unwrap();
        let escaped = form("data%5BuserData%5D%5Bk%5D=v&operationId=1").unwrap();
        assert_eq!(plain.object(&[]), escaped.object(&[]));
        assert_eq!(plain.text(&["data", "userData", "k"]), Ok(Some("v")));
        assert_eq!(plain.text(&["operationId"]), Ok(Some("1")));
    }

    #[test]
    fn lists_are_read_with_and_without_numbers() {
        let fields = form("k[]=a&k[]=b&l[0][x]=1&l[1][x]=2").unwrap();
        let object = fields.object(&[]);
        assert_eq!(object["k"], json!(["a", "b"]));
        assert_eq!(object["l"], json!([{"x": "1"}, {"x": "2"}]));
    }

    #[test]
    fn a_huge_list_number_costs_one_entry() {
        let fields = form("k[4294967295][x]=1").unwrap();
        assert_eq!(fields.object(&[])["k"], json!({"4294967295": {"x": "1"}}));
    }

    #[test]
    fn plus_percent_and_utf8_are_decoded() {
        let fields = form("t=a+b%2B%c3%bc%E2%82%AC+%F0%9F%98%80").unwrap();
        assert_eq!(fields.text(&["t"]), Ok(Some("a b+ü€ 😀")));
    }

    #[test]
    fn absent_values_are_empty_and_the_last_of_two_counts() {
        let fields = form("a=&b&c=1&c=2&&").unwrap();
        assert_eq!(fields.text(&["a"]), Ok(None));
        assert_eq!(fields.text(&["b"]), Ok(None));
        assert_eq!(fields.text(&["c"]), Ok(Some("2")));
        assert_eq!(fields.object(&[])["b"], json!(""));
    }

    #[test]
    fn broken_escapes_and_broken_utf8_are_refused() {
        assert_eq!(form("a=%").unwrap_err(), BodyError::Escape);
        assert_eq!(form("a=%4").unwrap_err(), BodyError::Escape);
        assert_eq!(form("a=%zz").unwrap_err(), BodyError::Escape);
        assert_eq!(form("a=%ff").unwrap_err(), BodyError::NotUtf8);
        assert_eq!(form("%ff=a").unwrap_err(), BodyError::NotUtf8);
    }

    #[test]
    fn unpaired_brackets_are_part_of_the_name() {
        for name in ["a[b", "a]b", "a[b]c", "a[[b]]"] {
            let fields = form(&format!("{name}=1")).unwrap();
            assert_eq!(fields.text(&[name]), Ok(Some("1")), "{name}");
        }
    }

    #[test]
    fn each_limit_holds_exactly() {
        let nested = |depth: usize| format!("a{}=1", "[b]".repeat(depth - 1));
        assert!(form(&nested(32)).is_ok());
        assert_eq!(form(&nested(33)).unwrap_err(), BodyError::TooDeep);
        let keys = |count: usize| (0..count).map(|key| format!("k{key}=1&")).collect::<String>();
        assert!(form(&keys(1_000)).is_ok());
        assert_eq!(form(&keys(1_001)).unwrap_err(), BodyError::TooManyKeys);
        let text = |length: usize| format!("a={}", "x".repeat(length));
        assert!(form(&text(32 * 1_024)).is_ok());
        assert_eq!(form(&text(32 * 1_024 + 1)).unwrap_err(), BodyError::StringTooLong);
    }

    #[test]
    fn a_text_shares_the_bytes_of_the_body() {
        let body = BytesMut::from(&b"data[text]=hello"[..]);
        let inside = body.as_ptr_range();
        let fields = decode(body, &Limits::default()).unwrap();
        let text = fields.shared_text(&["data", "text"]).unwrap().unwrap();
        assert_eq!(&text[..], b"hello");
        assert!(inside.contains(&text.as_ptr()));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            if let Ok(fields) = decode(BytesMut::from(&bytes[..]), &Limits::default()) {
                let _ = fields.object(&[]);
            }
        }

        #[test]
        fn form_like_bytes_do_not_either(text in "[ab\\[\\]&=%+0-9é]{0,200}") {
            if let Ok(fields) = form(&text) {
                let _ = fields.object(&[]);
                let _ = fields.object(&["a"]);
            }
        }
    }
}
