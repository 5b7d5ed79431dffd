//! Whatever is written reads back as it was, in the bytes it may take.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::{Packer, Reader, Writer, unpack};

fn dense(value: &impl Serialize) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.value(value).unwrap();
    writer.finish()
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (0u64..40).prop_map(Value::from),
        any::<f64>()
            .prop_filter("a number", |float| float.is_finite())
            .prop_map(Value::from),
        ".{0,40}".prop_map(Value::from),
        prop::sample::select(vec!["message", "Text", "woken", "again"]).prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 64, 20, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..20).prop_map(Value::from),
            prop::collection::btree_map(".{0,3}", inner, 0..20)
                .prop_map(|members| members.into_iter().collect::<serde_json::Map<_, _>>().into()),
        ]
    })
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Shape {
    Unit,
    Newtype(u64),
    Tuple(i32, Option<String>),
    Struct { id: Uuid, tags: Vec<String> },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "k", rename_all = "snake_case")]
enum Tagged {
    Empty,
    Full {
        id: Uuid,
        other: Option<Uuid>,
        shape: Shape,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        many: Vec<(u64, bool)>,
    },
}

fn shape() -> impl Strategy<Value = Shape> {
    prop_oneof![
        Just(Shape::Unit),
        any::<u64>().prop_map(Shape::Newtype),
        (any::<i32>(), any::<Option<String>>()).prop_map(|(a, b)| Shape::Tuple(a, b)),
        (0u128..3, any::<Vec<String>>()).prop_map(|(id, tags)| Shape::Struct {
            id: Uuid::from_u128(id),
            tags
        }),
    ]
}

fn tagged() -> impl Strategy<Value = Tagged> {
    let id = || (0u128..40).prop_map(Uuid::from_u128);
    prop_oneof![
        Just(Tagged::Empty),
        (id(), prop::option::of(id()), shape(), any::<Vec<(u64, bool)>>()).prop_map(
            |(id, other, shape, many)| {
                Tagged::Full {
                    id,
                    other,
                    shape,
                    many,
                }
            }
        ),
    ]
}

#[test]
fn what_came_before_takes_a_byte() {
    let id = Uuid::from_u128(7);
    let names: BTreeMap<&str, Uuid> = [("message", id), ("unheard of", id)].into();
    let once = dense(&names).len();
    assert_eq!(once, 1 + (1 + 17) + (11 + 1));
    assert_eq!(dense(&[&names, &names]).len(), 2 + once + 5);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn json_reads_back_as_it_was(value in json()) {
        prop_assert_eq!(Reader::new(&dense(&value)).value::<Value>().unwrap(), value);
    }

    #[test]
    fn every_shape_of_data_reads_back_as_it_was(values in prop::collection::vec(tagged(), 0..24)) {
        let bytes = dense(&values);
        let mut reader = Reader::new(&bytes);
        prop_assert_eq!(reader.value::<Vec<Tagged>>().unwrap(), values);
        prop_assert!(reader.rest().is_empty());
    }

    #[test]
    fn numbers_and_blocks_read_back(number in any::<u64>(), block in any::<Vec<u8>>()) {
        let mut writer = Writer::default();
        writer.number(number);
        writer.block(&block);
        let bytes = writer.finish();
        let mut reader = Reader::new(&bytes);
        prop_assert_eq!(reader.number().unwrap(), number);
        prop_assert_eq!(reader.block().unwrap(), &block[..]);
    }

    #[test]
    fn what_was_packed_is_less_and_unpacks_to_what_it_was(
        blocks in prop::collection::vec(prop::collection::vec(".{0,3}|hello|the order", 0..60), 1..4),
    ) {
        let mut packer = Packer::default();
        for block in blocks.into_iter().map(|words| words.concat().into_bytes()) {
            if let Some(packed) = packer.pack(&block) {
                prop_assert!(packed.len() <= block.len());
                prop_assert_eq!(unpack(&packed, block.len()).unwrap(), block.clone());
                prop_assert!(unpack(&packed, block.len() + 1).is_err());
            }
        }
    }

    #[test]
    fn damage_is_an_error_and_never_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Reader::new(&bytes).value::<Vec<Tagged>>();
        let _ = Reader::new(&bytes).value::<Value>();
        let _ = unpack(&bytes, 900);
    }
}
