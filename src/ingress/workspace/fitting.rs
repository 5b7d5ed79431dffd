//! Whether an agent's words fit into as many short messages as their channel sends at once: asked before they are anybody's.

use std::borrow::Cow;

use crate::model::{Media, Visibility};
use crate::protocol::agent::SessionCommand;
use crate::protocol::channel::sms::rules::Rules;
use crate::protocol::channel::sms::size::Size;
use crate::protocol::envelope::{Code, Fault};
use crate::provisioning::ObjectId;
use crate::shard::SessionView;

use super::service::Shared;

/// Lets a command through whose words the customer will get whole.
///
/// # Errors
/// [`Code::TooLarge`] with how many segments there are and may be.
pub(super) fn fits(shared: &Shared, view: &SessionView, command: &SessionCommand<'_>) -> Result<(), Fault> {
    let text = match command {
        SessionCommand::Say {
            text,
            visibility: Visibility::All,
            ..
        } => Cow::Borrowed(&**text),
        SessionCommand::Show(rich) => Cow::Owned(rich.spelled_out()),
        SessionCommand::Leave {
            message: Some(text), ..
        } => Cow::Borrowed(&**text),
        _ => return Ok(()),
    };
    let Some(about) = view.state.about().filter(|about| about.media == Media::Sms) else {
        return Ok(());
    };
    let channel = about.terms.links.channel.as_deref();
    let channel = channel.and_then(|id| id.parse::<ObjectId>().ok());
    let snapshot = shared.snapshots.load();
    let Some(channel) = channel.and_then(|id| snapshot.channel(&id)) else {
        return Ok(());
    };
    let most = Rules::of(&channel.value.config).0.segments;
    let most = most.unwrap_or(shared.settings.segments);
    let size = Size::of(&text);
    if size.segments <= most {
        return Ok(());
    }
    let (segments, encoding) = (size.segments, size.encoding.as_str());
    let detail =
        format!("a text of {segments} segments ({encoding}), of which the channel sends {most} at most");
    Err(Fault::new(Code::TooLarge).detail(detail))
}
