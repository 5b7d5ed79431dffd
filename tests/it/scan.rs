//! A virus scanner between every upload and whoever may open it. It is clamd itself with a signature of ours, and for what it cannot be made
//! to do a stand-in that speaks its protocol and shares no code with the product.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::aggregators::whole::journey::takes;
use crate::net_server::on_a_core;
use crate::support::clamd::{PLANTED, RealClamd};
use crate::support::part::{eventually, hmac};
use crate::support::process::get;
use crate::support::receiver::{Receiver, Say};
use crate::support::whole::{CCID, Whole};

const PORTAL_KEY: &str = "22222222-2222-4333-8444-555555555555";
const CHAT_KEY: &str = "11111111-2222-4333-8444-555555555555";

/// The test file of the European Institute for Computer Antivirus Research, in two halves so that no scanner takes this source for it.
fn eicar() -> Vec<u8> {
    [
        r"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-STANDARD-",
        "ANTIVIRUS-TEST-FILE!$H+H*",
    ]
    .concat()
    .into_bytes()
}

/// What the stand-in does with the next files.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mood {
    Looks,
    Hangs,
    Resets,
    MeetsItsLimit,
}

struct Standin {
    addr: SocketAddr,
    mood: Arc<Mutex<Mood>>,
}

impl Standin {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let mood = Arc::new(Mutex::new(Mood::Looks));
        let shared = Arc::clone(&mood);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let mood = *shared.lock().unwrap();
                std::thread::spawn(move || look(stream, mood));
            }
        });
        Self { addr, mood }
    }

    fn is(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }
}

fn look(mut stream: TcpStream, mood: Mood) -> Option<()> {
    if mood == Mood::Resets {
        return None;
    }
    let mut command = [0; 10];
    stream.read_exact(&mut command).ok()?;
    assert_eq!(&command, b"zINSTREAM\0");
    let mut file = Vec::new();
    loop {
        let mut length = [0; 4];
        stream.read_exact(&mut length).ok()?;
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap();
        if length == 0 {
            break;
        }
        let mut chunk = vec![0; length];
        stream.read_exact(&mut chunk).ok()?;
        file.extend(chunk);
    }
    let found = file.windows(eicar().len()).any(|part| part == eicar());
    let answer = match mood {
        Mood::Looks if found => "stream: Eicar-Test-Signature FOUND\0",
        Mood::Looks => "stream: OK\0",
        Mood::MeetsItsLimit => "INSTREAM size limit exceeded. ERROR\0",
        Mood::Hangs | Mood::Resets => {
            // Until the other side has had enough.
            let _ = stream.read(&mut [0]);
            return None;
        }
    };
    stream.write_all(answer.as_bytes()).ok()
}

fn upload(whole: &Whole, path: &str, fields: &[(&str, &str)], bytes: &[u8]) -> (u16, Value) {
    let mut body =
        b"--XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\n".to_vec();
    body.extend_from_slice(bytes);
    body.extend_from_slice(b"\r\n--XX--\r\n");
    let mut headers = vec![("content-type", "multipart/form-data; boundary=XX")];
    headers.extend(fields);
    whole.send("POST", path, &headers, &body)
}

fn to_portal(whole: &Whole, bytes: &[u8]) -> (u16, Value) {
    upload(
        whole,
        "/nexus/v3/securemail/attachments",
        &[("x-api-key", PORTAL_KEY)],
        bytes,
    )
}

/// A chat, and its customer's token.
fn a_chat(whole: &Whole) -> (String, String) {
    let form = ("content-type", "application/x-www-form-urlencoded");
    let (status, answer) = whole.send(
        "POST",
        "/nexus/v3/chat/sessions",
        &[("x-api-key", CHAT_KEY), form],
        b"data[firstName]=Ann&data[endpoint]=web",
    );
    assert_eq!(status, 200, "{answer}");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (
        text(&answer["data"]["entity"]["id"]),
        text(&answer["data"]["clientToken"]),
    )
}

fn node(standin: &Standin) -> Whole {
    let clamd = format!("media.scan.clamd=tcp://{}", standin.addr);
    Whole::start(&[&clamd, "media.scan.timeout=1s"])
}

