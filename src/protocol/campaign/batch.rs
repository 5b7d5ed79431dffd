//! The state of a batch: a pure function of its records.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::model::{BatchHead, DeliveryStatus, FeedEvent};

use super::frame::status_name;

/// A batch as its records tell it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Batch {
    head: Option<BatchHead>,
    rows: Vec<Row>,
}

/// One message of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Number of its record.
    pub n: u64,
    /// The caller's name of it.
    pub record: String,
    /// Why it will not be sent.
    pub refused: Option<String>,
    /// How far it got.
    pub status: Option<DeliveryStatus>,
    /// The provider's error code, or ours.
    pub code: Option<String>,
    /// Its words.
    pub detail: Option<String>,
}

impl Batch {
    /// Takes the record with number `n`.
    pub fn apply(&mut self, n: u64, event: FeedEvent) {
        match event {
            FeedEvent::Batch(head) => self.head = Some(head),
            FeedEvent::Message { record } => self.push(n, record, None),
            FeedEvent::Refused { record, code } => self.push(n, record, Some(code)),
            FeedEvent::Status {
                of,
                status,
                code,
                detail,
            } => {
                if let Ok(at) = self.rows.binary_search_by_key(&of, |row| row.n) {
                    let row = &mut self.rows[at];
                    if status.follows(row.status) {
                        (row.status, row.code, row.detail) = (Some(status), code, detail);
                    }
                }
            }
            FeedEvent::Opened { .. } | FeedEvent::Told(_) | FeedEvent::Kept | FeedEvent::Passed => {}
        }
    }

    fn push(&mut self, n: u64, record: String, refused: Option<String>) {
        self.rows.push(Row {
            n,
            record,
            refused,
            status: None,
            code: None,
            detail: None,
        });
    }

    /// What it is; `None` before its first record.
    #[must_use]
    pub fn head(&self) -> Option<&BatchHead> {
        self.head.as_ref()
    }

    /// How many of its messages are written down.
    #[must_use]
    pub fn written(&self) -> usize {
        self.rows.len()
    }

    /// Whether all of it is written down.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.head
            .as_ref()
            .is_some_and(|head| self.rows.len() >= head.total as usize)
    }

    /// The message with this number.
    #[must_use]
    pub fn row(&self, n: u64) -> Option<&Row> {
        let at = self.rows.binary_search_by_key(&n, |row| row.n).ok()?;
        self.rows.get(at).filter(|row| row.refused.is_none())
    }

    /// What whoever posted it is told: the same each time.
    #[must_use]
    pub fn acceptance(&self) -> Value {
        let rejected = self.rows.iter().filter_map(|row| {
            let code = row.refused.as_ref()?;
            Some(json!({"recordHandle": row.record, "code": code}))
        });
        let rejected: Vec<Value> = rejected.collect();
        let id = self.head.as_ref().map(|head| head.batch.as_str());
        json!({"batchId": id, "accepted": self.rows.len() - rejected.len(), "rejected": rejected})
    }

    /// Counts, and the state of each message.
    #[must_use]
    pub fn picture(&self) -> Value {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        let records: Vec<Value> = self
            .rows
            .iter()
            .map(|row| {
                let state = row.state();
                *counts.entry(state).or_default() += 1;
                let mut told = json!({"recordHandle": row.record, "state": state});
                let code = row.refused.as_ref().or(row.code.as_ref());
                if code.is_some() || row.detail.is_some() {
                    told["error"] = json!({"code": code, "message": row.detail});
                }
                told
            })
            .collect();
        let head = self.head.as_ref();
        json!({
            "batchId": head.map(|head| &head.batch),
            "campaignId": head.map(|head| &head.campaign),
            "media": head.map(|head| head.media),
            "test": head.is_some_and(|head| head.test),
            "total": head.map(|head| head.total),
            "counts": counts,
            "records": records,
        })
    }
}

impl Row {
    fn state(&self) -> &'static str {
        match (&self.refused, self.status) {
            (Some(_), _) => "Rejected",
            (None, None) => "Pending",
            (None, Some(status)) => status_name(status),
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::model::{Media, TenantId};

    fn head(total: u32) -> FeedEvent {
        FeedEvent::Batch(BatchHead {
            tenant: TenantId(Uuid::from_u128(1)),
            campaign: "spring".to_owned(),
            batch: "b-17".to_owned(),
            media: Media::Sms,
            channel: "c-1".to_owned(),
            test: false,
            total,
            fingerprint: String::new(),
        })
    }

    fn status(of: u64, status: DeliveryStatus) -> FeedEvent {
        FeedEvent::Status {
            of,
            status,
            code: None,
            detail: None,
        }
    }

    #[test]
    fn a_batch_counts_its_messages_by_state_and_no_state_moves_backwards() {
        let mut batch = Batch::default();
        let message = |record: &str| FeedEvent::Message {
            record: record.to_owned(),
        };
        let refused = FeedEvent::Refused {
            record: "c".to_owned(),
            code: "empty".to_owned(),
        };
        let events = [
            head(3),
            message("a"),
            message("b"),
            refused,
            status(2, DeliveryStatus::Delivered),
            status(2, DeliveryStatus::Sent),
            status(99, DeliveryStatus::Sent),
        ];
        for (n, event) in (1..).zip(events) {
            batch.apply(n, event);
        }
        assert!(batch.is_whole());
        let picture = batch.picture();
        assert_eq!(
            picture["counts"],
            json!({"Delivered": 1, "Pending": 1, "Rejected": 1})
        );
        assert_eq!(batch.acceptance()["accepted"], 2);
        assert_eq!(batch.acceptance()["rejected"][0]["recordHandle"], "c");
        assert!(batch.row(4).is_none(), "a refused message is never sent");
    }
}
