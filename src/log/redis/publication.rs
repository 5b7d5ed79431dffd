//! What is published to the watchers of a log: whole appends, as they were asked for, and signals.
//!
//! The counterpart of [`super::encode`]: an append comes back as it went in, with what it continued, so that the records
//! have their numbers and hashes again and the append itself can be kept against a rollback.

use bytes::{Buf as _, Bytes};

use crate::log::append::{
    Append, Basis, Index, Key, NewEffect, NewRecord, PeerKey, StoredBody, StoredRecord, TimerChange,
};
use crate::model::{ChainHash, Digest, LogId, Millis, Position, TenantId};

use super::encode::{BODY, GUARDED, KEYED, SNAPSHOT};

/// Something a watcher is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Told {
    /// An append was written.
    Append(Box<Written>),
    /// Something that is not kept.
    Signal(Bytes),
}

/// An append that was written.
#[derive(Debug, Clone)]
pub(super) struct Written {
    /// What it continued.
    pub(super) before: Position,
    /// The append as it can be made again: decided on `before`, or, where it opened the log, on the peer.
    pub(super) append: Append,
}

impl PartialEq for Written {
    fn eq(&self, other: &Self) -> bool {
        self.before == other.before
            && self.append.log == other.append.log
            && self.records() == other.records()
    }
}

impl Eq for Written {}

impl Written {
    /// An append that the store has answered. It has passed its guard: an opt-out that came after it does not undo it.
    pub(super) fn new(mut append: Append, log: LogId, before: Position, opened: bool) -> Self {
        append.log = log;
        append.guard = None;
        if !opened {
            if matches!(append.basis, Basis::Peer { quiet: Some(at), .. } if at == before) {
                append.effects = Vec::new();
            }
            append.basis = Basis::Decided(before);
        }
        Self { before, append }
    }

    /// What was written, in order.
    pub(super) fn records(&self) -> Vec<StoredRecord> {
        let mut position = self.before;
        self.new_records()
            .map(|record| {
                position = position.then(&record.digest);
                StoredRecord {
                    n: position.n,
                    hash: position.hash,
                    digest: record.digest,
                    envelope: record.envelope.clone(),
                    body: record.body.clone().map_or(StoredBody::None, StoredBody::Present),
                }
            })
            .collect()
    }

    /// Where the log stood after it.
    pub(super) fn top(&self) -> Position {
        self.new_records()
            .fold(self.before, |position, record| position.then(&record.digest))
    }

    /// Payload bytes.
    pub(super) fn bytes(&self) -> usize {
        let records: usize = self
            .new_records()
            .map(|record| record.envelope.len() + record.body.as_ref().map_or(0, Bytes::len))
            .sum();
        let effects: usize = self
            .append
            .effects
            .iter()
            .map(|effect| effect.payload.len())
            .sum();
        records + effects
    }

    fn new_records(&self) -> impl Iterator<Item = &NewRecord> {
        let opening = match &self.append.basis {
            Basis::Peer { opening, .. } => opening.as_slice(),
            Basis::Decided(_) | Basis::Admitted => &[],
        };
        opening.iter().chain(&self.append.records)
    }
}

/// A signal as it is published.
pub(super) fn signal(payload: &Bytes) -> Bytes {
    [b"S", &payload[..]].concat().into()
}

/// What was published on a log's channel; `None` if it is not ours.
pub(super) fn decode(log: LogId, message: &[u8]) -> Option<Told> {
    let (kind, rest) = message.split_first()?;
    match kind {
        b'S' => Some(Told::Signal(Bytes::copy_from_slice(rest))),
        b'R' => Some(Told::Append(Box::new(written(log, rest)?))),
        _ => None,
    }
}

