//! Callbacks of text-message aggregators, signed as they sign: texts by Twilio, batches by Infobip, repeats, and forgeries.

use std::collections::VecDeque;

use anyhow::Result;
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use serde_json::json;

/// What providers call the server by; part of what they sign.
pub const PUBLIC: &str = "https://digital.example.com";
const TWILIO: &str = "/nexus/v3/aggregators/twilio/ch-load-twilio/inbound";
const INFOBIP: &str = "/nexus/v3/aggregators/infobip/ch-load-infobip/inbound";
const TOKEN: &str = "load-auth-token";
const PAIR: &str = "load:load-password";
/// Messages of one batch.
pub const BATCH: u64 = 5;
/// A repeat is of one of the last so many.
const RECENT: usize = 256;

/// The channels that the callbacks are for, as a file to provision.
pub const TENANT: &str = r#"
[[tenant]]
ccid = "7c1c0f0e-52a1-4a0b-9f38-1c2d3e4f5a6b"
sid = "dev"
name = "Load"

[[tenant.queues]]
name = "load.inbound"

[[tenant.endpoints]]
name = "load-texts"
stream = "async"
mediaType = "sms"
queue = "load.inbound"

[[tenant.channels]]
id = "ch-load-twilio"
name = "Load by Twilio"
media = "sms"
provider = "twilio"
address = "+12025550199"
endpoint = "load-texts"
secret = "load-auth-token"

[[tenant.channels]]
id = "ch-load-infobip"
name = "Load by Infobip"
media = "sms"
provider = "infobip"
address = "+12025550198"
endpoint = "load-texts"
secret = "load:load-password"
"#;

/// What a callback is meant to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It brings something new.
    New,
    /// It was sent before.
    Repeat,
    /// Its signature is none.
    Forged,
}

/// One callback, ready to be sent.
#[derive(Debug, Clone)]
pub struct Callback {
    /// What it is meant to do.
    pub kind: Kind,
    /// Messages in it.
    pub messages: u64,
    path: &'static str,
    credential: (&'static str, String),
    content_type: &'static str,
    body: Bytes,
}

impl Callback {
    /// As an HTTP request.
    pub fn request(&self) -> Result<Request<Full<Bytes>>> {
        let (name, value) = &self.credential;
        Ok(Request::post(self.path)
            .header(HOST, "localhost")
            .header(CONTENT_TYPE, self.content_type)
            .header(*name, value)
            .body(Full::new(self.body.clone()))?)
    }
}

/// Of a hundred callbacks, how many are of which kind.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct Shares {
    /// Callbacks of a hundred that were sent before.
    #[arg(long, default_value_t = 5)]
    pub repeats: u64,
    /// Callbacks of a hundred with a wrong signature.
    #[arg(long, default_value_t = 5)]
    pub forged: u64,
    /// Callbacks of a hundred that are JSON batches of five messages; the others are forms with one.
    #[arg(long, default_value_t = 10)]
    pub batches: u64,
}

/// An endless mix.
pub struct Mix {
    shares: Shares,
    /// The first customer, and how many.
    first: u64,
    customers: u64,
    key: hmac::Key,
    basic: String,
    next: u64,
    message: u64,
    recent: VecDeque<Callback>,
}

