//! The server under load: one that is running already, or one started for the run and ended with it.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::http::Target;
use crate::tls;

/// Which server, and how to talk to it.
#[derive(Debug, Clone, Args)]
pub struct ServerArgs {
    /// Public address of a running server, TLS; without it one is started on a store of its own.
    #[arg(long, requires = "pid")]
    pub address: Option<SocketAddr>,
    /// Process id of the running server, for its memory and CPU.
    #[arg(long)]
    pub pid: Option<u32>,
    /// The server to start; by default the `nexus` beside this program.
    #[arg(long)]
    pub binary: Option<PathBuf>,
    /// Speak plain HTTP, as behind a balancer that ends TLS.
    #[arg(long)]
    pub plain: bool,
    /// API key of the chats; by default the development tenant's.
    #[arg(long, default_value = "11111111-2222-4333-8444-555555555555")]
    pub api_key: String,
    /// Endpoint of the chats.
    #[arg(long, default_value = "web")]
    pub endpoint: String,
    /// More settings for a server that is started: `section.key=value`.
    #[arg(long = "set")]
    pub set: Vec<String>,
    /// A file to apply before the run, for a server that is started.
    #[arg(skip)]
    pub provision: Option<PathBuf>,
    /// Where it echoes over TLS, for a server that is started.
    #[arg(skip)]
    pub echo: Option<SocketAddr>,
}

impl ServerArgs {
    /// Endpoint of the chats.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }
}

/// A server that answers. Ends what it started when it is dropped.
pub struct Server {
    pid: u32,
    target: Target,
    api_key: String,
    started: Option<Started>,
}

struct Started {
    child: Child,
    folder: PathBuf,
    binary: PathBuf,
    settings: Vec<String>,
    echo: Option<SocketAddr>,
    admin: SocketAddr,
}

impl Server {
    /// Finds or starts the server, and waits until it is ready.
    pub async fn of(args: &ServerArgs) -> Result<Self> {
        match (args.address, args.pid) {
            (Some(addr), Some(pid)) => {
                let tls = if args.plain {
                    None
                } else {
                    Some(tls::any_certificate()?)
                };
                Ok(Self {
                    pid,
                    target: Target::of(addr, tls),
                    api_key: args.api_key.clone(),
                    started: None,
                })
            }
            _ => Self::start(args).await,
        }
    }

    async fn start(args: &ServerArgs) -> Result<Self> {
        let binary = match &args.binary {
            Some(binary) => binary.clone(),
            None => std::env::current_exe()?.with_file_name("nexus"),
        };
        if !binary.exists() {
            bail!(
                "{} is not there: build it first with `cargo build --release`",
                binary.display()
            );
        }
        let [secure, plain, internal, admin] = free_ports()?;
        let folder = format!("nexus-loadtest-{}-{}", std::process::id(), admin.port());
        let folder = std::env::temp_dir().join(folder);
        std::fs::create_dir_all(&folder)?;
        let log = std::fs::File::create(folder.join("server.log"))?;
        let mut settings = vec![
            format!("listen.public.address={secure}"),
            format!("listen.public.plain_address={plain}"),
            format!("listen.internal.address={internal}"),
            format!("listen.admin.address={admin}"),
            format!("store.data_dir={}", folder.join("data").display()),
            // One machine stands for the whole internet here.
            "limits.rates.create=100000/s burst 100000".to_owned(),
            "limits.rates.api_key=1000000/s burst 1000000".to_owned(),
            "limits.connections.per_neighbourhood=20000".to_owned(),
            // A few customers write as much as a whole country would.
            "limits.texts.received=".to_owned(),
        ];
        settings.extend(args.set.iter().cloned());
        if let Some(file) = &args.provision {
            let mut command = Command::new(&binary);
            apply(&mut command, &settings);
            let done = command
                .arg("provision")
                .arg(file)
                .stdout(Stdio::null())
                .status()?;
            if !done.success() {
                bail!("the load tenant could not be provisioned");
            }
        }
        let child = spawn(&binary, &settings, args.echo, &log)?;
        let (addr, tls) = if args.plain {
            (plain, None)
        } else {
            (secure, Some(tls::any_certificate()?))
        };
        let server = Self {
            pid: child.id(),
            target: Target::of(addr, tls),
            api_key: args.api_key.clone(),
            started: Some(Started {
                child,
                folder,
                binary,
                settings,
                echo: args.echo,
                admin,
            }),
        };
        server.ready(admin).await?;
        Ok(server)
    }

