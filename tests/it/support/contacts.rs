//! A contact service of ours, in the UCS-X form or that of release 9.1: keeps contacts and interactions, refuses what it does not
//! know, and fails as it is told. It shares no code with the product.

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::{Map, Value, json};

/// How a request fails.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// It does not.
    None,
    /// This status, and nothing done.
    Status(u16),
    /// 429 with `Retry-After: 1`.
    Busy,
    /// No answer, and nothing done.
    Silence,
    /// 200 with a page of something that stands before the service; nothing done.
    Garbage,
    /// Done, and the connection cut before the answer.
    Cut,
}

/// What it holds.
#[derive(Debug, Default, Clone)]
pub(crate) struct Held {
    /// Contacts: identifying attributes to id.
    pub(crate) contacts: BTreeMap<String, String>,
    /// Interactions by id.
    pub(crate) interactions: BTreeMap<String, Map<String, Value>>,
    /// How often an interaction was created and stopped; a repeat that changes nothing does not count.
    pub(crate) written: BTreeMap<String, u32>,
    /// Every request in order: method, path, body.
    pub(crate) seen: Vec<(String, String, Vec<u8>)>,
    /// What it refused, and why.
    pub(crate) refused: Vec<String>,
}

#[derive(Default)]
struct Book {
    held: Mutex<Held>,
    faults: Mutex<VecDeque<Fault>>,
    away: Mutex<bool>,
}

/// A running service.
pub(crate) struct Contacts {
    addr: SocketAddr,
    book: Arc<Book>,
}

impl Contacts {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let book = Arc::<Book>::default();
        let shared = Arc::clone(&book);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let book = Arc::clone(&shared);
                std::thread::spawn(move || serve(stream, &book));
            }
        });
        Self { addr, book }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// The next requests fail like this, in order.
    pub(crate) fn fail(&self, faults: impl IntoIterator<Item = Fault>) {
        self.book.faults.lock().unwrap().extend(faults);
    }

    /// Answers nothing but 503 from here on, or as usual again.
    pub(crate) fn away(&self, away: bool) {
        *self.book.away.lock().unwrap() = away;
    }

    pub(crate) fn held(&self) -> Held {
        self.book.held.lock().unwrap().clone()
    }

    /// An interaction as it is held, once it is stopped.
    pub(crate) fn stopped(&self, id: &str) -> Map<String, Value> {
        super::part::eventually(
            "the interaction to be stopped",
            std::time::Duration::from_secs(60),
            || {
                let held = self.book.held.lock().unwrap();
                let found = held.interactions.get(id);
                found.is_some_and(|interaction| interaction["state"] == "Stopped")
            },
        );
        self.held().interactions[id].clone()
    }
}

fn serve(stream: TcpStream, book: &Book) -> Option<()> {
    let mut writer = stream.try_clone().ok()?;
    let mut reader = BufReader::new(stream);
    loop {
        let (method, path, headers, body) = read(&mut reader)?;
        let fault = book.faults.lock().unwrap().pop_front();
        let away = *book.away.lock().unwrap();
        book.held
            .lock()
            .unwrap()
            .seen
            .push((method.clone(), path.clone(), body.clone()));
        let (status, answer) = match (&fault, away) {
            (_, true) => (503, "overloaded".to_owned()),
            (Some(Fault::Status(status)), _) => (*status, "{}".to_owned()),
            (Some(Fault::Busy), _) => (429, "{}".to_owned()),
            (Some(Fault::Garbage), _) => (200, "<html>Welcome</html>".to_owned()),
            (Some(Fault::Silence), _) => {
                // Until the caller gives up.
                let _ = reader.read_to_end(&mut Vec::new());
                return None;
            }
            (None | Some(Fault::None | Fault::Cut), _) => {
                let answer = handle(&mut book.held.lock().unwrap(), &method, &path, &headers, &body);
                let (status, answer) = answer.unwrap_or_else(|why| {
                    book.held.lock().unwrap().refused.push(why);
                    (400, json!({"status": {"code": 40003}}))
                });
                (status, answer.to_string())
            }
        };
        if matches!(fault, Some(Fault::Cut)) {
            return None;
        }
        let again = if status == 429 { "retry-after: 1\r\n" } else { "" };
        let length = answer.len();
        let whole = format!(
            "HTTP/1.1 {status} -\r\ncontent-type: application/json\r\n{again}content-length: {length}\r\n\r\n{answer}"
        );
        writer.write_all(whole.as_bytes()).ok()?;
    }
}

type Headers = Vec<(String, String)>;

