//! The stored form of everything: rows, wrapped keys, audit entries, and the image of a whole store.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::objects::Kind;
use crate::model::{BadId, Millis, TenantId};

/// The id of an object within (tenant, kind): 1 to 64 of letters, digits and `. _ - :`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ObjectId(Box<str>);

impl ObjectId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id of the tenant's own object.
    pub fn of_tenant(tenant: TenantId) -> Self {
        ObjectId(tenant.to_string().into())
    }

    /// A fresh id.
    pub fn fresh() -> Self {
        ObjectId(uuid::Uuid::new_v4().to_string().into())
    }
}

impl FromStr for ObjectId {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        let good = (1..=64).contains(&text.len())
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"._-:".contains(&b));
        if good {
            Ok(ObjectId(text.into()))
        } else {
            Err(BadId)
        }
    }
}

impl TryFrom<String> for ObjectId {
    type Error = BadId;

    fn try_from(text: String) -> Result<Self, BadId> {
        text.parse()
    }
}

impl From<ObjectId> for String {
    fn from(id: ObjectId) -> String {
        id.0.into()
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A sealed value or a digest. Prints no byte of itself; base64 in JSON.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedBytes(pub Vec<u8>);

impl fmt::Debug for SealedBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{} sealed bytes]", self.0.len())
    }
}

impl Serialize for SealedBytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for SealedBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        STANDARD
            .decode(text.as_bytes())
            .map(SealedBytes)
            .map_err(serde::de::Error::custom)
    }
}

/// An object as a store keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Which kind.
    pub kind: Kind,
    /// Whose.
    pub tenant: TenantId,
    /// Its id.
    pub id: ObjectId,
    /// Its natural key.
    pub name: String,
    /// The readable part: a JSON object.
    pub body: serde_json::Value,
    /// Sealed values and digests by field name.
    pub secrets: BTreeMap<String, SealedBytes>,
    /// The store's version at its last write; 0 until written.
    pub version: u64,
    /// When it was first written.
    pub created: Millis,
    /// When it was last written.
    pub updated: Millis,
}

/// What a wrapped key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyPurpose {
    /// Encrypts a tenant's third-party credentials.
    Data,
    /// Keys the digests of API keys and static tokens. Never rotated: the digests cannot be made anew.
    Pepper,
    /// Signs client tokens of the widget.
    ClientToken,
    /// Seals agent tickets.
    Ticket,
    /// Seals resume tokens.
    Resume,
    /// Encrypts TLS session tickets.
    TlsTicket,
}

impl KeyPurpose {
    /// Every purpose.
    pub const ALL: [KeyPurpose; 6] = [
        KeyPurpose::Data,
        KeyPurpose::Pepper,
        KeyPurpose::ClientToken,
        KeyPurpose::Ticket,
        KeyPurpose::Resume,
        KeyPurpose::TlsTicket,
    ];

    /// Its name in stores, paths and what a wrapped key is bound to.
    pub const fn as_str(self) -> &'static str {
        match self {
            KeyPurpose::Data => "data",
            KeyPurpose::Pepper => "pepper",
            KeyPurpose::ClientToken => "client_token",
            KeyPurpose::Ticket => "ticket",
            KeyPurpose::Resume => "resume",
            KeyPurpose::TlsTicket => "tls_ticket",
        }
    }
}

impl FromStr for KeyPurpose {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        KeyPurpose::ALL
            .into_iter()
            .find(|purpose| purpose.as_str() == text)
            .ok_or(BadId)
    }
}

/// A key wrapped by the master key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KeyRecord {
    /// Whose; absent for keys the whole installation shares.
    pub tenant: Option<TenantId>,
    /// What for.
    pub purpose: KeyPurpose,
    /// Its number: higher is newer.
    pub id: u32,
    /// From when on it is used to sign or seal. Until then it only verifies, so that every node knows it first.
    pub active_from: Millis,
    /// The key under the master key.
    pub wrapped: SealedBytes,
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditAction {
    /// An object appeared.
    Created,
    /// An object changed.
    Updated,
    /// An object went, or a tenant with all it had.
    Deleted,
    /// A key was added, wrapped anew or retired.
    Rotated,
    /// What is kept of a contact was given out.
    Exported,
    /// What is kept of a contact was erased.
    Erased,
}

impl AuditAction {
    /// Its name in stores and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            AuditAction::Created => "created",
            AuditAction::Updated => "updated",
            AuditAction::Deleted => "deleted",
            AuditAction::Rotated => "rotated",
            AuditAction::Exported => "exported",
            AuditAction::Erased => "erased",
        }
    }
}

impl FromStr for AuditAction {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        let all = [
            Self::Created,
            Self::Updated,
            Self::Deleted,
            Self::Rotated,
            Self::Exported,
            Self::Erased,
        ];
        all.into_iter()
            .find(|action| action.as_str() == text)
            .ok_or(BadId)
    }
}

/// Who did what to which object. Holds names of fields, never values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// The store's version this write made. Several entries share it when they were one write.
    pub version: u64,
    /// When.
    pub at: Millis,
    /// Whose object; absent for shared keys.
    pub tenant: Option<TenantId>,
    /// Who did it.
    pub actor: String,
    /// What.
    pub action: AuditAction,
    /// Path name of the kind, or `keys`.
    pub subject: String,
    /// The object's id, or the key's purpose and number.
    pub id: String,
    /// Which fields changed.
    pub fields: Vec<String>,
}

/// A whole store at one version.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Image {
    /// The version.
    pub version: u64,
    /// Every object.
    pub rows: Vec<Row>,
    /// Every key, wrapped.
    pub keys: Vec<KeyRecord>,
}

impl Row {
    /// What a reader is shown: the readable part, the id, the version, the times, and for each write-only field that
    /// is set, that it is.
    pub fn view(&self) -> serde_json::Value {
        let mut shown = self.body.as_object().cloned().unwrap_or_default();
        for spec in self.kind.secrets() {
            shown.insert(
                spec.shown_as.to_owned(),
                self.secrets.contains_key(spec.field).into(),
            );
        }
        let time = |at: Millis| {
            let ms = i64::try_from(at.0).unwrap_or(i64::MAX);
            jiff::Timestamp::from_millisecond(ms)
                .map(|at| at.to_string())
                .unwrap_or_default()
        };
        let id_field = if self.kind == Kind::Tenant { "ccid" } else { "id" };
        shown.insert(id_field.to_owned(), self.id.as_str().into());
        shown.insert("version".to_owned(), self.version.into());
        shown.insert("created".to_owned(), time(self.created).into());
        shown.insert("updated".to_owned(), time(self.updated).into());
        shown.into()
    }
}
