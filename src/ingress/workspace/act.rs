//! Commands carried out: decoded words into questions to the machines, their answers into replies.

use std::time::Duration;

use serde_json::{Map, Value};
use uuid::Uuid;

use crate::ingress::files;
use crate::model::{
    ChannelState, LogId, Media, MessageKind, Millis, ParticipantId, SupervisionMode, Visibility,
};
use crate::protocol::agent::{AfterAction, Command, DeskCommand, SessionCommand, Target as NamedTarget};
use crate::protocol::envelope::{Code, Fault};
use crate::routing;
use crate::session::{
    AfterLeave, AgentAct, AgentCommand, DeskAct, DeskInput, DeskRejection, File, Participant, Place, Purpose,
    Rejection, SessionInput, Target,
};
use crate::shard::{SessionView, ShardError, Typing};

use super::fitting::fits;
use super::principal::AgentPrincipal;
use super::service::Shared;
use super::{picture, questions};

/// Carries a command out and says what the reply's `data` is.
pub(super) async fn carry_out(
    shared: &Shared,
    who: &AgentPrincipal,
    id: Uuid,
    command: Command<'_>,
) -> Result<Option<Value>, Fault> {
    match command {
        Command::Desk(command) => {
            let input = DeskInput::Act {
                command: id,
                act: desk_act(command),
            };
            shared
                .shards
                .desk(who.desk(), input)
                .await
                .map_err(|error| shard_fault(error, desk_fault))?;
            Ok(None)
        }
        Command::Session { session, command } => {
            in_session(shared, who, id, session, command).await.map(|()| None)
        }
        Command::Ask(question) => questions::answer(shared, who, question).await.map(Some),
    }
}

fn desk_act(command: DeskCommand<'_>) -> DeskAct {
    let channel = |media: Option<Media>, state| DeskAct::Channel { media, state };
    match command {
        DeskCommand::Ready(media) => channel(media, ChannelState::Ready),
        DeskCommand::NotReady { media, reason } => channel(
            media,
            ChannelState::NotReady {
                reason: reason.map(Into::into),
            },
        ),
        DeskCommand::AfterCallWork(media) => channel(media, ChannelState::AfterCallWork),
        DeskCommand::Logout(media) => channel(media, ChannelState::LoggedOut),
        DeskCommand::AutoAccept(on) => DeskAct::AutoAccept(on),
    }
}

async fn in_session(
    shared: &Shared,
    who: &AgentPrincipal,
    id: Uuid,
    session: LogId,
    command: SessionCommand<'_>,
) -> Result<(), Fault> {
    let view = shared.session_of(who.tenant, session).await?;
    fits(shared, &view, &command)?;
    let mut nickname = None;
    let act = match command {
        SessionCommand::Typing {
            started,
            preview,
            visibility,
        } => return typing(shared, who, &view, started, &preview, visibility),
        SessionCommand::Leave { after, message } => {
            if let Some(text) = message {
                let words = AgentAct::Say {
                    kind: MessageKind::Text,
                    text: text.into_owned(),
                    visibility: Visibility::All,
                };
                ask(shared, who, session, parting_id(id), None, words).await?;
            }
            AgentAct::Leave {
                after: after_leave(after),
            }
        }
        SessionCommand::SendFile {
            media,
            name,
            visibility,
        } => {
            let known = files::look(&shared.media, who.tenant, media, name.as_deref()).await?;
            AgentAct::Send {
                file: File {
                    media,
                    mime: known.kind.mime().to_owned(),
                    length: known.length,
                    name: known.name,
                },
                visibility,
            }
        }
        SessionCommand::Accept { nickname: wanted } => {
            nickname = wanted.map(Into::into);
            AgentAct::Accept
        }
        SessionCommand::RemoveParticipant(participant) => AgentAct::Remove {
            agent: agent_behind(&view, participant)?,
        },
        SessionCommand::Invite(target) => asking(shared, who, Purpose::Invite, target)?,
        SessionCommand::Consult(target) => asking(shared, who, Purpose::Consult, target)?,
        SessionCommand::Transfer(target) => asking(shared, who, Purpose::Transfer, target)?,
        SessionCommand::PlaceInQueue(queue) => AgentAct::PlaceInQueue {
            place: place(shared, who, &queue)?,
        },
        other => plain(other)?,
    };
    ask(shared, who, session, id, nickname, act).await
}

