//! A peer of ours that takes HTTP requests: keeps what it was sent and answers as it was told. It shares no code with the product.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(40);

/// One request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) path: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map_or("", |(_, value)| value)
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// What to answer.
#[derive(Debug, Clone)]
pub(crate) struct Say {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
    manner: Manner,
}

/// How it is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    Plainly,
    /// Not at all, until the other side has had enough.
    Never,
    /// The head, and then a byte now and then, until the other side has had enough.
    InDrops,
    /// The connection is reset.
    Reset,
    /// Something that is not HTTP.
    Garbled,
}

impl Say {
    pub(crate) fn json(status: u16, body: &str) -> Self {
        Self {
            status,
            headers: vec![("content-type", "application/json".to_owned())],
            body: body.to_owned(),
            manner: Manner::Plainly,
        }
    }

    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    pub(crate) fn never() -> Self {
        Self::as_if(Manner::Never)
    }

    pub(crate) fn in_drops() -> Self {
        Self::as_if(Manner::InDrops)
    }

    pub(crate) fn reset() -> Self {
        Self::as_if(Manner::Reset)
    }

    pub(crate) fn garbled() -> Self {
        Self::as_if(Manner::Garbled)
    }

    fn as_if(manner: Manner) -> Self {
        Self {
            manner,
            ..Self::json(200, "")
        }
    }
}

/// What a request is answered with.
type Judge = dyn Fn(&Seen) -> Say + Send + Sync;

#[derive(Default)]
struct Book {
    seen: Mutex<Vec<Seen>>,
    script: Mutex<VecDeque<Say>>,
    changed: Condvar,
}

/// A running receiver.
pub(crate) struct Receiver {
    pub(crate) addr: SocketAddr,
    book: Arc<Book>,
}

impl Receiver {
    /// Answers every request with `usual`, unless a script says otherwise.
    pub(crate) fn start(usual: Say) -> Self {
        Self::judging(move |_| usual.clone())
    }

    /// Answers every request as `judge` says, unless a script says otherwise.
    pub(crate) fn judging(judge: impl Fn(&Seen) -> Say + Send + Sync + 'static) -> Self {
        let judge: Arc<Judge> = Arc::new(judge);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let book = Arc::<Book>::default();
        let shared = Arc::clone(&book);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (book, judge) = (Arc::clone(&shared), Arc::clone(&judge));
                std::thread::spawn(move || serve(stream, &book, &*judge));
            }
        });
        Self { addr, book }
    }

    /// The next answers, in order; after them the usual one.
    pub(crate) fn script(&self, answers: impl IntoIterator<Item = Say>) {
        self.book.script.lock().unwrap().extend(answers);
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    /// Waits until it has seen `count` requests in all.
    pub(crate) fn seen(&self, count: usize) -> Vec<Seen> {
        let deadline = Instant::now() + PATIENCE;
        let mut seen = self.book.seen.lock().unwrap();
        while seen.len() < count {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero(),
                "only {} of {count} requests came: {seen:?}",
                seen.len()
            );
            (seen, _) = self.book.changed.wait_timeout(seen, left).unwrap();
        }
        seen.clone()
    }

    pub(crate) fn count(&self) -> usize {
        self.book.seen.lock().unwrap().len()
    }
}

fn serve(stream: TcpStream, book: &Book, judge: &Judge) -> Option<()> {
    let mut writer = stream.try_clone().ok()?;
    let mut reader = BufReader::new(stream);
    loop {
        let seen = read(&mut reader)?;
        let scripted = book.script.lock().unwrap().pop_front();
        let say = scripted.unwrap_or_else(|| judge(&seen));
        book.seen.lock().unwrap().push(seen);
        book.changed.notify_all();
        if say.manner != Manner::Plainly {
            return misbehave(say.manner, writer, &mut reader);
        }
        let mut answer = format!(
            "HTTP/1.1 {} -\r\ncontent-length: {}\r\n",
            say.status,
            say.body.len()
        );
        for (name, value) in &say.headers {
            answer.push_str(&format!("{name}: {value}\r\n"));
        }
        answer.push_str("\r\n");
        answer.push_str(&say.body);
        writer.write_all(answer.as_bytes()).ok()?;
    }
}

/// Answers as no peer should, until the connection is over.
fn misbehave(manner: Manner, mut writer: TcpStream, reader: &mut BufReader<TcpStream>) -> Option<()> {
    match manner {
        Manner::Plainly => {}
        // Until the other side closes.
        Manner::Never => drop(reader.read(&mut [0])),
        Manner::InDrops => {
            writer
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10000\r\n\r\n")
                .ok()?;
            writer.set_read_timeout(Some(Duration::from_millis(200))).ok()?;
            while reader
                .read(&mut [0])
                .is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
            {
                writer.write_all(b"x").ok()?;
            }
        }
        Manner::Reset => {
            socket2::SockRef::from(&writer)
                .set_linger(Some(Duration::ZERO))
                .ok()?;
        }
        Manner::Garbled => writer.write_all(b"SSH-2.0-planted\r\n\r\n").ok()?,
    }
    None
}

fn read(reader: &mut BufReader<TcpStream>) -> Option<Seen> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let mut words = line.split_whitespace();
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length: usize = length.map_or(Some(0), |(_, value)| value.parse().ok())?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Seen {
        method,
        path,
        headers,
        body,
    })
}
