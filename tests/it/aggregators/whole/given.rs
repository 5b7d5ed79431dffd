//! A node with numbers and mailboxes of two tenants, over either store, that can be killed and started again.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::process::get;
use crate::support::provisioned::provision;
use crate::support::python::ask;
use crate::support::receiver::{Receiver, Say, Seen};
use crate::support::redis::RedisServer;
use crate::support::whole::Whole;

/// What providers call us by.
pub(crate) const PUBLIC: &str = "https://digital.example.com";

pub(super) const CUSTOMER: &str = "+12025550147";
pub(super) const OTHER_CUSTOMER: &str = "+12025550148";
pub(crate) const TWILIO_TOKEN: &str = "planted-twilio-auth-token";
pub(super) const FOREIGN_TOKEN: &str = "planted-foreign-auth-token";
pub(super) const INFOBIP_PAIR: &str = "infobip:planted-password";
pub(super) const MAILGUN_KEY: &str = "planted-mailgun-signing-key";
pub(crate) const FORM: &str = "application/x-www-form-urlencoded";

/// Two tenants in one file: one with a number at Twilio, one at Infobip and a mailbox at Mailgun; one with a number at Twilio.
const TENANTS: &str = r#"
[[tenant]]
ccid = "7c1c0f0e-52a1-4a0b-9f38-1c2d3e4f5a6b"
sid = "dev"
name = "Development"
staticAgentTokens = true

[[tenant.endpoints]]
name = "texts"
stream = "async"
mediaType = "sms"
queue = "chat.inbound"

[[tenant.endpoints]]
name = "mails"
stream = "async"
mediaType = "email"
queue = "chat.inbound"

[[tenant.services]]
name = "Twilio"
kind = "sms"
provider = "twilio"
url = "{provider}"
credentials = '{"accountSid": "AC1", "authToken": "planted-twilio-auth-token"}'

[[tenant.channels]]
id = "ch-twilio"
name = "Shop by text"
media = "sms"
provider = "twilio"
address = "+12025550199"
serviceId = "Twilio"
endpoint = "texts"
secret = "planted-twilio-auth-token"
retryTimeoutMs = 200
{twilio}

[[tenant.channels]]
id = "ch-infobip"
name = "Shop by text abroad"
media = "sms"
provider = "infobip"
address = "+12025550198"
endpoint = "texts"
webhookUrl = "{provider}"
secret = "infobip:planted-password"
credentials = "planted-infobip-key"
retryTimeoutMs = 200

[[tenant.channels]]
id = "ch-mailgun"
name = "Shop"
media = "email"
provider = "mailgun"
address = "help@shop.example"
endpoint = "mails"
webhookUrl = "{provider}"
secret = "planted-mailgun-signing-key"
credentials = "planted-mailgun-key"
retryTimeoutMs = 200
{mailgun}

{more}

[[tenant]]
ccid = "11111111-52a1-4a0b-9f38-1c2d3e4f5a6b"
sid = "other"
name = "Other"

[[tenant.queues]]
name = "all"

[[tenant.endpoints]]
name = "texts"
stream = "async"
mediaType = "sms"
queue = "all"

[[tenant.channels]]
id = "ch-foreign"
name = "Foreign"
media = "sms"
provider = "twilio"
address = "+12025550188"
endpoint = "texts"
secret = "planted-foreign-auth-token"
"#;

/// Where the log lives.
pub(super) enum Store {
    Embedded,
    Redis(Box<RedisServer>),
}

/// What a test adds to the tenants: lines of the channels, and more objects of the first tenant.
#[derive(Default)]
pub(super) struct More<'m> {
    pub(super) twilio: &'m str,
    pub(super) mailgun: &'m str,
    pub(super) objects: &'m str,
}

/// The tenants' numbers behind a node that can be killed.
pub(super) struct Site {
    pub(super) whole: Option<Whole>,
    pub(super) store: Store,
    pub(super) settings: Vec<String>,
    pub(super) provider: Receiver,
    logs: String,
    _data: TempDir,
}