/// Commands that need to know nothing else.
fn plain(command: SessionCommand<'_>) -> Result<AgentAct, Fault> {
    Ok(match command {
        SessionCommand::Reject => AgentAct::Reject,
        SessionCommand::Say {
            kind,
            text,
            visibility,
        } => AgentAct::Say {
            kind,
            text: text.into_owned(),
            visibility,
        },
        SessionCommand::Show(rich) => AgentAct::Show(rich),
        SessionCommand::Rename(nickname) => AgentAct::Rename {
            nickname: nickname.into_owned(),
        },
        SessionCommand::CancelConsult(_) => AgentAct::CancelAsk,
        SessionCommand::RemoveAgent(agent) => AgentAct::Remove { agent },
        SessionCommand::Complete => AgentAct::Complete,
        SessionCommand::UserData { change, values } => AgentAct::Data { change, data: values },
        SessionCommand::DeleteUserData(keys) => AgentAct::Data {
            change: crate::model::UserDataChange::Delete,
            data: keys
                .into_iter()
                .map(|key| (key, Value::Null))
                .collect::<Map<_, _>>(),
        },
        SessionCommand::SetComment { comment, disposition } => AgentAct::Note {
            comment: comment.map(Into::into),
            disposition: disposition.map(Into::into),
        },
        SessionCommand::Supervise(mode) => AgentAct::Supervise { mode },
        SessionCommand::StopMonitoring => AgentAct::StopSupervising,
        // Each of these was taken before.
        _ => return Err(Code::Internal.into()),
    })
}

async fn ask(
    shared: &Shared,
    who: &AgentPrincipal,
    session: LogId,
    id: Uuid,
    nickname: Option<String>,
    act: AgentAct,
) -> Result<(), Fault> {
    let command = {
        let snapshot = shared.snapshots.load();
        let agent = snapshot.agent(who.tenant, &who.agent).ok_or(Code::Forbidden)?;
        AgentCommand {
            id,
            agent: who.agent.clone(),
            desk: who.desk(),
            name: nickname.unwrap_or_else(|| routing::display_name(&agent.value)),
            supervisor: who.is_supervisor(&snapshot),
            act,
        }
    };
    let answer = shared.shards.session(session, SessionInput::Agent(command)).await;
    answer
        .map(|_| ())
        .map_err(|error| shard_fault(error, session_fault))
}

fn asking(
    shared: &Shared,
    who: &AgentPrincipal,
    purpose: Purpose,
    target: NamedTarget<'_>,
) -> Result<AgentAct, Fault> {
    let target = match target {
        NamedTarget::Queue(queue) => Target::Queue(place(shared, who, &queue)?),
        NamedTarget::Agent(agent) => {
            let snapshot = shared.snapshots.load();
            let known = snapshot
                .agent(who.tenant, &agent)
                .is_some_and(|known| known.enabled);
            if !known || agent == who.agent {
                return Err(Fault::new(Code::BadValue).detail("agentId"));
            }
            let desk = LogId::desk(who.tenant, &agent);
            Target::Agent { agent, desk }
        }
    };
    Ok(AgentAct::Ask { purpose, target })
}

fn place(shared: &Shared, who: &AgentPrincipal, queue: &str) -> Result<Place, Fault> {
    routing::place(&shared.snapshots.load(), who.tenant, queue)
        .ok_or_else(|| Fault::new(Code::BadValue).detail("queue"))
}

fn agent_behind(view: &SessionView, participant: ParticipantId) -> Result<crate::model::AgentId, Fault> {
    let known = view
        .state
        .participants()
        .get(participant)
        .and_then(|known| known.agent.clone());
    known.ok_or_else(|| Fault::new(Code::BadValue).detail("participantId"))
}

const fn after_leave(after: AfterAction) -> AfterLeave {
    match after {
        AfterAction::CloseIfNoAgents => AfterLeave::CloseIfNoAgents,
        AfterAction::ForceClose => AfterLeave::ForceClose,
        AfterAction::KeepAlive => AfterLeave::KeepAlive,
    }
}

