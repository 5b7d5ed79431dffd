//! A pipelined client of the very function that the server calls: the calls are the server's own, seen with `MONITOR`, each with a
//! key of its own (or one that was there before, as often as in the mix).

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::resp::{answer, command, monitored};
use crate::proc::Usage;

/// Calls that are looked at; the others are like them.
const SEEN: usize = 2_000;
/// Where in `FCALL` the parts of an append stand: name, header, key.
const NAME: usize = 1;
const HEADER: usize = 8;
const KEY: usize = 9;

/// Connections and calls in flight on each, as they are tried.
pub const SETTINGS: [(usize, usize); 4] = [(1, 64), (8, 64), (50, 16), (50, 64)];

/// The server's own calls.
pub struct Calls {
    seen: Vec<Vec<Vec<u8>>>,
}

/// What one setting reached.
#[derive(Debug, Clone, Copy)]
pub struct Reached {
    /// Connections.
    pub connections: usize,
    /// In flight on each.
    pub depth: usize,
    /// Calls answered a second.
    pub per_second: f64,
    /// Calls answered a second of Redis's CPU.
    pub per_redis_cpu_second: f64,
    /// Calls answered a second of CPU, the client's included.
    pub per_cpu_second: f64,
}

/// `redis://host:port` as an address of loopback.
pub fn address(url: &str) -> Result<SocketAddr> {
    let rest = url
        .strip_prefix("redis://")
        .context("a URL such as redis://127.0.0.1:6379")?;
    let rest = rest.trim_end_matches('/');
    let addr: SocketAddr = rest
        .parse()
        .with_context(|| format!("{rest} is no address with a port"))?;
    Ok(addr)
}

/// The process of a Redis on this machine.
pub async fn pid(addr: SocketAddr) -> Result<u32> {
    let mut stream = TcpStream::connect(addr).await.context("redis")?;
    stream.write_all(b"INFO server\r\n").await?;
    let mut bytes = Vec::new();
    while answer(&bytes)?.is_none() {
        if stream.read_buf(&mut bytes).await? == 0 {
            bail!("redis hung up");
        }
    }
    let text = String::from_utf8_lossy(&bytes);
    let line = text.lines().find_map(|line| line.strip_prefix("process_id:"));
    Ok(line.context("redis tells no process id")?.trim().parse()?)
}

/// Looks at what the server calls while `busy` runs.
pub async fn watch(addr: SocketAddr, busy: impl Future<Output = Result<()>>) -> Result<Calls> {
    let mut stream = TcpStream::connect(addr).await.context("redis")?;
    stream.write_all(b"MONITOR\r\n").await?;
    let (done, mut ended) = tokio::sync::oneshot::channel::<()>();
    let reader = tokio::task::spawn_local(async move {
        let (mut bytes, mut seen) = (Vec::new(), Vec::new());
        loop {
            tokio::select! {
                biased;
                read = stream.read_buf(&mut bytes) => if read? == 0 { break },
                _ = &mut ended => break,
            }
            let mut from = 0;
            while let Some(end) = bytes[from..].windows(2).position(|pair| pair == b"\r\n") {
                if seen.len() < SEEN {
                    seen.extend(Some(monitored(&bytes[from..from + end])).filter(|args| is_admission(args)));
                }
                from += end + 2;
            }
            bytes.drain(..from);
        }
        anyhow::Ok(seen)
    });
    busy.await?;
    drop(done);
    let seen = reader.await??;
    if seen.is_empty() {
        bail!("the server was not seen to call redis: is it on this redis?");
    }
    Ok(Calls { seen })
}

/// Whether a command is a keyed append into the open session of a peer.
fn is_admission(args: &[Vec<u8>]) -> bool {
    args.len() > KEY
        && args[0] == b"FCALL"
        && args[NAME].ends_with(b"_append")
        && args[HEADER].starts_with(b"P")
        && args[HEADER].get(1).is_some_and(|marks| marks % 2 == 1)
}

impl Calls {
    /// How many were seen.
    pub fn count(&self) -> usize {
        self.seen.len()
    }

    /// Bytes of one, on average.
    pub fn bytes(&self) -> f64 {
        let all: usize = self.seen.iter().map(|args| command(args).len()).sum();
        all as f64 / self.seen.len().max(1) as f64
    }

    /// Calls for a run: of a hundred `repeats` have a key that was there before.
    fn run(&self, number: usize, count: usize, repeats: u64) -> Vec<Vec<u8>> {
        let call = |index: usize| {
            let mut args = self.seen[index % self.seen.len()].clone();
            args[KEY] = format!("raw-{number}-{index}-{}", std::process::id()).into_bytes();
            command(&args)
        };
        (0..count)
            .map(|index| {
                let again = (index * 37 % 100) < usize::try_from(repeats).unwrap_or(0) && index >= 200;
                call(if again { index - 200 } else { index })
            })
            .collect()
    }
}

/// Makes `count` calls with each setting; Redis is the process `pid`.
pub async fn drive(
    addr: SocketAddr,
    pid: u32,
    calls: &Calls,
    count: usize,
    repeats: u64,
) -> Result<Vec<Reached>> {
    let mut all = Vec::new();
    for (number, (connections, depth)) in SETTINGS.into_iter().enumerate() {
        // All is encoded before the clock runs.
        let prepared = calls.run(number, count, repeats);
        let mut clients = JoinSet::new();
        let (before, own) = (Usage::of(pid)?, Usage::of(std::process::id())?);
        let started = Instant::now();
        for share in prepared.chunks(prepared.len().div_ceil(connections)) {
            let share = share.to_vec();
            let stream = TcpStream::connect(addr).await?;
            stream.set_nodelay(true)?;
            clients.spawn_local(client(stream, share, depth));
        }
        while let Some(ended) = clients.join_next().await {
            ended??;
        }
        let took = started.elapsed();
        let redis = Usage::of(pid)?.cpu - before.cpu;
        let client = Usage::of(std::process::id())?.cpu - own.cpu;
        let per = |time: Duration| count as f64 / time.as_secs_f64().max(f64::EPSILON);
        all.push(Reached {
            connections,
            depth,
            per_second: per(took),
            per_redis_cpu_second: per(redis),
            per_cpu_second: per(redis + client),
        });
    }
    Ok(all)
}

/// Writes `depth` calls, reads as many answers, and again.
async fn client(mut stream: TcpStream, calls: Vec<Vec<u8>>, depth: usize) -> Result<()> {
    let mut bytes = Vec::with_capacity(64 * 1_024);
    for batch in calls.chunks(depth) {
        stream.write_all(&batch.concat()).await?;
        let mut open = batch.len();
        let mut from = 0;
        while open > 0 {
            match answer(&bytes[from..])? {
                Some(length) => {
                    from += length;
                    open -= 1;
                }
                None => {
                    bytes.drain(..from);
                    from = 0;
                    if stream.read_buf(&mut bytes).await? == 0 {
                        bail!("redis hung up");
                    }
                }
            }
        }
        bytes.drain(..from);
    }
    Ok(())
}
