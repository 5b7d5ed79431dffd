//! A machine with a hand that plays its server.

use serde_json::{Value, json};

use crate::model::Millis;
use crate::protocol::bayeux::{Client, Exchange, Input, Output};

/// A request of the machine.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    pub(super) exchange: Exchange,
    pub(super) path: &'static str,
    pub(super) body: Value,
    pub(super) at: Millis,
}

/// The machine, its clock, and all it said.
pub(super) struct Scripted {
    pub(super) client: Client,
    pub(super) now: Millis,
    pub(super) random: u64,
    /// Requests without an answer.
    pub(super) open: Vec<Sent>,
    /// Everything else it said, in order.
    pub(super) said: Vec<Output>,
    pub(super) wait: Option<Millis>,
    /// Every request.
    pub(super) history: Vec<Sent>,
}

impl Scripted {
    pub(super) fn new(channels: &[&str]) -> Self {
        let now = Millis(1_000);
        let mut scripted = Self {
            client: Client::new(channels, now),
            now,
            random: 0,
            open: Vec::new(),
            said: Vec::new(),
            wait: None,
            history: Vec::new(),
        };
        scripted.tell(Input::Timer);
        scripted
    }

    /// A session on `/a` with its subscription made and a connect on its way.
    pub(super) fn connected(acks: bool) -> Self {
        let mut it = Self::new(&["/a"]);
        it.shake(acks);
        it.answer(
            "/subscribe",
            |_| json!({"channel": "/meta/subscribe", "subscription": "/a", "successful": true}),
        );
        it.answer(
            "/connect",
            |_| json!({"channel": "/meta/connect", "successful": true}),
        );
        it.said.clear();
        it
    }

    pub(super) fn shake(&mut self, acks: bool) {
        self.answer("/handshake", |_| {
            json!({"channel": "/meta/handshake", "successful": true, "clientId": "c1", "version": "1.0",
                "supportedConnectionTypes": ["long-polling"], "ext": {"ack": acks},
                "advice": {"reconnect": "retry", "interval": 0, "timeout": 30_000}})
        });
    }

    pub(super) fn tell(&mut self, input: Input<'_>) {
        self.random = self
            .random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let told = self.client.step(input, self.now, self.random);
        self.wait = None;
        for output in told {
            match output {
                Output::Send {
                    exchange, path, body, ..
                } => {
                    let sent = Sent {
                        exchange,
                        path,
                        body: serde_json::from_slice(&body).unwrap(),
                        at: self.now,
                    };
                    self.history.push(sent.clone());
                    self.open.push(sent);
                }
                Output::WaitUntil(at) => self.wait = Some(at),
                other => self.said.push(other),
            }
        }
    }

    pub(super) fn take(&mut self, path: &str) -> Sent {
        let at = self.open.iter().position(|sent| sent.path == path);
        self.open
            .remove(at.unwrap_or_else(|| panic!("no {path} is on its way: {:?}", self.open)))
    }

    /// Answers the request to `path` with one reply, which gets its id.
    pub(super) fn answer(&mut self, path: &str, reply: impl Fn(&Sent) -> Value) {
        self.answer_all(path, |sent| vec![reply(sent)]);
    }

    /// Answers with several messages; meta replies without an id get that of the request.
    pub(super) fn answer_all(&mut self, path: &str, reply: impl Fn(&Sent) -> Vec<Value>) {
        let sent = self.take(path);
        let mut messages = reply(&sent);
        for message in &mut messages {
            let meta = message["channel"]
                .as_str()
                .is_some_and(|channel| channel.starts_with("/meta/"));
            if meta && message.get("id").is_none() {
                message["id"] = sent.body[0]["id"].clone();
            }
        }
        let body = Value::Array(messages).to_string();
        self.tell(Input::Answer {
            exchange: sent.exchange,
            body: body.as_bytes(),
        });
    }

    pub(super) fn fail(&mut self, path: &str) {
        let sent = self.take(path);
        self.tell(Input::Failed {
            exchange: sent.exchange,
            retry_after: None,
        });
    }

    /// Lets time pass.
    pub(super) fn pass(&mut self, ms: u64) {
        self.now = self.now.plus(ms);
        self.tell(Input::Timer);
    }

    /// Lets time pass until the machine wants something.
    pub(super) fn wait(&mut self) {
        let at = self.wait.expect("the machine waits for a time");
        self.now = self.now.max(at);
        self.tell(Input::Timer);
    }

    pub(super) fn delivered(&self) -> Vec<&str> {
        let data = self.said.iter().filter_map(|output| match output {
            Output::Deliver { data, .. } => Some(data.as_str()),
            _ => None,
        });
        data.collect()
    }
}

pub(super) fn connected(batch: Option<u64>) -> Value {
    let mut reply = json!({"channel": "/meta/connect", "successful": true});
    if let Some(batch) = batch {
        reply["ext"] = json!({"ack": batch});
    }
    reply
}

pub(super) fn event(channel: &str, n: u64) -> Value {
    json!({"channel": channel, "data": n})
}
