//! Shared signing keys: any node verifies what any node signed.

use std::fmt;

use zeroize::Zeroizing;

use crate::model::Millis;
use crate::provisioning::row::{KeyPurpose, KeyRecord};
use crate::provisioning::secret::{MasterKeys, VaultError, unwrap};

/// What a shared key signs or seals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SigningPurpose {
    /// Client tokens of the widget.
    ClientToken,
    /// Agent tickets.
    Ticket,
    /// Resume tokens.
    Resume,
    /// TLS session tickets.
    TlsTicket,
}

impl SigningPurpose {
    /// Every purpose.
    pub const ALL: [SigningPurpose; 4] = [
        SigningPurpose::ClientToken,
        SigningPurpose::Ticket,
        SigningPurpose::Resume,
        SigningPurpose::TlsTicket,
    ];

    /// The purpose a stored key is filed under.
    pub const fn key_purpose(self) -> KeyPurpose {
        match self {
            SigningPurpose::ClientToken => KeyPurpose::ClientToken,
            SigningPurpose::Ticket => KeyPurpose::Ticket,
            SigningPurpose::Resume => KeyPurpose::Resume,
            SigningPurpose::TlsTicket => KeyPurpose::TlsTicket,
        }
    }

    /// Milliseconds for which what was signed may be presented: how long a replaced key is kept.
    pub const fn lifetime_ms(self) -> u64 {
        const HOUR: u64 = 3_600_000;
        match self {
            // An asynchronous session is kept for 72 h after its last message, and its token with it.
            SigningPurpose::ClientToken => 14 * 24 * HOUR,
            SigningPurpose::Ticket => HOUR,
            SigningPurpose::Resume => 48 * HOUR,
            SigningPurpose::TlsTicket => 24 * HOUR,
        }
    }
}

/// One shared key of 256 bits.
pub struct SigningKey {
    /// Its number, to be carried by what it signs.
    pub id: u32,
    /// From when on it signs.
    pub active_from: Millis,
    secret: Zeroizing<[u8; 32]>,
}

impl SigningKey {
    /// The key itself.
    pub fn secret(&self) -> &[u8; 32] {
        &self.secret
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.id)
    }
}

/// The keys of one purpose: the current, those it replaced, and one that is about to replace it.
#[derive(Debug)]
pub struct KeyRing {
    /// Newest first; never empty.
    keys: Vec<SigningKey>,
    /// The oldest, so that there is always an answer.
    oldest: usize,
}

impl KeyRing {
    pub(super) fn open(
        masters: &MasterKeys,
        purpose: SigningPurpose,
        records: &[KeyRecord],
    ) -> Result<Self, VaultError> {
        let mut keys = records
            .iter()
            .filter(|record| record.purpose == purpose.key_purpose())
            .map(|record| {
                let secret = unwrap(masters, record)?;
                Ok(SigningKey {
                    id: record.id,
                    active_from: record.active_from,
                    secret,
                })
            })
            .collect::<Result<Vec<_>, VaultError>>()?;
        keys.sort_by_key(|key| std::cmp::Reverse(key.id));
        match keys.len().checked_sub(1) {
            Some(oldest) => Ok(KeyRing { keys, oldest }),
            None => Err(VaultError::Missing(purpose.key_purpose().as_str())),
        }
    }

    /// The key to sign with now: the newest that every node has had time to learn.
    pub fn current(&self, now: Millis) -> &SigningKey {
        self.keys
            .iter()
            .find(|key| key.active_from <= now)
            .unwrap_or(&self.keys[self.oldest])
    }

    /// The key that signed what carries this number.
    pub fn find(&self, id: u32) -> Option<&SigningKey> {
        self.keys.iter().find(|key| key.id == id)
    }

    /// Every key, newest first.
    pub fn iter(&self) -> impl Iterator<Item = &SigningKey> {
        self.keys.iter()
    }
}
