//! `mixed`: everything at once at a stated rate. Customers write to agents and agents to customers, widgets poll, aggregators bring texts,
//! chats begin and an endpoint is told of each. How long every one of these journeys takes beside all the others.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use clap::Args;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::callbacks::{Mix, Shares, TENANT};
use crate::crew::{self, Customers, SIGNED_IN, reach};
use crate::http::{Connection, loopback};
use crate::measure::Results;
use crate::pace::Pace;
use crate::proc::Usage;
use crate::receiver::{self, Receiver};
use crate::server::{Server, ServerArgs};
use crate::stream::{AgentStream, command_id};
use crate::tally::Shared;
use crate::texts;
use crate::widget::Widget;

/// What a person may set.
#[derive(Debug, Clone, Args)]
pub struct MixedArgs {
    /// Agents, each in a chat with a customer whose widget polls.
    #[arg(long, default_value_t = 500)]
    pub chats: usize,
    /// Texts a second: half by customers in chats, a quarter by agents, a quarter by aggregators.
    #[arg(long, default_value_t = 400)]
    pub rate: u32,
    /// Chats that begin a second, each with a notice to an endpoint.
    #[arg(long, default_value_t = 5)]
    pub begin: u32,
    /// How long, seconds.
    #[arg(long, default_value_t = 30)]
    pub seconds: u32,
    #[command(flatten)]
    pub server: ServerArgs,
    /// Where the report goes.
    #[arg(long, default_value = "target/loadtest")]
    pub report: PathBuf,
}

/// Agents who sign in a second.
const RAMP: u32 = 200;
/// The widget's poll interval.
const POLL_EVERY: Duration = Duration::from_secs(3);
/// How long the last of everything may take, seconds.
const PATIENCE: u64 = 30;
/// Customers of the aggregators.
const TEXTERS: u64 = 1_000;
/// Connections of the aggregators.
const CONNECTIONS: usize = 16;
/// Texts that an agent may have to say.
const WAITING: usize = 64;
/// A customer's text at its agent, in the tally.
const TO_AGENT: &str = "customer to agent";
/// An agent's text in a poll of its customer, in the tally.
const TO_CUSTOMER: &str = "agent to customer";

/// Runs the story.
pub async fn run(args: MixedArgs) -> Result<Results> {
    let mut set = args.server.clone();
    set.set.extend(texts::settings());
    set.set.extend([
        "outbound.allow=127.0.0.0/8".to_owned(),
        "limits.rates.session=100000/s burst 100000".to_owned(),
    ]);
    let server = crew::start_beside(&set, args.chats, 1, TENANT).await?;
    let mut hook = Receiver::new()?;
    hook.listen()?;
    receiver::provision(&server, receiver::ADMIN, "mixed", &[&hook]).await?;

    let tally = Shared::default();
    let mut working = JoinSet::new();
    let agents = agents(&args, &server, &tally, &mut working).await?;
    let mut customers = Customers::of(&server).await?;
    let mut chats = Vec::with_capacity(args.chats);
    for _ in 0..args.chats {
        chats.push(customers.chat().await?);
    }
    reach(60, || agents.borrow().len() >= args.chats).await;
    if agents.borrow().len() < args.chats {
        bail!(
            "only {} chats were taken: {:?}",
            agents.borrow().len(),
            tally.borrow().errors()
        );
    }

    let end = Instant::now() + Duration::from_secs(args.seconds.into());
    let (before, began) = (Usage::of(server.pid())?, Instant::now());
    let begun: Begun = Rc::default();
    let (sent, _, came) = tokio::join!(
        write(&args, &mut chats, &agents, &tally, end),
        begin(&args, &server, &begun, &tally, end),
        text(&args, &server, &tally, end),
    );
    sent?;
    came?;
    let (after, took) = (Usage::of(server.pid())?, began.elapsed());
    for chat in chats {
        working.spawn_local(poll(chat, Rc::clone(&tally), Duration::ZERO));
    }
    reach(PATIENCE, || tally.borrow().on_their_way() == 0).await;
    reach(PATIENCE, || {
        begun.borrow().iter().all(|(id, _)| hook.heard(id).is_some())
    })
    .await;
    working.shutdown().await;

    let mut tally = tally.borrow_mut();
    for (id, due) in begun.borrow().iter() {
        match hook.heard(id) {
            Some(at) => tally.took("chat due to notice", at.duration_since(*due)),
            None => tally.wrong("notices that did not arrive", 1),
        }
    }
    let missing = tally.on_their_way() as u64;
    tally.wrong("texts not seen", missing);
    let mut results = Results {
        title: format!(
            "mixed: {} chats, {} texts a second, {} chats begin a second",
            args.chats, args.rate, args.begin
        ),
        ..Results::default()
    };
    let cpu = (after.cpu - before.cpu).as_secs_f64();
    results.figures.extend([
        ("server_cpu_share".to_owned(), cpu / took.as_secs_f64()),
        (
            "texts_by_aggregators".to_owned(),
            tally.counted(texts::MESSAGES) as f64,
        ),
        ("chats_begun".to_owned(), begun.borrow().len() as f64),
        (
            "resident_bytes_grown".to_owned(),
            after.resident as f64 - before.resident as f64,
        ),
    ]);
    for (name, what) in [
        ("customer due to seen by the agent", TO_AGENT),
        ("agent due to seen in a poll (an interval included)", TO_CUSTOMER),
        ("poll", "poll"),
        ("callback due to answer", texts::ANSWER),
        ("chat due to open", "open"),
        ("chat due to notice", "chat due to notice"),
    ] {
        results.latencies.insert(name.to_owned(), tally.latency(what));
    }
    results.errors = tally.errors();
    Ok(results)
}