fn written(log: LogId, mut rest: &[u8]) -> Option<Written> {
    let before = Position {
        n: rest.try_get_u64().ok()?,
        hash: ChainHash(take(&mut rest, 8)?.try_into().ok()?),
    };
    let opened = rest.try_get_u8().ok()? == b'1';
    let mut args = Args(rest);
    let mut header = args.next()?;
    let basis = header.try_get_u8().ok()?;
    let (marks, closes) = (header.try_get_u8().ok()?, header.try_get_u8().ok()? == 1);
    // Where it was decided, which `before` says too, or where its effects are left out.
    let at = Position {
        n: header.try_get_u64().ok()?,
        hash: ChainHash(take(&mut header, 8)?.try_into().ok()?),
    };
    let expire_ms = header.try_get_u64().ok()?;
    let [openings, opening_effects, records, effects, timers, indexes]: [u8; 6] = header.try_into().ok()?;
    let key = if marks & KEYED != 0 {
        Some(args.key()?)
    } else {
        None
    };
    let guard = if marks & GUARDED != 0 {
        Some(PeerKey(args.bytes()?))
    } else {
        None
    };
    let basis = if basis == b'P' {
        Basis::Peer {
            peer: PeerKey(args.bytes()?),
            opening: args.many(openings, Args::record)?,
            opening_effects: args.many(opening_effects, Args::effect)?,
            quiet: Some(at).filter(|at| at.n > 0),
        }
    } else {
        Basis::Admitted
    };
    let append = Append {
        log,
        basis,
        records: args.many(records, Args::record)?,
        key,
        guard,
        effects: args.many(effects, Args::effect)?,
        timers: args.many(timers, Args::timer)?,
        indexes: args.many(indexes, Args::index)?,
        expire_ms,
        closes,
    };
    Some(Written::new(append, log, before, opened))
}

/// Arguments, each with its length.
struct Args<'a>(&'a [u8]);

