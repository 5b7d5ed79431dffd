//! Our own history: every session by whose it is, and what was said in it where no contact history keeps that, for as long as the
//! tenant wants. Read by agents, and by who gives out all there is of a contact.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::egress::dispatcher::{Connection, Schedule, session, unread};
use crate::log::archive::{ArchiveError, Asked, Keep, SharedArchive, Summary, words};
use crate::model::{ContactKey, ContactKind, LogId, Media, Notice, TenantId};
use crate::protocol::agent::timestamp;
use crate::protocol::envelope::{Code, Fault};
use crate::protocol::ucs::{Contact, Earlier, PAGE_MAX, Past, PastPage};
use crate::provisioning::Snapshots;
use crate::provisioning::masking::{Masker, Maskers};
use crate::shard::{Delivery, ShardError, Shards, Verdict};

use super::story::Story;
use super::who::CONTACT;

/// When a page was not to be had, it may be asked for again after this.
const AGAIN: Duration = Duration::from_secs(5);
/// Digits of what may be a phone number, whatever messenger it is the address of.
const NUMBER_MIN: usize = 7;

/// Our own history, as one core has it.
pub struct OwnHistory {
    archive: SharedArchive,
    snapshots: Snapshots,
    maskers: Maskers,
}

impl OwnHistory {
    /// Our own history in this archive.
    #[must_use]
    pub fn new(archive: SharedArchive, snapshots: Snapshots) -> Self {
        Self {
            archive,
            snapshots,
            maskers: Maskers::default(),
        }
    }

    async fn attempt(&self, shards: &Shards, delivery: &Delivery) -> Result<(), Verdict> {
        let (tenant, log) = (delivery.tenant, delivery.id.log);
        let view = session(shards, delivery.id).await?;
        let later = |error: ArchiveError| {
            tracing::warn!(%error, effect = %delivery.id, "a session is not in our own history yet");
            let dice = Uuid::new_v4().as_u64_pair().0;
            match Schedule::Window.next(delivery.attempt.max(1), None, dice) {
                Some(wait) => Verdict::Later(wait),
                None => Verdict::Dead("every attempt failed".to_owned()),
            }
        };
        if view.state.is_erased() {
            return self.archive.remove(tenant, log).await.map_err(later);
        }
        let snapshot = self.snapshots.load_full();
        let Some(known) = snapshot.tenant(tenant) else {
            return Err(Verdict::Dead("there is no such tenant".to_owned()));
        };
        let masker = self.maskers.of(&snapshot, tenant);
        let mut story = Story::read(shards, log, &masker).await.map_err(unread)?;
        let Some((media, began)) = story.about().map(|about| (about.media, about.at)) else {
            return Err(Verdict::Dead(
                "the session is gone, or not what it was".to_owned(),
            ));
        };
        let contacts = contacts(tenant, media, &story);
        let files = story.files().clone();
        let ended = story.ended();
        // What somebody else keeps is kept once.
        let ours = delivery.notice == Notice::Finished && known.value.ucs_url.is_none();
        let document = ours.then(|| {
            let document = document(log, &mut story, &masker);
            let found = words(texts(&document));
            (document.to_string(), found)
        });
        let keep = Keep {
            tenant,
            session: log,
            media,
            began,
            ended,
            expires: shards.wall().plus(snapshot.transcripts_ms(tenant)),
            contacts,
            files,
            document,
        };
        self.archive.keep(keep).await.map_err(later)?;
        // Erased meanwhile: what was just written must not outlive it.
        if session(shards, delivery.id).await?.state.is_erased() {
            self.archive.remove(tenant, log).await.map_err(later)?;
        }
        Ok(())
    }

