//! Every field a command may have, read in one pass.

use std::borrow::Cow;

use serde::Deserialize;
use uuid::Uuid;

use crate::model::{Card, LogId, Media, MediaId, ParticipantId, QuickReply, Visibility};

use super::command::{AfterAction, LogPosition};
use super::error::FrameFault;
use super::key_value::KeyValue;

/// The longest text of a message, in bytes.
const MAX_TEXT: usize = 16_384;
/// The longest name, reason, queue or search, in bytes.
const MAX_NAME: usize = 512;

/// A text that borrows from the frame unless it has escapes.
#[derive(Debug, Default, Deserialize)]
#[serde(transparent)]
pub(super) struct Text<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

macro_rules! fields {
    ($($(#[$attr:meta])* $name:ident = $wire:literal : $kind:ty),* $(,)?) => {
        /// What was present. A command takes its fields; one that is left over belongs to another command.
        #[derive(Debug, Default, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub(super) struct Fields<'a> {
            $($(#[$attr])* #[serde(rename = $wire)] pub(super) $name: Option<$kind>,)*
        }

        impl Fields<'_> {
            /// The first field that nobody took.
            pub(super) fn leftover(&self) -> Option<&'static str> {
                $(if self.$name.is_some() { return Some($wire); })*
                None
            }
        }
    };
}

fields! {
    #[serde(borrow)] cmd = "cmd": Text<'a>,
    cmd_id = "cmdId": Uuid,
    session = "session": LogId,
    #[serde(borrow)] ticket = "ticket": Text<'a>,
    #[serde(borrow)] resume_token = "resumeToken": Text<'a>,
    positions = "positions": Vec<LogPosition>,
    media = "media": Media,
    #[serde(borrow)] reason_code = "reasonCode": Text<'a>,
    on = "on": bool,
    #[serde(borrow)] nickname = "nickname": Text<'a>,
    #[serde(borrow)] message = "message": Text<'a>,
    #[serde(borrow)] message_type = "messageType": Text<'a>,
    #[serde(borrow)] treat_as = "treatAs": Text<'a>,
    visibility = "visibility": Visibility,
    #[serde(borrow)] url = "url": Text<'a>,
    cards = "cards": Vec<Card>,
    quick_replies = "quickReplies": Vec<QuickReply>,
    media_id = "mediaId": MediaId,
    #[serde(borrow)] name = "name": Text<'a>,
    #[serde(borrow)] agent_id = "agentId": Text<'a>,
    participant_id = "participantId": ParticipantId,
    #[serde(borrow)] queue = "queue": Text<'a>,
    after_action = "afterAction": AfterAction,
    user_data = "userData": Vec<KeyValue>,
    #[serde(borrow)] comment = "comment": Text<'a>,
    #[serde(borrow)] disposition = "disposition": Text<'a>,
    upto = "upto": u64,
    limit = "limit": u16,
    #[serde(borrow)] search = "search": Text<'a>,
    #[serde(borrow)] locale = "locale": Text<'a>,
}

/// A field that must be there.
pub(super) fn need<T>(field: &mut Option<T>, name: &'static str) -> Result<T, FrameFault> {
    field.take().ok_or(FrameFault::Missing(name))
}

/// A name: not empty, no control characters, bounded.
pub(super) fn name<'a>(text: Text<'a>, field: &'static str) -> Result<Cow<'a, str>, FrameFault> {
    let sound =
        !text.0.trim().is_empty() && text.0.len() <= MAX_NAME && !text.0.chars().any(char::is_control);
    if sound {
        Ok(text.0)
    } else {
        Err(FrameFault::BadValue(field))
    }
}

/// A name that may be absent.
pub(super) fn optional_name<'a>(
    text: Option<Text<'a>>,
    field: &'static str,
) -> Result<Option<Cow<'a, str>>, FrameFault> {
    text.map(|text| name(text, field)).transpose()
}

/// What somebody says: not empty, bounded.
pub(super) fn speech<'a>(text: Text<'a>, field: &'static str) -> Result<Cow<'a, str>, FrameFault> {
    if text.0.trim().is_empty() || text.0.len() > MAX_TEXT {
        return Err(FrameFault::BadValue(field));
    }
    Ok(text.0)
}

/// A text that may be absent or empty.
pub(super) fn remark<'a>(
    text: Option<Text<'a>>,
    field: &'static str,
) -> Result<Option<Cow<'a, str>>, FrameFault> {
    match text {
        Some(text) if text.0.len() > MAX_TEXT => Err(FrameFault::BadValue(field)),
        text => Ok(text.map(|text| text.0)),
    }
}
