//! One attempt at one turn.

use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;
use secrecy::SecretString;

use crate::egress::dispatcher::{Callee, Calls, Connection, DEADLINE, NotAnswered, session};
use crate::model::{Millis, Notice, Target, TenantId};
use crate::net::client::{Answer, Guard};
use crate::protocol::bot::{self, BotAnswer, BotDialect, BotFault, Grant, Turn};
use crate::protocol::channel::{Account, HttpCall};
use crate::provisioning::objects::{Bot, Stored};
use crate::provisioning::{SecretError, Snapshots};
use crate::session::{BotAct, Rejection, ServiceAct, SessionInput};
use crate::shard::{Delivery, SessionView, ShardError, Shards, Verdict};
use crate::telemetry::names;

use super::guard::{self, Limits};
use super::outcome::{self, Failure};
use super::render;
use super::tokens::Tokens;

/// When a session did not take an answer, the turn is put again after this.
const AGAIN: Duration = Duration::from_secs(2);
/// A tenant without a queue: nothing can be done before somebody makes one.
const NOWHERE: Duration = Duration::from_secs(30);
/// A bot has so many times the places of another target: each of its calls holds up a customer.
const SHARES: u8 = 4;

/// The bots of one core.
pub struct Bots {
    calls: Calls,
    snapshots: Snapshots,
    tokens: Tokens,
}

impl Bots {
    /// Bots over this core's way out.
    #[must_use]
    pub fn new(calls: Calls, snapshots: Snapshots) -> Self {
        Self {
            calls,
            snapshots,
            tokens: Tokens::default(),
        }
    }

    async fn attempt(&self, shards: &Shards, delivery: &Delivery) -> Verdict {
        let (Target::Bot(name), Notice::Turn { n }) = (&delivery.target, &delivery.notice) else {
            return Verdict::Dead("not a turn of a bot".to_owned());
        };
        let view = match session(shards, delivery.id).await {
            Ok(view) => view,
            Err(verdict) => return verdict,
        };
        let outside = view.state.outside();
        // What the customer has said meanwhile is another turn, and that one answers all of it.
        if !view.state.is_with_bot() || outside.answered >= *n || outside.turn > *n {
            return Verdict::Done;
        }
        let Some(turn) = render::turn(&view, name, *n) else {
            let taken = self.apply(shards, delivery, outcome::nothing(name, *n)).await;
            return taken.unwrap_or(Verdict::Done);
        };
        let answer = self.ask(delivery, name, &view, turn).await;
        let act = match self.decide(delivery, name, *n, answer, &view) {
            Some(act) => act,
            None => return Verdict::Later(NOWHERE),
        };
        match self.apply(shards, delivery, act).await {
            Some(verdict) => verdict,
            None => {
                let much = Failure::Fault(BotFault::Unreadable("more than the session has room for"));
                match self.decide(delivery, name, *n, Err(much), &view) {
                    Some(act) => self.apply(shards, delivery, act).await.unwrap_or(Verdict::Done),
                    None => Verdict::Later(NOWHERE),
                }
            }
        }
    }

    /// What the session is to do; `None`: it should have a person and there is no queue.
    fn decide(
        &self,
        delivery: &Delivery,
        name: &str,
        n: u64,
        answer: Result<BotAnswer, Failure>,
        view: &SessionView,
    ) -> Option<BotAct> {
        if let Err(failure) = &answer {
            metrics::counter!(names::BOT_ERRORS).increment(1);
            tracing::warn!(effect = %delivery.id, bot = name, %failure, "bot hands over");
        }
        let snapshot = self.snapshots.load();
        let queues = outcome::Queues {
            snapshot: &snapshot,
            tenant: delivery.tenant,
            endpoint: view.state.about().map_or("", |about| about.endpoint.as_str()),
        };
        outcome::decide(name, n, answer, &outcome::offered(&view.state), &queues)
    }

    /// Lets the session take the answer. It takes the first of each turn and no other. `None`: it is more than it has room for.
    async fn apply(&self, shards: &Shards, delivery: &Delivery, act: BotAct) -> Option<Verdict> {
        let answer = SessionInput::Service(ServiceAct::Answer(act));
        match shards.session(delivery.id.log, answer).await {
            Err(ShardError::Rejected(Rejection::TooMuch)) => None,
            Ok(_) | Err(ShardError::Rejected(_) | ShardError::NoSuchLog) => Some(Verdict::Done),
            Err(_) => Some(Verdict::Later(AGAIN)),
        }
    }

