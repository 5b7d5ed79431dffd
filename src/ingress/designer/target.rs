//! What a route call asks: whom, how urgently, how long an agent has to accept.

use serde_json::{Map, Value};

use crate::protocol::body::Fields;
use crate::protocol::envelope::{Code, Fault};
use crate::routing::RouteTarget;

/// The body of a route call: `{"data": {"target": {"type", "value"}, "priority", "timeoutSec"}}`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    kind: TargetKind,
    value: String,
    /// Larger is served first, on the scale of the queues' own; absent takes the queue's.
    pub(super) priority: Option<i32>,
    /// Milliseconds an agent has to accept; absent takes the queue's.
    pub(super) offer_ms: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TargetKind {
    Queue,
    Agent,
    Group,
    Skill,
}

/// The largest priority a strategy may give.
const PRIORITY_MAX: u64 = 1_000_000;

impl Wanted {
    /// Reads it; unknown members are refused.
    ///
    /// # Errors
    /// 400, naming the member.
    pub(super) fn read(fields: &Fields) -> Result<Self, Fault> {
        let mut data = fields.object(&["data"]);
        let Some(Value::Object(mut target)) = data.remove("target") else {
            return Err(missing("data.target"));
        };
        let kind = match text(&mut target, "type").as_deref() {
            Some("queue") => TargetKind::Queue,
            Some("agent") => TargetKind::Agent,
            Some("agentGroup") => TargetKind::Group,
            Some("skill") => TargetKind::Skill,
            Some(_) => return Err(bad("data.target.type")),
            None => return Err(missing("data.target.type")),
        };
        let value = text(&mut target, "value").ok_or_else(|| missing("data.target.value"))?;
        let priority = number(&mut data, "priority", 0..=PRIORITY_MAX, "data.priority")?;
        let seconds = number(&mut data, "timeoutSec", 3..=3_600, "data.timeoutSec")?;
        if !target.is_empty() || !data.is_empty() {
            return Err(bad("data: unknown member"));
        }
        Ok(Self {
            kind,
            value,
            priority: priority.and_then(|priority| i32::try_from(priority).ok()),
            offer_ms: seconds.map(|seconds| seconds * 1_000),
        })
    }

    /// Whom.
    pub(super) fn target(&self) -> RouteTarget<'_> {
        match self.kind {
            TargetKind::Queue => RouteTarget::Queue(&self.value),
            TargetKind::Agent => RouteTarget::Agent(&self.value),
            TargetKind::Group => RouteTarget::Group(&self.value),
            TargetKind::Skill => RouteTarget::Skill(&self.value),
        }
    }
}

fn text(object: &mut Map<String, Value>, name: &str) -> Option<String> {
    match object.remove(name) {
        Some(Value::String(text)) if !text.is_empty() => Some(text),
        _ => None,
    }
}

/// A whole number, or its digits: a form knows only texts.
fn number(
    object: &mut Map<String, Value>,
    name: &str,
    within: std::ops::RangeInclusive<u64>,
    path: &'static str,
) -> Result<Option<u64>, Fault> {
    let number = match object.remove(name) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Number(number)) => number.as_u64(),
        Some(Value::String(text)) => text.parse().ok(),
        Some(_) => None,
    };
    let number = number.filter(|number| within.contains(number));
    number.map(Some).ok_or_else(|| bad(path))
}

fn missing(path: &'static str) -> Fault {
    Fault::new(Code::MissingField).detail(path)
}

fn bad(path: &'static str) -> Fault {
    Fault::new(Code::BadValue).detail(path)
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use proptest::prelude::*;

    use super::*;
    use crate::protocol::body::{JsonDecoder, Limits, decode_form};

    fn json(text: &str) -> Result<Wanted, Fault> {
        let fields = JsonDecoder::new(Limits::default())
            .decode(BytesMut::from(text))
            .unwrap();
        Wanted::read(&fields)
    }

    #[test]
    fn a_form_and_a_json_body_say_the_same() {
        let text = r#"{"data":{"target":{"type":"queue","value":"billing"},"priority":10,"timeoutSec":60}}"#;
        let form =
            "data[target][type]=queue&data[target][value]=billing&data[priority]=10&data[timeoutSec]=60";
        let form = decode_form(BytesMut::from(form), &Limits::default()).unwrap();
        assert_eq!(json(text).unwrap(), Wanted::read(&form).unwrap());
        assert_eq!(json(text).unwrap().offer_ms, Some(60_000));
    }

    #[test]
    fn each_mistake_is_named() {
        for (body, code, detail) in [
            ("{}", Code::MissingField, "data.target"),
            (
                r#"{"data":{"target":{"type":"moon","value":"x"}}}"#,
                Code::BadValue,
                "data.target.type",
            ),
            (
                r#"{"data":{"target":{"type":"queue"}}}"#,
                Code::MissingField,
                "data.target.value",
            ),
            (
                r#"{"data":{"target":{"type":"queue","value":"x"},"timeoutSec":1}}"#,
                Code::BadValue,
                "data.timeoutSec",
            ),
            (
                r#"{"data":{"target":{"type":"queue","value":"x"},"colour":1}}"#,
                Code::BadValue,
                "data: unknown member",
            ),
        ] {
            let fault = json(body).unwrap_err();
            assert_eq!(
                (fault.code, fault.detail.as_deref()),
                (code, Some(detail)),
                "{body}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_body_is_read_calmly(body in proptest::collection::vec(any::<u8>(), 0..200), number: i64, word in "\\PC{0,20}") {
            if let Ok(fields) = decode_form(BytesMut::from(&body[..]), &Limits::default()) {
                let _ = Wanted::read(&fields);
            }
            let text = serde_json::json!({"data": {"target": {"type": word, "value": word}, "priority": number}});
            let _ = json(&text.to_string());
        }
    }
}
