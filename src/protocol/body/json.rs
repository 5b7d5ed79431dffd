//! JSON, parsed in place by simd-json over buffers that are used again.

use std::ops::Range;

use bytes::BytesMut;
use serde_json::Number;
use simd_json::value::tape::{Node, Tape};
use simd_json::{Buffers, ErrorType, StaticNode};
use smallvec::SmallVec;

use super::error::BodyError;
use super::fields::{Fields, Scalar, Step, narrow};
use super::limits::Limits;

/// A JSON decoder with the buffers of one core.
pub struct JsonDecoder {
    limits: Limits,
    buffers: Buffers,
    tape: Tape<'static>,
}

impl std::fmt::Debug for JsonDecoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JsonDecoder")
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl JsonDecoder {
    /// A decoder with these bounds.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            buffers: Buffers::with_max_depth(1_024, limits.depth),
            tape: Tape(Vec::new()),
        }
    }

    /// Decodes an object. Strings are unescaped inside `body`, which the result then shares.
    ///
    /// # Errors
    /// [`BodyError`]: not JSON, not an object, or a limit.
    pub fn decode(&mut self, mut body: BytesMut) -> Result<Fields, BodyError> {
        if has_long_number(&body, self.limits.number) {
            return Err(BodyError::NumberTooLong);
        }
        let mut tape = std::mem::replace(&mut self.tape, Tape(Vec::new())).reset();
        let (start, length) = (body.as_ptr() as usize, body.len());
        let parsed = simd_json::fill_tape(&mut body, &mut self.buffers, &mut tape)
            .map_err(|error| match error.error() {
                ErrorType::DepthLimitExceeded => BodyError::TooDeep,
                ErrorType::InvalidUtf8 => BodyError::NotUtf8,
                _ => BodyError::Json,
            })
            .and_then(|()| match tape.0.first() {
                Some(Node::Object { .. }) => Walk {
                    fields: Fields::default(),
                    path: SmallVec::new(),
                    keys: 0,
                    start,
                    length,
                    limits: &self.limits,
                }
                .object(&tape.0),
                _ => Err(BodyError::NotAnObject),
            });
        self.tape = tape.reset();
        Ok(parsed?.over(body.freeze()))
    }
}

/// One pass over the tape. It descends as deep as the tape is nested, which the parser has bounded.
struct Walk<'l> {
    fields: Fields,
    path: SmallVec<[Step; 8]>,
    keys: usize,
    start: usize,
    length: usize,
    limits: &'l Limits,
}

