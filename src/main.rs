//! The life of the process: arguments, settings, log, build, run, drain, exit code.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;

use clap::{Parser, Subcommand};
use nexus::app::{self, Order, ServeOptions};
use nexus::config::{self, Loaded, Problems, Sources, Surroundings};
use nexus::telemetry::{LogError, Logs};
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

#[cfg(not(feature = "jemalloc"))]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// `EX_CONFIG` of sysexits.h: a supervisor need not try again before the settings have changed.
const BAD_CONFIG: u8 = 78;

/// Digital Channels: the messaging hub of a contact centre.
#[derive(Parser)]
#[command(name = "nexus", version = version().leak() as &str)]
struct Arguments {
    /// A settings file; without it the defaults run a whole development service on loopback.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Sets one setting; wins over file and environment. May be repeated.
    #[arg(long, global = true, value_name = "SECTION.KEY=VALUE")]
    set: Vec<String>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the service (the default).
    Serve {
        /// Opens one more listener whose handlers echo, for public conformance suites.
        #[arg(long, value_name = "ADDRESS")]
        conformance_echo: Option<SocketAddr>,
        /// The same behind TLS, with the certificate of the public listener.
        #[arg(long, value_name = "ADDRESS")]
        conformance_echo_tls: Option<SocketAddr>,
    },
    /// Prints every setting in force and where it was given, or everything that is wrong.
    CheckConfig,
    /// Prepares the stores for this release.
    Migrate,
    /// Applies a declarative file of tenants; as often as one likes.
    Provision {
        /// The file.
        file: PathBuf,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let sources = Sources {
        file: arguments.config,
        environment: environment(),
        flags: arguments.set,
    };
    keep_huge_pages_away();
    let surroundings = Surroundings {
        open_files: raise_open_files(),
    };
    let loaded = match config::load(&sources, &surroundings) {
        Ok(loaded) => loaded,
        Err(problems) => return bad_config(&problems),
    };
    match arguments.command.unwrap_or(Command::Serve {
        conformance_echo: None,
        conformance_echo_tls: None,
    }) {
        Command::CheckConfig => check_config(&loaded),
        Command::Migrate => run(loaded, |config, _| app::migrate(config)),
        Command::Provision { file } => run(loaded, |config, _| app::provision(config, &file)),
        Command::Serve {
            conformance_echo,
            conformance_echo_tls,
        } => run(loaded, |config, logs| {
            let (order, orders) = mpsc::channel(8);
            let watched = logs.clone();
            thread::Builder::new()
                .name("signals".to_owned())
                .spawn(move || obey(&order, &watched, &sources, &surroundings))?;
            app::serve(
                config,
                ServeOptions {
                    conformance_echo,
                    conformance_echo_tls,
                    orders: Some(orders),
                    logs: Some(logs),
                },
            )
        }),
    }
}

/// Opens the log, does the work, and says how it ended.
fn run(loaded: Loaded, work: impl FnOnce(config::Config, Logs) -> anyhow::Result<()>) -> ExitCode {
    let logs = match Logs::init(&loaded.config.telemetry) {
        Ok(logs) => logs,
        Err(error @ LogError::Filter(_)) => return complain(&error.to_string(), BAD_CONFIG),
        Err(error) => return complain(&error.to_string(), 1),
    };
    logs.log_panics();
    let outcome = work(loaded.config, logs.clone());
    if let Err(error) = &outcome {
        tracing::error!(error = format!("{error:#}"), "stopped");
    }
    logs.flush();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Turns signals into orders, for ever. The second signal to stop ends the process at once: nothing acknowledged is
/// lost by it.
fn obey(order: &mpsc::Sender<Order>, logs: &Logs, sources: &Sources, surroundings: &Surroundings) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let outcome = runtime.and_then(|runtime| {
        runtime.block_on(async {
            let mut terminate = signal(SignalKind::terminate())?;
            let mut interrupt = signal(SignalKind::interrupt())?;
            let mut hangup = signal(SignalKind::hangup())?;
            let mut stopping = false;
            loop {
                let code = tokio::select! {
                    _ = terminate.recv() => 143,
                    _ = interrupt.recv() => 130,
                    _ = hangup.recv() => {
                        reload(order, logs, sources, surroundings);
                        continue;
                    }
                };
                if stopping {
                    tracing::warn!("told to stop again: ending now");
                    logs.flush();
                    std::process::exit(code);
                }
                stopping = true;
                tracing::info!("told to stop: draining; a second signal ends the process at once");
                let _ = order.try_send(Order::Drain);
            }
        })
    });
    let outcome: std::io::Result<()> = outcome;
    if let Err(error) = outcome {
        tracing::error!(%error, "signals are not heard");
    }
}

/// Reads the settings again. Unsound ones change nothing.
fn reload(order: &mpsc::Sender<Order>, logs: &Logs, sources: &Sources, surroundings: &Surroundings) {
    match config::load(sources, surroundings) {
        Ok(loaded) => {
            if let Err(error) = logs.set_filter(&loaded.config.telemetry.log) {
                tracing::error!(%error, "the log's filter stays as it was");
            }
            tracing::info!("settings read again");
            let _ = order.try_send(Order::Reload(Box::new(loaded.config)));
        }
        Err(problems) => {
            for problem in &problems.0 {
                tracing::error!(%problem, "settings stay as they were");
            }
        }
    }
}

/// A huge page is 2 MiB of memory for the first byte in it. What many idle sockets hold is small and scattered: where the allocator asks for
/// such pages, they are a third of the process and hardly filled. Where the kernel does not let us, it costs memory and nothing else.
fn keep_huge_pages_away() {
    let _ = rustix::thread::disable_transparent_huge_pages(true);
}

/// Sockets are files, and the default limit is for shells: takes what the system lets us have.
fn raise_open_files() -> Option<u64> {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current < limit.maximum || limit.maximum.is_none() {
        let before = limit.current;
        limit.current = limit.maximum;
        if setrlimit(Resource::Nofile, limit).is_err() {
            return before;
        }
    }
    limit.current
}

/// The environment as far as it is text; a setting that is not text is not one.
fn environment() -> Vec<(String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

fn check_config(loaded: &Loaded) -> ExitCode {
    let lines: Vec<String> = loaded.effective.iter().map(ToString::to_string).collect();
    // A reader that has seen enough may close the pipe.
    let _ = writeln!(std::io::stdout(), "{}", lines.join("\n"));
    ExitCode::SUCCESS
}

fn bad_config(problems: &Problems) -> ExitCode {
    complain(&problems.to_string(), BAD_CONFIG)
}

fn complain(what: &str, code: u8) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "nexus: {what}");
    ExitCode::from(code)
}

/// The release, the commit where the build was told it, and who does the cryptography.
fn version() -> String {
    let commit = option_env!("NEXUS_GIT_HASH").unwrap_or("unknown");
    format!(
        "{} (commit {commit}, crypto aws-lc-rs)",
        env!("CARGO_PKG_VERSION")
    )
}
