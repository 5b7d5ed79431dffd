//! A contact service of ours, in the UCS-X form or that of release 9.1: keeps contacts and interactions, refuses what it does not
//! know, and fails as it is told. It shares no code with the product.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Instant;

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
    /// The same requests: when they came and the key that tells a repeat.
    pub(crate) keys: Vec<(Instant, String)>,
    /// Requests that were done and answered: method and path.
    pub(crate) answered: Vec<(String, String)>,
    /// Files by the id they were given: what is said of them, and their bytes.
    pub(crate) files: BTreeMap<String, (Value, Vec<u8>)>,
    /// What was learned of contacts, by id.
    pub(crate) learned: BTreeMap<String, Value>,
    /// Tokens that were given out.
    pub(crate) tokens: u32,
    /// Those up to this one are good no more.
    pub(crate) withdrawn: u32,
    /// What it refused, and why.
    pub(crate) refused: Vec<String>,
}

#[derive(Default)]
struct Book {
    held: Mutex<Held>,
    faults: Mutex<VecDeque<Fault>>,
    away: Mutex<bool>,
    guarded: Mutex<bool>,
    cuts: Mutex<Option<BTreeSet<(String, String)>>>,
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

    /// Every change is done, and the first time the connection is cut before the answer.
    pub(crate) fn cut_each_once(&self) {
        *self.book.cuts.lock().unwrap() = Some(BTreeSet::new());
    }

    /// Takes nothing without a token that it gave out itself, to `nexus_client` with the secret `s3cret`.
    pub(crate) fn guard(&self) {
        *self.book.guarded.lock().unwrap() = true;
    }

    /// The tokens that are out are good no more.
    pub(crate) fn withdraw(&self) {
        let mut held = self.book.held.lock().unwrap();
        held.withdrawn = held.tokens;
    }

    pub(crate) fn held(&self) -> Held {
        self.book.held.lock().unwrap().clone()
    }

    /// Waits until an interaction is held.
    pub(crate) fn stands(&self, id: &str) {
        super::part::eventually("the interaction", std::time::Duration::from_secs(60), || {
            self.book.held.lock().unwrap().interactions.contains_key(id)
        });
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
        let asked = (method.clone(), path.clone());
        if path == "/auth/v3/oauth/token" {
            let answer = token(&mut book.held.lock().unwrap(), &headers, &body);
            answer_with(&mut writer, answer.0, &answer.1)?;
            continue;
        }
        {
            let mut held = book.held.lock().unwrap();
            held.seen.push((method.clone(), path.clone(), body.clone()));
            let key = header(&headers, "idempotency-key").unwrap_or_default().to_owned();
            held.keys.push((Instant::now(), key));
        }
        let token = header(&headers, "authorization").and_then(|value| value.strip_prefix("Bearer token-"));
        let withdrawn = book.held.lock().unwrap().withdrawn;
        let good = token
            .and_then(|token| token.parse::<u32>().ok())
            .is_some_and(|token| token > withdrawn);
        let known = good || !*book.guarded.lock().unwrap();
        let (status, answer) = match (&fault, away) {
            _ if !known => (401, "{}".to_owned()),
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
        let changes = method != "GET" && !path.ends_with("dentify");
        let mut cuts = book.cuts.lock().unwrap();
        let cut = changes && cuts.as_mut().is_some_and(|cuts| cuts.insert(asked.clone()));
        drop(cuts);
        if cut || matches!(fault, Some(Fault::Cut)) {
            return None;
        }
        answer_with(&mut writer, status, &answer)?;
        if status < 300 || status == 409 {
            book.held.lock().unwrap().answered.push(asked);
        }
    }
}

fn answer_with(writer: &mut TcpStream, status: u16, answer: &str) -> Option<()> {
    let again = if status == 429 { "retry-after: 1\r\n" } else { "" };
    let length = answer.len();
    let whole = format!(
        "HTTP/1.1 {status} -\r\ncontent-type: application/json\r\n{again}content-length: {length}\r\n\r\n{answer}"
    );
    writer.write_all(whole.as_bytes()).ok()
}

fn header<'h>(headers: &'h Headers, name: &str) -> Option<&'h str> {
    let found = headers.iter().find(|(known, _)| known == name);
    found.map(|(_, value)| value.as_str())
}

