//! The vendor's key/value lists: `[{"key":"Subject","type":"str|int|kvlist","value":…}]`.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::error::FrameFault;

/// The most keys one list may have.
const MAX_KEYS: usize = 100;
/// The longest key, in characters.
const MAX_KEY: usize = 255;

/// One entry of a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyValue {
    /// Its name.
    pub key: String,
    /// What the value is; absent in what clients send is the JSON type.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<ValueKind>,
    /// The value; a `kvlist` is a list again.
    #[serde(default)]
    pub value: Value,
}

/// The types of the vendor's lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ValueKind {
    /// Text.
    Str,
    /// A number without fraction.
    Int,
    /// A list of its own.
    Kvlist,
}

/// An object as a list; keys keep the object's order.
#[must_use]
pub fn to_key_values(object: &Map<String, Value>) -> Vec<KeyValue> {
    object
        .iter()
        .map(|(key, value)| {
            let (kind, value) = match value {
                Value::Object(inner) => (
                    ValueKind::Kvlist,
                    serde_json::to_value(to_key_values(inner)).unwrap_or(Value::Null),
                ),
                Value::Number(number) if !number.is_f64() => (ValueKind::Int, value.clone()),
                Value::String(_) => (ValueKind::Str, value.clone()),
                other => (ValueKind::Str, Value::String(other.to_string())),
            };
            KeyValue {
                key: key.clone(),
                kind: Some(kind),
                value,
            }
        })
        .collect()
}

/// A list as an object.
pub(super) fn to_object(list: Vec<KeyValue>) -> Result<Map<String, Value>, FrameFault> {
    check_keys(&list)?;
    let mut object = Map::with_capacity(list.len());
    for KeyValue { key, kind, value } in list {
        let value = match (kind, value) {
            (Some(ValueKind::Kvlist), inner @ Value::Array(_)) => {
                let inner = serde_json::from_value(inner).map_err(|_| BAD)?;
                Value::Object(to_object(inner)?)
            }
            (Some(ValueKind::Str) | None, text @ Value::String(_)) => text,
            (Some(ValueKind::Int) | None, Value::Number(number)) if !number.is_f64() => Value::Number(number),
            (None, flag @ Value::Bool(_)) => flag,
            _ => return Err(BAD),
        };
        if object.insert(key, value).is_some() {
            return Err(BAD);
        }
    }
    Ok(object)
}

/// The keys of a list whose values do not matter.
pub(super) fn to_keys(list: Vec<KeyValue>) -> Result<Vec<String>, FrameFault> {
    check_keys(&list)?;
    Ok(list.into_iter().map(|entry| entry.key).collect())
}

const BAD: FrameFault = FrameFault::BadValue("userData");

fn check_keys(list: &[KeyValue]) -> Result<(), FrameFault> {
    let sound = |entry: &KeyValue| !entry.key.is_empty() && entry.key.chars().count() <= MAX_KEY;
    if list.is_empty() || list.len() > MAX_KEYS || !list.iter().all(sound) {
        return Err(BAD);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_object_comes_back_from_its_list() {
        let object = json!({"Order": "A-17", "Count": 3, "Address": {"City": "Brest"}});
        let Value::Object(object) = object else {
            unreachable!()
        };
        assert_eq!(to_object(to_key_values(&object)), Ok(object));
    }

    #[test]
    fn a_list_that_names_a_key_twice_is_refused() {
        let list: Vec<KeyValue> =
            serde_json::from_value(json!([{"key": "a", "value": "1"}, {"key": "a", "value": "2"}])).unwrap();
        assert_eq!(to_object(list), Err(BAD));
    }

    #[test]
    fn a_value_of_another_type_than_announced_is_refused() {
        let list: Vec<KeyValue> =
            serde_json::from_value(json!([{"key": "a", "type": "int", "value": "1"}])).unwrap();
        assert_eq!(to_object(list), Err(BAD));
    }
}
