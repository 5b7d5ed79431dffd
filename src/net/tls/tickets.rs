//! Session tickets: sealed state that the client keeps, so that any node that knows the key can resume it.
//!
//! Starts with a random key of this process. Once nodes share keys, whoever distributes them sets them here: new tickets use the
//! current key, and those under the key before it, or under the next, which another node may already use, are taken.

use std::sync::Arc;

use arc_swap::ArcSwap;
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use rustls::server::ProducesTickets;

const ID: usize = 16;
/// Seconds a client may keep a ticket.
const LIFETIME: u32 = 12 * 60 * 60;

/// One key and the name that tickets call it by.
pub struct TicketKey {
    id: [u8; ID],
    key: LessSafeKey,
}

impl TicketKey {
    /// A key from shared secret bytes.
    pub fn new(id: [u8; ID], secret: &[u8; 32]) -> Self {
        match UnboundKey::new(&AES_256_GCM, secret) {
            Ok(key) => Self {
                id,
                key: LessSafeKey::new(key),
            },
            Err(_) => unreachable!("32 bytes are the length of an AES-256 key"),
        }
    }

    /// A key nobody else knows.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn random() -> Result<Self, NoRandomness> {
        let (mut id, mut secret) = ([0; ID], [0; 32]);
        aws_lc_rs::rand::fill(&mut id).map_err(|_| NoRandomness)?;
        aws_lc_rs::rand::fill(&mut secret).map_err(|_| NoRandomness)?;
        let key = Self::new(id, &secret);
        zeroize::Zeroize::zeroize(&mut secret);
        Ok(key)
    }

    fn seal(&self, plain: &[u8]) -> Option<Vec<u8>> {
        let mut nonce = [0; NONCE_LEN];
        aws_lc_rs::rand::fill(&mut nonce).ok()?;
        let mut ticket = Vec::with_capacity(ID + NONCE_LEN + plain.len() + 16);
        ticket.extend_from_slice(&self.id);
        ticket.extend_from_slice(&nonce);
        let mut sealed = plain.to_vec();
        let nonce = Nonce::assume_unique_for_key(nonce);
        self.key
            .seal_in_place_append_tag(nonce, Aad::from(self.id), &mut sealed)
            .ok()?;
        ticket.extend_from_slice(&sealed);
        Some(ticket)
    }

    fn open(&self, nonce: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut plain = sealed.to_vec();
        let len = self
            .key
            .open_in_place(nonce, Aad::from(self.id), &mut plain)
            .ok()?
            .len();
        plain.truncate(len);
        Some(plain)
    }
}

impl std::fmt::Debug for TicketKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TicketKey").finish_non_exhaustive()
    }
}

/// The system gave no randomness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no randomness from the system")]
pub struct NoRandomness;

/// The keys in use: the current one first, then those still taken.
#[derive(Debug)]
pub struct TicketKeys {
    keys: ArcSwap<Vec<TicketKey>>,
}

impl TicketKeys {
    /// Starts with a random key.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn random() -> Result<Arc<Self>, NoRandomness> {
        Ok(Arc::new(Self {
            keys: ArcSwap::from_pointee(vec![TicketKey::random()?]),
        }))
    }

    /// Replaces all keys: tickets are given under `current`, and taken under it and `others`.
    pub fn set(&self, current: TicketKey, others: impl IntoIterator<Item = TicketKey>) {
        let keys = std::iter::once(current).chain(others).collect();
        self.keys.store(Arc::new(keys));
    }
}

impl ProducesTickets for TicketKeys {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        LIFETIME
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        self.keys.load().first()?.seal(plain)
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        let (id, rest) = ticket.split_at_checked(ID)?;
        let (nonce, sealed) = rest.split_at_checked(NONCE_LEN)?;
        self.keys
            .load()
            .iter()
            .find(|key| key.id == id)?
            .open(nonce, sealed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_ticket_opens_under_the_keys_in_use_only() {
        let node = TicketKeys::random().unwrap();
        let other = TicketKeys::random().unwrap();
        let key = |n| TicketKey::new([n; 16], &[n; 32]);
        node.set(key(1), []);
        let ticket = node.encrypt(b"session").unwrap();
        assert_eq!(other.decrypt(&ticket), None);
        other.set(key(2), [key(1)]);
        assert_eq!(other.decrypt(&ticket).as_deref(), Some(b"session".as_slice()));
        other.set(key(3), [key(2)]);
        assert_eq!(other.decrypt(&ticket), None);
    }

    proptest! {
        #[test]
        fn a_changed_ticket_does_not_open(at in 0_usize..40, bit in 0_u8..8) {
            let keys = TicketKeys::random().unwrap();
            let mut ticket = keys.encrypt(b"session").unwrap();
            let at = at % ticket.len();
            ticket[at] ^= 1 << bit;
            prop_assert_eq!(keys.decrypt(&ticket), None);
        }
    }
}
