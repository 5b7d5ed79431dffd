//! Frames and HTTPS operations to typed commands.

use std::borrow::Cow;

use crate::model::{LogId, MessageKind, SupervisionMode, UserDataChange, Visibility};
use crate::protocol::depth;

use super::command::{ClientFrame, Command, Credential, DeskCommand, Question, SessionCommand, Target};
use super::error::{FrameError, FrameFault};
use super::fields::{Fields, Text, name, need, optional_name, remark, speech};
use super::rich::rich;
use super::{MAX_DEPTH, MAX_FRAME, MAX_POSITIONS, key_value};

/// The longest credential, in bytes.
const MAX_CREDENTIAL: usize = 1_024;
/// The most messages of one transcript page.
const MAX_PAGE: u16 = 100;

/// Reads one frame of a client.
///
/// # Errors
/// [`FrameError`], with the `cmdId` where the frame could be read that far.
pub fn decode_frame(frame: &[u8]) -> Result<ClientFrame<'_>, FrameError> {
    let mut fields = read(frame)?;
    let cmd_id = fields.cmd_id;
    let frame = client_frame(&mut fields).map_err(|fault| FrameError { cmd_id, fault })?;
    match fields.leftover() {
        None => Ok(frame),
        Some(field) => Err(FrameError {
            cmd_id,
            fault: FrameFault::Foreign(field),
        }),
    }
}

/// Reads the same command as an HTTPS operation: `operation` from the path, `session` where the path has one, and the `data` of the
/// body as JSON (empty: no fields).
///
/// # Errors
/// [`FrameFault`].
pub fn decode_operation<'a>(
    operation: &'a str,
    session: Option<LogId>,
    data: &'a [u8],
) -> Result<Command<'a>, FrameFault> {
    let mut fields = if data.is_empty() {
        Fields::default()
    } else {
        read(data)?
    };
    if fields.cmd.is_some() || fields.cmd_id.is_some() || fields.session.is_some() {
        return Err(FrameFault::Malformed);
    }
    fields.session = session;
    let command = command(operation, &mut fields)?;
    fields
        .leftover()
        .map_or(Ok(command), |field| Err(FrameFault::Foreign(field)))
}

fn read(text: &[u8]) -> Result<Fields<'_>, FrameFault> {
    if text.len() > MAX_FRAME {
        return Err(FrameFault::TooLarge);
    }
    if !depth::within(text, MAX_DEPTH) {
        return Err(FrameFault::TooDeep);
    }
    serde_json::from_slice(text).map_err(|_| FrameFault::Malformed)
}

fn client_frame<'a>(fields: &mut Fields<'a>) -> Result<ClientFrame<'a>, FrameFault> {
    let cmd = need(&mut fields.cmd, "cmd")?.0;
    match cmd.as_ref() {
        "open" => credential(fields).map(ClientFrame::Open),
        "resume" => positions(fields).map(ClientFrame::Resume),
        "ack" => positions(fields).map(ClientFrame::Ack),
        operation => {
            let cmd_id = need(&mut fields.cmd_id, "cmdId")?;
            let command = command(operation, fields)?;
            Ok(ClientFrame::Do { cmd_id, command })
        }
    }
}

fn credential<'a>(fields: &mut Fields<'a>) -> Result<Credential<'a>, FrameFault> {
    let bounded = |text: Text<'a>, field| {
        if text.0.is_empty() || text.0.len() > MAX_CREDENTIAL {
            return Err(FrameFault::BadValue(field));
        }
        Ok(text.0)
    };
    match (fields.ticket.take(), fields.resume_token.take()) {
        (Some(ticket), None) => bounded(ticket, "ticket").map(Credential::Ticket),
        (None, Some(token)) => bounded(token, "resumeToken").map(Credential::Resume),
        (Some(_), Some(_)) => Err(FrameFault::Foreign("resumeToken")),
        (None, None) => Err(FrameFault::Missing("ticket")),
    }
}

fn positions(fields: &mut Fields<'_>) -> Result<Vec<super::LogPosition>, FrameFault> {
    let positions = need(&mut fields.positions, "positions")?;
    if positions.len() > MAX_POSITIONS {
        return Err(FrameFault::BadValue("positions"));
    }
    Ok(positions)
}

