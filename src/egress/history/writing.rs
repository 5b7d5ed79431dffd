//! The requests of one attempt, and what their answers make of it.

use std::time::{Duration, Instant};

use secrecy::SecretString;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::egress::dispatcher::{Callee, Calls, NotAnswered, Schedule, unread};
use crate::model::{Body, UserDataChange};
use crate::net::client::Guard;
use crate::protocol::channel::HttpCall;
use crate::protocol::ucs::{
    Answer, Attachment, Contact, Dialect, Ending, Identified, Interaction, Remark, Site,
};
use crate::provisioning::masking::Masker;
use crate::session::{About, ServiceAct, SessionInput};
use crate::shard::{Delivery, ShardError, Shards, Verdict};

use super::file::Read;
use super::story::Story;
use super::tokens::Tokens;
use super::who::CONTACT;

/// What all requests of an attempt may take together; the core ends an attempt a little later.
const TOGETHER: Duration = Duration::from_secs(12);
/// What one request may take.
const EACH: Duration = Duration::from_secs(5);
/// When an attempt ran out of time between two requests, or the log did not answer, it is made again after this.
const SOON: Duration = Duration::from_secs(2);

/// One attempt at one service.
pub(super) struct Writing<'w> {
    pub(super) calls: &'w Calls,
    pub(super) shards: &'w Shards,
    pub(super) delivery: &'w Delivery,
    pub(super) dialect: &'static dyn Dialect,
    pub(super) base: &'w str,
    pub(super) sid: &'w str,
    pub(super) masker: &'w Masker,
    /// The token to present.
    pub(super) bearer: Option<&'w SecretString>,
    pub(super) tokens: &'w Tokens,
    pub(super) began: Instant,
}

/// A whole answer.
struct Reply {
    status: u16,
    body: bytes::Bytes,
    after: Option<Duration>,
}

