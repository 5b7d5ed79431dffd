//! The frames of the stream of statuses.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::model::{DeliveryStatus, Media, Millis, RecordStatus, TenantId};

/// Longest frame a consumer sends, in bytes.
const FRAME: usize = 1_024;

/// The name of a status on this wire.
#[must_use]
pub const fn status_name(status: DeliveryStatus) -> &'static str {
    match status {
        DeliveryStatus::Read => "Opened",
        other => other.as_str(),
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StatusFrame<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    seq: u64,
    campaign_id: &'a str,
    batch_id: &'a str,
    record_handle: &'a str,
    media: Media,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    test: bool,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorPart<'a>>,
    time: String,
}

#[derive(Serialize)]
struct ErrorPart<'a> {
    code: Option<&'a str>,
    message: Option<&'a str>,
}

/// `RecordStatus` with number `seq` of the tenant's feed.
#[must_use]
pub fn record_status(seq: u64, at: Millis, told: &RecordStatus) -> Bytes {
    let error = (told.code.is_some() || told.detail.is_some()).then_some(ErrorPart {
        code: told.code.as_deref(),
        message: told.detail.as_deref(),
    });
    let ms = i64::try_from(at.0).unwrap_or(i64::MAX);
    write(&StatusFrame {
        kind: "RecordStatus",
        seq,
        campaign_id: &told.campaign,
        batch_id: &told.batch,
        record_handle: &told.record,
        media: told.media,
        test: told.test,
        status: status_name(told.status),
        error,
        time: jiff::Timestamp::from_millisecond(ms)
            .unwrap_or(jiff::Timestamp::MAX)
            .to_string(),
    })
}

/// Whether a tenant's campaigns can be sent now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ServiceStatus {
    /// Whether statuses can be read and batches kept.
    pub up: bool,
    /// Whether a text message can leave.
    pub sms: bool,
    /// Whether a mail can.
    pub email: bool,
    /// Whether a messenger's message can.
    pub social: bool,
}

impl ServiceStatus {
    /// Its frame.
    #[must_use]
    pub fn frame(self, tenant: TenantId) -> Bytes {
        let word = |up: bool| if up { "up" } else { "down" };
        write(&serde_json::json!({
            "type": "ServiceStatus",
            "ccid": tenant,
            "status": word(self.up),
            "media": {"sms": word(self.sms), "email": word(self.email), "social": word(self.social)},
        }))
    }
}

/// The frame is none that a consumer may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected an Ack")]
pub struct BadFrame;

#[derive(Deserialize)]
struct Ack {
    #[serde(rename = "type")]
    kind: String,
    seq: u64,
}

/// The number that a consumer has seen everything up to.
///
/// # Errors
/// [`BadFrame`].
pub fn ack_of(frame: &str) -> Result<u64, BadFrame> {
    if frame.len() > FRAME {
        return Err(BadFrame);
    }
    let ack: Ack = serde_json::from_str(frame).map_err(|_| BadFrame)?;
    (ack.kind == "Ack").then_some(ack.seq).ok_or(BadFrame)
}

fn write(value: &impl Serialize) -> Bytes {
    // Plain data with text keys always has a JSON form.
    serde_json::to_vec(value).unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_status_is_told_with_its_number_and_its_error() {
        let told = RecordStatus {
            campaign: "spring".to_owned(),
            batch: "b-17".to_owned(),
            record: "9001".to_owned(),
            media: Media::Sms,
            test: false,
            status: DeliveryStatus::Undelivered,
            code: Some("30003".to_owned()),
            detail: Some("unreachable".to_owned()),
        };
        let frame = record_status(42, Millis(1_700_000_000_000), &told);
        assert_eq!(
            std::str::from_utf8(&frame).unwrap(),
            r#"{"type":"RecordStatus","seq":42,"campaignId":"spring","batchId":"b-17","recordHandle":"9001","media":"sms","status":"Undelivered","error":{"code":"30003","message":"unreachable"},"time":"2023-11-14T22:13:20Z"}"#
        );
    }

    proptest! {
        #[test]
        fn an_ack_is_read_and_anything_else_refused(seq: u64, text in ".{0,80}") {
            prop_assert_eq!(ack_of(&format!(r#"{{"type":"Ack","seq":{seq}}}"#)), Ok(seq));
            let _ = ack_of(&text);
        }
    }
}
