//! Whether a text message may leave: the numbers its channel may write to, and how many in a while.

use std::time::Duration;

use crate::model::{Media, Millis};
use crate::protocol::channel::Outbound;
use crate::protocol::channel::sms::rules::Rules;
use crate::protocol::channel::sms::size::Size;
use crate::provisioning::objects::{Channel, Stored};
use crate::telemetry::names;

use super::connection::Channels;

/// What a number's own cap holds back longer than this will not be said at all: nobody wants it then.
const PATIENCE: Duration = Duration::from_secs(30);

/// Whether a channel may write to a number at all.
pub(super) fn may_write_to(channel: &Channel, number: &str) -> bool {
    let may = channel.media != Media::Sms || Rules::of(&channel.config).0.prefixes.allow(number);
    if !may {
        stopped("number");
    }
    may
}

fn stopped(reason: &'static str) {
    metrics::counter!(names::TEXTS_STOPPED, "direction" => "out", "reason" => reason).increment(1);
}

/// Why a message does not leave now.
pub(super) enum Held {
    /// It waits.
    For(Duration),
    /// It never will: a code and words for the agent.
    Back(&'static str, &'static str),
}

impl Channels {
    /// Counts a text message to a number, or holds it.
    pub(super) fn may_leave(&self, channel: &Stored<Channel>, message: &Outbound) -> Result<(), Held> {
        if channel.value.media != Media::Sms {
            return Ok(());
        }
        let (rules, number) = (Rules::of(&channel.value.config).0, message.to.as_str());
        // An agent was told before it was said. What a program says must fit as well.
        if Size::of(&message.text).segments > rules.segments.unwrap_or(self.settings.segments) {
            stopped("too-long");
            return Err(Held::Back(
                "too-long",
                "the text has more segments than the channel sends",
            ));
        }
        let mut caps = self.settings.texts;
        caps.per_number = rules.caps.per_number.or(caps.per_number);
        caps.per_channel = rules.caps.per_channel.or(caps.per_channel);
        let now = Millis(self.calls.clock().wall_ms());
        let id = channel.id.to_string();
        let Err(too_fast) = self.gates.borrow_mut().pass(&id, caps, number, now) else {
            return Ok(());
        };
        let wait = Duration::from_millis(too_fast.wait);
        if too_fast.by_number && wait > PATIENCE {
            stopped("too-many");
            return Err(Held::Back("too-many", "too many messages to this number lately"));
        }
        Err(Held::For(wait))
    }
}
