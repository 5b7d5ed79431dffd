//! Who somebody is across sessions: an address by its kind, as a digest that can be compared and not read.

use std::fmt;
use std::str::FromStr;

use super::ids::TenantId;
use super::position::Digest;

/// Characters of an address; what is longer is nobody's.
const ADDRESS_MAX: usize = 512;

/// What an address is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ContactKind {
    /// An e-mail address; a mailbox of secure mail has one.
    Email,
    /// A phone number.
    Phone,
    /// The id of a contact in the contact history service.
    Contact,
    /// The address of a peer in a channel, as the channel says it.
    Address,
}

/// The text names no kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unknown kind of contact")]
pub struct UnknownContactKind;

/// One address of a tenant's contact: a digest, so that an index of it holds nobody's address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContactKey(pub [u8; 32]);

impl ContactKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Email, Self::Phone, Self::Contact, Self::Address];

    /// Its name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Phone => "phone",
            Self::Contact => "contactId",
            Self::Address => "address",
        }
    }
}

impl FromStr for ContactKind {
    type Err = UnknownContactKind;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = Self::ALL.into_iter().find(|kind| kind.as_str() == text);
        known.ok_or(UnknownContactKind)
    }
}

impl ContactKey {
    /// The key of an address: however it is written, a mail address by its lower case, a number by its digits. `None`: the text is
    /// nobody's address.
    #[must_use]
    pub fn of(tenant: TenantId, kind: ContactKind, address: &str) -> Option<Self> {
        let address = address.trim();
        if address.is_empty() || address.len() > ADDRESS_MAX {
            return None;
        }
        let plain = match kind {
            ContactKind::Email => address.contains('@').then(|| address.to_lowercase())?,
            ContactKind::Phone => {
                let digits: String = address.chars().filter(char::is_ascii_digit).collect();
                let digits = digits.strip_prefix("00").unwrap_or(&digits);
                (digits.len() >= 3).then(|| digits.to_owned())?
            }
            ContactKind::Contact => address.to_owned(),
            ContactKind::Address => address.to_lowercase(),
        };
        let kind = kind.as_str().as_bytes();
        Some(Self(
            Digest::of(&[b"contact", tenant.0.as_bytes(), kind, b":", plain.as_bytes()]).0,
        ))
    }

    /// Its first half in hexadecimal, for an audit that must name nobody.
    #[must_use]
    pub fn short(&self) -> String {
        self.0[..16].iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl fmt::Debug for ContactKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.short())
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const TENANT: TenantId = TenantId(Uuid::from_u128(1));

    fn key(kind: ContactKind, address: &str) -> Option<ContactKey> {
        ContactKey::of(TENANT, kind, address)
    }

    #[test]
    fn an_address_is_the_same_however_it_is_written() {
        let mail = key(ContactKind::Email, "ann@mail.example");
        assert_eq!(key(ContactKind::Email, " Ann@Mail.Example "), mail);
        let phone = key(ContactKind::Phone, "+49 151 0000-9999");
        assert_eq!(key(ContactKind::Phone, "004915100009999"), phone);
        assert_ne!(key(ContactKind::Address, "004915100009999"), phone);
        assert_ne!(
            ContactKey::of(
                TenantId(Uuid::from_u128(2)),
                ContactKind::Email,
                "ann@mail.example"
            ),
            mail
        );
    }

    #[test]
    fn what_is_nobodys_address_has_no_key() {
        let long = "x".repeat(ADDRESS_MAX + 1);
        for (kind, address) in [
            (ContactKind::Email, "ann"),
            (ContactKind::Phone, "call me"),
            (ContactKind::Contact, "  "),
            (ContactKind::Address, long.as_str()),
        ] {
            assert_eq!(key(kind, address), None, "{kind:?}");
        }
    }
}