impl Mix {
    /// A mix of so many customers.
    pub fn new(shares: Shares, customers: u64) -> Self {
        Self {
            shares,
            first: 0,
            customers: customers.max(1),
            key: hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, TOKEN.as_bytes()),
            basic: format!("Basic {}", STANDARD.encode(PAIR)),
            next: 0,
            message: 0,
            recent: VecDeque::with_capacity(RECENT),
        }
    }

    /// From now on so many customers write, one after another, from the `first` on.
    pub fn turn_to(&mut self, first: u64, customers: u64) {
        (self.first, self.customers) = (first, customers.max(1));
    }

    /// A customer's first message.
    pub fn first(&mut self, customer: u64) -> Callback {
        let id = self.message();
        self.remember(self.text(id, customer))
    }

    /// The next callback of the mix.
    pub fn next(&mut self) -> Callback {
        self.next += 1;
        // 37 has no factor in common with 100: each hundred holds every number once, and no kind comes in a block.
        let at = self.next * 37 % 100;
        let Shares {
            repeats,
            forged,
            batches,
        } = self.shares;
        if at < forged {
            let id = self.message();
            let mut callback = self.text(id, id);
            callback.kind = Kind::Forged;
            callback.credential.1 = STANDARD.encode([7; 20]);
            return callback;
        }
        if at < forged + repeats {
            // Not the newest: a provider comes again when its first try is over.
            if let Some(before) = self.recent.front() {
                return Callback {
                    kind: Kind::Repeat,
                    ..before.clone()
                };
            }
        }
        let id = self.message();
        let callback = if at < forged + repeats + batches {
            self.message += BATCH - 1;
            self.batch(id)
        } else {
            self.text(id, id)
        };
        self.remember(callback)
    }

    /// The newest that brought something new, newest first.
    pub fn newest(&self) -> impl Iterator<Item = Callback> {
        self.recent.iter().rev().map(|before| Callback {
            kind: Kind::Repeat,
            ..before.clone()
        })
    }

    fn message(&mut self) -> u64 {
        self.message += 1;
        self.message
    }

    fn remember(&mut self, callback: Callback) -> Callback {
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(callback.clone());
        callback
    }

    /// Twilio: a form, signed over the address and the fields in order of their names.
    fn text(&self, id: u64, customer: u64) -> Callback {
        let from = address(self.first + customer % self.customers);
        let sid = format!("SM{id:032x}");
        let words = words(id);
        let mut signed = format!("{PUBLIC}{TWILIO}");
        for (name, value) in [
            ("AccountSid", "AC1"),
            ("Body", words.as_str()),
            ("From", from.as_str()),
            ("MessageSid", sid.as_str()),
            ("NumMedia", "0"),
            ("To", "+12025550199"),
        ] {
            signed.push_str(name);
            signed.push_str(value);
        }
        let signature = hmac::sign(&self.key, signed.as_bytes());
        let body = format!(
            "MessageSid={sid}&AccountSid=AC1&From=%2B{}&To=%2B12025550199&Body={}&NumMedia=0",
            &from[1..],
            words.replace(' ', "+")
        );
        Callback {
            kind: Kind::New,
            messages: 1,
            path: TWILIO,
            credential: ("x-twilio-signature", STANDARD.encode(signature.as_ref())),
            content_type: "application/x-www-form-urlencoded",
            body: body.into(),
        }
    }

    /// Infobip: JSON with several messages.
    fn batch(&self, id: u64) -> Callback {
        let results: Vec<_> = (id..id + BATCH)
            .map(|id| {
                let from = address(self.first + id % self.customers);
                let words = words(id);
                json!({"messageId": format!("ib-{id}"), "from": &from[1..], "to": "12025550198", "text": words, "cleanText": words,
                       "keyword": "", "receivedAt": "2026-01-01T00:00:00.000+0000", "smsCount": 1})
            })
            .collect();
        let body = json!({"results": results, "messageCount": BATCH, "pendingMessageCount": 0});
        Callback {
            kind: Kind::New,
            messages: BATCH,
            path: INFOBIP,
            credential: (AUTHORIZATION.as_str(), self.basic.clone()),
            content_type: "application/json",
            body: body.to_string().into(),
        }
    }
}

fn address(customer: u64) -> String {
    format!("+1303{customer:07}")
}

fn words(id: u64) -> String {
    format!("Where is my order {id} and when will it be delivered to my door please")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mix_has_its_shares() {
        let shares = Shares {
            repeats: 5,
            forged: 4,
            batches: 10,
        };
        let mut mix = Mix::new(shares, 10);
        mix.first(0);
        let all: Vec<Callback> = (0..1_000).map(|_| mix.next()).collect();
        let count = |kind| all.iter().filter(|callback| callback.kind == kind).count();
        assert_eq!((count(Kind::Forged), count(Kind::Repeat)), (40, 50));
        assert_eq!(
            all.iter()
                .filter(|one| one.kind == Kind::New && one.messages == BATCH)
                .count(),
            100
        );
    }

    #[test]
    fn a_form_is_signed_over_what_it_says() {
        let mix = Mix::new(
            Shares {
                repeats: 0,
                forged: 0,
                batches: 0,
            },
            10,
        );
        let (one, other) = (mix.text(1, 1), mix.text(2, 1));
        assert_ne!(one.credential.1, other.credential.1);
        assert_eq!(one.credential.1, mix.text(1, 1).credential.1);
    }
}