impl Site {
    /// A node on the embedded default.
    pub(super) fn embedded(judge: fn(&Seen) -> Say) -> Self {
        Self::new(Store::Embedded, judge, &More::default())
    }

    /// A node on Redis.
    pub(super) fn on_redis(judge: fn(&Seen) -> Say) -> Self {
        Self::new(redis(), judge, &More::default())
    }

    pub(super) fn new(
        store: Store,
        judge: impl Fn(&Seen) -> Say + Send + Sync + 'static,
        more: &More<'_>,
    ) -> Self {
        let provider = Receiver::judging(judge);
        let data = tempfile::tempdir().unwrap();
        let tenants = TENANTS
            .replace("{twilio}", more.twilio)
            .replace("{mailgun}", more.mailgun)
            .replace("{more}", more.objects)
            .replace("{provider}", &provider.url(""));
        let mut settings = vec![
            format!("store.data_dir={}", data.path().display()),
            format!("listen.public.url={PUBLIC}"),
        ];
        if let Store::Redis(redis) = &store {
            settings.push("store.mode=redis".to_owned());
            settings.push(format!("store.redis.urls={}", redis.url()));
        }
        provision(data.path(), &settings[..1], &tenants);
        let mut site = Self {
            whole: None,
            store,
            settings,
            provider,
            logs: String::new(),
            _data: data,
        };
        site.start();
        site
    }

    pub(super) fn start(&mut self) {
        let settings: Vec<&str> = self.settings.iter().map(String::as_str).collect();
        self.whole = Some(Whole::start(&settings));
    }

    /// `kill -9`, and a new process on the same store.
    pub(super) fn crash(&mut self) {
        self.kill();
        self.start();
    }

    /// `kill -9`.
    pub(super) fn kill(&mut self) {
        if let Some(whole) = self.whole.take() {
            self.logs.push_str(&whole.nexus.kept_log());
        }
    }

    pub(super) fn node(&self) -> &Whole {
        self.whole.as_ref().expect("a node that runs")
    }

    /// Posts a callback; `path` with its query.
    pub(super) fn post(&self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> u16 {
        self.node().send("POST", path, headers, body).0
    }

    /// A counter of the node, summed over the series that have all of these labels.
    pub(super) fn counted(&self, metric: &str, labels: &[&str]) -> u64 {
        let page = get(self.node().admin, "/metrics").1;
        let ours = page.lines().filter(|line| {
            line.strip_prefix(metric)
                .is_some_and(|rest| rest.starts_with(['{', ' ']))
                && labels.iter().all(|label| line.contains(label))
        });
        ours.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .map(|value| format!("{value:.0}").parse::<u64>().unwrap())
            .sum()
    }

    /// Kills the node; nothing that only customers, agents and providers may know was in any log of it.
    pub(super) fn logs_hold_none_of(mut self, secrets: &[&str]) {
        self.kill();
        assert!(self.logs.contains("listening"), "no log was kept");
        let usual = [
            TWILIO_TOKEN,
            FOREIGN_TOKEN,
            INFOBIP_PAIR,
            MAILGUN_KEY,
            &CUSTOMER[1..],
            &OTHER_CUSTOMER[1..],
            "lanted",
        ];
        for secret in secrets.iter().chain(&usual) {
            let line = self.logs.lines().find(|line| line.contains(secret));
            assert_eq!(line, None, "the log holds {secret}");
        }
    }
}

pub(super) fn redis() -> Store {
    Store::Redis(Box::new(RedisServer::start()))
}

/// A form, encoded by hand: no code of the product.
pub(super) fn form(fields: &Value) -> String {
    let pairs = fields.as_object().unwrap().iter();
    let pairs = pairs.map(|(name, value)| format!("{}={}", escaped(name), escaped(value.as_str().unwrap())));
    pairs.collect::<Vec<_>>().join("&")
}

fn escaped(text: &str) -> String {
    let each = text.bytes().map(|byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    });
    each.collect()
}

