//! The long poll of one tenant: drives the Bayeux machine and says what it heard.

use std::rc::Rc;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::FuturesUnordered;
use hyper::StatusCode;
use tokio::sync::watch;
use tokio::time::{sleep, sleep_until};

use crate::model::{Media, Millis};
use crate::net::client::Answer;
use crate::protocol::bayeux::{Cause, Client, Exchange, Input, MAX_BODY, Output, Stopped};
use crate::protocol::gws::{
    ACTIVATE, Event, InitializationState, Interaction, NOTIFICATIONS, Objects, Outcome, activate_channels,
    channels, event, outcome,
};
use crate::runtime::{Backoff, Clock};
use crate::telemetry::names;

use super::read::read_objects;
use super::session::{Away, Session};

/// Between two beginnings that failed.
const BEGINNINGS: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60));
/// The shortest time between them; a service that is away is tried less than twice a second.
const FLOOR: Duration = Duration::from_millis(600);
/// How long a service that told us not to come back is left alone.
const TOLD_TO_STOP: Duration = Duration::from_secs(60);
/// How often everything is read although nothing was missed.
const READ_EVERY: Duration = Duration::from_secs(900);

/// What was heard of a tenant's GWS.
#[derive(Debug)]
pub enum Told {
    /// An interaction is now as told.
    Interaction(Box<Interaction>),
    /// An operation that had been accepted failed.
    Failed {
        /// Which.
        operation: String,
        /// GWS's code.
        code: i64,
    },
    /// The configuration as it is now.
    Configuration(Objects),
    /// Events may have been missed; the configuration follows.
    Missed(Cause),
}