fn handle(
    held: &mut Held,
    method: &str,
    path: &str,
    headers: &Headers,
    body: &[u8],
) -> Result<(u16, Value), String> {
    if !headers
        .iter()
        .any(|(name, value)| name == "x-ccid" && value.len() == 36)
    {
        return Err("no x-ccid".to_owned());
    }
    let body: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    match (method, path) {
        ("POST", "/ucs/v10/contacts/identify") => {
            let data = fields(&body, &["data"])?["data"].clone();
            fields(&data, &["mediaType", "attributes", "createIfMissing"])?;
            let (id, created) = contact(held, &data["attributes"])?;
            let found = json!({"contactId": id, "created": created, "candidates": [id]});
            Ok((200, json!({"status": {"code": 0}, "data": found})))
        }
        ("POST", "/ucs/v10/interactions") => {
            let data = fields(&body, &["data"])?["data"].clone();
            let known = [
                "id",
                "contactId",
                "mediaType",
                "typeId",
                "subtypeId",
                "threadId",
                "startDate",
                "userData",
            ];
            let data = fields(&data, &known)?.clone();
            let id = data["id"].as_str().ok_or("no id")?.to_owned();
            let status = create(held, &id, data);
            Ok((status, json!({"status": {"code": 0}, "data": {"id": id}})))
        }
        ("PATCH", path) => {
            let id = path
                .strip_prefix("/ucs/v10/interactions/")
                .ok_or("no such path")?;
            let data = fields(&body, &["data"])?["data"].clone();
            let known = ["state", "endDate", "disposition", "comment", "transcript"];
            let data = fields(&data, &known)?.clone();
            Ok((stop(held, id, data), json!({"status": {"code": 0}})))
        }
        ("POST", "/base/ucs/v1/Contact/Identify") => {
            let body = fields(&body, &["Parameters", "UserData"])?;
            let known = ["TenantId", "MediaType", "CreateContact", "ReturnUnique"];
            let parameters = fields(&body["Parameters"], &known)?;
            parameters["TenantId"].as_u64().ok_or("TenantId is a number")?;
            let (id, created) = contact(held, &body["UserData"])?;
            let found =
                json!({"ContactId": id, "ContactCreated": created.to_string(), "NumberOfContactsFound": 1});
            Ok((200, found))
        }
        ("POST", "/base/ucs/v1/Chat/Create") => {
            let body = fields(&body, &["Parameters", "UserData"])?;
            let known = [
                "TenantId",
                "InteractionId",
                "ContactId",
                "MediaTypeId",
                "TypeId",
                "SubtypeId",
                "StartDate",
            ];
            let parameters = fields(&body["Parameters"], &known)?.clone();
            let id = parameters["InteractionId"].as_str().ok_or("no id")?.to_owned();
            Ok((create(held, &id, parameters), json!({"InteractionId": id})))
        }
        ("PUT", "/base/ucs/v1/Chat/Close") => {
            let body = fields(&body, &["Parameters", "UserData"])?;
            let known = ["InteractionId", "EndDate", "Transcript", "TheComment"];
            let mut parameters = fields(&body["Parameters"], &known)?.clone();
            let id = parameters["InteractionId"].as_str().ok_or("no id")?.to_owned();
            parameters.insert("state".to_owned(), json!("Stopped"));
            Ok((stop(held, &id, parameters), json!({})))
        }
        _ => Err(format!("{method} {path}")),
    }
}

/// The members, none of which is unknown.
fn fields<'v>(value: &'v Value, known: &[&str]) -> Result<&'v Map<String, Value>, String> {
    let members = value.as_object().ok_or("not an object")?;
    match members.keys().find(|name| !known.contains(&name.as_str())) {
        Some(unknown) => Err(format!("unknown field {unknown}")),
        None => Ok(members),
    }
}

fn contact(held: &mut Held, attributes: &Value) -> Result<(String, bool), String> {
    let attributes = fields(
        attributes,
        &["EmailAddress", "PhoneNumber", "FirstName", "LastName"],
    )?;
    let key = Value::Object(attributes.clone()).to_string();
    let next = format!("0000DEMO{:04}", held.contacts.len() + 1);
    let created = !held.contacts.contains_key(&key);
    Ok((held.contacts.entry(key).or_insert(next).clone(), created))
}

fn create(held: &mut Held, id: &str, interaction: Map<String, Value>) -> u16 {
    if held.interactions.contains_key(id) {
        return 409;
    }
    *held.written.entry(format!("create {id}")).or_default() += 1;
    let mut interaction = interaction;
    interaction.insert("state".to_owned(), json!("Pending"));
    held.interactions.insert(id.to_owned(), interaction);
    201
}

fn stop(held: &mut Held, id: &str, change: Map<String, Value>) -> u16 {
    let Some(interaction) = held.interactions.get_mut(id) else {
        return 404;
    };
    let before = interaction.clone();
    interaction.extend(change);
    if *interaction != before {
        *held.written.entry(format!("stop {id}")).or_default() += 1;
    }
    200
}

fn read(reader: &mut BufReader<TcpStream>) -> Option<(String, String, Headers, Vec<u8>)> {
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
    Some((method, path, headers, body))
}
