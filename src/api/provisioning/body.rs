//! The body of a write: `{"data": {…}}` in JSON.

use serde_json::{Map, Value};

use crate::model::TenantId;
use crate::protocol::envelope::{Code, Fault};
use crate::provisioning::objects::Kind;
use crate::provisioning::{Draft, ObjectId};

use super::refuse::problems;

/// What a write wants.
#[derive(Debug)]
pub(super) struct Wanted {
    /// The object.
    pub(super) draft: Draft,
    /// The id it gives itself.
    pub(super) id: Option<ObjectId>,
    /// The tenant it names.
    pub(super) tenant: Option<TenantId>,
}

impl Wanted {
    /// Reads a body. What a read shows may be sent back: id, version and times are taken off.
    pub(super) fn parse(kind: Kind, content_type: Option<&str>, body: &[u8]) -> Result<Wanted, Fault> {
        let media_type = content_type
            .and_then(|value| value.split(';').next())
            .map(str::trim);
        if media_type.is_some_and(|media_type| !media_type.eq_ignore_ascii_case("application/json")) {
            return Err(Code::UnsupportedType.into());
        }
        let mut outer: Map<String, Value> = serde_json::from_slice(body).map_err(|_| Code::Malformed)?;
        let mut data = match outer.remove("data") {
            Some(Value::Object(data)) => data,
            Some(_) => return Err(Fault::new(Code::BadValue).detail("data: not an object")),
            None => return Err(Fault::new(Code::MissingField).detail("data: required")),
        };
        for shown in ["version", "created", "updated"] {
            data.remove(shown);
        }
        let mut id = None;
        let mut tenant = None;
        if kind == Kind::Tenant {
            tenant = taken(&mut data, "ccid")?;
        } else {
            id = taken(&mut data, "id")?;
        }
        if kind == Kind::ApiKey {
            tenant = taken(&mut data, "tenant")?;
        }
        let draft = Draft::parse(kind, data).map_err(|wrong| problems(&wrong))?;
        Ok(Wanted { draft, id, tenant })
    }
}

fn taken<T: std::str::FromStr>(
    data: &mut Map<String, Value>,
    field: &'static str,
) -> Result<Option<T>, Fault> {
    let Some(value) = data.remove(field) else {
        return Ok(None);
    };
    let parsed = value.as_str().and_then(|text| text.parse().ok());
    parsed
        .map(Some)
        .ok_or_else(|| Fault::new(Code::BadValue).detail(format!("{field}: not an id")))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn code(kind: Kind, body: &str) -> Code {
        Wanted::parse(kind, Some("application/json; charset=utf-8"), body.as_bytes())
            .unwrap_err()
            .code
    }

    #[test]
    fn each_kind_of_wrong_has_its_code() {
        assert_eq!(code(Kind::Queue, "{"), Code::Malformed);
        assert_eq!(code(Kind::Queue, "[]"), Code::Malformed);
        assert_eq!(code(Kind::Queue, "{}"), Code::MissingField);
        assert_eq!(code(Kind::Queue, r#"{"data":1}"#), Code::BadValue);
        assert_eq!(code(Kind::Queue, r#"{"data":{}}"#), Code::MissingField);
        assert_eq!(
            code(Kind::Queue, r#"{"data":{"name":"q","id":7}}"#),
            Code::BadValue
        );
        assert_eq!(
            code(Kind::Queue, r#"{"data":{"name":"q","colour":"red"}}"#),
            Code::BadValue
        );
        let form = Wanted::parse(Kind::Queue, Some("text/plain"), b"{}").unwrap_err();
        assert_eq!(form.code, Code::UnsupportedType);
    }

    proptest! {
        #[test]
        fn any_bytes_are_refused_calmly(body in proptest::collection::vec(any::<u8>(), 0..300)) {
            for kind in Kind::ALL {
                let _ = Wanted::parse(kind, None, &body);
            }
        }

        #[test]
        fn any_field_is_refused_or_taken_calmly(name in "[a-zA-Z]{1,12}", text in "\\PC{0,40}", number: i64) {
            for kind in Kind::ALL {
                for value in [serde_json::json!(text), serde_json::json!(number), serde_json::json!([text])] {
                    let body = serde_json::json!({"data": {&name: value}}).to_string();
                    if let Err(fault) = Wanted::parse(kind, None, body.as_bytes()) {
                        prop_assert!(fault.code.number() / 100 == 400);
                    }
                }
            }
        }
    }
}