/// A token of the authentication service.
fn token(held: &mut Held, headers: &Headers, body: &[u8]) -> (u16, String) {
    let form = String::from_utf8_lossy(body).into_owned();
    let basic = "Basic bmV4dXNfY2xpZW50OnMzY3JldA==";
    if header(headers, "authorization") != Some(basic) || !form.contains("grant_type=client_credentials") {
        held.refused.push(format!("token: {form}"));
        return (401, "{}".to_owned());
    }
    held.tokens += 1;
    let token =
        json!({"access_token": format!("token-{}", held.tokens), "token_type": "bearer", "expires_in": 3600});
    (200, token.to_string())
}

/// The parts of a multipart body by name.
fn parts(headers: &Headers, body: &[u8]) -> Result<BTreeMap<String, Vec<u8>>, String> {
    let kind = header(headers, "content-type").ok_or("no content type")?;
    let boundary = kind
        .strip_prefix("multipart/form-data; boundary=")
        .ok_or("not multipart")?;
    let mark = format!("--{boundary}");
    let mut found = BTreeMap::new();
    let mut rest = split(body, mark.as_bytes()).ok_or("no part")?.1;
    loop {
        if rest.starts_with(b"--\r\n") && rest.len() == 4 {
            return Ok(found);
        }
        let (part, after) = split(rest, format!("\r\n{mark}").as_bytes()).ok_or("a part without an end")?;
        let (head, content) = split(part, b"\r\n\r\n").ok_or("a part without a head")?;
        let head = String::from_utf8_lossy(head).into_owned();
        let name = head
            .split("name=\"")
            .nth(1)
            .and_then(|name| name.split('"').next());
        found.insert(name.ok_or("a part without a name")?.to_owned(), content.to_vec());
        rest = after;
    }
}

fn split<'b>(bytes: &'b [u8], at: &[u8]) -> Option<(&'b [u8], &'b [u8])> {
    let place = bytes.windows(at.len()).position(|window| window == at)?;
    Some((&bytes[..place], &bytes[place + at.len()..]))
}

/// Keeps a file of an interaction that is known.
fn keep(held: &mut Held, interaction: &str, about: Value, bytes: Vec<u8>) -> u16 {
    if !held.interactions.contains_key(interaction) {
        return 404;
    }
    let id = about["id"]
        .as_str()
        .or(about["DocumentId"].as_str())
        .unwrap_or_default()
        .to_owned();
    if held.files.contains_key(&id) {
        return 409;
    }
    *held.written.entry(format!("file {id}")).or_default() += 1;
    held.files.insert(id, (about, bytes));
    201
}

/// A contact's interactions, the newest first, from `from` on.
fn listed(held: &Held, contact: &str, field: &str, from: usize, limit: usize) -> Vec<Value> {
    let mut all: Vec<(&String, &Map<String, Value>)> = held.interactions.iter().collect();
    all.retain(|(_, interaction)| interaction.get(field).is_some_and(|id| id == contact));
    all.sort_by_key(|(_, interaction)| std::cmp::Reverse(interaction["order"].as_u64()));
    let page = all.into_iter().skip(from).take(limit);
    page.map(|(id, interaction)| {
        let mut interaction = interaction.clone();
        for hidden in ["transcript", "Transcript", "order"] {
            interaction.remove(hidden);
        }
        for (name, value) in [("id", id), ("Id", id)] {
            interaction.insert(name.to_owned(), json!(value));
        }
        Value::Object(interaction)
    })
    .collect()
}