    /// The earlier sessions of a session's customer, the newest first.
    ///
    /// # Errors
    /// 404 for a session that is not there; 503.
    pub(super) async fn earlier(
        &self,
        shards: &Shards,
        tenant: TenantId,
        session: LogId,
        limit: u16,
        cursor: Option<&str>,
    ) -> Result<Earlier, Fault> {
        let below = match cursor {
            None => session,
            Some(cursor) => cursor
                .parse()
                .map_err(|_| Fault::new(Code::BadValue).detail("cursor"))?,
        };
        let story = Story::read(shards, session, &Masker::default())
            .await
            .map_err(unavailable)?;
        let about = story.about().filter(|about| about.tenant == tenant);
        let media = about.ok_or(Code::NotFound)?.media;
        let contacts: Vec<ContactKey> = contacts(tenant, media, &story).into_iter().collect();
        if contacts.is_empty() {
            return Ok(Earlier::default());
        }
        let limit = usize::from(limit.clamp(1, PAGE_MAX));
        let asked = Asked {
            tenant,
            contacts,
            words: BTreeSet::new(),
            kept: true,
            below: Some(below),
            limit,
        };
        let found = self.archive.find(asked).await.map_err(|error| {
            tracing::warn!(%error, %tenant, "the past of a contact was not read");
            Fault::unavailable(AGAIN)
        })?;
        let next = (found.len() >= limit)
            .then(|| found.last().map(|last| last.session.to_string()))
            .flatten();
        let masker = self.maskers.of(&self.snapshots.load_full(), tenant);
        let mut interactions = Vec::with_capacity(found.len());
        for summary in &found {
            let kept = self
                .archive
                .read(tenant, summary.session)
                .await
                .map_err(|error| {
                    tracing::warn!(%error, %tenant, "a session of our own history was not read");
                    Fault::unavailable(AGAIN)
                })?;
            let document = kept.and_then(|kept| kept.document);
            interactions.push(past(summary, document.as_deref(), &masker));
        }
        Ok(Earlier {
            contact_id: story.contact().map(str::to_owned),
            page: PastPage { interactions, next },
        })
    }

    /// All that is kept of a session and can be shown: as its log has it while there is one, else as it went into our history.
    /// `None`: nothing.
    ///
    /// # Errors
    /// 503.
    pub async fn everything(
        &self,
        shards: &Shards,
        tenant: TenantId,
        session: LogId,
    ) -> Result<Option<Value>, Fault> {
        match Story::read(shards, session, &Masker::default()).await {
            Ok(mut story) if story.about().is_some_and(|about| about.tenant == tenant) => {
                return Ok(Some(document(session, &mut story, &Masker::default())));
            }
            // It may be kept all the same.
            Ok(_) | Err(ShardError::NoSuchLog | ShardError::Rejected(())) => {}
            Err(error) => return Err(unavailable(error)),
        }
        let kept = self.archive.read(tenant, session).await.map_err(|error| {
            tracing::warn!(%error, %tenant, "our own history was not read");
            Fault::unavailable(AGAIN)
        })?;
        let Some(kept) = kept else { return Ok(None) };
        let told = kept.document.and_then(|text| serde_json::from_str(&text).ok());
        Ok(Some(told.unwrap_or_else(|| listed(&kept.summary))))
    }
}

impl Connection for OwnHistory {
    fn tell<'a>(&'a self, shards: &'a Shards, delivery: &'a Delivery) -> LocalBoxFuture<'a, Verdict> {
        let told = self.attempt(shards, delivery);
        told.map(|told| told.err().unwrap_or(Verdict::Done)).boxed_local()
    }
}

/// A session as it is listed.
pub(super) fn listed(summary: &Summary) -> Value {
    json!({
        "sessionId": summary.session,
        "media": summary.media,
        "began": timestamp(summary.began),
        "ended": summary.ended.map(timestamp),
    })
}

/// A session as an agent sees it among others.
fn past(summary: &Summary, document: Option<&str>, masker: &Masker) -> Past {
    let document: Value = document
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default();
    let text = |value: &Value| value.as_str().map(|text| masker.mask(text).into_owned());
    Past {
        subject: text(&document["customer"]["subject"]),
        comment: text(&document["comment"]),
        disposition: text(&document["disposition"]),
        id: summary.session.to_string(),
        media_type: Some(summary.media.to_string()),
        type_id: Some("Inbound".to_owned()),
        state: Some(
            if summary.ended.is_some() {
                "Stopped"
            } else {
                "Pending"
            }
            .to_owned(),
        ),
        start_date: Some(timestamp(summary.began)),
        end_date: summary.ended.map(timestamp),
    }
}