/// Follows a tenant's events until `stop` says `true` or its sender is gone. `random` gives 64 random bits.
pub async fn follow(
    session: Rc<Session>,
    clock: Clock,
    random: impl Fn() -> u64,
    mut stop: watch::Receiver<bool>,
    mut told: impl FnMut(Told),
) {
    let mut failures = 0;
    loop {
        let mut poll = Poll::new(&session, &clock, &random);
        let ended = tokio::select! {
            ended = poll.run(&mut told) => ended,
            // A sender that is gone asks for the same.
            _ = stop.wait_for(|stop| *stop) => {
                poll.goodbye().await;
                session.end().await;
                return;
            }
        };
        if poll.worked {
            failures = 0;
        }
        let wait = match ended {
            Ended::Away(error) => {
                tracing::warn!(%error, tenant = %session.account().tenant, "GWS is away");
                FLOOR + BEGINNINGS.delay(failures, random())
            }
            Ended::SessionLost => FLOOR + BEGINNINGS.delay(failures, random()),
            Ended::Stopped(why) => {
                tracing::warn!(?why, tenant = %session.account().tenant, "GWS told us not to come back");
                TOLD_TO_STOP
            }
        };
        failures += 1;
        session.forget(false);
        metrics::counter!(names::GWS_LINK, "event" => "lost").increment(1);
        tokio::select! {
            () = sleep(wait) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

enum Ended {
    Away(Away),
    /// The token or the session is not accepted any more.
    SessionLost,
    Stopped(Stopped),
}

enum Happened {
    Exchanged(Exchange, Result<Answer, Away>),
    Read(Result<Objects, Away>),
    Activated(Result<Answer, Away>),
}

struct Poll<'a, R> {
    session: &'a Rc<Session>,
    clock: &'a Clock,
    random: &'a R,
    machine: Client,
    began: Instant,
    going: FuturesUnordered<LocalBoxFuture<'static, Happened>>,
    wake: Option<Instant>,
    read_at: Instant,
    reading: bool,
    /// A session came about.
    worked: bool,
}

impl<'a, R: Fn() -> u64> Poll<'a, R> {
    fn new(session: &'a Rc<Session>, clock: &'a Clock, random: &'a R) -> Self {
        let began = clock.now();
        Self {
            session,
            clock,
            random,
            machine: Client::new(&channels(), Millis(0)),
            began,
            going: FuturesUnordered::new(),
            wake: None,
            read_at: began + READ_EVERY,
            reading: false,
            worked: false,
        }
    }

    fn now(&self) -> Millis {
        let since = self.clock.now().saturating_duration_since(self.began);
        Millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    async fn run(&mut self, told: &mut impl FnMut(Told)) -> Ended {
        if let Err(error) = self.session.begin().await {
            return Ended::Away(error);
        }
        if let Some(ended) = self.step(Input::Timer, told) {
            return ended;
        }
        loop {
            let at = self.wake.map_or(self.read_at, |at| at.min(self.read_at));
            let happened = tokio::select! {
                Some(happened) = self.going.next() => Some(happened),
                () = sleep_until(at.into()) => None,
            };
            let ended = match happened {
                None => {
                    if self.clock.now() >= self.read_at {
                        self.read();
                    }
                    // The token is renewed in time, or it is found out that it cannot be.
                    self.step(Input::Timer, told)
                }
                Some(Happened::Exchanged(exchange, answer)) => self.exchanged(exchange, answer, told),
                Some(Happened::Read(read)) => {
                    self.reading = false;
                    match read {
                        Ok(objects) => told(Told::Configuration(objects)),
                        Err(error) => {
                            tracing::warn!(%error, tenant = %self.session.account().tenant, "configuration not read");
                            self.read_at = self.clock.now() + Duration::from_secs(30);
                        }
                    }
                    None
                }
                Some(Happened::Activated(answer)) => {
                    self.activated(answer);
                    None
                }
            };
            if let Some(ended) = ended {
                return ended;
            }
        }
    }

    fn exchanged(
        &mut self,
        exchange: Exchange,
        answer: Result<Answer, Away>,
        told: &mut impl FnMut(Told),
    ) -> Option<Ended> {
        match answer {
            Ok(answer) if answer.status == StatusCode::OK => {
                let body = answer.body;
                self.step(
                    Input::Answer {
                        exchange,
                        body: &body,
                    },
                    told,
                )
            }
            Ok(answer) if matches!(answer.status.as_u16(), 401 | 403) => {
                self.session.forget(true);
                Some(Ended::SessionLost)
            }
            Ok(answer) => {
                let retry_after = answer.retry_after(self.clock.wall_ms());
                let retry_after = retry_after.map(|it| u64::try_from(it.as_millis()).unwrap_or(u64::MAX));
                self.step(
                    Input::Failed {
                        exchange,
                        retry_after,
                    },
                    told,
                )
            }
            Err(error) => {
                tracing::debug!(%error, tenant = %self.session.account().tenant, "a request to GWS failed");
                self.step(
                    Input::Failed {
                        exchange,
                        retry_after: None,
                    },
                    told,
                )
            }
        }
    }

    fn step(&mut self, input: Input<'_>, told: &mut impl FnMut(Told)) -> Option<Ended> {
        let mut ended = None;
        for output in self.machine.step(input, self.now(), (self.random)()) {
            match output {
                Output::Send {
                    exchange,
                    path,
                    body,
                    deadline_ms,
                } => self.send(exchange, path, body, deadline_ms),
                Output::Deliver { channel, data } => {
                    if self.heard(&channel, &data, told) {
                        ended = Some(Ended::SessionLost);
                    }
                }
                Output::Reread(cause) => {
                    self.worked = true;
                    metrics::counter!(names::GWS_LINK, "event" => "reread").increment(1);
                    told(Told::Missed(cause));
                    self.read();
                    if cause != Cause::AnswerLost {
                        self.activate();
                    }
                }
                Output::Refused { channel, fault } => {
                    tracing::warn!(channel, %fault, tenant = %self.session.account().tenant, "GWS refuses a channel");
                }
                Output::Stopped(why) => ended = Some(Ended::Stopped(why)),
                Output::WaitUntil(at) => self.wake = Some(self.began + Duration::from_millis(at.0)),
            }
        }
        ended
    }

    fn send(&mut self, exchange: Exchange, path: &'static str, body: Vec<u8>, deadline_ms: u64) {
        let session = Rc::clone(self.session);
        self.going.push(Box::pin(async move {
            let path = format!("{NOTIFICATIONS}{path}");
            // The machine writes JSON.
            let body = String::from_utf8(body).unwrap_or_default();
            let deadline = Duration::from_millis(deadline_ms);
            Happened::Exchanged(exchange, session.exchange(&path, body, deadline, MAX_BODY).await)
        }));
    }

    /// Passes on an event. `true`: the session will not come about.
    fn heard(&mut self, channel: &str, data: &str, told: &mut impl FnMut(Told)) -> bool {
        match event(data.as_bytes()) {
            Some(Event::Interaction(interaction)) => told(Told::Interaction(interaction)),
            Some(Event::Failed { operation, code }) => told(Told::Failed { operation, code }),
            Some(Event::Initialization(InitializationState::Complete)) => self.activate(),
            Some(Event::Initialization(InitializationState::Failed)) => {
                tracing::warn!(tenant = %self.session.account().tenant, "GWS could not initialize the session");
                return true;
            }
            Some(Event::Initialization(InitializationState::Running)) => {}
            Some(Event::Other(kind)) => {
                tracing::trace!(kind, channel, "an event of GWS that does not concern us")
            }
            None => {
                metrics::counter!(names::GWS_LINK, "event" => "unreadable").increment(1);
                tracing::debug!(channel, "an event of GWS that cannot be read");
            }
        }
        false
    }

    /// Reads everything; one reading at a time.
    fn read(&mut self) {
        self.read_at = self.clock.now() + READ_EVERY;
        if !std::mem::replace(&mut self.reading, true) {
            let session = Rc::clone(self.session);
            self.going.push(Box::pin(
                async move { Happened::Read(read_objects(&session).await) },
            ));
        }
    }

    fn activate(&mut self) {
        let session = Rc::clone(self.session);
        self.going.push(Box::pin(async move {
            let client_id = &session.account().client_id;
            let body = activate_channels(client_id, client_id, &Media::ALL);
            Happened::Activated(session.post(ACTIVATE, body).await)
        }));
    }

    fn activated(&self, answer: Result<Answer, Away>) {
        let tenant = self.session.account().tenant;
        match answer.map(|answer| outcome(answer.status.as_u16(), None, &answer.body)) {
            Ok(Outcome::Done) => {
                metrics::counter!(names::GWS_LINK, "event" => "connected").increment(1);
                tracing::info!(%tenant, "GWS is connected");
            }
            // Before the beginning is complete; its completion is told, and asks again.
            Ok(outcome) => tracing::info!(?outcome, %tenant, "GWS does not take up the channels yet"),
            Err(error) => tracing::warn!(%error, %tenant, "GWS was not asked to take up the channels"),
        }
    }

    /// Ends the Bayeux session, without waiting long.
    async fn goodbye(&mut self) {
        let farewell = self.machine.step(Input::Stop, self.now(), 0);
        for output in farewell {
            if let Output::Send { path, body, .. } = output {
                let path = format!("{NOTIFICATIONS}{path}");
                let body = String::from_utf8(body).unwrap_or_default();
                // It ends by itself when nobody connects.
                let _ = self
                    .session
                    .exchange(&path, body, Duration::from_secs(2), MAX_BODY)
                    .await;
            }
        }
    }
}
