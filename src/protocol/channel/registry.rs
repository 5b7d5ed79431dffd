//! Which dialect a provider's name stands for.

use super::mail::{Mailgun, Postmark, SendGrid, SparkPost};
use super::provider::Provider;
use super::sms::{Bandwidth, Infobip, Kaleyra, MessageBird, Sinch, Twilio, Vonage};

/// Every aggregator's dialect.
const PROVIDERS: &[&dyn Provider] = &[
    &Twilio,
    &Vonage,
    &Infobip,
    &Sinch,
    &MessageBird,
    &Bandwidth,
    &Kaleyra,
    &Mailgun,
    &Postmark,
    &SendGrid,
    &SparkPost,
];

/// The dialect of an aggregator by its name in paths and in provisioning.
#[must_use]
pub fn provider(name: &str) -> Option<&'static dyn Provider> {
    PROVIDERS.iter().copied().find(|provider| provider.name() == name)
}