/// The id of the words said in parting: another command, the same at every repeat.
fn parting_id(id: Uuid) -> Uuid {
    Uuid::from_u128(id.as_u128() ^ 1)
}

/// A signal: nothing is written down, so the session's machine is not asked; who may speak may be seen typing.
fn typing(
    shared: &Shared,
    who: &AgentPrincipal,
    view: &SessionView,
    started: bool,
    preview: &str,
    wanted: Visibility,
) -> Result<(), Fault> {
    let stay = view
        .state
        .participants()
        .of_agent(&who.agent)
        .ok_or(Code::Forbidden)?;
    let Some(visibility) = audience(stay, wanted) else {
        return Err(Code::Forbidden.into());
    };
    let at = Millis(shared.shards.clock().wall_ms());
    let last = view.tail.last().map_or(at, |entry| entry.record.at);
    let typing = Typing {
        from: stay.id,
        started,
        preview: preview.to_owned(),
        visibility,
        n: view.top.n,
        quarter: Typing::quarters(last, at),
        at,
    };
    shared.shards.signal(view.log, typing);
    Ok(())
}

fn audience(stay: &Participant, wanted: Visibility) -> Option<Visibility> {
    match (stay.mode, stay.visibility) {
        (Some(SupervisionMode::Monitor), _) => None,
        (_, Visibility::All) => Some(wanted),
        _ => Some(Visibility::Agent),
    }
}

/// A shard's refusal as it is told.
pub(super) fn shard_fault<R>(error: ShardError<R>, rejected: impl FnOnce(R) -> Fault) -> Fault {
    match error {
        ShardError::Rejected(reason) => rejected(reason),
        ShardError::NoSuchLog => Code::NotFound.into(),
        ShardError::KeyReused => Code::KeyReused.into(),
        ShardError::OptedOut => Fault::new(Code::Conflict).detail("opted out"),
        ShardError::Unavailable { retry_after, .. } => Fault::unavailable(retry_after),
        ShardError::Unreadable { reason } => {
            tracing::error!(%reason, "a log cannot be read");
            Fault::unavailable(Duration::from_secs(5))
        }
    }
}

fn desk_fault(reason: DeskRejection) -> Fault {
    match reason {
        DeskRejection::NoDesk | DeskRejection::Stale => Fault::new(Code::Conflict).detail(reason.to_string()),
        DeskRejection::NoSuchMedium => Fault::new(Code::BadValue).detail("media"),
    }
}

fn session_fault(reason: Rejection) -> Fault {
    match reason {
        Rejection::NoSession => Code::NotFound.into(),
        Rejection::NotParticipant | Rejection::Forbidden => {
            Fault::new(Code::Forbidden).detail(reason.to_string())
        }
        Rejection::Closed
        | Rejection::WrongState
        | Rejection::TooMuch
        | Rejection::OptedOut
        | Rejection::Stale => Fault::new(Code::Conflict).detail(reason.to_string()),
    }
}

impl Shared {
    /// The newest picture of a session of this tenant; another tenant's is not found.
    pub(super) async fn session_of(
        &self,
        tenant: crate::model::TenantId,
        session: LogId,
    ) -> Result<std::sync::Arc<SessionView>, Fault> {
        let view = self
            .shards
            .session_view(session)
            .await
            .map_err(|error| shard_fault(error, |()| Code::Internal.into()))?;
        match view.state.about() {
            Some(about) if about.tenant == tenant => Ok(view),
            _ => Err(Code::NotFound.into()),
        }
    }

    /// The same for somebody who may read it, and up to which record: a supervisor and who is or was in it to the end all of it, a
    /// former participant what there was when they left.
    pub(super) async fn readable(
        &self,
        who: &AgentPrincipal,
        session: LogId,
    ) -> Result<(std::sync::Arc<SessionView>, u64), Fault> {
        let view = self.session_of(who.tenant, session).await?;
        let reach = if who.is_supervisor(&self.snapshots.load()) {
            Some(u64::MAX)
        } else {
            picture::reach(&view.state, &who.agent)
        };
        let upto = reach.ok_or(Code::Forbidden)?.min(view.top.n);
        Ok((view, upto))
    }
}
