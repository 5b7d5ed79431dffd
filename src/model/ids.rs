//! Identifiers. Each is a type of its own, so that one can never stand where another is meant.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::position::Digest;
use super::time::Millis;

/// The text is not an id of the wanted kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed id")]
pub struct BadId;

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = BadId;

            fn from_str(text: &str) -> Result<Self, BadId> {
                parse_uuid(text).map(Self)
            }
        }
    };
}

uuid_id!(
    /// A contact centre (`ccid` on the wire).
    TenantId
);
uuid_id!(
    /// Somebody's stay in one session; a person who leaves and comes back is a new participant.
    ParticipantId
);
uuid_id!(
    /// One message, for receipts and references across channels.
    MessageId
);
uuid_id!(
    /// Stored bytes: an upload or an attachment.
    MediaId
);
uuid_id!(
    /// One attempt to give a session to an agent.
    OfferId
);
uuid_id!(
    /// One browser's hold on a session (`transportId` of the client token).
    TransportId
);

/// Only the canonical hyphenated lower- or upper-case form: what we give out is what we take back.
fn parse_uuid(text: &str) -> Result<Uuid, BadId> {
    if text.len() != 36 {
        return Err(BadId);
    }
    Uuid::try_parse(text).map_err(|_| BadId)
}

/// The login of an agent within a tenant: 1 to 128 characters, no control characters, compared as given.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AgentId(Arc<str>);

impl AgentId {
    /// The login as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

// Looked up by the text: it hashes and compares as its text does.
impl Borrow<str> for AgentId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl FromStr for AgentId {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        let length = text.chars().count();
        if (1..=128).contains(&length) && !text.chars().any(char::is_control) {
            Ok(Self(text.into()))
        } else {
            Err(BadId)
        }
    }
}

impl TryFrom<String> for AgentId {
    type Error = BadId;

    fn try_from(text: String) -> Result<Self, BadId> {
        text.parse()
    }
}

impl From<AgentId> for String {
    fn from(id: AgentId) -> Self {
        id.0.as_ref().to_owned()
    }
}

impl fmt::Display for AgentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Twelve bits that say where a log lives: its partition is these bits modulo the partition count (DESIGN 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Spread(u16);

impl Spread {
    /// Logs of the same address share a spread, whoever computes it.
    #[must_use]
    pub fn of(parts: &[&[u8]]) -> Self {
        // Lengths keep ("ab", "c") and ("a", "bc") apart.
        let lengths: Vec<[u8; 8]> = parts
            .iter()
            .map(|part| (part.len() as u64).to_be_bytes())
            .collect();
        let framed: Vec<&[u8]> = parts
            .iter()
            .zip(&lengths)
            .flat_map(|(part, len)| [&len[..], *part])
            .collect();
        let digest = Digest::of(&framed);
        Self(u16::from_be_bytes([digest.0[0], digest.0[1]]) & 0x0fff)
    }

    /// Where the tables of a whole tenant live: waiting sessions, ready desks, open sessions.
    #[must_use]
    pub fn of_tenant(tenant: TenantId) -> Self {
        Self::of(&[tenant.0.as_bytes()])
    }

    /// The partition among `count`, which is a power of two of at most 4096.
    #[must_use]
    pub const fn partition(self, count: u16) -> u16 {
        self.0 % count
    }
}

/// What a log is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LogKind {
    /// A conversation.
    Session,
    /// An agent's working day.
    Desk,
    /// A consumer's statuses.
    Feed,
}

/// The id of a log: a UUID whose last twelve bits are its [`Spread`].
///
/// A session's is version 7 (time-ordered). A desk's and a feed's is version 8, derived from who they belong to, so
/// that every node names it without asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LogId(Uuid);

impl LogId {
    /// A new session; `entropy` must be fresh random bytes.
    #[must_use]
    pub fn session(at: Millis, entropy: [u8; 10], spread: Spread) -> Self {
        let mut bytes = [0; 16];
        bytes[..6].copy_from_slice(&at.0.to_be_bytes()[2..]);
        bytes[6..].copy_from_slice(&entropy);
        Self::stamped(bytes, 7, spread)
    }

    /// The desk of an agent.
    #[must_use]
    pub fn desk(tenant: TenantId, agent: &AgentId) -> Self {
        Self::derived(b"desk", 0x00, tenant, agent.as_str().as_bytes())
    }

