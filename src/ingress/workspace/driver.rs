//! Carries one stream: reads commands, writes what is owed, and says why it ends. Dull on purpose; what is owed is decided in
//! [`super::turn`] and [`super::connection`].

use std::borrow::Cow;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::future::LocalBoxFuture;
use tokio::time::{Instant, Sleep, timeout};
use uuid::Uuid;

use crate::net::websocket::{ClosedBy, Event, Message, SendError, Socket};
use crate::protocol::agent::{
    AgentProfile, ClientFrame, Command, Credential, ErrorEvent, ErrorKind, FrameError, Hello, LogPosition,
    Reconnect, Reply, ServerFrame, Status, decode_frame,
};
use crate::protocol::envelope::{Code, Fault};
use crate::routing;
use crate::runtime::backoff::spread;
use crate::runtime::bell::Listener;
use crate::runtime::drain::{Phase, Retain};
use crate::session::DeskInput;

use super::admission::Refused;
use super::batch::Batch;
use super::connection::Connection;
use super::counts::{Opened, Working};
use super::frames::encode;
use super::principal::AgentPrincipal;
use super::service::Shared;
use super::turn::{End, Turn};
use super::{act, picture};

/// How long after its own moment a client is still waited for when the node stops.
const LINGER: std::time::Duration = std::time::Duration::from_secs(5);

/// Authenticates a fresh socket and carries its stream to the end.
pub(super) async fn serve(shared: Rc<Shared>, mut socket: Socket, credential: Option<Credential<'static>>) {
    let opened = shared.counts.opened();
    let credential = match credential {
        Some(credential) => credential,
        None => match timeout(shared.settings.unauthenticated, first_frame(&mut socket)).await {
            Ok(Some(credential)) => credential,
            Ok(None) => return refuse(socket, Code::Malformed.into(), 1008).await,
            Err(_) => return refuse(socket, Code::NoCredentials.into(), 4401).await,
        },
    };
    let who = match shared.admission.admit(&credential).await {
        Ok(who) => who,
        Err(Refused::Unauthorised) => return refuse(socket, Code::BadToken.into(), 4401).await,
        Err(Refused::Unavailable) => return refuse(socket, Code::Unavailable.into(), 1012).await,
    };
    drop(credential);
    match open(&shared, &who).await {
        // A task of its own: what opening needed is not kept for as long as the agent works.
        Ok(turn) => drop(tokio::task::spawn_local(
            Stream::new(shared, socket, turn, opened).run(),
        )),
        Err(fault) => refuse(socket, fault, 1012).await,
    }
}

/// The credential of a client that cannot name it as a sub-protocol.
async fn first_frame(socket: &mut Socket) -> Option<Credential<'static>> {
    loop {
        match socket.next().await {
            Event::Messages(messages) => {
                let [Message::Text(text)] = messages.as_slice() else {
                    return None;
                };
                return match decode_frame(text.as_bytes()) {
                    Ok(ClientFrame::Open(credential)) => Some(owned(credential)),
                    _ => None,
                };
            }
            Event::Pong => {}
            Event::Closed(_) => return None,
        }
    }
}

