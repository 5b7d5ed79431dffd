//! What the functions answer and publish, decoded. Nothing here trusts the server: whatever is not as our functions give it is
//! [`LogError::Corrupt`].

use bytes::{Buf as _, Bytes};
use fred::interfaces::Resp3Frame;

use crate::log::append::{Answer, StoredBody, StoredRecord};
use crate::log::effects::{EffectId, Leased};
use crate::log::error::LogError;
use crate::log::matching::{MatchAnswer, Pair};
use crate::log::store::{DueTimer, Page, Tail};
use crate::model::{ChainHash, Digest, LogId, Millis, Position};

use super::error::damaged;

/// The elements of a list, taken one after the other.
pub(super) struct Items {
    items: std::vec::IntoIter<Resp3Frame>,
    what: &'static str,
}

impl Items {
    pub(super) fn of(frame: Resp3Frame, what: &'static str) -> Result<Self, LogError> {
        match frame {
            Resp3Frame::Array { data, .. } => Ok(Self {
                items: data.into_iter(),
                what,
            }),
            _ => Err(damaged(what)),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.items.len() == 0
    }

    /// As the client read it: a part of a larger buffer.
    pub(super) fn raw(&mut self) -> Result<Bytes, LogError> {
        match self.items.next() {
            Some(Resp3Frame::BlobString { data, .. } | Resp3Frame::SimpleString { data, .. }) => Ok(data),
            _ => Err(damaged(self.what)),
        }
    }

    /// A copy, so that a record kept for hours does not keep the buffer that it was read into.
    pub(super) fn copied(&mut self) -> Result<Bytes, LogError> {
        Ok(Bytes::copy_from_slice(&self.raw()?))
    }

    pub(super) fn text(&mut self) -> Result<String, LogError> {
        String::from_utf8(self.raw()?.to_vec()).map_err(|_| damaged(self.what))
    }

    pub(super) fn number(&mut self) -> Result<u64, LogError> {
        self.signed()?.try_into().map_err(|_| damaged(self.what))
    }

    pub(super) fn signed(&mut self) -> Result<i64, LogError> {
        match self.items.next() {
            Some(Resp3Frame::Number { data, .. }) => Ok(data),
            _ => Err(damaged(self.what)),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], LogError> {
        self.raw()?.as_ref().try_into().map_err(|_| damaged(self.what))
    }

    pub(super) fn log(&mut self) -> Result<LogId, LogError> {
        self.text()?.parse().map_err(|_| damaged(self.what))
    }

    pub(super) fn position(&mut self) -> Result<Position, LogError> {
        Ok(Position {
            n: self.number()?,
            hash: ChainHash(self.array()?),
        })
    }

    /// The rest of the list: records from number `n` on.
    fn records(mut self, mut n: u64) -> Result<Vec<StoredRecord>, LogError> {
        let mut records = Vec::with_capacity(self.items.len() / 4);
        while !self.is_empty() {
            let (hash, digest, envelope) = (self.array()?, self.array()?, self.copied()?);
            let body = match self.items.next() {
                Some(Resp3Frame::Null) => StoredBody::None,
                Some(Resp3Frame::Number { data: 0, .. }) => StoredBody::Erased,
                Some(Resp3Frame::BlobString { data, .. }) => {
                    StoredBody::Present(Bytes::copy_from_slice(&data))
                }
                _ => return Err(damaged(self.what)),
            };
            records.push(StoredRecord {
                n,
                hash: ChainHash(hash),
                digest: Digest(digest),
                envelope,
                body,
            });
            n += 1;
        }
        Ok(records)
    }
}

/// What `append` answers, and of one that was written, what it continued.
pub(super) fn answer(frame: Resp3Frame, log: LogId) -> Result<(Answer, Option<Position>), LogError> {
    let mut items = Items::of(frame, "append")?;
    let answer = match &*items.text()? {
        "A" => {
            let answer = Answer::Appended {
                log: items.log()?,
                first: items.number()?,
                top: items.position()?,
                opened: items.number()? == 1,
            };
            return Ok((answer, Some(items.position()?)));
        }
        "K" => Answer::Repeat {
            log: items.log()?,
            first: items.number()?,
            answer: items.copied()?,
        },
        "X" => Answer::KeyReused,
        "R" => Answer::Refused {
            top: items.position()?,
        },
        "C" => Answer::Closed,
        "O" => Answer::OptedOut,
        other => return Err(damaged(&format!("append of {log} answered {other}"))),
    };
    Ok((answer, None))
}

/// What `tail` answers: the first number, the hash before it, the records.
pub(super) fn tail(frame: Resp3Frame) -> Result<Option<Tail>, LogError> {
    if matches!(frame, Resp3Frame::Null) {
        return Ok(None);
    }
    let mut items = Items::of(frame, "tail")?;
    let first = items.number()?;
    let base = Position {
        n: first.checked_sub(1).ok_or_else(|| damaged("tail"))?,
        hash: ChainHash(items.array()?),
    };
    let records = items.records(first)?;
    Ok(Some(Tail { base, records }))
}

/// What `read` answers: the oldest number, the top, the first number, the records.
pub(super) fn page(frame: Resp3Frame) -> Result<Option<Page>, LogError> {
    if matches!(frame, Resp3Frame::Null) {
        return Ok(None);
    }
    let mut items = Items::of(frame, "read")?;
    let (oldest, top, first) = (items.number()?, items.position()?, items.signed()?);
    // An empty page may begin anywhere.
    let first = u64::try_from(first).unwrap_or_default();
    let records = items.records(first)?;
    Ok(Some(Page { records, oldest, top }))
}

/// What `lease` answers: lane and entry, alternating.
pub(super) fn leased(frame: Resp3Frame) -> Result<Vec<Leased>, LogError> {
    let mut items = Items::of(frame, "lease")?;
    let mut leased = Vec::with_capacity(items.items.len() / 2);
    while !items.is_empty() {
        let (lane, mut entry) = (items.text()?, items.copied()?);
        if lane.len() < 36 || !lane.is_char_boundary(36) || entry.len() < 22 {
            return Err(damaged("lease"));
        }
        let (log, lane) = lane.split_at(36);
        let (n, place) = (entry.get_u64(), entry.get_u16());
        let _not_before = entry.get_u64();
        leased.push(Leased {
            id: EffectId {
                log: log.parse().map_err(|_| damaged("lease"))?,
                n,
                place,
            },
            lane: lane.to_owned(),
            attempt: entry.get_u32(),
            payload: entry,
        });
    }
    Ok(leased)
}

/// What `due` answers: log and name together, and when it was due, alternating.
pub(super) fn due(frame: Resp3Frame) -> Result<Vec<DueTimer>, LogError> {
    let mut items = Items::of(frame, "due")?;
    let mut due = Vec::with_capacity(items.items.len() / 2);
    while !items.is_empty() {
        let timer = items.text()?;
        let (log, name) = timer.split_at_checked(36).ok_or_else(|| damaged("due"))?;
        due.push(DueTimer {
            log: log.parse().map_err(|_| damaged("due"))?,
            name: name.parse().map_err(|_| damaged("due"))?,
            due: Millis(items.number()?),
        });
    }
    Ok(due)
}

/// What `match` and `best` answer.
pub(super) fn pair(frame: Resp3Frame) -> Result<MatchAnswer, LogError> {
    if matches!(frame, Resp3Frame::Null) {
        return Ok(MatchAnswer::default());
    }
    let mut items = Items::of(frame, "matching")?;
    let pair = Pair {
        session: items.log()?,
        desk: items.log()?,
        agent: items.text()?.parse().map_err(|_| damaged("matching"))?,
    };
    Ok(MatchAnswer { pair: Some(pair) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frame() -> impl Strategy<Value = Resp3Frame> {
        let leaf = prop_oneof![
            Just(Resp3Frame::Null),
            any::<i64>().prop_map(|data| Resp3Frame::Number {
                data,
                attributes: None
            }),
            prop_oneof![
                prop::collection::vec(any::<u8>(), 0..64),
                prop::collection::vec(any::<u8>(), 8),
                prop::collection::vec(any::<u8>(), 32),
                "[AKXRCO]".prop_map(String::into_bytes),
                Just(b"01890000-0000-7000-8000-000000000000lane".to_vec()),
            ]
            .prop_map(|data| Resp3Frame::BlobString {
                data: data.into(),
                attributes: None
            }),
        ];
        let list = |element| {
            prop::collection::vec(element, 0..12).prop_map(|data| Resp3Frame::Array {
                data,
                attributes: None,
            })
        };
        leaf.prop_recursive(2, 24, 12, list)
    }

    proptest! {
        #[test]
        fn no_answer_ends_the_process(frame in frame()) {
            let log = LogId::from_bytes([0; 16]);
            let _ = answer(frame.clone(), log);
            let _ = tail(frame.clone());
            let _ = page(frame.clone());
            let _ = leased(frame.clone());
            let _ = due(frame.clone());
            let _ = pair(frame);
        }
    }
}
