//! What an object would do, before it is saved: the same engine and the same values as later, on a sample.

use serde_json::{Map, Value, json};

use crate::ingress::designer::Preview;
use crate::model::TenantId;
use crate::protocol::envelope::{Code, Fault};
use crate::provisioning::Snapshot;
use crate::provisioning::masking::Masker;
use crate::provisioning::objects::PiiRule;

/// Characters of a sample.
const SAMPLE_MAX: usize = 8_192;

/// The text that comes out. `asked`: `{"kind", "sample", …}` with what the kind needs: of a PII rule `pattern` and
/// `replacement`, of a field code `expression`; of a standard response or a variable the sample is a text with field codes.
pub(super) fn preview(
    snapshot: &Snapshot,
    tenant: TenantId,
    asked: &Map<String, Value>,
) -> Result<Value, Fault> {
    let text = |name: &'static str| asked.get(name).and_then(Value::as_str).unwrap_or_default();
    let sample = text("sample");
    if sample.chars().count() > SAMPLE_MAX {
        return Err(Fault::new(Code::TooLarge).detail("sample"));
    }
    let values = Preview { snapshot, tenant };
    let shown = match text("kind") {
        "pii-rules" => {
            let rule = PiiRule {
                pattern: text("pattern").to_owned(),
                replacement: text("replacement").to_owned(),
                ..PiiRule::default()
            };
            let masker = Masker::of_rule(&rule);
            let masker = masker.map_err(|_| {
                Fault::new(Code::BadValue).detail("pattern: not a pattern that runs in linear time")
            })?;
            masker.mask(sample).into_owned()
        }
        "field-codes" => values
            .evaluate(text("expression"))
            .ok_or_else(|| Fault::new(Code::BadValue).detail("expression"))?,
        "standard-responses" | "custom-variables" => values.fill(sample),
        _ => return Err(Fault::new(Code::BadValue).detail("kind")),
    };
    Ok(json!({ "text": shown }))
}