#[test]
fn an_infected_file_is_refused_wherever_it_comes_in_and_a_clean_one_is_taken() {
    let standin = Standin::start();
    let whole = node(&standin);
    let infected = [b"see: ".to_vec(), eicar()].concat();
    assert_eq!(to_portal(&whole, b"hello").0, 200);
    let (status, refused) = to_portal(&whole, &infected);
    assert_eq!(
        (status, &refused["status"]["code"]),
        (415, &json!("INVALID_FILE_TYPE")),
        "{refused}"
    );
    assert_eq!(refused["status"]["detail"], "the file is infected");

    let (session, token) = a_chat(&whole);
    let path = format!("/nexus/v3/chat/sessions/{session}/images");
    let customer = [("x-api-key", CHAT_KEY), ("x-nexus-client-key", token.as_str())];
    assert_eq!(upload(&whole, &path, &customer, b"hello").0, 200);
    let (status, refused) = upload(&whole, &path, &customer, &infected);
    assert_eq!(
        (status, &refused["status"]["code"]),
        (415, &json!("INVALID_FILE_TYPE")),
        "{refused}"
    );
    // One large enough to go in many pieces is looked at as a whole.
    let mut large = vec![b'x'; 300_000];
    large.extend(eicar());
    assert_eq!(to_portal(&whole, &large).0, 415);
    assert_eq!(to_portal(&whole, &large[..300_000]).0, 200);
}

/// Whatever connection brings it: by mail, at an address of a provider of texts or of a custom client, from that client, from an agent.
#[test]
fn an_infected_file_is_withheld_from_whichever_side_it_comes() {
    on_a_core(async {
        let standin = Standin::start();
        let whole = node(&standin);
        let infected = [b"see: ".to_vec(), eicar()].concat();
        let served = String::from_utf8(infected.clone()).unwrap();
        let files = Receiver::start(Say::json(200, &served));
        for (name, media) in [("mails", "email"), ("texts", "sms"), ("messenger", "social")] {
            let endpoint =
                json!({"name": name, "stream": "async", "mediaType": media, "queue": "chat.inbound"});
            whole.provision("endpoints", endpoint);
        }
        let hook = files.url("/hook");
        let basic = format!("Basic {}", STANDARD.encode("shop:planted-password"));
        let by_password = [
            ("authorization", basic.as_str()),
            ("content-type", "application/json"),
        ];
        let mails = whole.provision(
            "channels",
            json!({"name": "Mails", "media": "email", "provider": "postmark", "address": "two@shop.example", "endpoint": "mails",
                   "webhookUrl": hook, "secret": "shop:planted-password", "credentials": "planted-server-token"}),
        );
        let texts = whole.provision(
            "channels",
            json!({"name": "Texts", "media": "sms", "provider": "bandwidth", "address": "+12025550194", "endpoint": "texts",
                   "webhookUrl": hook, "secret": "shop:planted-password",
                   "credentials": r#"{"user": "shop", "password": "planted-bandwidth-password"}"#,
                   "config": {"accountId": "acc-1", "applicationId": "app-1"}}),
        );
        let client = whole.provision(
            "channels",
            json!({"name": "Messenger", "media": "social", "provider": "third-party", "address": "bank", "endpoint": "messenger",
                   "webhookUrl": hook, "secret": "demo-channel-secret"}),
        );
        let person = json!({"Email": "ann@customer.example", "Name": "Ann", "MailboxHash": ""});
        let file = json!({"Name": "a.txt", "ContentType": "text/plain", "ContentLength": infected.len(),
            "Content": STANDARD.encode(&infected)});
        let mail = json!({"FromName": "Ann", "From": "ann@customer.example", "FromFull": person, "To": "two@shop.example",
            "ToFull": [{"Email": "two@shop.example", "Name": "", "MailboxHash": ""}], "CcFull": [], "BccFull": [],
            "OriginalRecipient": "two@shop.example", "Subject": "Order 7", "MessageID": "73e6d360-66eb-11e1-8e72-a8904824019b",
            "Date": "Thu, 26 Nov 2026 02:00:00 +0000", "TextBody": "by mail", "Headers": [], "Attachments": [file]});
        let path = format!("/nexus/v3/aggregators/postmark/{mails}/inbound");
        assert_eq!(
            whole
                .send("POST", &path, &by_password, mail.to_string().as_bytes())
                .0,
            200
        );
        let message = json!({"id": "b-1", "owner": "+12025550194", "applicationId": "app-1", "time": "2026-11-26T02:00:00Z",
            "segmentCount": 1, "direction": "in", "to": ["+12025550194"], "from": "+12025550147", "text": "by text",
            "media": [files.url("/a.txt")]});
        let event = json!([{"type": "message-received", "time": "2026-11-26T02:00:00Z", "description": "Incoming message received",
            "to": "+12025550194", "message": message}]);
        let path = format!("/nexus/v3/aggregators/bandwidth/{texts}/inbound");
        assert_eq!(
            whole
                .send("POST", &path, &by_password, event.to_string().as_bytes())
                .0,
            200
        );
        let signed = |below: &str, kind: &str, body: &[u8]| {
            let signature = hmac("sha1", "demo-channel-secret", body);
            let headers = [
                ("x-ccid", CCID),
                ("x-hub-signature", signature.as_str()),
                ("content-type", kind),
            ];
            let path = format!("/nexus/v3/channels/{client}/{below}");
            whole.send("POST", &path, &headers, body)
        };
        let named = json!({"id": "1", "type": "RichMedia", "from": {"id": "ann", "nickname": "Ann"}, "to": {"id": "bank"},
            "text": "by a client", "attachments": [{"url": files.url("/b.txt"), "filename": "b.txt", "mimetype": "text/plain"}]});
        let (status, answer) = signed("messages", "application/json", named.to_string().as_bytes());
        assert_eq!(status, 200, "{answer}");
        let mut part =
            b"--XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\n".to_vec();
        part.extend_from_slice(&infected);
        part.extend_from_slice(b"\r\n--XX--\r\n");
        let (status, answer) = signed("media", "multipart/form-data; boundary=XX", &part);
        assert_eq!(status, 415, "{answer}");

        let mut alice = whole.agent("alice", "email").await;
        for media in ["sms", "social"] {
            alice.does("ready", json!({"media": media})).await;
        }
        let mut session = String::new();
        for _ in 0..3 {
            session = takes(&mut alice).await;
        }
        alice.hears("by mail\n\n[1 infected: withheld]").await;
        alice.hears("by text").await;
        alice.hears("by a client").await;
        let path = format!("/nexus/v3/agents/me/interactions/{session}/files");
        let bearer = [("authorization", "Bearer alice-development-token")];
        let (status, answer) = upload(&whole, &path, &bearer, &infected);
        assert_eq!(status, 415, "{answer}");
        let found = r#"nexus_media_scans_total{outcome="infected"} 5"#;
        eventually(
            "every file to be looked at",
            std::time::Duration::from_secs(30),
            || get(whole.admin, "/metrics").1.contains(found),
        );
        let files = |frame: &Value| {
            let lines = frame["messages"].as_array();
            lines.is_some_and(|lines| lines.iter().any(|line| line["file"].is_object()))
        };
        assert!(!alice.memory.seen.iter().any(files), "an agent saw one");
    });
}