    /// What the bot says within [`DEADLINE`], a token for it included.
    async fn ask(
        &self,
        delivery: &Delivery,
        name: &str,
        view: &SessionView,
        turn: Turn,
    ) -> Result<BotAnswer, Failure> {
        let snapshot = self.snapshots.load_full();
        let bot = snapshot
            .named::<Bot>(delivery.tenant, name)
            .filter(|bot| bot.value.enabled)
            .ok_or(Failure::Off)?;
        let now = Millis(self.calls.clock().wall_ms());
        if let Some(why) = guard::looping(view, now, &Limits::of(&bot.value)) {
            return Err(Failure::Loop(why));
        }
        let dialect = bot::dialect(&bot.value.provider).ok_or(Failure::Off)?;
        let credentials = match snapshot.secret(bot, "credentials") {
            Ok(secret) => Some(secret),
            Err(SecretError::Absent) => None,
            Err(_) => return Err(Failure::Setup("its credentials cannot be opened".to_owned())),
        };
        let asking = Asking {
            bots: self,
            tenant: delivery.tenant,
            bot,
            dialect,
            account: Account {
                url: bot.value.url.clone(),
                credentials,
                secrets: Vec::new(),
                config: bot.value.config.clone(),
            },
            target: format!("b{}/{}", bot.id, share(&turn)),
        };
        let asked = tokio::time::timeout(DEADLINE, asking.answer(&turn)).await;
        asked.unwrap_or(Err(Failure::Silent("deadline")))
    }
}

impl Connection for Bots {
    fn tell<'a>(&'a self, shards: &'a Shards, delivery: &'a Delivery) -> LocalBoxFuture<'a, Verdict> {
        self.attempt(shards, delivery).boxed_local()
    }
}

/// Which of a bot's shares of places a session uses.
fn share(turn: &Turn) -> u8 {
    turn.session.uuid().as_bytes()[15] % SHARES
}

/// One bot being asked.
struct Asking<'a> {
    bots: &'a Bots,
    tenant: TenantId,
    bot: &'a Stored<Bot>,
    dialect: &'static dyn BotDialect,
    account: Account,
    target: String,
}

impl Asking<'_> {
    async fn answer(&self, turn: &Turn) -> Result<BotAnswer, Failure> {
        let mut answer = self.once(turn).await?;
        // A token may be withdrawn before its time: one more try, with a new one.
        if answer.status == 401 && self.bots.tokens.forget(&self.key()) {
            answer = self.once(turn).await?;
        }
        self.dialect
            .answer(&self.account, answer.status.as_u16(), &answer.body)
            .map_err(Failure::Fault)
    }

    async fn once(&self, turn: &Turn) -> Result<Answer, Failure> {
        let token = self.token().await?;
        let grant = Grant {
            now: Millis(self.bots.calls.clock().wall_ms()),
            token: token.as_ref(),
        };
        let call = self
            .dialect
            .call(&self.account, turn, &grant)
            .map_err(Failure::Setup)?;
        self.call(call).await
    }

    async fn token(&self) -> Result<Option<SecretString>, Failure> {
        if !self.dialect.needs_token() {
            return Ok(None);
        }
        let clock = self.bots.calls.clock();
        let fetch = async {
            let call = self.dialect.token_call(&self.account, Millis(clock.wall_ms()));
            let answer = self.call(call.map_err(Failure::Setup)?).await?;
            let token = self.dialect.token(answer.status.as_u16(), &answer.body);
            token.map_err(|fault| match fault {
                BotFault::Refused(_) => Failure::Setup("its credentials were refused".to_owned()),
                fault => Failure::Fault(fault),
            })
        };
        self.bots
            .tokens
            .get(self.key(), clock.now(), fetch)
            .await
            .map(Some)
    }

    async fn call(&self, call: HttpCall) -> Result<Answer, Failure> {
        let callee = Callee {
            tenant: self.tenant,
            target: &self.target,
            guard: Guard::Public,
        };
        match self.bots.calls.make(&callee, call).await {
            Ok(answer) => Ok(answer),
            Err(NotAnswered::Spared(_)) => Err(Failure::Silent("busy")),
            Err(NotAnswered::Failed(error)) => {
                tracing::info!(bot = %self.bot.id, detail = error.detail(), "bot not reached");
                Err(Failure::Silent(error.class().word()))
            }
        }
    }

    /// Other credentials are another version of the bot.
    fn key(&self) -> String {
        format!("{}@{}", self.bot.id, self.bot.version)
    }
}
