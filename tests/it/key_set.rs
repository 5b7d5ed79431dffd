//! The auth service's key set over the network: fetched, rotated, withheld, spoilt. Never a false entry, never a needless refusal.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};

use crate::net_client::issued::Authority;
use crate::support::part::eventually;
use crate::support::process::Nexus;
use crate::support::whole::{CCID, send};

const ISSUER: &str = "https://auth.example.com";

/// What the stand-in does with whoever connects.
#[derive(Clone)]
enum Mood {
    /// Answers with this body.
    Says(u16, String),
    /// Hangs up before TLS.
    Away,
    /// Shows a certificate nobody here believes, and would answer with this.
    Posing(String),
}

/// A stand-in for the auth service.
#[derive(Clone)]
struct Service {
    addr: SocketAddr,
    mood: Arc<Mutex<(Mood, usize)>>,
}

impl Service {
    fn start(good: ServerConfig, posing: ServerConfig) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let service = Self {
            addr: listener.local_addr().unwrap(),
            mood: Arc::new(Mutex::new((Mood::Away, 0))),
        };
        let (serving, configs) = (service.clone(), [Arc::new(good), Arc::new(posing)]);
        std::thread::spawn(move || {
            for tcp in listener.incoming().map_while(Result::ok) {
                let mood = {
                    let mut mood = serving.mood.lock().unwrap();
                    mood.1 += 1;
                    mood.0.clone()
                };
                let (config, status, body) = match mood {
                    Mood::Away => continue,
                    Mood::Says(status, body) => (&configs[0], status, body),
                    Mood::Posing(body) => (&configs[1], 200, body),
                };
                // Whoever does not like what is said hangs up.
                let _ = answer(tcp, config, status, &body);
            }
        });
        service
    }

    /// Changes what it does.
    fn now(&self, mood: Mood) {
        self.mood.lock().unwrap().0 = mood;
    }

    fn publishes(&self, keys: &[&Key]) {
        self.now(Mood::Says(200, set(keys)));
    }

    /// How often it was asked.
    fn asked(&self) -> usize {
        self.mood.lock().unwrap().1
    }
}