/// Chats that began: which, and when each was due.
type Begun = Rc<RefCell<Vec<(String, Instant)>>>;
/// By session: who works in it, to be told what to say.
type Agents = Rc<RefCell<HashMap<String, mpsc::Sender<(String, Instant)>>>>;

/// Signs the agents in; each can be told to say something once it has a chat.
async fn agents(
    args: &MixedArgs,
    server: &Server,
    tally: &Shared,
    working: &mut JoinSet<()>,
) -> Result<Agents> {
    let agents = Agents::default();
    let mut pace = Pace::new(Instant::now(), Duration::from_secs(1) / RAMP);
    for index in 0..args.chats {
        pace.next().await;
        let (target, tally, agents) = (server.target(), Rc::clone(tally), Rc::clone(&agents));
        working.spawn_local(async move {
            let lives = async {
                let mut stream = crew::sign_in(&target, index).await?;
                crew::take_chats(&mut stream).await?;
                tally.borrow_mut().count(SIGNED_IN);
                agent(stream, &agents, &tally).await
            };
            let ended: Result<()> = lives.await;
            if let Err(error) = ended {
                tally.borrow_mut().failed("agent", &error);
            }
        });
    }
    reach(60, || tally.borrow().is_over(SIGNED_IN, args.chats)).await;
    Ok(agents)
}

async fn agent(mut stream: AgentStream, agents: &Agents, tally: &Shared) -> Result<()> {
    let (told, mut say) = mpsc::channel::<(String, Instant)>(WAITING);
    let mut session = String::new();
    loop {
        tokio::select! {
            event = stream.next() => {
                let event: Value = event?;
                if let Some(began) = crew::began(&event) && session.is_empty() {
                    session = began.to_owned();
                    agents.borrow_mut().insert(session.clone(), told.clone());
                }
                for text in crew::texts(&event) {
                    // Its own come back to it as well, and are not on their way to it.
                    if text.starts_with('c') {
                        tally.borrow_mut().seen(TO_AGENT, text);
                    }
                }
            }
            Some((words, due)) = say.recv() => {
                tally.borrow_mut().sent(words.clone(), due);
                stream.asks("send-message", json!({ "session": session, "message": words, "visibility": "All" })).await?;
            }
        }
    }
}