#[test]
fn clamd_itself_lets_no_infected_file_through() {
    let clamd = RealClamd::start();
    let whole = Whole::start(&[&format!("media.scan.clamd=tcp://{}", clamd.addr)]);
    let planted = |before: &[u8]| [before, PLANTED, b"\n"].concat();
    let document = [
        &b"%PDF-1.4\n% "[..],
        PLANTED,
        b"\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n",
    ]
    .concat();
    let mut large = vec![b'x'; 300_000];
    for infected in [planted(b"see: "), document, planted(&large)] {
        let (status, refused) = to_portal(&whole, &infected);
        assert_eq!(
            (status, &refused["status"]["detail"]),
            (415, &json!("the file is infected")),
            "{refused}"
        );
    }
    large.extend_from_slice(&PLANTED[1..]);
    for clean in [b"hello".as_slice(), &large] {
        assert_eq!(to_portal(&whole, clean).0, 200);
    }
    drop(clamd);
    assert_eq!(to_portal(&whole, b"hello").0, 503);
}

#[test]
fn a_scanner_that_is_away_hangs_or_says_nothing_lets_no_file_through_and_nothing_else_stops() {
    let standin = Standin::start();
    let whole = node(&standin);
    for mood in [Mood::Hangs, Mood::Resets, Mood::MeetsItsLimit] {
        standin.is(mood);
        let (status, refused) = to_portal(&whole, b"hello");
        assert_eq!(status, 503, "{refused}");
    }
    // Words go on.
    a_chat(&whole);
    standin.is(Mood::Looks);
    assert_eq!(
        to_portal(&whole, b"hello").0,
        200,
        "and once it is back, files do"
    );

    let nobody = crate::support::part::free_port();
    let clamd = format!("media.scan.clamd=tcp://127.0.0.1:{nobody}");
    let alone = Whole::start(&[&clamd]);
    assert_eq!(to_portal(&alone, b"hello").0, 503);
}
