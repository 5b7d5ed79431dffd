//! A chat whose endpoints have bots in front of them.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use nexus::config::Outbound;
use nexus::egress::dispatcher::{Calls, Connection as _};
use nexus::egress::{Bots, Dispatcher};
use nexus::log::EffectId;
use nexus::model::{Notice, Target};
use nexus::net::client::{Client, ClientOptions, SystemResolver, Trust};
use nexus::provisioning::{Act, Snapshots, declare};
use nexus::runtime::Clock;
use nexus::session::Phase;
use nexus::shard::{Delivery, SessionView, Verdict};
use serde_json::Value;

use crate::support::chat::{Chat, Hold, START};
use crate::support::process::get;
use crate::support::python::Python;

use super::{array, is_note};

/// A bot: its name, its type, the path of its address, its `config`. An endpoint of its name has it in front.
pub(super) type Declared<'b> = (&'b str, &'b str, &'b str, Value);

pub(super) struct Given {
    pub(super) chat: Chat,
    providers: Python,
    bots: Rc<Bots>,
}

impl Given {
    pub(super) async fn start(bots: &[Declared<'_>]) -> Self {
        let providers = Python::start("bots/providers.py");
        let mut connection = None;
        let chat = Chat::start_reaching(|snapshots, clock| {
            let bots = Rc::new(connected(snapshots, clock));
            connection = Some(Rc::clone(&bots));
            Dispatcher {
                bots: Some(bots),
                ..Dispatcher::default()
            }
        })
        .await;
        let given = Self {
            chat,
            providers,
            bots: connection.unwrap(),
        };
        given.declare(bots, true).await;
        given
    }

    async fn declare(&self, bots: &[Declared<'_>], enabled: bool) {
        let file = declaration(&self.providers.ready, bots, enabled);
        let act = Act {
            actor: "test".to_owned(),
            at: START,
        };
        declare::apply(self.chat.provisioning.directory(), &file, &act)
            .await
            .unwrap();
    }

    pub(super) async fn switch_off(&self, bot: &str) {
        self.declare(
            &[(bot, "webhook", "/webhook", Value::Object(serde_json::Map::new()))],
            false,
        )
        .await;
    }

    pub(super) async fn view(&self, hold: &Hold) -> Arc<SessionView> {
        self.chat.shards.session_view(hold.session).await.unwrap()
    }

    /// Waits until the session shows something.
    async fn until(&self, hold: &Hold, what: &str, holds: impl Fn(&SessionView) -> bool) {
        let mut every = tokio::time::interval(Duration::from_millis(5));
        for _ in 0..6_000 {
            if holds(&*self.view(hold).await) {
                return;
            }
            every.tick().await;
        }
        let view = self.view(hold).await;
        let events: Vec<_> = view
            .tail
            .iter()
            .map(|entry| (&entry.record.event, entry.record.body.as_str()))
            .collect();
        panic!("not {what}; refused: {}; {events:#?}", self.seen()["refused"]);
    }

    pub(super) async fn said(&self, hold: &Hold, text: &str) {
        self.until(hold, text, |view| {
            view.tail.iter().any(|entry| entry.record.body.as_str() == text)
        })
        .await;
    }

    pub(super) async fn handed_over(&self, hold: &Hold, queue: &str) {
        self.until(
            hold,
            "handed over",
            |view| matches!(view.state.phase(), Phase::Waiting { place, .. } if place.queue == queue),
        )
        .await;
    }

    /// Waits until no answer is owed.
    pub(super) async fn settled(&self, hold: &Hold) {
        self.until(hold, "settled", |view| {
            view.state.outside().answered == view.state.outside().turn
        })
        .await;
    }

    /// Lets everything that is ready run.
    pub(super) async fn quiet(&self) {
        for _ in 0..200 {
            tokio::task::yield_now().await;
        }
    }

    /// What agents alone read.
    pub(super) async fn notes(&self, hold: &Hold) -> Vec<String> {
        let view = self.view(hold).await;
        let notes = view.tail.iter().filter(|entry| is_note(&entry.record.event));
        notes.map(|entry| entry.record.body.as_str().to_owned()).collect()
    }

    /// Makes the attempt at a turn once more.
    pub(super) async fn again(&self, hold: &Hold, bot: &str, turn: u64) -> Verdict {
        let delivery = Delivery {
            id: EffectId {
                log: hold.session,
                n: turn,
                place: 0,
            },
            attempt: 1,
            tenant: self.chat.development.tenant,
            target: Target::Bot(bot.to_owned()),
            notice: Notice::Turn { n: turn },
        };
        self.bots.tell(&self.chat.shards, &delivery).await
    }

    pub(super) fn seen(&self) -> Value {
        serde_json::from_str(&self.get("/seen")).unwrap()
    }

    pub(super) fn get(&self, path: &str) -> String {
        let base = array(&self.providers.ready["base"]);
        let address = base.trim_start_matches("http://").parse().unwrap();
        let (status, body) = get(address, path);
        assert_eq!(status, 200);
        body
    }
}

/// The development tenant with bots of `providers.py` and an endpoint for each.
pub(super) fn declaration(ready: &Value, bots: &[Declared<'_>], enabled: bool) -> String {
    let mut file = declare::DEVELOPMENT.to_owned();
    for (name, kind, path, config) in bots {
        let base = array(&ready["base"]);
        let credentials = match *kind {
            "webhook" => array(&ready["webhook"]),
            "lex" => array(&ready["lex"]),
            _ => array(&ready["google"]),
        };
        let config: toml::Table = serde_json::from_value(config.clone()).unwrap();
        let mut bot = toml::Table::new();
        for (key, value) in [
            ("name", toml::Value::from(*name)),
            ("type", toml::Value::from(*kind)),
            ("url", toml::Value::from(format!("{base}{path}"))),
            ("credentials", toml::Value::from(credentials)),
            ("enabled", toml::Value::from(enabled)),
            ("config", toml::Value::from(config)),
        ] {
            bot.insert(key.to_owned(), value);
        }
        file.push_str(&format!(
            "\n[[tenant.bots]]\n{}\n[[tenant.endpoints]]\nname = \"{name}\"\nstream = \"live\"\n\
             mediaType = \"chat\"\nqueue = \"chat.inbound\"\nbot = \"{name}\"\n",
            toml::to_string(&bot)
                .unwrap()
                .replace("[config]", "[tenant.bots.config]"),
        ));
    }
    file
}

/// Bots over a client that may reach this machine, as an operator allows it for developing.
fn connected(snapshots: &Snapshots, clock: &Clock) -> Bots {
    let settings = Outbound {
        allow: vec!["127.0.0.0/8".parse().unwrap()],
        ..Outbound::default()
    };
    let options = ClientOptions::new(&settings, Trust::load(&settings).unwrap(), Vec::new());
    let client = Client::new(options, SystemResolver::new(4));
    Bots::new(Calls::new(client, clock.clone()), snapshots.clone())
}