impl Writing<'_> {
    /// Identifies the customer and creates the interaction.
    pub(super) async fn begin(&self, story: &Story) -> Result<(), Verdict> {
        let about = story.about().ok_or_else(gone)?;
        let contact = match story.contact() {
            Some(known) => Some(known.to_owned()),
            None => self.identify(about, story).await?,
        };
        let data = story.opening_data(self.masker);
        let interaction = Interaction {
            id: self.delivery.id.log,
            contact: contact.as_deref(),
            media: about.media,
            subtype: story.state().subtype(),
            started: about.at,
            user_data: &data,
        };
        let reply = self.ask(self.dialect.create(&self.site(), &interaction)).await?;
        match self.dialect.done(reply.status, &reply.body) {
            Answer::Done | Answer::Before => Ok(()),
            answer => Err(self.failed(&answer, reply.after)),
        }
    }

    /// Stops the interaction and stores the transcript. One that was never created there is created first.
    pub(super) async fn finish(&self, mut story: Story) -> Result<(), Verdict> {
        let ended = story.ended().ok_or_else(gone)?;
        let transcript = story.transcript(self.delivery.id.log);
        let comment = story.state().comment();
        let comment = comment.map(|comment| self.masker.mask(comment).into_owned());
        let ending = Ending {
            id: self.delivery.id.log,
            ended,
            disposition: story.state().disposition(),
            comment: comment.as_deref(),
            transcript: &transcript,
        };
        let call = self.dialect.stop(&self.site(), &ending);
        self.onto(call, Some(&story)).await?;
        self.learn(&story).await
    }

    /// The session from its first record to its end.
    pub(super) async fn story(&self) -> Result<Story, Verdict> {
        let told = Story::read(self.shards, self.delivery.id.log, self.masker).await;
        told.map_err(unread)
    }

    /// Changes an interaction. One that was never created there is created first.
    async fn onto(&self, call: HttpCall, story: Option<&Story>) -> Result<(), Verdict> {
        if self.change(call.clone()).await? {
            return Ok(());
        }
        match story {
            Some(story) => self.begin(story).await?,
            None => self.begin(&self.story().await?).await?,
        }
        if self.change(call).await? {
            return Ok(());
        }
        Err(self.later(None))
    }

    /// Keeps a file.
    pub(super) async fn attach(&self, n: u64, file: Read) -> Result<(), Verdict> {
        let name = self.masker.mask(&file.name);
        let attachment = Attachment {
            id: self.delivery.id.log,
            n,
            name: &name,
            mime: &file.mime,
            bytes: &file.bytes,
        };
        self.onto(self.dialect.attach(&self.site(), &attachment), None)
            .await
    }

    /// Tells the contact what agents and services have learned of the customer. The conversation is safe by then: a contact that
    /// the service does not know, or does not let us change, is left as it is.
    async fn learn(&self, story: &Story) -> Result<(), Verdict> {
        let (Some(contact), Some(about)) = (story.contact(), story.about()) else {
            return Ok(());
        };
        let known = Contact::of(about.media, story.profile());
        let Some(learned) = Contact::learned(story.learned()).beyond(&known) else {
            return Ok(());
        };
        let session = self.delivery.id.log;
        let reply = self
            .ask(self.dialect.update(&self.site(), session, contact, &learned))
            .await?;
        match self.dialect.done(reply.status, &reply.body) {
            Answer::Done | Answer::Before => Ok(()),
            Answer::Later => Err(self.failed(&Answer::Later, reply.after)),
            answer @ (Answer::Unknown | Answer::Refused { .. }) => {
                tracing::warn!(effect = %self.delivery.id, ?answer, "a contact was left as it was");
                Ok(())
            }
        }
    }

    /// Adds what an agent remarked after the end.
    pub(super) async fn remark(&self, n: u64, body: &Body) -> Result<(), Verdict> {
        let said: Map<String, Value> = serde_json::from_str(body.as_str()).unwrap_or_default();
        let text = |name: &str| said.get(name).and_then(Value::as_str);
        let comment = text("comment").map(|comment| self.masker.mask(comment).into_owned());
        let remark = Remark {
            id: self.delivery.id.log,
            n,
            disposition: text("disposition"),
            comment: comment.as_deref(),
        };
        self.onto(self.dialect.remark(&self.site(), &remark), None).await
    }

    /// Whether the interaction is changed; `false`: it is not known there.
    async fn change(&self, call: HttpCall) -> Result<bool, Verdict> {
        let reply = self.ask(call).await?;
        match self.dialect.done(reply.status, &reply.body) {
            Answer::Done | Answer::Before => Ok(true),
            Answer::Unknown => Ok(false),
            answer => Err(self.failed(&answer, reply.after)),
        }
    }

    /// The contact of a customer who can be told from others; agents see it from then on.
    async fn identify(&self, about: &About, story: &Story) -> Result<Option<String>, Verdict> {
        let contact = Contact::of(about.media, story.profile());
        if !contact.identifies() {
            return Ok(None);
        }
        let session = self.delivery.id.log;
        let call = self
            .dialect
            .identify(&self.site(), session, about.media, &contact);
        let reply = self.ask(call).await?;
        match self.dialect.identified(reply.status, &reply.body) {
            Ok(Identified::Several) => Ok(None),
            Ok(Identified::One(id)) => {
                self.remember(&id).await?;
                Ok(Some(id))
            }
            Err(answer) => Err(self.failed(&answer, reply.after)),
        }
    }

    /// Written down before the interaction is created, so that the next attempt knows it and asks for no second contact.
    async fn remember(&self, contact: &str) -> Result<(), Verdict> {
        let act = ServiceAct::Data {
            change: UserDataChange::Attach,
            data: Map::from_iter([(CONTACT.to_owned(), Value::from(contact))]),
        };
        let attached = self
            .shards
            .session(self.delivery.id.log, SessionInput::Service(act))
            .await;
        match attached {
            // A session that is over, or full, goes into history all the same.
            Ok(_) | Err(ShardError::Rejected(_)) => Ok(()),
            Err(ShardError::NoSuchLog) => Err(gone()),
            Err(_) => Err(Verdict::Spared(SOON)),
        }
    }

    async fn ask(&self, call: HttpCall) -> Result<Reply, Verdict> {
        let clock = self.calls.clock();
        let left = TOGETHER.saturating_sub(clock.now().duration_since(self.began));
        if left.is_zero() {
            return Err(Verdict::Spared(SOON));
        }
        let target = format!("u{}", self.delivery.tenant);
        let callee = Callee {
            tenant: self.delivery.tenant,
            target: &target,
            guard: Guard::Operator,
        };
        match self.calls.make_within(&callee, call, left.min(EACH)).await {
            Ok(answer) => {
                if answer.status.as_u16() == 401 {
                    self.tokens.forget(self.delivery.tenant);
                }
                Ok(Reply {
                    status: answer.status.as_u16(),
                    after: answer.retry_after(clock.wall_ms()),
                    body: answer.body,
                })
            }
            Err(NotAnswered::Spared(after)) => Err(Verdict::Spared(after)),
            Err(NotAnswered::Failed(error)) => {
                tracing::info!(effect = %self.delivery.id, detail = error.detail(), "contact history failed");
                if error.is_worth_a_retry() {
                    return Err(self.later(None));
                }
                Err(Verdict::Dead(error.class().word().to_owned()))
            }
        }
    }

    fn site(&self) -> Site<'_> {
        Site {
            base: self.base,
            ccid: self.delivery.tenant,
            sid: self.sid,
            bearer: self.bearer,
        }
    }

    fn failed(&self, answer: &Answer, after: Option<Duration>) -> Verdict {
        match answer {
            Answer::Refused { code } => Verdict::Dead(format!("contact history refuses it: {code}")),
            Answer::Unknown => Verdict::Dead("contact history does not know the address".to_owned()),
            Answer::Done | Answer::Before | Answer::Later => self.later(after),
        }
    }

    pub(super) fn later(&self, after: Option<Duration>) -> Verdict {
        let dice = Uuid::new_v4().as_u64_pair().0;
        match Schedule::Window.next(self.delivery.attempt.max(1), after, dice) {
            Some(wait) => Verdict::Later(wait),
            None => Verdict::Dead("every attempt failed".to_owned()),
        }
    }
}

fn gone() -> Verdict {
    Verdict::Dead("the session is gone, or not what it was".to_owned())
}
