//! A virus scanner between every upload and whoever may open it. It is clamd itself with a signature of ours, and for what it cannot be made
//! to do a stand-in that speaks its protocol and shares no code with the product.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::support::clamd::{PLANTED, RealClamd};
use crate::support::whole::Whole;

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
