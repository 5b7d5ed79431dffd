//! What the widget interface may use.

use std::time::Duration;

use crate::config;
use crate::protocol::body::Limits;
use crate::protocol::widget::Linger;
use crate::runtime::Rate;

/// Bounds of the widget interface. Rates hold for one core: a browser keeps to one connection, and so to one core.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WidgetOptions {
    /// Bytes of a body that is no upload.
    pub body: usize,
    /// Structure of a body.
    pub structure: Limits,
    /// Characters of one message.
    pub text: usize,
    /// Members of a session's user data.
    pub user_data: usize,
    /// Bytes of one uploaded file.
    pub upload: u64,
    /// Files a customer may send in one session.
    pub uploads: u32,
    /// Media types that are taken.
    pub types: Vec<String>,
    /// The longest an upload may take.
    pub upload_time: Duration,
    /// Characters of an `Idempotency-Key`.
    pub idempotency_key: usize,
    /// Requests under one API key.
    pub per_key: Rate,
    /// Requests from one address.
    pub per_address: Rate,
    /// New chats from one address.
    pub creates_per_address: Rate,
    /// Requests in one session.
    pub per_session: Rate,
    /// Refused keys and tokens from one address.
    pub refused_per_address: Rate,
    /// Keys, addresses or sessions whose rates are remembered, each.
    pub remembered: usize,
    /// How long an ended chat is answered for.
    pub linger: Linger,
    /// Silence after which a live chat is told that it will close, and from there to the close.
    pub idle: (Duration, Duration),
    /// Origins that may call besides those of the tenant; with neither, any may.
    pub allowed_origins: Vec<String>,
    /// What the store survives, as `X-Durability` says it.
    pub durability: &'static str,
}

impl WidgetOptions {
    /// What the configuration says; `durability` is what the store turned out to survive.
    #[must_use]
    pub fn new(
        chat: &config::Chat,
        limits: &config::Limits,
        media: &config::Media,
        durability: &'static str,
    ) -> Self {
        let rates = &limits.rates;
        Self {
            body: bytes(limits.json.body),
            structure: Limits {
                depth: limits.json.depth,
                keys: limits.json.keys,
                string: bytes(limits.json.string),
                number: limits.json.number,
            },
            text: chat.max_text,
            user_data: chat.user_data_keys,
            upload: media.max_file.0,
            uploads: u32::try_from(media.max_files).unwrap_or(u32::MAX),
            types: media.types.clone(),
            upload_time: media.upload_timeout,
            idempotency_key: limits.http.idempotency_key,
            per_key: rates.api_key.into(),
            per_address: rates.address.into(),
            creates_per_address: rates.create.into(),
            per_session: rates.session.into(),
            refused_per_address: rates.refused.into(),
            remembered: rates.remembered,
            linger: Linger {
                closing_ms: millis(chat.close_linger),
                over_ms: millis(chat.close_linger_unheard),
            },
            idle: (chat.idle_alert, chat.idle_close),
            allowed_origins: chat.allowed_origins.clone(),
            durability,
        }
    }
}

impl Default for WidgetOptions {
    fn default() -> Self {
        Self::new(
            &config::Chat::default(),
            &config::Limits::default(),
            &config::Media::default(),
            "none",
        )
    }
}

fn bytes(size: config::ByteSize) -> usize {
    usize::try_from(size.0).unwrap_or(usize::MAX)
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
