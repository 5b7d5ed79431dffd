//! One atomic append: what goes in and what comes back.

use bytes::Bytes;

use crate::model::{ChainHash, Digest, LogId, Millis, Position, TenantId};

use super::error::LogError;

/// Records and everything that is written with them, in one step or not at all.
#[derive(Debug, Clone)]
pub struct Append {
    /// The log to append to. With [`Basis::Peer`]: the log to open if the peer has none open.
    pub log: LogId,
    /// On what the append was decided.
    pub basis: Basis,
    /// At least one, at most 32; together at most 256 KiB.
    pub records: Vec<NewRecord>,
    /// Makes a repeat of an outside cause recognisable for 72 h.
    pub key: Option<Key>,
    /// Whom the append would write to: while that peer is opted out, [`Answer::OptedOut`]. Asked after the key, before the basis.
    /// The peer's partition is that of the log.
    pub guard: Option<PeerKey>,
    /// At most 64. Their order within a lane is kept.
    pub effects: Vec<NewEffect>,
    /// At most 16.
    pub timers: Vec<TimerChange>,
    /// At most 8.
    pub indexes: Vec<Index>,
    /// When the whole log may be forgotten, from the store's now, in milliseconds; replaces what was set before.
    pub expire_ms: u64,
    /// Whether the log is over: admitted appends are answered [`Answer::Closed`] from here on, decided ones still pass.
    pub closes: bool,
}

/// On what an append was decided.
#[derive(Debug, Clone)]
pub enum Basis {
    /// On the state at this position; the store refuses if the log's top is another.
    Decided(Position),
    /// On nothing: the store numbers it, if the log exists and is open.
    Admitted,
    /// On nothing: into the peer's open session if there is one; else `opening`, then the records, into `Append::log`.
    ///
    /// The store itself makes a session opened so the peer's. A session that is over or expired is nobody's open one, with or
    /// without [`Index::Unpeer`]. Opening into a log that exists already is answered [`Answer::Refused`].
    Peer {
        /// Whose open session.
        peer: PeerKey,
        /// What opens one, written before the records in the same step. Empty: nothing does, and a peer without an open session is
        /// answered [`Answer::Closed`].
        opening: Vec<NewRecord>,
        /// Effects that only an opening causes; numbered from the first opening record.
        opening_effects: Vec<NewEffect>,
        /// Where the open session stands if nothing follows from what is said in it: there [`Append::effects`] are left out.
        /// Whoever appends can tell by the new top.
        quiet: Option<Position>,
    },
}

/// A record on its way into a store. Its digest covers the envelope and, through it, the body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRecord {
    /// SHA-256 of the envelope, in which the body stands by its own digest.
    pub digest: Digest,
    /// What stays for ever.
    pub envelope: Bytes,
    /// What may be erased.
    pub body: Option<Bytes>,
    /// A rebuild may begin here.
    pub snapshot: bool,
}

/// A record as a store gives it back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRecord {
    /// Its number.
    pub n: u64,
    /// The chain up to and including it.
    pub hash: ChainHash,
    /// As given.
    pub digest: Digest,
    /// As given.
    pub envelope: Bytes,
    /// As given, unless erased since.
    pub body: StoredBody,
}

impl StoredRecord {
    /// Where a reader stands that has read it.
    #[must_use]
    pub const fn position(&self) -> Position {
        Position {
            n: self.n,
            hash: self.hash,
        }
    }

    /// Checks envelope against digest, and digest and number against the record before it.
    ///
    /// # Errors
    /// [`LogError::Corrupt`]: this is not what was appended after `before`.
    pub fn verify(&self, before: Position) -> Result<(), LogError> {
        if Digest::of(&[&self.envelope]) != self.digest || before.then(&self.digest) != self.position() {
            return Err(LogError::Corrupt {
                reason: format!("record {} breaks the chain", self.n),
            });
        }
        Ok(())
    }
}

/// The erasable part as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoredBody {
    /// There never was one.
    None,
    /// As given.
    Present(Bytes),
    /// Erased on somebody's behalf.
    Erased,
}

/// An idempotency key. The same key with the same body hash gets the first answer; with another, [`Answer::KeyReused`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Scope and key, for instance tenant, channel and provider id, joined unambiguously; at most 300 bytes.
    pub key: Bytes,
    /// What makes two requests the same.
    pub body_hash: [u8; 16],
    /// What a repeat is told; the store adds log and number of the first record.
    pub answer: Bytes,
}

/// An effect on its way into a store. Its id is (log, number of the append's first record, place).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEffect {
    /// Position among the effects of this append.
    pub place: u16,
    /// Effects of one log with the same lane are leased in order.
    pub lane: String,
    /// Not leased to a dispatcher before this long from the store's now: the appending node goes first.
    pub delay_ms: u64,
    /// The encoded [`crate::model::Effect`].
    pub payload: Bytes,
}

/// A deadline of the log, named so that it can be moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimerChange {
    /// Set or move.
    Set {
        /// Which of the log's timers.
        name: u16,
        /// When, by the store's clock.
        due: Millis,
    },
    /// Take away.
    Clear {
        /// Which of the log's timers.
        name: u16,
    },
}

/// The other end of a messaging session: (tenant, channel, address) joined unambiguously; the log's partition is its own.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PeerKey(pub Bytes);

/// An index entry written with the append.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Index {
    /// The tenant's open sessions: in, or refreshed.
    Open(TenantId),
    /// The tenant's open sessions: out.
    Shut(TenantId),
    /// This log is the peer's open session.
    Peer(PeerKey),
    /// The peer has none open, if it was this one.
    Unpeer(PeerKey),
    /// The log's liveness deadline, from the store's now.
    Alive {
        /// Milliseconds.
        ttl_ms: u64,
    },
    /// The log has no liveness deadline any more.
    NotAlive,
    /// The peer wants to hear nothing from us, until [`Self::OptIn`]. It does not expire with the log.
    OptOut(PeerKey),
    /// The peer may be written to again.
    OptIn(PeerKey),
}

/// What a store answers to an append that it could carry out or refuse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Written as asked.
    Appended {
        /// Into which log.
        log: LogId,
        /// Number of the first of the records (after `opening`, where that was written too).
        first: u64,
        /// The top now.
        top: Position,
        /// Whether the `opening` was written.
        opened: bool,
    },
    /// The key is known: this is what the first append was told.
    Repeat {
        /// Into which log the first went.
        log: LogId,
        /// Its first number.
        first: u64,
        /// The answer given along with it.
        answer: Bytes,
    },
    /// The key is known with another body.
    KeyReused,
    /// The top is another: read on and decide again.
    Refused {
        /// Where the log stands.
        top: Position,
    },
    /// Admitted into a log that is over or does not exist, or for a peer who has no session open.
    Closed,
    /// The peer of [`Append::guard`] is opted out. Nothing was written.
    OptedOut,
}