impl Walk<'_> {
    fn object(mut self, nodes: &[Node<'_>]) -> Result<Fields, BodyError> {
        self.node(nodes)?;
        Ok(self.fields)
    }

    /// Takes the value that begins `nodes` and returns how many nodes it has.
    fn node(&mut self, nodes: &[Node<'_>]) -> Result<usize, BodyError> {
        let Some(node) = nodes.first() else {
            return Err(BodyError::Json);
        };
        match *node {
            Node::Object { len, .. } => {
                let mut at = 1;
                for _ in 0..len {
                    let Some(Node::String(key)) = nodes.get(at) else {
                        return Err(BodyError::Json);
                    };
                    self.count()?;
                    let key = self.range(key)?;
                    self.path.push(Step::Key(key));
                    at += 1;
                    at += self.node(nodes.get(at..).unwrap_or_default())?;
                    self.path.pop();
                }
                Ok(at)
            }
            Node::Array { len, .. } => {
                let mut at = 1;
                for index in 0..u32::try_from(len).unwrap_or(u32::MAX) {
                    self.count()?;
                    self.path.push(Step::Index(index));
                    at += self.node(nodes.get(at..).unwrap_or_default())?;
                    self.path.pop();
                }
                Ok(at)
            }
            Node::String(text) => {
                let range = self.range(text)?;
                self.fields.push(&self.path, Scalar::Text(range));
                Ok(1)
            }
            Node::Static(value) => {
                let scalar = match value {
                    StaticNode::Null => Scalar::Null,
                    StaticNode::Bool(bool) => Scalar::Bool(bool),
                    StaticNode::I64(number) => Scalar::Number(number.into()),
                    StaticNode::U64(number) => Scalar::Number(number.into()),
                    StaticNode::F64(number) => {
                        Scalar::Number(Number::from_f64(number).ok_or(BodyError::NumberTooLong)?)
                    }
                };
                self.fields.push(&self.path, scalar);
                Ok(1)
            }
        }
    }

    fn count(&mut self) -> Result<(), BodyError> {
        self.keys += 1;
        if self.keys > self.limits.keys {
            return Err(BodyError::TooManyKeys);
        }
        Ok(())
    }

    /// Where in the body a string of the tape lies.
    fn range(&self, text: &str) -> Result<Range<u32>, BodyError> {
        if text.len() > self.limits.string {
            return Err(BodyError::StringTooLong);
        }
        if text.is_empty() {
            return Ok(0..0);
        }
        let from = (text.as_ptr() as usize).wrapping_sub(self.start);
        match from.checked_add(text.len()) {
            Some(to) if to <= self.length => Ok(narrow(from..to)),
            _ => Err(BodyError::Json),
        }
    }
}

/// Whether a number outside of strings is longer than `most` characters. A run that long covers a multiple of `most + 1`, so
/// looking at those places finds every candidate; only then are strings told apart.
fn has_long_number(body: &[u8], most: usize) -> bool {
    let numeric = |byte: &u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
    let candidate = body
        .iter()
        .enumerate()
        .step_by(most + 1)
        .filter(|(_, byte)| numeric(byte))
        .any(|(at, _)| {
            let before = body[..at]
                .iter()
                .rev()
                .take(most)
                .take_while(|byte| numeric(byte))
                .count();
            let after = body[at..]
                .iter()
                .take(most + 1)
                .take_while(|byte| numeric(byte))
                .count();
            before + after > most
        });
    candidate && longest_number(body) > most
}

fn longest_number(body: &[u8]) -> usize {
    let (mut longest, mut run) = (0, 0);
    let (mut quoted, mut escaped) = (false, false);
    for &byte in body {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => {
                quoted = !quoted;
                run = 0;
            }
            b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E' if !quoted => {
                run += 1;
                longest = longest.max(run);
            }
            _ => run = 0,
        }
    }
    longest
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Map, Value, json};

    use super::super::form;
    use super::*;

    fn decode(text: &str) -> Result<Fields, BodyError> {
        JsonDecoder::new(Limits::default()).decode(BytesMut::from(text.as_bytes()))
    }

    #[test]
    fn nested_values_are_found_by_path() {
        let fields =
            decode(r#"{"data":{"type":"Text","text":"a\n\"b\" \u00fc"},"operationId":"1"}"#).unwrap();
        assert_eq!(fields.text(&["data", "type"]), Ok(Some("Text")));
        assert_eq!(fields.text(&["data", "text"]), Ok(Some("a\n\"b\" ü")));
        assert_eq!(fields.text(&["operationId"]), Ok(Some("1")));
        assert_eq!(fields.text(&["nothing"]), Ok(None));
    }

    #[test]
    fn kinds_survive_in_an_object() {
        let fields = decode(r#"{"a":{"n":1,"f":1.5,"b":true,"z":null,"l":[1,"x",{"y":2}]}}"#).unwrap();
        assert_eq!(
            Value::Object(fields.object(&["a"])),
            json!({"n": 1, "f": 1.5, "b": true, "z": null, "l": [1, "x", {"y": 2}]})
        );
    }

    #[test]
    fn a_number_where_a_text_belongs_is_told_apart_from_an_absent_one() {
        let fields = decode(r#"{"a":1,"b":null,"c":"","d":{"e":"x"}}"#).unwrap();
        assert!(fields.text(&["a"]).is_err());
        assert_eq!(fields.text(&["b"]), Ok(None));
        assert_eq!(fields.text(&["c"]), Ok(None));
        assert!(fields.text(&["d"]).is_err());
    }

    #[test]
    fn the_last_of_two_equal_keys_counts() {
        let fields = decode(r#"{"a":"1","a":"2"}"#).unwrap();
        assert_eq!(fields.text(&["a"]), Ok(Some("2")));
        assert_eq!(fields.object(&[])["a"], json!("2"));
    }

    #[test]
    fn what_is_not_an_object_is_refused() {
        for text in [
            "",
            "[]",
            "1",
            "\"a\"",
            "null",
            "{",
            "{\"a\":}",
            "{} {}",
            "{\"a\":\"\\ud800\"}",
        ] {
            assert!(decode(text).is_err(), "{text}");
        }
        let mut decoder = JsonDecoder::new(Limits::default());
        assert!(decoder.decode(BytesMut::from(&b"{\"a\":\"\xff\"}"[..])).is_err());
    }

    #[test]
    fn a_decoder_works_again_after_an_error() {
        let mut decoder = JsonDecoder::new(Limits::default());
        assert!(decoder.decode(BytesMut::from("{\"a\":")).is_err());
        let fields = decoder.decode(BytesMut::from("{\"a\":\"b\"}")).unwrap();
        assert_eq!(fields.text(&["a"]), Ok(Some("b")));
    }

    #[test]
    fn each_limit_holds_exactly() {
        let nested = |depth: usize| format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth));
        assert!(decode(&nested(32)).is_ok());
        assert_eq!(decode(&nested(33)).unwrap_err(), BodyError::TooDeep);
        let keys = |count: usize| format!("{{\"a\":[{}]}}", vec!["1"; count - 1].join(","));
        assert!(decode(&keys(1_000)).is_ok());
        assert_eq!(decode(&keys(1_001)).unwrap_err(), BodyError::TooManyKeys);
        let text = |length: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(length));
        assert!(decode(&text(32 * 1_024)).is_ok());
        assert_eq!(
            decode(&text(32 * 1_024 + 1)).unwrap_err(),
            BodyError::StringTooLong
        );
        let number = |length: usize| format!("{{\"a\":0.{}}}", "1".repeat(length - 2));
        assert!(decode(&number(32)).is_ok());
        assert_eq!(decode(&number(33)).unwrap_err(), BodyError::NumberTooLong);
        assert!(decode("{\"a\":1e999}").is_err());
    }

    #[test]
    fn digits_inside_a_text_are_no_number() {
        let digits = "1".repeat(200);
        let fields = decode(&format!("{{\"a\":\"\\\"{digits}\"}}")).unwrap();
        assert!(fields.text(&["a"]).unwrap().unwrap().ends_with(&digits));
    }

    #[test]
    fn a_text_shares_the_bytes_of_the_body() {
        let body = BytesMut::from(&br#"{"data":{"text":"he\u006clo"}}"#[..]);
        let inside = body.as_ptr_range();
        let fields = JsonDecoder::new(Limits::default()).decode(body).unwrap();
        let text = fields.shared_text(&["data", "text"]).unwrap().unwrap();
        assert_eq!(&text[..], b"hello");
        assert!(inside.contains(&text.as_ptr()));
    }

    /// Trees as a form can say them: leaves are texts, no container is empty, no key looks like a list's.
    fn tree() -> impl Strategy<Value = Value> {
        let text = "[a-z\\[\\]&=+% é😀\"\\\\\n]{0,12}".prop_map(Value::String);
        let inner = text.prop_recursive(4, 40, 5, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 1..4).prop_map(Value::Array),
                object_of(inner).prop_map(Value::Object),
            ]
        });
        object_of(inner).prop_map(Value::Object)
    }

    fn object_of(inner: impl Strategy<Value = Value>) -> impl Strategy<Value = Map<String, Value>> {
        proptest::collection::btree_map("[a-zA-Zé ._-]{1,8}", inner, 1..5)
            .prop_map(|members| members.into_iter().collect())
    }

    /// Spells a tree the way the widget's form encoder does.
    fn spell(prefix: &str, value: &Value, out: &mut Vec<String>) {
        let escape = |text: &str| {
            percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC)
                .to_string()
                .replace("%20", "+")
        };
        match value {
            Value::Object(members) => {
                for (key, member) in members {
                    let name = if prefix.is_empty() {
                        key.clone()
                    } else {
                        format!("{prefix}[{key}]")
                    };
                    spell(&name, member, out);
                }
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    let leaf = !item.is_object() && !item.is_array();
                    let name = if leaf {
                        format!("{prefix}[]")
                    } else {
                        format!("{prefix}[{index}]")
                    };
                    spell(&name, item, out);
                }
            }
            Value::String(text) => out.push(format!("{}={}", escape(prefix), escape(text))),
            _ => unreachable!("the strategy makes no other leaf"),
        }
    }

    /// A list that mixes leaves and containers has no spelling of its own in a form.
    fn mixes(value: &Value) -> bool {
        match value {
            Value::Array(items) => {
                let leaves = items.iter().filter(|item| item.is_string()).count();
                (leaves != 0 && leaves != items.len()) || items.iter().any(mixes)
            }
            Value::Object(members) => members.values().any(mixes),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn a_form_and_a_json_body_that_say_the_same_decode_to_the_same(tree in tree()) {
            prop_assume!(!mixes(&tree));
            let mut pairs = Vec::new();
            spell("", &tree, &mut pairs);
            let form = form::decode(BytesMut::from(pairs.join("&").as_bytes()), &Limits::default()).unwrap();
            let json = decode(&tree.to_string()).unwrap();
            prop_assert_eq!(Value::Object(form.object(&[])), tree.clone());
            prop_assert_eq!(Value::Object(json.object(&[])), tree);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let _ = JsonDecoder::new(Limits::default()).decode(BytesMut::from(&bytes[..]));
        }

        #[test]
        fn json_like_bytes_do_not_either(text in "[{}\\[\\]\",:0-9eE.\\\\ua+-]{0,120}") {
            if let Ok(fields) = decode(&format!("{{{text}}}")) {
                let _ = fields.object(&[]);
            }
        }

        #[test]
        fn a_long_number_is_found_wherever_it_stands(before in "[ \n]{0,40}", digits in 1_usize..80) {
            let text = format!("{{\"a\":{before}{}}}", "1".repeat(digits));
            prop_assert_eq!(has_long_number(text.as_bytes(), 32), digits > 32);
        }
    }
}