/// Whose session it is, by everything that says so.
fn contacts(tenant: TenantId, media: Media, story: &Story) -> BTreeSet<ContactKey> {
    let mut told: Vec<(ContactKind, &str)> = Vec::new();
    if let Some(address) = story.profile().get("address").and_then(Value::as_str) {
        told.push((ContactKind::Address, address));
        let digits = address.chars().filter(char::is_ascii_digit).count();
        let number = address.chars().all(|c| c.is_ascii_digit() || "+ -()".contains(c));
        match media {
            Media::Email => told.push((ContactKind::Email, address)),
            Media::Sms => told.push((ContactKind::Phone, address)),
            Media::Chat | Media::Social if number && digits >= NUMBER_MIN => {
                told.push((ContactKind::Phone, address));
            }
            Media::Chat | Media::Social => {}
        }
    }
    let said = [
        Contact::of(media, story.profile()),
        Contact::learned(story.learned()),
    ];
    for contact in &said {
        for (name, kind) in [
            ("EmailAddress", ContactKind::Email),
            ("PhoneNumber", ContactKind::Phone),
        ] {
            let value = contact.attributes().get(name).and_then(Value::as_str);
            told.extend(value.map(|value| (kind, value)));
        }
    }
    told.extend(story.contact().map(|contact| (ContactKind::Contact, contact)));
    told.into_iter()
        .filter_map(|(kind, value)| ContactKey::of(tenant, kind, value))
        .collect()
}

/// A session as it is kept and given out.
fn document(session: LogId, story: &mut Story, masker: &Masker) -> Value {
    let (media, endpoint, began) = match story.about() {
        Some(about) => (
            Some(about.media),
            Some(about.endpoint.clone()),
            Some(timestamp(about.at)),
        ),
        None => (None, None, None),
    };
    let customer: Map<String, Value> = story
        .profile()
        .iter()
        .filter(|(name, value)| name.as_str() != "userData" && value.is_string())
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let mut data = story.opening_data(masker);
    for (name, value) in story.learned() {
        let value = match value {
            Value::String(text) => Value::from(masker.mask(text).into_owned()),
            other => other.clone(),
        };
        data.insert(name.clone(), value);
    }
    data.extend(story.contact().map(|id| (CONTACT.to_owned(), id.into())));
    let (comment, disposition) = {
        let state = story.state();
        let comment = state.comment().map(|comment| masker.mask(comment).into_owned());
        (comment, state.disposition().map(str::to_owned))
    };
    let ended = story.ended().map(timestamp);
    let files: Vec<String> = story.files().iter().map(ToString::to_string).collect();
    let transcript = serde_json::to_value(story.transcript(session)).unwrap_or_default();
    json!({
        "sessionId": session, "media": media, "endpoint": endpoint, "began": began, "ended": ended,
        "customer": customer, "data": data, "comment": comment, "disposition": disposition,
        "files": files, "transcript": transcript,
    })
}

/// Every text of a document that somebody may look for.
fn texts(document: &Value) -> Vec<&str> {
    let lines = document["transcript"]["lines"].as_array().into_iter().flatten();
    let mut found: Vec<&str> = lines
        .flat_map(|line| [line["text"].as_str(), line["from"]["name"].as_str()])
        .flatten()
        .collect();
    let about = ["customer", "data"].map(|part| document[part].as_object());
    found.extend(
        about
            .into_iter()
            .flatten()
            .flat_map(Map::values)
            .filter_map(Value::as_str),
    );
    found.extend(document["comment"].as_str());
    found.extend(document["disposition"].as_str());
    found
}

fn unavailable(error: ShardError<()>) -> Fault {
    match error {
        ShardError::NoSuchLog | ShardError::Rejected(()) => Code::NotFound.into(),
        ShardError::Unavailable { retry_after, .. } => Fault::unavailable(retry_after),
        _ => Fault::unavailable(AGAIN),
    }
}