fn query(path: &str) -> BTreeMap<String, String> {
    let query = path.split_once('?').map_or("", |(_, query)| query);
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
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
    if let Some(id) = path
        .strip_prefix("/ucs/v10/interactions/")
        .and_then(|rest| rest.strip_suffix("/attachments"))
    {
        let mut parts = parts(headers, body)?;
        let about = parts.remove("data").ok_or("no data")?;
        let about: Value = serde_json::from_slice(&about).map_err(|error| error.to_string())?;
        fields(&about, &["id", "line", "name", "mimeType", "length"])?;
        let bytes = parts.remove("file").ok_or("no file")?;
        if about["length"] != bytes.len() {
            return Err("another length".to_owned());
        }
        return Ok((keep(held, id, about, bytes), json!({"status": {"code": 0}})));
    }
    if method == "GET" {
        let asked = query(path);
        let number = |name: &str| asked.get(name).and_then(|text| text.parse::<usize>().ok());
        let rest = path.strip_prefix("/ucs/v10/contacts/");
        if let Some((contact, _)) = rest.and_then(|rest| rest.split_once("/interactions?")) {
            let limit = number("limit").ok_or("no limit")?;
            let from = number("cursor").unwrap_or(0);
            let page = listed(held, contact, "contactId", from, limit);
            let next = (page.len() == limit).then(|| (from + limit).to_string());
            return Ok((
                200,
                json!({"status": {"code": 0}, "data": {"interactions": page, "cursor": next}}),
            ));
        }
        if path.starts_with("/base/ucs/v1/OMInteractions/GetInteractionsForContact?") {
            let contact = asked.get("ContactId").ok_or("no contact")?;
            let from = number("IndexFrom").ok_or("no beginning")?;
            let page = listed(
                held,
                contact,
                "ContactId",
                from,
                number("MaxCount").ok_or("no bound")?,
            );
            return Ok((200, json!({"Interactions": page})));
        }
        return Err(format!("GET {path}"));
    }
    let body: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    match (method, path) {
        ("PATCH", path) if path.starts_with("/ucs/v10/contacts/") => {
            let id = path.strip_prefix("/ucs/v10/contacts/").ok_or("no contact")?;
            let data = fields(&body, &["data"])?["data"].clone();
            let attributes = fields(&data, &["attributes"])?["attributes"].clone();
            fields(
                &attributes,
                &["EmailAddress", "PhoneNumber", "FirstName", "LastName"],
            )?;
            held.learned.insert(id.to_owned(), attributes);
            Ok((200, json!({"status": {"code": 0}})))
        }
        ("PUT", "/base/ucs/v1/Contact/Update") => {
            let body = fields(&body, &["Parameters", "UserData"])?;
            let parameters = fields(&body["Parameters"], &["TenantId", "ContactId"])?;
            fields(
                &body["UserData"],
                &["EmailAddress", "PhoneNumber", "FirstName", "LastName"],
            )?;
            let id = parameters["ContactId"].as_str().ok_or("no contact")?.to_owned();
            held.learned.insert(id, body["UserData"].clone());
            Ok((200, json!({})))
        }
        ("POST", "/base/ucs/v1/OMInteractions/AddDocument") => {
            let body = fields(&body, &["Parameters", "UserData"])?;
            let known = [
                "InteractionId",
                "DocumentId",
                "TheName",
                "MimeType",
                "TheSize",
                "Content",
            ];
            let about = body["Parameters"].clone();
            let parameters = fields(&about, &known)?;
            use base64::Engine as _;
            let content = parameters["Content"].as_str().ok_or("no content")?;
            let bytes = base64::engine::general_purpose::STANDARD.decode(content);
            let bytes = bytes.map_err(|error| error.to_string())?;
            let id = parameters["InteractionId"].as_str().ok_or("no id")?.to_owned();
            Ok((keep(held, &id, about.clone(), bytes), json!({})))
        }
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
        ("PUT", "/base/ucs/v1/Chat/Update") => {
            let body = fields(&body, &["Parameters", "UserData"])?;
            let parameters = fields(&body["Parameters"], &["InteractionId", "TheComment"])?.clone();
            let id = parameters["InteractionId"].as_str().ok_or("no id")?.to_owned();
            Ok((stop(held, &id, parameters), json!({})))
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
    interaction.insert("order".to_owned(), json!(held.interactions.len()));
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
