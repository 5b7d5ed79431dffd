//! The address of a file for a provider or a customer, who have no credential of ours: it says whose file it is and until when it may be
//! fetched, and is signed.
//!
//! The key is derived from a shared key whose number travels in clear, so that any node reads what any node wrote. The same file until the
//! same time under the same key has the same address, whenever and wherever it is written.
//!
//! **Must never happen**: an address that is read otherwise than it was written, or compared in a time that tells how much of it is right.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

use crate::model::{MediaId, Millis, TenantId};

const VERSION: u8 = 1;
/// Version, number of the key, seconds of the end, tenant, file.
const SAID: usize = 1 + 4 + 4 + 16 + 16;
/// 128 bits: nobody has so many attempts.
const TAG: usize = 16;
/// Characters of an address; no other length is one.
const TEXT: usize = (SAID + TAG) / 3 * 4;
const DOMAIN: &[u8] = b"nexus media address";

/// What signs addresses.
#[derive(Debug)]
pub struct AddressKey {
    id: u32,
    key: hmac::Key,
}

impl AddressKey {
    /// The key derived from a shared key of this number.
    #[must_use]
    pub fn derived(id: u32, shared: &[u8; 32]) -> Self {
        let derived = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, shared), DOMAIN);
        Self {
            id,
            key: hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref()),
        }
    }

    fn tag(&self, said: &[u8]) -> [u8; TAG] {
        let mut tag = [0; TAG];
        tag.copy_from_slice(&hmac::sign(&self.key, said).as_ref()[..TAG]);
        tag
    }
}

/// Not an address of ours, or one whose time is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no address of a file")]
pub struct NoAddress;

/// Which file may be fetched, and until when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MediaAddress {
    /// Whose.
    pub tenant: TenantId,
    /// Which.
    pub media: MediaId,
    /// In whole seconds; what is between two is the earlier.
    pub until: Millis,
}

impl MediaAddress {
    /// The last segment of the path.
    #[must_use]
    pub fn write(&self, key: &AddressKey) -> String {
        let seconds = u32::try_from(self.until.0 / 1_000).unwrap_or(u32::MAX);
        let mut bytes = Vec::with_capacity(SAID + TAG);
        bytes.push(VERSION);
        bytes.extend_from_slice(&key.id.to_be_bytes());
        bytes.extend_from_slice(&seconds.to_be_bytes());
        bytes.extend_from_slice(self.tenant.0.as_bytes());
        bytes.extend_from_slice(self.media.0.as_bytes());
        let tag = key.tag(&bytes);
        bytes.extend_from_slice(&tag);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads one; `find` knows keys by their numbers.
    ///
    /// # Errors
    /// [`NoAddress`] for everything that none of the keys signed, and for what ended before `now`.
    pub fn read(
        text: &str,
        now: Millis,
        find: impl FnOnce(u32) -> Option<AddressKey>,
    ) -> Result<Self, NoAddress> {
        if text.len() != TEXT {
            return Err(NoAddress);
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| NoAddress)?;
        let (said, tag) = bytes.split_at_checked(SAID).ok_or(NoAddress)?;
        let (version, rest) = said.split_first().ok_or(NoAddress)?;
        let (id, rest) = rest.split_first_chunk::<4>().ok_or(NoAddress)?;
        let (seconds, rest) = rest.split_first_chunk::<4>().ok_or(NoAddress)?;
        let (tenant, rest) = rest.split_first_chunk::<16>().ok_or(NoAddress)?;
        let media = rest.first_chunk::<16>().ok_or(NoAddress)?;
        let key = find(u32::from_be_bytes(*id)).ok_or(NoAddress)?;
        verify_slices_are_equal(&key.tag(said), tag).map_err(|_| NoAddress)?;
        let until = Millis(u64::from(u32::from_be_bytes(*seconds)) * 1_000);
        if *version != VERSION || until <= now {
            return Err(NoAddress);
        }
        Ok(Self {
            tenant: TenantId(Uuid::from_bytes(*tenant)),
            media: MediaId(Uuid::from_bytes(*media)),
            until,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(id: u32) -> AddressKey {
        AddressKey::derived(id, &[7; 32])
    }

    fn address(until: u64) -> MediaAddress {
        MediaAddress {
            tenant: TenantId(Uuid::from_u128(1)),
            media: MediaId(Uuid::from_u128(2)),
            until: Millis(until),
        }
    }

    fn read(text: &str, now: u64) -> Result<MediaAddress, NoAddress> {
        MediaAddress::read(text, Millis(now), |id| (id == 3).then(|| key(3)))
    }

    #[test]
    fn an_address_is_read_as_it_was_written_until_its_time_is_over() {
        let written = address(9_000).write(&key(3));
        assert_eq!(written.len(), TEXT);
        assert_eq!(read(&written, 8_999), Ok(address(9_000)));
        assert_eq!(read(&written, 9_000), Err(NoAddress));
        assert_eq!(written, address(9_500).write(&key(3)), "a second is a second");
    }

    #[test]
    fn a_key_that_is_not_ours_opens_nothing() {
        assert_eq!(read(&address(9_000).write(&key(4)), 0), Err(NoAddress), "unknown");
        let other = AddressKey::derived(3, &[8; 32]);
        assert_eq!(read(&address(9_000).write(&other), 0), Err(NoAddress), "forged");
    }

    #[test]
    fn no_character_can_be_changed() {
        let written = address(9_000).write(&key(3));
        for at in 0..written.len() {
            let mut changed = written.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert_eq!(read(&changed, 0), Err(NoAddress), "{at}");
        }
    }

    proptest! {
        #[test]
        fn nothing_else_is_an_address(text in ".{0,100}") {
            prop_assert!(read(&text, 0).is_err());
        }

        #[test]
        fn every_address_comes_back(tenant: u128, media: u128, seconds in 1..u32::MAX) {
            let address = MediaAddress {
                tenant: TenantId(Uuid::from_u128(tenant)),
                media: MediaId(Uuid::from_u128(media)),
                until: Millis(u64::from(seconds) * 1_000),
            };
            prop_assert_eq!(read(&address.write(&key(3)), 0), Ok(address));
        }
    }
}