    /// The feed of a tenant's consumer.
    #[must_use]
    pub fn feed(tenant: TenantId, consumer: &str) -> Self {
        Self::derived(b"feed", 0x10, tenant, consumer.as_bytes())
    }

    /// The mailbox of a customer's address in a channel of secure e-mail: a feed of what lies in it.
    #[must_use]
    pub fn mailbox(tenant: TenantId, channel: &str, address: &str) -> Self {
        let mut name = Vec::with_capacity(8 + channel.len() + address.len());
        name.extend_from_slice(&(channel.len() as u64).to_be_bytes());
        name.extend_from_slice(channel.as_bytes());
        name.extend_from_slice(address.as_bytes());
        Self::derived(b"mailbox", 0x20, tenant, &name)
    }

    fn derived(domain: &[u8], mark: u8, tenant: TenantId, name: &[u8]) -> Self {
        let digest = Digest::of(&[domain, tenant.0.as_bytes(), name]);
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest.0[..16]);
        bytes[9] = mark;
        Self::stamped(bytes, 8, Spread::of(&[tenant.0.as_bytes(), name]))
    }

    fn stamped(mut bytes: [u8; 16], version: u8, spread: Spread) -> Self {
        bytes[6] = (bytes[6] & 0x0f) | (version << 4);
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        let [high, low] = spread.0.to_be_bytes();
        bytes[14] = (bytes[14] & 0xf0) | high;
        bytes[15] = low;
        Self(Uuid::from_bytes(bytes))
    }

    /// What this log is about.
    #[must_use]
    pub fn kind(self) -> LogKind {
        let bytes = self.0.as_bytes();
        match (bytes[6] >> 4, bytes[9]) {
            (8, 0x00) => LogKind::Desk,
            (8, _) => LogKind::Feed,
            _ => LogKind::Session,
        }
    }

    /// Where it lives.
    #[must_use]
    pub fn spread(self) -> Spread {
        let bytes = self.0.as_bytes();
        Spread(u16::from_be_bytes([bytes[14], bytes[15]]) & 0x0fff)
    }

    /// The sixteen bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// Reads sixteen bytes as a store keeps them.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }

    /// The id as a UUID.
    #[must_use]
    pub const fn uuid(self) -> Uuid {
        self.0
    }
}

impl fmt::Display for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl FromStr for LogId {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        let uuid = parse_uuid(text)?;
        match uuid.get_version_num() {
            7 | 8 => Ok(Self(uuid)),
            _ => Err(BadId),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TENANT: TenantId = TenantId(Uuid::from_u128(7));

    #[test]
    fn a_log_tells_its_kind_and_its_spread() {
        let spread = Spread::of(&[b"peer"]);
        let session = LogId::session(Millis(1_700_000_000_000), [0xff; 10], spread);
        let agent: AgentId = "alice".parse().unwrap();
        assert_eq!((session.kind(), session.spread()), (LogKind::Session, spread));
        assert_eq!(LogId::desk(TENANT, &agent).kind(), LogKind::Desk);
        assert_eq!(LogId::feed(TENANT, "cxc").kind(), LogKind::Feed);
        assert_eq!(
            LogId::mailbox(TENANT, "m", "ann@mail.example").kind(),
            LogKind::Feed
        );
        assert_eq!(session.to_string().parse(), Ok(session));
    }

    #[test]
    fn a_desk_has_one_name_everywhere_and_another_tenants_is_another() {
        let agent: AgentId = "alice".parse().unwrap();
        let other = TenantId(Uuid::from_u128(8));
        assert_eq!(LogId::desk(TENANT, &agent), LogId::desk(TENANT, &agent));
        assert_ne!(LogId::desk(TENANT, &agent), LogId::desk(other, &agent));
    }

    #[test]
    fn a_foreign_uuid_is_no_log() {
        assert_eq!(
            "6f1e5a52-2d83-4a5b-9f0e-111111111111".parse::<LogId>(),
            Err(BadId)
        );
        assert_eq!("x".parse::<LogId>(), Err(BadId));
    }

    #[test]
    fn a_login_with_control_characters_is_refused() {
        assert!("al\nice".parse::<AgentId>().is_err());
        assert!("".parse::<AgentId>().is_err());
    }
}