pub(super) fn owned(credential: Credential<'_>) -> Credential<'static> {
    match credential {
        Credential::Ticket(text) => Credential::Ticket(Cow::Owned(text.into_owned())),
        Credential::Resume(text) => Credential::Resume(Cow::Owned(text.into_owned())),
    }
}

async fn refuse(mut socket: Socket, fault: Fault, code: u16) {
    let error = ErrorEvent {
        cmd_id: None,
        kind: ErrorKind::Unauthorised,
        status: Status::from(&fault),
    };
    let _ = socket.send(&[encode(&ServerFrame::Error(error))]).await;
    socket.close(code, fault.code.message()).await;
}

/// Raises the desk's connection number and looks at the desk.
async fn open(shared: &Rc<Shared>, who: &AgentPrincipal) -> Result<Turn, Fault> {
    let profile =
        routing::desk_profile(&shared.snapshots.load(), who.tenant, &who.agent).ok_or(Code::BadToken)?;
    let connect = DeskInput::Connect {
        tenant: who.tenant,
        agent: who.agent.clone(),
        profile,
    };
    let answer = shared.shards.desk(who.desk(), connect).await;
    let answer = answer.map_err(|error| act::shard_fault(error, |_| Code::Internal.into()))?;
    let conn = answer.conn.ok_or(Code::Internal)?;
    let follower = shared.shards.follower();
    follower
        .follow(who.desk())
        .await
        .map_err(|error| act::shard_fault(error, |()| Code::Internal.into()))?;
    let at = follower.desk(who.desk()).map(|view| view.top).unwrap_or_default();
    Ok(Turn::new(follower, Connection::new(who.clone(), conn, at)))
}

/// A command on its way; resolves to the frame that answers it.
type Running = LocalBoxFuture<'static, Bytes>;

/// What a stream waits for.
enum Happening {
    /// The command on its way was carried out.
    Replied(Bytes),
    /// The client said something, or the connection ended.
    Read(Event),
    /// A followed log changed.
    Changed,
    /// Something that concerns every stream: settings, or the drain.
    Rung,
    /// The client was asked to go, and waited for long enough.
    Left,
}

/// One stream.
struct Stream {
    shared: Rc<Shared>,
    socket: Socket,
    turn: Box<Turn>,
    /// Absent while the stream is idle.
    commands: Option<Box<Commands>>,
    bell: Listener,
    leaving: Option<Pin<Box<Sleep>>>,
    _open: Option<Retain>,
    _opened: Opened,
    _working: Working,
}

/// Commands under way, and what answers them.
#[derive(Default)]
struct Commands {
    /// Frames of the last read that wait for the command before them; nothing more is read meanwhile.
    inbox: VecDeque<String>,
    running: Option<Running>,
    /// Replies for the next write.
    replies: Vec<Bytes>,
}

impl Commands {
    fn are_done(&self) -> bool {
        self.inbox.is_empty() && self.running.is_none() && self.replies.is_empty()
    }
}

impl Stream {
    fn new(shared: Rc<Shared>, socket: Socket, turn: Turn, opened: Opened) -> Self {
        let working = shared.counts.working(turn.who().tenant);
        Self {
            bell: shared.bell.listen(),
            _open: shared.drain.retain(Phase::Closing),
            shared,
            socket,
            turn: Box::new(turn),
            commands: None,
            leaving: None,
            _opened: opened,
            _working: working,
        }
    }

    // An `async fn` would keep room for two streams: the argument, and the variable it is moved into.
    fn run(self) -> impl Future<Output = ()> {
        let mut stream = self;
        async move {
            let end = match Box::pin(stream.hello()).await {
                Ok(()) => stream.work().await,
                Err(end) => end,
            };
            if end == End::Slow {
                stream.shared.counts.failed(stream.turn.who().tenant, true);
            }
            let (code, reason) = match end {
                End::Gone => return,
                End::Replaced => (4409, "a newer connection of this login"),
                End::Revoked => (4401, "no longer authorised"),
                End::Restart => (1012, "connect again"),
                // The socket has begun to say so.
                End::Slow => (stream.shared.settings.socket.slow, ""),
                End::Unsupported => (1003, "text frames only"),
            };
            // What is kept for the stream is not kept for the closing handshake.
            let Self { socket, turn, .. } = stream;
            drop(turn);
            Box::pin(socket.close(code, reason)).await;
        }
    }

    async fn hello(&mut self) -> Result<(), End> {
        let view = self.turn.desk().await?;
        let who = self.turn.who();
        let token = self
            .shared
            .admission
            .resume_token(who, self.turn.connection.number())
            .ok_or(End::Restart)?;
        let desk = &view.state;
        let at = self.turn.connection.desk_at();
        let settings = &self.shared.settings;
        let hello = encode(&ServerFrame::Hello(Hello {
            conn: self.turn.connection.number(),
            agent: AgentProfile {
                agent_id: who.agent.as_str(),
                name: &desk.profile().name,
                supervisor: desk.profile().supervisor,
                queues: &desk.profile().queues,
            },
            desk: LogPosition::new(view.log, at),
            resume_token: &token,
            heartbeat_ms: u64::try_from(settings.socket.ping.as_millis()).unwrap_or(u64::MAX),
            resume_window_s: settings.resume_window.as_secs(),
            channels: &picture::channels(desk),
            auto_accept: desk.auto_accept(),
        }));
        self.tell(&[hello]).await
    }

    async fn work(&mut self) -> End {
        loop {
            if let Err(end) = Box::pin(self.write()).await {
                return end;
            }
            if let Err(end) = self.wait().await {
                return end;
            }
        }
    }

    /// Writes until nothing is owed.
    async fn write(&mut self) -> Result<(), End> {
        loop {
            let mut batch = Batch::default();
            // Events of a command first: its reply says that they have been told, or are on their way.
            if self
                .commands
                .as_ref()
                .is_some_and(|commands| !commands.replies.is_empty())
            {
                self.turn.look_again();
            }
            let gathered = self.turn.gather(&mut batch).await;
            if let Some(commands) = &mut self.commands {
                commands.replies.drain(..).for_each(|reply| batch.push(reply));
            }
            if !batch.frames.is_empty() {
                self.tell(&batch.frames).await?;
            }
            gathered?;
            if batch.frames.is_empty() {
                return Ok(());
            }
        }
    }

    async fn wait(&mut self) -> Result<(), End> {
        // Boxed: an idle stream keeps no room for commands.
        if self.commands.is_some() && Box::pin(self.next_command()).await? {
            return Ok(());
        }
        self.commands.take_if(|commands| commands.are_done());
        match poll_fn(|context| self.poll_happening(context)).await {
            Happening::Replied(reply) => self.commands().replies.push(reply),
            Happening::Read(event) => return self.take(event),
            Happening::Changed => {}
            Happening::Rung => {
                self.provisioned()?;
                self.drained(self.shared.drain.phase());
            }
            Happening::Left => return Err(End::Restart),
        }
        Ok(())
    }

    /// By hand, since what waits here is what an idle stream costs.
    fn poll_happening(&mut self, context: &mut Context<'_>) -> Poll<Happening> {
        if let Some(commands) = &mut self.commands {
            if let Some(running) = &mut commands.running
                && let Poll::Ready(reply) = running.as_mut().poll(context)
            {
                commands.running = None;
                return Poll::Ready(Happening::Replied(reply));
            }
        } else if let Poll::Ready(event) = self.socket.poll_next(context) {
            return Poll::Ready(Happening::Read(event));
        }
        if self.turn.follower.poll_changed(context).is_ready() {
            return Poll::Ready(Happening::Changed);
        }
        if self.bell.poll_rung(context).is_ready() {
            return Poll::Ready(Happening::Rung);
        }
        if let Some(leaving) = &mut self.leaving {
            ready!(leaving.as_mut().poll(context));
            return Poll::Ready(Happening::Left);
        }
        Poll::Pending
    }

    fn take(&mut self, event: Event) -> Result<(), End> {
        match event {
            Event::Closed(closed) => {
                let is_slow = closed.by == ClosedBy::Us && closed.code == self.shared.settings.socket.slow;
                // Found silent, cut, or not reading even what the socket says by itself.
                if closed.by == ClosedBy::Lost || is_slow {
                    self.shared.counts.failed(self.turn.who().tenant, is_slow);
                }
                return Err(End::Gone);
            }
            Event::Pong => {}
            Event::Messages(messages) => {
                for message in messages {
                    match message {
                        Message::Text(text) => self.commands().inbox.push_back(text),
                        Message::Binary(_) => return Err(End::Unsupported),
                    }
                }
            }
        }
        self.shared.shards.heard_from(self.turn.connection.desk());
        Ok(())
    }

    /// Takes frames until one is a command on its way. `true`: something is owed at once.
    async fn next_command(&mut self) -> Result<bool, End> {
        while self.commands().running.is_none() {
            let Some(text) = self.commands().inbox.pop_front() else {
                break;
            };
            match decode_frame(text.as_bytes()) {
                Ok(ClientFrame::Resume(positions)) => {
                    Box::pin(self.turn.resume(&positions)).await?;
                    return Ok(true);
                }
                // A client that says it has seen more than it was told only cheats itself.
                Ok(ClientFrame::Ack(_)) => {}
                Ok(ClientFrame::Open(_)) => self.complain(&FrameError {
                    cmd_id: None,
                    fault: crate::protocol::agent::FrameFault::UnknownCommand,
                }),
                Ok(ClientFrame::Do { cmd_id, .. }) => {
                    let opens = !self.turn.connection.is_open();
                    if opens {
                        Box::pin(self.turn.resume(&[])).await?;
                    }
                    // A newer connection may have been recorded while this frame was on its way.
                    Box::pin(self.turn.desk()).await?;
                    let (shared, who) = (Rc::clone(&self.shared), self.turn.who().clone());
                    self.commands().running = Some(Box::pin(execute(shared, who, cmd_id, text)));
                    if opens {
                        return Ok(true);
                    }
                }
                Err(error) => self.complain(&error),
            }
        }
        Ok(!self.commands().replies.is_empty())
    }

    fn commands(&mut self) -> &mut Commands {
        self.commands.get_or_insert_default()
    }

    fn complain(&mut self, error: &FrameError) {
        let fault = Fault::new(error.fault.code()).detail(error.fault.to_string());
        self.commands()
            .replies
            .push(encode(&ServerFrame::Error(ErrorEvent {
                cmd_id: error.cmd_id,
                kind: ErrorKind::Frame,
                status: Status::from(&fault),
            })));
    }

    /// What an administrator decided may concern this agent.
    fn provisioned(&mut self) -> Result<(), End> {
        let snapshot = self.shared.snapshots.load();
        let who = self.turn.who();
        if !who.is_enabled(&snapshot) {
            return Err(End::Revoked);
        }
        let profile = routing::desk_profile(&snapshot, who.tenant, &who.agent).ok_or(End::Revoked)?;
        let known = self.turn.follower.desk(who.desk());
        if known.is_some_and(|view| *view.state.profile() != profile) {
            let (shards, desk) = (self.shared.shards.clone(), who.desk());
            // Whether it succeeds is seen in the desk's records; the next change tries again.
            tokio::task::spawn_local(async move {
                shards.desk(desk, DeskInput::Provisioned(profile)).await.is_ok()
            });
        }
        Ok(())
    }

    fn drained(&mut self, phase: Phase) {
        if phase < Phase::Closing || self.leaving.is_some() {
            return;
        }
        let after = spread(self.shared.settings.reconnect_window, random());
        let in_ms = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
        self.commands()
            .replies
            .push(encode(&ServerFrame::Reconnect(Reconnect { in_ms })));
        self.leaving = Some(Box::pin(tokio::time::sleep_until(
            Instant::now() + after + LINGER,
        )));
    }

    /// One write.
    async fn tell(&mut self, frames: &[Bytes]) -> Result<(), End> {
        let sent = self.socket.send(frames).await;
        let counts = &self.shared.counts;
        match sent {
            Ok(()) => {
                counts.sent(frames.len(), frames.iter().map(Bytes::len).sum());
                if self.socket.has_kept_waiting() {
                    self.turn.was_kept_waiting();
                }
                Ok(())
            }
            Err(SendError::Stalled) => Err(End::Slow),
            Err(SendError::Closed) => {
                counts.failed(self.turn.who().tenant, false);
                Err(End::Gone)
            }
        }
    }
}

async fn execute(shared: Rc<Shared>, who: AgentPrincipal, cmd_id: Uuid, text: String) -> Bytes {
    let command: Command<'_> = match decode_frame(text.as_bytes()) {
        Ok(ClientFrame::Do { command, .. }) => command,
        _ => return Bytes::new(),
    };
    let (status, retry_after_ms, data) = match act::carry_out(&shared, &who, cmd_id, command).await {
        Ok(data) => (Status::DONE, None, data),
        Err(fault) => {
            let after = fault
                .retry_after
                .map(|after| u64::try_from(after.as_millis()).unwrap_or(u64::MAX));
            (Status::from(&fault), after, None)
        }
    };
    encode(&ServerFrame::Reply(Reply {
        cmd_id,
        status,
        retry_after_ms,
        data,
    }))
}

fn random() -> u64 {
    let mut bytes = [0; 8];
    // Without randomness the reconnects are merely not spread.
    let _ = aws_lc_rs::rand::fill(&mut bytes);
    u64::from_ne_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn future_of<A, F>(_: impl FnOnce(A) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn an_idle_agent_is_one_small_task() {
        let (task, turn) = (future_of(Stream::run), size_of::<Turn>());
        // tokio adds 104 and takes it up to the next 128.
        assert!(task <= 408, "the task of a stream: {task} bytes");
        assert!(turn <= 160, "what is owed: {turn} bytes");
    }
}