/// The fields of a form; a name twice ends the test.
pub(crate) fn fields(form: &[u8]) -> BTreeMap<String, String> {
    let text = std::str::from_utf8(form).unwrap();
    let mut fields = BTreeMap::new();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').expect("name and value");
        let before = fields.insert(plain(name), plain(value));
        assert_eq!(before, None, "{name} twice");
    }
    fields
}

fn plain(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [rest.next().unwrap(), rest.next().unwrap()];
                u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
            }
            other => other,
        });
    }
    String::from_utf8(bytes).unwrap()
}

/// A callback of Twilio's with the signature of Twilio's own package.
#[derive(Clone)]
pub(crate) struct Signed {
    pub(crate) path: String,
    pub(crate) body: String,
    pub(crate) signature: String,
}

impl Signed {
    pub(super) fn post(&self, site: &Site) -> u16 {
        let headers = [("content-type", FORM), ("x-twilio-signature", &self.signature)];
        site.post(&self.path, &headers, self.body.as_bytes())
    }
}

/// Lets Twilio's package sign callbacks: (secret, path with its query, fields).
pub(crate) fn twilio_signs(callbacks: &[(&str, &str, Value)]) -> Vec<Signed> {
    let questions = callbacks.iter().map(|(secret, path, fields)| {
        json!({"do": "twilio_sign", "secret": secret, "url": format!("{PUBLIC}{path}"), "fields": fields})
    });
    let signatures = ask("aggregators/sms.py", &questions.collect());
    let signatures = signatures.as_array().unwrap().iter();
    callbacks
        .iter()
        .zip(signatures)
        .map(|((_, path, fields), signature)| Signed {
            path: (*path).to_owned(),
            body: form(fields),
            signature: signature.as_str().unwrap().to_owned(),
        })
        .collect()
}

/// A text as Twilio tells it.
pub(crate) fn text(sid: &str, from: &str, body: &str) -> Value {
    json!({"MessageSid": sid, "AccountSid": "AC1", "From": from, "To": "+12025550199", "Body": body, "NumMedia": "0"})
}

pub(crate) const INBOUND: &str = "/nexus/v3/aggregators/twilio/ch-twilio/inbound";

/// Twilio's interface: takes what its documentation lists and nothing else.
pub(crate) fn twilio(seen: &Seen) -> Say {
    use base64::Engine as _;
    let pair = base64::engine::general_purpose::STANDARD.encode(format!("AC1:{TWILIO_TOKEN}"));
    let refuse = |code: u32, message: &str| {
        let said = json!({"code": code, "message": message, "status": 400, "more_info": ""});
        Say::json(400, &said.to_string())
    };
    if seen.header("authorization") != format!("Basic {pair}") {
        return Say::json(401, r#"{"code":20003,"message":"Authenticate"}"#);
    }
    if (seen.method.as_str(), seen.path.as_str()) != ("POST", "/2010-04-01/Accounts/AC1/Messages.json") {
        return Say::json(404, r#"{"code":20404,"message":"not found"}"#);
    }
    if seen.header("content-type") != FORM {
        return refuse(20001, "not a form");
    }
    let fields = fields(&seen.body);
    let known = ["To", "From", "Body", "StatusCallback"];
    if let Some(odd) = fields.keys().find(|name| !known.contains(&name.as_str())) {
        return refuse(20001, &format!("unknown field {odd}"));
    }
    if fields.len() != known.len() || fields["From"] != "+12025550199" {
        return refuse(21603, "a field is missing");
    }
    // The same message has the same id, as if it knew.
    let ours = fields["StatusCallback"].rsplit('=').next().unwrap();
    Say::json(
        201,
        &json!({"sid": format!("SM-{ours}"), "status": "queued"}).to_string(),
    )
}
