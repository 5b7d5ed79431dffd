//! STOP, HELP and START: what they ask for, and what the tenant answers.

use serde_json::Value;

use crate::log::PeerKey;
use crate::model::{Media, Spread};
use crate::protocol::channel::sms::keywords::{Keyword, keyword};
use crate::provisioning::Snapshot;
use crate::provisioning::objects::{Channel, Stored};

use super::intake::{Intake, Refusal};
use super::opening::endpoint;

/// What a text message asks for, where it is nothing but a keyword. STOP and START are heard before the 2xx.
pub(super) fn asked(media: Media, text: &str) -> Option<Keyword> {
    (media == Media::Sms).then(|| keyword(text)).flatten()
}

/// Whether a text message is a STOP or a START.
#[must_use]
pub fn says_consent(media: Media, text: &str) -> bool {
    asked(media, text).and_then(Keyword::consent).is_some()
}

impl Intake {
    /// The tenant's answer: the template `opted-out-sms`, `help-sms` or `opted-in-sms`. A tenant without one, or a channel whose
    /// provider answers by itself (`keywordAnswers = false` of its `config`), says nothing. STOP and START are confirmed only
    /// where they change something, so that two programs do not go on confirming to each other.
    pub(super) async fn reply(
        &self,
        snapshot: &Snapshot,
        channel: &Stored<Channel>,
        peer: &PeerKey,
        word: Keyword,
    ) -> Result<Option<String>, Refusal> {
        if channel
            .value
            .config
            .get("keywordAnswers")
            .and_then(Value::as_bool)
            == Some(false)
        {
            return Ok(None);
        }
        let template = match word {
            Keyword::Stop => "opted-out-sms",
            Keyword::Help => "help-sms",
            Keyword::Start => "opted-in-sms",
        };
        let language = endpoint(snapshot, channel).and_then(|endpoint| endpoint.language.as_deref());
        let Some(text) = snapshot.text(channel.tenant, template, language, &[]) else {
            return Ok(None);
        };
        let changes = match word.consent() {
            None => true,
            Some(given) => self.is_opted_out(peer).await? == given,
        };
        Ok(changes.then_some(text))
    }

    async fn is_opted_out(&self, peer: &PeerKey) -> Result<bool, Refusal> {
        let log = self.shards.log();
        let partition = Spread::of(&[&peer.0]).partition(log.info().partitions);
        log.opted_out(partition, peer.clone()).await.map_err(|error| {
            tracing::warn!(%error, "consent not looked up");
            Refusal::Unavailable
        })
    }
}
