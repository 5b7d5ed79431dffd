//! The trait of an archive, as one core sees it.

use std::collections::BTreeSet;
use std::rc::Rc;

use futures_util::future::LocalBoxFuture;

use crate::model::{ContactKey, LogId, Media, MediaId, Millis, TenantId};
use crate::postgres::Failure;

/// What every call returns.
pub type ArchiveFuture<'a, T> = LocalBoxFuture<'a, Result<T, ArchiveError>>;

/// A core's handle on the archive.
pub type SharedArchive = Rc<dyn Archive>;

/// The archive cannot be reached, or is in trouble. Never the caller's fault; becomes 503.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("our own history is unavailable: {0}")]
pub struct ArchiveError(pub String);

impl From<Failure> for ArchiveError {
    fn from(failure: Failure) -> Self {
        Self(failure.to_string())
    }
}

/// What is known of a session now.
#[derive(Debug, Clone, PartialEq)]
pub struct Keep {
    /// Whose.
    pub tenant: TenantId,
    /// Which.
    pub session: LogId,
    /// Its medium.
    pub media: Media,
    /// When it began.
    pub began: Millis,
    /// When it ended, if it has.
    pub ended: Option<Millis>,
    /// From when on nothing is to be left of it.
    pub expires: Millis,
    /// Whose session it is, added to those known before.
    pub contacts: BTreeSet<ContactKey>,
    /// Files that were sent in it, added to those known before.
    pub files: BTreeSet<MediaId>,
    /// What was said, as JSON, and the words it is found by; `None` leaves what is there.
    pub document: Option<(String, BTreeSet<String>)>,
}

/// A session as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Which.
    pub session: LogId,
    /// Its medium.
    pub media: Media,
    /// When it began.
    pub began: Millis,
    /// When it ended, if it has.
    pub ended: Option<Millis>,
}

/// A session with what was said in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archived {
    /// The session.
    pub summary: Summary,
    /// Files that were sent in it.
    pub files: Vec<MediaId>,
    /// What was said, as JSON; `None` while it is not kept, or where somebody else keeps it.
    pub document: Option<String>,
}

/// Which sessions are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Whose.
    pub tenant: TenantId,
    /// Of any of these contacts; empty: of anybody.
    pub contacts: Vec<ContactKey>,
    /// With all of these words in what was said.
    pub words: BTreeSet<String>,
    /// Only those of which is kept what was said.
    pub kept: bool,
    /// Only those that began before this one.
    pub below: Option<LogId>,
    /// At most so many, 1 to 1,000.
    pub limit: usize,
}

/// Where sessions are found once their logs are gone.
pub trait Archive {
    /// Writes down what is known of a session. Doing it again with the same is the same.
    fn keep(&self, keep: Keep) -> ArchiveFuture<'_, ()>;

    /// A session of a tenant.
    fn read(&self, tenant: TenantId, session: LogId) -> ArchiveFuture<'_, Option<Archived>>;

    /// Sessions of a tenant, the newest first.
    fn find(&self, asked: Asked) -> ArchiveFuture<'_, Vec<Summary>>;

    /// Forgets a session. Forgetting what is not there is done.
    fn remove(&self, tenant: TenantId, session: LogId) -> ArchiveFuture<'_, ()>;

    /// Forgets up to `most` sessions, of any tenant, that are past their time. How many; fewer than asked for: there are no more.
    fn expire(&self, now: Millis, most: usize) -> ArchiveFuture<'_, usize>;
}
