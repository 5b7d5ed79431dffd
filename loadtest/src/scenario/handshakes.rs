//! `handshakes`: what an agent who comes costs before anything is said. TLS alone, in full and taken up again; then with the upgrade and
//! the ticket, and with the upgrade and a resume token.

use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Result, anyhow, bail};
use clap::Args;
use rustls::HandshakeKind;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::client::TlsStream;

use crate::crew;
use crate::http::{Io, Target, loopback};
use crate::measure::Results;
use crate::proc::Usage;
use crate::server::{Server, ServerArgs};
use crate::socket::Socket;
use crate::stream::{AgentStream, Memory};

/// What a person may set.
#[derive(Debug, Clone, Args)]
pub struct HandshakesArgs {
    /// How many of each kind.
    #[arg(long, default_value_t = 4_000)]
    pub agents: usize,
    /// Connections that are made at the same time.
    #[arg(long, default_value_t = 32)]
    pub at_once: usize,
    #[command(flatten)]
    pub server: ServerArgs,
    /// Where the report goes.
    #[arg(long, default_value = "target/loadtest")]
    pub report: PathBuf,
}

/// Agents who are handled together: a ticket is good for half a minute, and nobody may stay silent for ten seconds.
const TOGETHER: usize = 250;

/// Runs the story.
pub async fn run(args: HandshakesArgs) -> Result<Results> {
    if args.server.plain {
        bail!("there is no handshake without TLS");
    }
    let server = crew::start(&args.server, args.agents, 1).await?;
    let mut results = Results {
        title: format!("handshakes: {} of each, {} at once", args.agents, args.at_once),
        ..Results::default()
    };
    let target = server.target();
    let mut figure = |name: &str, cpu: Duration| {
        let each = cpu.as_secs_f64() * 1e3 / args.agents as f64;
        results.figures.insert(format!("ms_of_cpu_{name}"), each);
    };

    // The second time brings the sessions that are taken up again the third time.
    let forgetful = target.forgetful();
    for (name, target, kind) in [
        ("tls_full", &forgetful, HandshakeKind::Full),
        ("tls_first", &target, HandshakeKind::Full),
        ("tls_resumed", &target, HandshakeKind::Resumed),
    ] {
        let mut spent = Duration::ZERO;
        for first in (0..args.agents).step_by(TOGETHER) {
            let before = Usage::of(server.pid())?.cpu;
            let agents = first..(first + TOGETHER).min(args.agents);
            let open: Open = Rc::default();
            let (target, opened) = (target.clone(), Rc::clone(&open));
            at_once(&args, agents, move |index| {
                shake(target.clone(), index, kind, Rc::clone(&opened))
            })
            .await?;
            settle(&server).await?;
            spent += Usage::of(server.pid())?.cpu - before;
            for tls in open.take() {
                close(tls).await?;
            }
            settle(&server).await?;
        }
        if name != "tls_first" {
            figure(name, spent);
        }
    }

    let memories: Memories = Rc::default();
    let mut came = Duration::ZERO;
    for first in (0..args.agents).step_by(TOGETHER) {
        let agents = first..(first + TOGETHER).min(args.agents);
        let tickets = Rc::new(crew::tickets(&target, agents.clone()).await?);
        let before = Usage::of(server.pid())?.cpu;
        let (forgetful, memories) = (forgetful.clone(), Rc::clone(&memories));
        at_once(&args, agents, move |index| {
            let (target, tickets, memories) = (forgetful.clone(), Rc::clone(&tickets), Rc::clone(&memories));
            async move {
                let socket = Socket::new(crew::open(&target, index).await?);
                let stream = AgentStream::with_ticket(socket, &tickets[index - first]).await?;
                memories.borrow_mut().push((index, stream.cut()));
                Ok(())
            }
        })
        .await?;
        settle(&server).await?;
        came += Usage::of(server.pid())?.cpu - before;
    }
    figure("full_with_upgrade_and_ticket", came);

    let before = Usage::of(server.pid())?.cpu;
    let (back, came) = (Rc::clone(&memories), memories.borrow().len());
    at_once(&args, 0..came, move |_| {
        let (target, memory) = (target.clone(), back.borrow_mut().pop());
        async move {
            let (index, memory) = memory.ok_or_else(|| anyhow!("nobody is left"))?;
            let io: Box<dyn Io> = crew::open(&target, index).await?;
            let back = AgentStream::resume(io, memory).await;
            back.map(drop).map_err(|broken| broken.error)
        }
    })
    .await?;
    settle(&server).await?;
    figure(
        "resumed_with_upgrade_and_token",
        Usage::of(server.pid())?.cpu - before,
    );
    Ok(results)
}

/// Who came, and what each has to come back with.
type Memories = Rc<RefCell<Vec<(usize, Memory)>>>;

/// Connections on which nothing has been said yet.
type Open = Rc<RefCell<Vec<TlsStream<TcpStream>>>>;

/// A handshake, of the kind that is expected.
async fn shake(target: Target, index: usize, kind: HandshakeKind, open: Open) -> Result<()> {
    let target = target.by_name(&format!("a{index}.localhost"));
    let tls = target.secure(loopback(index, 100)).await?;
    let was = tls.get_ref().1.handshake_kind();
    if was != Some(kind) {
        bail!("{was:?} in the place of {kind:?}");
    }
    open.borrow_mut().push(tls);
    Ok(())
}

/// The end; the session ticket, which came behind the handshake, is read on the way.
async fn close(mut tls: TlsStream<TcpStream>) -> Result<()> {
    tls.shutdown().await?;
    let mut rest = Vec::new();
    // A server that cuts the line has nothing more to say either.
    let _ = tls.read_to_end(&mut rest).await;
    Ok(())
}

/// Does something for each of them, so many at the same time.
async fn at_once<F: Future<Output = Result<()>> + 'static>(
    args: &HandshakesArgs,
    agents: std::ops::Range<usize>,
    work: impl Fn(usize) -> F,
) -> Result<()> {
    let mut busy = JoinSet::new();
    for index in agents {
        if busy.len() == args.at_once
            && let Some(done) = busy.join_next().await
        {
            done??;
        }
        busy.spawn_local(work(index));
    }
    while let Some(done) = busy.join_next().await {
        done??;
    }
    Ok(())
}

/// Waits until the server has no more to do for those who went.
async fn settle(server: &Server) -> Result<()> {
    let mut before = Usage::of(server.pid())?.cpu;
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_millis(250)).await;
        let now = Usage::of(server.pid())?.cpu;
        if now - before < Duration::from_millis(5) {
            break;
        }
        before = now;
    }
    Ok(())
}