    async fn ready(&self, admin: SocketAddr) -> Result<()> {
        let give_up = Instant::now() + Duration::from_secs(30);
        let target = Target::of(admin, None);
        while Instant::now() < give_up {
            if let Ok(mut connection) = crate::http::Connection::open(&target, [127, 0, 0, 1].into()).await {
                let request = hyper::Request::get("/health/ready")
                    .header("host", "localhost")
                    .body(Default::default())?;
                if connection
                    .send(request)
                    .await
                    .is_ok_and(|(status, _)| status.is_success())
                {
                    return Ok(());
                }
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        bail!("the server did not become ready; its log is beside its data");
    }

    /// Where what it keeps lies, for a server that was started.
    pub fn folder(&self) -> Option<&Path> {
        self.started.as_ref().map(|started| started.folder.as_path())
    }

    /// `kill -9`, and a new process on the same data. `false`: it is somebody else's.
    pub async fn crash(&mut self) -> Result<bool> {
        if !self.kill()? {
            return Ok(false);
        }
        let Some(started) = &mut self.started else {
            return Ok(false);
        };
        let log = std::fs::File::create(started.folder.join("server-again.log"))?;
        started.child = spawn(&started.binary, &started.settings, started.echo, &log)?;
        self.pid = started.child.id();
        let admin = started.admin;
        self.ready(admin).await?;
        Ok(true)
    }

    /// `kill -9`. `false`: it is somebody else's.
    pub fn kill(&mut self) -> Result<bool> {
        let Some(started) = &mut self.started else {
            return Ok(false);
        };
        started.child.kill()?;
        started.child.wait()?;
        Ok(true)
    }

    /// A counter of its metrics, summed over its series; 0 where it has none, or is somebody else's.
    pub async fn counter(&self, name: &str) -> Result<f64> {
        let Some(started) = &self.started else {
            return Ok(0.0);
        };
        let target = Target::of(started.admin, None);
        let mut connection = crate::http::Connection::open(&target, [127, 0, 0, 1].into()).await?;
        let request = hyper::Request::get("/metrics")
            .header("host", "localhost")
            .body(Default::default())?;
        let (_, page) = connection.send(request).await?;
        let page = String::from_utf8_lossy(&page).into_owned();
        let series = page.lines().filter_map(|line| {
            let rest = line.strip_prefix(name)?;
            rest.starts_with(['{', ' '])
                .then(|| rest.rsplit(' ').next()?.parse::<f64>().ok())?
        });
        Ok(series.sum())
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Where it listens.
    pub fn target(&self) -> Target {
        self.target.clone()
    }

    /// API key of the chats.
    pub fn api_key(&self) -> &str {
        &self.api_key
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(started) = &mut self.started {
            // It survives a kill by construction, and its data is of no further use.
            let _ = started.child.kill();
            let _ = started.child.wait();
            let _ = std::fs::remove_dir_all(&started.folder);
        }
    }
}

fn apply(command: &mut Command, settings: &[String]) {
    for setting in settings {
        command.arg("--set").arg(setting);
    }
}

fn spawn(binary: &Path, settings: &[String], echo: Option<SocketAddr>, log: &std::fs::File) -> Result<Child> {
    let mut command = Command::new(binary);
    command.arg("serve");
    if let Some(echo) = echo {
        command.arg("--conformance-echo-tls").arg(echo.to_string());
    }
    apply(&mut command, settings);
    command
        .stdout(log.try_clone()?)
        .stderr(log.try_clone()?)
        .spawn()
        .context("start the server")
}

/// Ports nobody listens on at the moment.
pub fn free_ports<const N: usize>() -> Result<[SocketAddr; N]> {
    let mut listeners = Vec::with_capacity(N);
    for _ in 0..N {
        listeners.push(TcpListener::bind(("127.0.0.1", 0))?);
    }
    let mut ports = [SocketAddr::from(([127, 0, 0, 1], 0)); N];
    for (port, listener) in ports.iter_mut().zip(&listeners) {
        *port = listener.local_addr()?;
    }
    Ok(ports)
}