/// Customers and agents write in turn, while all widgets poll.
async fn write(
    args: &MixedArgs,
    chats: &mut Vec<Widget>,
    agents: &Agents,
    tally: &Shared,
    end: Instant,
) -> Result<()> {
    let sessions: Vec<String> = chats.iter().map(|chat| chat.session().to_owned()).collect();
    let mut polling = JoinSet::new();
    let mut saying = JoinSet::new();
    let mut customers = Vec::with_capacity(chats.len());
    for (index, chat) in chats.drain(..).enumerate() {
        customers.push((chat.line(), Rc::new(RefCell::new(chat))));
        let (line, chat) = (Rc::clone(&customers[index].0), Rc::clone(&customers[index].1));
        let tally = Rc::clone(tally);
        let wait = POLL_EVERY * u32::try_from(index)? / u32::try_from(sessions.len())?;
        polling.spawn_local(async move {
            tokio::time::sleep(wait).await;
            let mut pace = Pace::new(Instant::now(), POLL_EVERY);
            loop {
                let due = pace.next().await;
                if due >= end {
                    return;
                }
                let requests = chat.borrow_mut().poll_requests();
                let Ok(requests) = requests else { return };
                for (number, request) in requests.into_iter().enumerate() {
                    let answer = line.lock().await.send(request).await;
                    let mut tally = tally.borrow_mut();
                    match answer {
                        Ok((status, body)) if status.is_success() => {
                            if number == 1 {
                                tally.took("poll", due.elapsed());
                                polled(&body, &mut tally);
                            }
                        }
                        Ok((status, _)) => tally.wrong(format!("poll: {status}"), 1),
                        Err(error) => return tally.failed("poll", &error),
                    }
                }
            }
        });
    }
    // Of four texts two are a customer's and one an agent's; aggregators have the fourth.
    let mut pace = Pace::new(Instant::now(), Duration::from_secs(4) / args.rate.max(4) / 3);
    let mut number = 0_usize;
    loop {
        let due = pace.next().await;
        if due >= end {
            break;
        }
        let at = number / 3 % customers.len();
        if number % 3 == 2 {
            let told = agents.borrow().get(&sessions[at]).cloned();
            if told.is_some_and(|told| told.try_send((format!("a{}", command_id()), due)).is_err()) {
                tally.borrow_mut().wrong("an agent that is far behind", 1);
            }
        } else {
            let words = format!("c{}", command_id());
            let (line, chat) = &customers[at];
            let request = chat.borrow_mut().send_request(&words)?;
            tally.borrow_mut().sent(words, due);
            let (line, tally) = (Rc::clone(line), Rc::clone(tally));
            saying.spawn_local(async move {
                match line.lock().await.send(request).await {
                    Ok((status, _)) if status.is_success() => {}
                    Ok((status, _)) => tally.borrow_mut().wrong(format!("text: {status}"), 1),
                    Err(error) => tally.borrow_mut().failed("text", &error),
                }
            });
        }
        number += 1;
        while saying.try_join_next().is_some() {}
    }
    while saying.join_next().await.is_some() {}
    while polling.join_next().await.is_some() {}
    chats.extend(
        customers
            .into_iter()
            .filter_map(|(_, chat)| Rc::into_inner(chat))
            .map(RefCell::into_inner),
    );
    Ok(())
}

/// Counts what a poll brought; a text that was seen before is not on its way any more.
fn polled(body: &[u8], tally: &mut crate::tally::Tally) {
    let Ok(answer) = serde_json::from_slice::<Value>(body) else {
        return tally.wrong("a poll that is no JSON", 1);
    };
    let messages = answer.pointer("/data/messages").and_then(Value::as_array);
    for message in messages.into_iter().flatten() {
        if let Some(text) = message["text"].as_str().filter(|text| text.starts_with('a')) {
            tally.seen(TO_CUSTOMER, text);
        }
    }
}

/// What a customer's last poll brings, when the writing is over.
async fn poll(mut chat: Widget, tally: Shared, wait: Duration) {
    tokio::time::sleep(wait).await;
    let line = chat.line();
    let Ok([_, request]) = chat.poll_requests() else {
        return;
    };
    if let Ok((_, body)) = line.lock().await.send(request).await {
        polled(&body, &mut tally.borrow_mut());
    }
}

/// Chats begin, of the tenant whose endpoint is told.
async fn begin(args: &MixedArgs, server: &Server, begun: &Begun, tally: &Shared, end: Instant) {
    let mut opening = JoinSet::new();
    let mut pace = Pace::new(Instant::now(), Duration::from_secs(1) / args.begin.max(1));
    let mut index = 0;
    loop {
        let due = pace.next().await;
        if due >= end {
            break;
        }
        let (target, begun, tally) = (server.target(), Rc::clone(begun), Rc::clone(tally));
        let (key, endpoint) = (args.server.api_key.clone(), args.server.endpoint().to_owned());
        opening.spawn_local(async move {
            let opened = async {
                let connection = Connection::open(&target, loopback(60_000 + index, 1)).await?;
                Widget::open(connection, &key, &endpoint, "Load").await
            };
            match opened.await {
                Ok(chat) => {
                    tally.borrow_mut().took("open", due.elapsed());
                    begun.borrow_mut().push((chat.session().to_owned(), due));
                }
                Err(error) => tally.borrow_mut().failed("chat", &error),
            }
        });
        index += 1;
        while opening.try_join_next().is_some() {}
    }
    while opening.join_next().await.is_some() {}
}

/// Texts come from aggregators.
async fn text(args: &MixedArgs, server: &Server, tally: &Shared, end: Instant) -> Result<()> {
    let shares = Shares {
        repeats: 5,
        forged: 0,
        batches: 0,
    };
    let mix = Rc::new(RefCell::new(Mix::new(shares, TEXTERS)));
    let every = Duration::from_secs(4) / args.rate.max(4);
    let (start, next) = (Instant::now(), Rc::new(std::cell::Cell::new(0_u32)));
    texts::send(&[server.target()], CONNECTIONS, &mix, tally, move |mix| {
        let due = start + every * next.replace(next.get() + 1);
        (due < end).then(|| (mix.next(), due))
    })
    .await
}