fn command<'a>(operation: &str, fields: &mut Fields<'a>) -> Result<Command<'a>, FrameFault> {
    if let Some(command) = desk_command(operation, fields)? {
        return Ok(Command::Desk(command));
    }
    if operation == "canned-responses" {
        return Ok(Command::Ask(Question::CannedResponses {
            search: optional_name(fields.search.take(), "search")?,
            locale: optional_name(fields.locale.take(), "locale")?,
            session: fields.session.take(),
        }));
    }
    if operation == "transcript" {
        return transcript(fields).map(Command::Ask);
    }
    let Some(command) = session_command(operation, fields)? else {
        return Err(FrameFault::UnknownCommand);
    };
    Ok(Command::Session {
        session: need(&mut fields.session, "session")?,
        command,
    })
}

fn desk_command<'a>(operation: &str, fields: &mut Fields<'a>) -> Result<Option<DeskCommand<'a>>, FrameFault> {
    Ok(Some(match operation {
        "ready" => DeskCommand::Ready(fields.media.take()),
        "not-ready" => DeskCommand::NotReady {
            media: fields.media.take(),
            reason: optional_name(fields.reason_code.take(), "reasonCode")?,
        },
        "after-call-work" => DeskCommand::AfterCallWork(fields.media.take()),
        "logout" => DeskCommand::Logout(fields.media.take()),
        "auto-accept" => DeskCommand::AutoAccept(need(&mut fields.on, "on")?),
        _ => return Ok(None),
    }))
}

fn session_command<'a>(
    operation: &str,
    fields: &mut Fields<'a>,
) -> Result<Option<SessionCommand<'a>>, FrameFault> {
    Ok(Some(match operation {
        "accept" => SessionCommand::Accept {
            nickname: optional_name(fields.nickname.take(), "nickname")?,
        },
        "reject" => SessionCommand::Reject,
        "send-message" => send_message(fields)?,
        "send-url" => SessionCommand::Say {
            kind: MessageKind::PushUrl,
            text: address(need(&mut fields.url, "url")?)?,
            visibility: visibility(fields),
        },
        "send-custom-notification" => SessionCommand::Say {
            kind: MessageKind::CustomNotice,
            text: speech(need(&mut fields.message, "message")?, "message")?,
            visibility: visibility(fields),
        },
        "send-typing-started" | "send-typing-stopped" => SessionCommand::Typing {
            started: operation == "send-typing-started",
            preview: remark(fields.message.take(), "message")?.unwrap_or_default(),
            visibility: visibility(fields),
        },
        "send-file" => SessionCommand::SendFile {
            media: need(&mut fields.media_id, "mediaId")?,
            name: optional_name(fields.name.take(), "name")?,
            visibility: visibility(fields),
        },
        "update-nickname" => {
            SessionCommand::Rename(name(need(&mut fields.nickname, "nickname")?, "nickname")?)
        }
        "invite" => SessionCommand::Invite(target(fields)?),
        "consult" => SessionCommand::Consult(target(fields)?),
        "transfer" => SessionCommand::Transfer(target(fields)?),
        "cancel-consult" => SessionCommand::CancelConsult(fields.agent_id.take().map(agent).transpose()?),
        "remove-from-conference" => match fields.participant_id.take() {
            Some(participant) => SessionCommand::RemoveParticipant(participant),
            None => SessionCommand::RemoveAgent(agent(need(&mut fields.agent_id, "agentId")?)?),
        },
        "leave" => SessionCommand::Leave {
            after: fields.after_action.take().unwrap_or_default(),
            message: fields
                .message
                .take()
                .map(|text| speech(text, "message"))
                .transpose()?,
        },
        "complete" => SessionCommand::Complete,
        "place-in-queue" => SessionCommand::PlaceInQueue(name(need(&mut fields.queue, "queue")?, "queue")?),
        "attach-user-data" => user_data(UserDataChange::Attach, fields)?,
        "update-user-data" => user_data(UserDataChange::Update, fields)?,
        "delete-user-data" => {
            SessionCommand::DeleteUserData(key_value::to_keys(need(&mut fields.user_data, "userData")?)?)
        }
        "set-comment" => set_comment(fields)?,
        "monitor" | "switch-to-monitor" => SessionCommand::Supervise(SupervisionMode::Monitor),
        "switch-to-coach" => SessionCommand::Supervise(SupervisionMode::Coach),
        "switch-to-barge-in" => SessionCommand::Supervise(SupervisionMode::BargeIn),
        "stop-monitoring" => SessionCommand::StopMonitoring,
        _ => return Ok(None),
    }))
}