fn answer(tcp: TcpStream, config: &Arc<ServerConfig>, status: u16, body: &str) -> std::io::Result<()> {
    tcp.set_read_timeout(Some(Duration::from_secs(5)))?;
    let session = ServerConnection::new(Arc::clone(config)).unwrap();
    let mut tls = StreamOwned::new(session, tcp);
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        tls.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    assert!(
        head.starts_with(b"GET /keys HTTP/1.1\r\n"),
        "{}",
        String::from_utf8_lossy(&head)
    );
    let length = body.len();
    write!(
        tls,
        "HTTP/1.1 {status} x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    )?;
    tls.flush()
}

/// A signing key of the auth service.
struct Key {
    kid: &'static str,
    key: EncodingKey,
    jwk: Value,
}

impl Key {
    fn new(kid: &'static str) -> Self {
        let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        let key = EncodingKey::from_ec_der(&pair.serialize_der());
        let mut jwk = Jwk::from_encoding_key(&key, Algorithm::ES256).unwrap();
        jwk.common.key_id = Some(kid.to_owned());
        let jwk = serde_json::to_value(jwk).unwrap();
        Self { kid, key, jwk }
    }

    /// A token of the agent Alice.
    fn token(&self) -> String {
        sign(self.kid, Algorithm::ES256, &self.key)
    }
}

fn set(keys: &[&Key]) -> String {
    let keys: Vec<&Value> = keys.iter().map(|key| &key.jwk).collect();
    json!({"keys": keys}).to_string()
}

fn sign(kid: &str, algorithm: Algorithm, key: &EncodingKey) -> String {
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let claims = json!({"iss": ISSUER, "aud": "nexus", "exp": now + 600, "sub": "u-1",
        "contact_center_id": CCID, "user_name": "alice"});
    let header = Header {
        kid: Some(kid.to_owned()),
        ..Header::new(algorithm)
    };
    encode(&header, &claims, key).unwrap()
}

/// The least time between two fetches in these tests.
const COOLDOWN: Duration = Duration::from_millis(100);

fn node(service: &Service, authority: &Authority, settings: &[&str]) -> Nexus {
    let own = [
        format!("auth.jwks_url=https://localhost:{}/keys", service.addr.port()),
        format!("auth.issuer={ISSUER}"),
        format!("auth.jwks_cooldown={}ms", COOLDOWN.as_millis()),
        format!("outbound.ca_file={}", authority.file.display()),
        "limits.rates.refused=1000/s burst 1000".to_owned(),
        "store.mode=memory".to_owned(),
        "store.durability=none".to_owned(),
    ];
    let all: Vec<&str> = own
        .iter()
        .map(String::as_str)
        .chain(settings.iter().copied())
        .collect();
    let mut nexus = Nexus::start(&all);
    let admin = nexus.address("admin");
    nexus.ready(admin);
    nexus
}

/// Whether an agent with this token gets a ticket.
fn lets_in(nexus: &Nexus, token: &str) -> bool {
    let authorization = format!("Bearer {token}");
    let headers = [("authorization", authorization.as_str())];
    let (status, answer) = send(nexus.plain(), "POST", "/nexus/v3/agents/ticket", &headers, b"");
    match status {
        200 => true,
        401 => false,
        other => panic!("{other} {answer}"),
    }
}

fn service() -> (Service, Authority) {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let [good, posing] = [&authority, &stranger].map(|authority| authority.leaf("localhost").server());
    (Service::start(good, posing), authority)
}

#[test]
fn published_keys_are_fetched_rotated_and_withdrawn_while_the_node_runs() {
    let (service, authority) = service();
    let [first, second] = ["k1", "k2"].map(Key::new);
    // The service is away while the node starts: nobody comes in by its tokens, and everything else works.
    let nexus = node(&service, &authority, &["outbound.peers=localhost"]);
    assert!(!lets_in(&nexus, &first.token()));
    service.publishes(&[&first]);
    let patience = Duration::from_secs(20);
    eventually("the first key", patience, || lets_in(&nexus, &first.token()));
    assert!(!lets_in(&nexus, &second.token()));

    // A new key is taken at once, with the very request that names it.
    service.publishes(&[&first, &second]);
    let (began, asked) = (Instant::now(), service.asked());
    eventually("the cooldown to pass", patience, || {
        began.elapsed() > COOLDOWN * 2
    });
    assert!(
        lets_in(&nexus, &second.token()),
        "refused while its key was published"
    );
    assert!(lets_in(&nexus, &first.token()));
    assert!(service.asked() > asked);

    // A key that is no longer published ends, as soon as anything makes the node look.
    service.publishes(&[&second]);
    eventually("the end of the first key", patience, || {
        let _ = lets_in(&nexus, &Key::new("unheard-of").token());
        !lets_in(&nexus, &first.token())
    });
    assert!(lets_in(&nexus, &second.token()));
}

#[test]
fn no_outage_and_no_answer_lets_anybody_in_or_turns_a_good_token_away() {
    let (service, authority) = service();
    let [good, other] = ["good", "other"].map(Key::new);
    let nexus = node(&service, &authority, &["outbound.peers=localhost"]);
    service.publishes(&[&good]);
    let patience = Duration::from_secs(20);
    eventually("the key", patience, || lets_in(&nexus, &good.token()));

    let symmetric = json!({"keys": [{"kty": "oct", "kid": "other", "alg": "HS256", "k": "c2VjcmV0"}]});
    let huge = format!("{}{}", set(&[&other]), " ".repeat(1 << 20));
    let moods = [
        ("away", Mood::Away),
        ("an error", Mood::Says(500, set(&[&other]))),
        ("elsewhere", Mood::Says(302, set(&[&other]))),
        ("no JSON", Mood::Says(200, "<html>".to_owned())),
        ("no keys", Mood::Says(200, json!({"keys": []}).to_string())),
        ("a symmetric key", Mood::Says(200, symmetric.to_string())),
        ("a huge answer", Mood::Says(200, huge)),
        ("another's certificate", Mood::Posing(set(&[&other]))),
    ];
    for (what, mood) in moods {
        service.now(mood);
        let asked = service.asked();
        eventually("a fetch", patience, || {
            assert!(!lets_in(&nexus, &other.token()), "{what}");
            service.asked() > asked + 1
        });
        assert!(lets_in(&nexus, &good.token()), "{what}");
    }

    // Forged: by another key under a known name, with the public key as a shared secret, not at all.
    service.publishes(&[&good]);
    let public = EncodingKey::from_secret(good.jwk.to_string().as_bytes());
    let unsigned = good.token().rsplit_once('.').unwrap().0.to_owned() + ".";
    let forged = [
        sign("good", Algorithm::ES256, &other.key),
        sign("good", Algorithm::HS256, &public),
        sign("unknown", Algorithm::HS256, &public),
        unsigned,
    ];
    for token in forged {
        assert!(!lets_in(&nexus, &token), "{token}");
    }

    // Many tokens with keys that nobody knows do not become many fetches.
    let (began, asked) = (Instant::now(), service.asked());
    for n in 0..60 {
        assert!(!lets_in(
            &nexus,
            &sign(&format!("x{n}"), Algorithm::ES256, &other.key)
        ));
    }
    let allowed = began.elapsed().as_millis() / COOLDOWN.as_millis() + 2;
    let fetched = service.asked() - asked;
    assert!(
        u128::try_from(fetched).unwrap() <= allowed,
        "{fetched} fetches, {allowed} allowed"
    );
    assert!(lets_in(&nexus, &good.token()));
}

#[test]
fn an_address_inside_is_asked_only_where_it_is_listed() {
    let (service, authority) = service();
    let key = Key::new("k1");
    service.publishes(&[&key]);
    let mut nexus = node(&service, &authority, &[]);
    nexus.line("a fetch that is not made", |line| {
        let message = line["message"].as_str()?;
        message.starts_with("no newer key set").then_some(())
    });
    assert!(!lets_in(&nexus, &key.token()));
    assert_eq!(service.asked(), 0);
}
