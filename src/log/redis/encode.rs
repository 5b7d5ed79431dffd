//! An append as the arguments of the function `append`; `lua/append.lua` reads them in this order.

use bytes::{BufMut as _, Bytes, BytesMut};
use fred::types::Value;

use crate::log::append::{Append, Basis, Index, NewEffect, NewRecord, TimerChange};
use crate::model::LogId;

/// The largest number that the function language holds exactly.
pub(super) const MAX_NUMBER: u64 = (1 << 53) - 1;
/// About 30 years: a log that is never forgotten, in numbers Redis can add to its clock.
const MAX_EXPIRE_MS: u64 = 1_000_000_000_000;

/// Bits of the header's second byte.
pub(super) const KEYED: u8 = 1;
pub(super) const GUARDED: u8 = 2;

/// Bits of a record's mark.
pub(super) const BODY: u8 = 1;
pub(super) const SNAPSHOT: u8 = 2;

/// The arguments after nonce and identity.
pub(super) fn append(append: &Append) -> Vec<Value> {
    let mut args = Vec::with_capacity(
        2 + 4 + 4 * append.effects.len() + 3 * append.records.len() + 2 * append.timers.len(),
    );
    args.push(log(append.log));
    args.push(header(append));
    if let Some(key) = &append.key {
        args.push(Value::Bytes(key.key.clone()));
        args.push(Value::Bytes(Bytes::copy_from_slice(&key.body_hash)));
        args.push(Value::Bytes(key.answer.clone()));
    }
    if let Some(peer) = &append.guard {
        args.push(Value::Bytes(peer.0.clone()));
    }
    if let Basis::Peer {
        peer,
        opening,
        opening_effects,
        ..
    } = &append.basis
    {
        args.push(Value::Bytes(peer.0.clone()));
        records(&mut args, opening);
        effects(&mut args, opening_effects);
    }
    records(&mut args, &append.records);
    effects(&mut args, &append.effects);
    for change in &append.timers {
        let (name, due) = match change {
            TimerChange::Set { name, due } => (name, due.0.min(MAX_NUMBER).to_string()),
            TimerChange::Clear { name } => (name, String::new()),
        };
        args.push(text(format!("{name:05}")));
        args.push(text(due));
    }
    for index in &append.indexes {
        let (kind, value) = self::index(index);
        args.push(text(kind.to_owned()));
        args.push(value);
    }
    args
}

fn header(append: &Append) -> Value {
    let (basis, position, opening, opening_effects) = match &append.basis {
        Basis::Decided(position) => (b'D', *position, 0, 0),
        Basis::Admitted => (b'A', Default::default(), 0, 0),
        Basis::Peer {
            opening,
            opening_effects,
            quiet,
            ..
        } => (
            b'P',
            quiet.unwrap_or_default(),
            opening.len(),
            opening_effects.len(),
        ),
    };
    let mut header = BytesMut::with_capacity(33);
    header.put_u8(basis);
    let keyed = if append.key.is_some() { KEYED } else { 0 };
    let guarded = if append.guard.is_some() { GUARDED } else { 0 };
    header.put_u8(keyed | guarded);
    header.put_u8(append.closes.into());
    header.put_u64(position.n);
    header.put_slice(&position.hash.0);
    header.put_u64(append.expire_ms.min(MAX_EXPIRE_MS));
    for count in [
        opening,
        opening_effects,
        append.records.len(),
        append.effects.len(),
        append.timers.len(),
        append.indexes.len(),
    ] {
        header.put_u8(u8::try_from(count).unwrap_or(u8::MAX));
    }
    Value::Bytes(header.freeze())
}

fn records(args: &mut Vec<Value>, records: &[NewRecord]) {
    for record in records {
        let mut mark = b'0';
        mark |= if record.body.is_some() { BODY } else { 0 };
        mark |= if record.snapshot { SNAPSHOT } else { 0 };
        let mut marked = BytesMut::with_capacity(33);
        marked.put_u8(mark);
        marked.put_slice(&record.digest.0);
        args.push(Value::Bytes(marked.freeze()));
        args.push(Value::Bytes(record.envelope.clone()));
        args.extend(record.body.clone().map(Value::Bytes));
    }
}

fn effects(args: &mut Vec<Value>, effects: &[NewEffect]) {
    for effect in effects {
        args.push(text(effect.place.to_string()));
        args.push(text(effect.lane.clone()));
        args.push(duration(effect.delay_ms));
        args.push(Value::Bytes(effect.payload.clone()));
    }
}

fn index(index: &Index) -> (&'static str, Value) {
    match index {
        Index::Open(tenant) => ("O", text(tenant.to_string())),
        Index::Shut(tenant) => ("S", text(tenant.to_string())),
        Index::Peer(peer) => ("P", Value::Bytes(peer.0.clone())),
        Index::Unpeer(peer) => ("U", Value::Bytes(peer.0.clone())),
        Index::Alive { ttl_ms } => ("A", duration(*ttl_ms)),
        Index::NotAlive => ("N", text(String::new())),
        Index::OptOut(peer) => ("X", Value::Bytes(peer.0.clone())),
        Index::OptIn(peer) => ("I", Value::Bytes(peer.0.clone())),
    }
}

pub(super) fn log(log: LogId) -> Value {
    text(log.to_string())
}

pub(super) fn number(number: u64) -> Value {
    text(number.min(MAX_NUMBER).to_string())
}

/// Milliseconds from the store's now.
pub(super) fn duration(ms: u64) -> Value {
    number(ms.min(MAX_EXPIRE_MS))
}

pub(super) fn text(text: String) -> Value {
    Value::Bytes(Bytes::from(text))
}

/// Number and place of an effect, as an entry of a lane begins.
pub(super) fn effect(n: u64, place: u16) -> Value {
    let mut begins = BytesMut::with_capacity(10);
    begins.put_u64(n);
    begins.put_u16(place);
    Value::Bytes(begins.freeze())
}