fn send_message<'a>(fields: &mut Fields<'a>) -> Result<SessionCommand<'a>, FrameFault> {
    let one_of = |field: Option<Text<'a>>, allowed: &[&str], name| match field {
        Some(text) if !allowed.contains(&text.0.as_ref()) => Err(FrameFault::BadValue(name)),
        _ => Ok(()),
    };
    one_of(fields.message_type.take(), &["text", "Text"], "messageType")?;
    one_of(fields.treat_as.take(), &["Normal", "System"], "treatAs")?;
    let text = speech(need(&mut fields.message, "message")?, "message")?;
    let visibility = visibility(fields);
    match rich(fields, &text)? {
        None => Ok(SessionCommand::Say {
            kind: MessageKind::Text,
            text,
            visibility,
        }),
        // It is the customer's side that shows them.
        Some(_) if visibility != Visibility::All => Err(FrameFault::BadValue("visibility")),
        Some(rich) => Ok(SessionCommand::Show(rich)),
    }
}

fn set_comment<'a>(fields: &mut Fields<'a>) -> Result<SessionCommand<'a>, FrameFault> {
    let comment = remark(fields.comment.take(), "comment")?;
    let disposition = optional_name(fields.disposition.take(), "disposition")?;
    if comment.is_none() && disposition.is_none() {
        return Err(FrameFault::Missing("comment"));
    }
    Ok(SessionCommand::SetComment { comment, disposition })
}

fn user_data<'a>(change: UserDataChange, fields: &mut Fields<'a>) -> Result<SessionCommand<'a>, FrameFault> {
    let values = key_value::to_object(need(&mut fields.user_data, "userData")?)?;
    Ok(SessionCommand::UserData { change, values })
}

fn transcript<'a>(fields: &mut Fields<'a>) -> Result<Question<'a>, FrameFault> {
    let limit = fields.limit.take().unwrap_or(50);
    if limit == 0 || limit > MAX_PAGE {
        return Err(FrameFault::BadValue("limit"));
    }
    Ok(Question::Transcript {
        session: need(&mut fields.session, "session")?,
        upto: fields.upto.take(),
        limit,
    })
}

fn visibility(fields: &mut Fields<'_>) -> Visibility {
    fields.visibility.take().unwrap_or_default()
}

fn agent(text: Text<'_>) -> Result<crate::model::AgentId, FrameFault> {
    text.0.parse().map_err(|_| FrameFault::BadValue("agentId"))
}

fn target<'a>(fields: &mut Fields<'a>) -> Result<Target<'a>, FrameFault> {
    match (fields.agent_id.take(), fields.queue.take()) {
        (Some(text), None) => agent(text).map(Target::Agent),
        (None, Some(queue)) => name(queue, "queue").map(Target::Queue),
        (Some(_), Some(_)) => Err(FrameFault::Foreign("queue")),
        (None, None) => Err(FrameFault::Missing("agentId")),
    }
}

/// An address of the web. Anything else (`javascript:` above all) would be run by the other side's program.
fn address<'a>(text: Text<'a>) -> Result<Cow<'a, str>, FrameFault> {
    if is_web_address(&text.0) {
        Ok(text.0)
    } else {
        Err(FrameFault::BadValue("url"))
    }
}

pub(super) fn is_web_address(text: &str) -> bool {
    let lower = text.get(..8).unwrap_or(text).to_ascii_lowercase();
    let web = lower.starts_with("https://") || lower.starts_with("http://");
    web && text.len() <= 2_048 && !text.chars().any(|c| c.is_control() || c.is_whitespace())
}