impl<'a> Args<'a> {
    fn next(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.0.try_get_u32().ok()?).ok()?;
        take(&mut self.0, length)
    }

    /// A copy, so that a record kept for hours does not keep the message that it came with.
    fn bytes(&mut self) -> Option<Bytes> {
        self.next().map(Bytes::copy_from_slice)
    }

    fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.next()?).ok()
    }

    fn many<T>(&mut self, count: u8, one: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        (0..count).map(|_| one(self)).collect()
    }

    fn key(&mut self) -> Option<Key> {
        Some(Key {
            key: self.bytes()?,
            body_hash: self.next()?.try_into().ok()?,
            answer: self.bytes()?,
        })
    }

    fn record(&mut self) -> Option<NewRecord> {
        let (mark, digest) = self.next()?.split_first()?;
        Some(NewRecord {
            digest: Digest(digest.try_into().ok()?),
            envelope: self.bytes()?,
            body: if mark & BODY != 0 {
                Some(self.bytes()?)
            } else {
                None
            },
            snapshot: mark & SNAPSHOT != 0,
        })
    }

    fn effect(&mut self) -> Option<NewEffect> {
        Some(NewEffect {
            place: self.text()?.parse().ok()?,
            lane: self.text()?.to_owned(),
            delay_ms: self.text()?.parse().ok()?,
            payload: self.bytes()?,
        })
    }

    fn timer(&mut self) -> Option<TimerChange> {
        let name = self.text()?.parse().ok()?;
        Some(match self.text()? {
            "" => TimerChange::Clear { name },
            due => TimerChange::Set {
                name,
                due: Millis(due.parse().ok()?),
            },
        })
    }

    fn index(&mut self) -> Option<Index> {
        let kind = self.next()?;
        Some(match kind {
            b"O" => Index::Open(self.tenant()?),
            b"S" => Index::Shut(self.tenant()?),
            b"P" => Index::Peer(PeerKey(self.bytes()?)),
            b"U" => Index::Unpeer(PeerKey(self.bytes()?)),
            b"A" => Index::Alive {
                ttl_ms: self.text()?.parse().ok()?,
            },
            b"X" => Index::OptOut(PeerKey(self.bytes()?)),
            b"I" => Index::OptIn(PeerKey(self.bytes()?)),
            b"N" => {
                self.next()?;
                Index::NotAlive
            }
            _ => return None,
        })
    }

    fn tenant(&mut self) -> Option<TenantId> {
        self.text()?.parse().ok()
    }
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(length)?;
    *rest = left;
    Some(taken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Spread;
    use fred::types::Value;
    use proptest::prelude::*;
    use uuid::Uuid;

    fn record() -> impl Strategy<Value = NewRecord> {
        let bytes = || prop::collection::vec(any::<u8>(), 0..40).prop_map(Bytes::from);
        (bytes(), prop::option::of(bytes()), any::<bool>()).prop_map(|(envelope, body, snapshot)| NewRecord {
            digest: Digest::of(&[&envelope]),
            envelope,
            body,
            snapshot,
        })
    }

    fn append() -> impl Strategy<Value = Append> {
        let records = || prop::collection::vec(record(), 1..4);
        let effects = || {
            let effect =
                (any::<u16>(), "[a-z]{1,8}", 0_u64..1_000).prop_map(|(place, lane, delay_ms)| NewEffect {
                    place,
                    payload: Bytes::from(lane.clone()),
                    lane,
                    delay_ms,
                });
            prop::collection::vec(effect, 0..3)
        };
        let basis = prop_oneof![
            Just(Basis::Admitted),
            (records(), effects(), prop::option::of(3_u64..5)).prop_map(|(opening, opening_effects, n)| {
                Basis::Peer {
                    peer: PeerKey(Bytes::from_static(b"peer")),
                    opening,
                    opening_effects,
                    quiet: n.map(|n| Position {
                        n,
                        hash: ChainHash([9; 8]),
                    }),
                }
            }),
        ];
        let timers = prop::collection::vec(
            prop_oneof![
                any::<u16>().prop_map(|name| TimerChange::Clear { name }),
                (any::<u16>(), 0_u64..1 << 50).prop_map(|(name, due)| TimerChange::Set {
                    name,
                    due: Millis(due)
                }),
            ],
            0..3,
        );
        let index = prop_oneof![
            Just(Index::Open(TenantId(Uuid::from_u128(7)))),
            Just(Index::Unpeer(PeerKey(Bytes::from_static(b"\0\xff")))),
            Just(Index::NotAlive),
            Just(Index::OptOut(PeerKey(Bytes::from_static(b"who")))),
            Just(Index::OptIn(PeerKey(Bytes::from_static(b"\xff")))),
            (0_u64..1 << 30).prop_map(|ttl_ms| Index::Alive { ttl_ms }),
        ];
        let key = prop::option::of(any::<[u8; 16]>().prop_map(|body_hash| Key {
            key: Bytes::from_static(b"key"),
            body_hash,
            answer: Bytes::from_static(b"answer"),
        }));
        let guard = prop::option::of(Just(PeerKey(Bytes::from_static(b"guarded"))));
        let rest = (
            timers,
            prop::collection::vec(index, 0..4),
            (key, guard),
            any::<bool>(),
        );
        (basis, records(), effects(), rest).prop_map(
            |(basis, records, effects, (timers, indexes, (key, guard), closes))| Append {
                log: log(),
                basis,
                records,
                key,
                guard,
                effects,
                timers,
                indexes,
                expire_ms: 1_000,
                closes,
            },
        )
    }

    fn log() -> LogId {
        LogId::session(Millis(5), [3; 10], Spread::of(&[b"x"]))
    }

    /// As `publish` in `lua/append.lua` puts it together.
    fn published(append: &Append, before: Position, opened: bool) -> Vec<u8> {
        let mut message = vec![b'R'];
        message.extend(before.n.to_be_bytes());
        message.extend(before.hash.0);
        message.push(if opened { b'1' } else { b'0' });
        for value in super::super::encode::append(append).iter().skip(1) {
            let Value::Bytes(value) = value else {
                panic!("arguments are bytes: {value:?}")
            };
            message.extend(u32::try_from(value.len()).unwrap().to_be_bytes());
            message.extend_from_slice(value);
        }
        message
    }

    proptest! {
        #[test]
        fn a_published_append_comes_back_as_it_went_in(append in append(), opened: bool) {
            let opened = opened && matches!(append.basis, Basis::Peer { .. });
            let before = Position { n: 4, hash: ChainHash([9; 8]) };
            let message = published(&append, before, opened);
            let expected = Written::new(append, log(), before, opened);
            let Some(Told::Append(written)) = decode(log(), &message) else {
                panic!("it decodes");
            };
            prop_assert_eq!(format!("{:?}", written.append), format!("{:?}", expected.append));
            prop_assert_eq!(written.records().last().map(StoredRecord::position), Some(expected.top()));
        }

        #[test]
        fn no_publication_ends_the_process(
            append in append(),
            cut in any::<prop::sample::Index>(),
            flip in any::<(prop::sample::Index, u8)>(),
        ) {
            let mut message = published(&append, Position::default(), true);
            let (at, with) = flip;
            let at = at.index(message.len());
            message[at] ^= with;
            let _ = decode(log(), &message);
            let _ = decode(log(), &message[..cut.index(message.len())]);
        }

        #[test]
        fn a_signal_comes_back(payload in prop::collection::vec(any::<u8>(), 0..64)) {
            let payload = Bytes::from(payload);
            prop_assert_eq!(decode(log(), &signal(&payload)), Some(Told::Signal(payload)));
        }
    }
}
