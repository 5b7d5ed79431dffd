//! What every real part has in common: finding its program, a free port, signals, waiting with a deadline.

use std::ffi::OsStr;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// The path of `program`, looked up in `PATH` and in `also`.
///
/// # Panics
/// When it is not installed, naming the Debian package that has it.
pub(crate) fn program(program: &str, also: &[&str], package: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .chain(also.iter().map(PathBuf::from))
        .map(|folder| folder.join(program))
        .find(|candidate| candidate.is_file());
    found.unwrap_or_else(|| {
        panic!(
            "this test needs `{program}`, which is not installed; \
             run `apt-get install {package}` (`tests/run` does it for you)"
        )
    })
}

/// The ports that are asked for by number, below those that the system gives out by itself.
const PORTS: std::ops::Range<u16> = 15_000..32_000;

/// A port of 127.0.0.1 that was free a moment ago, each time another. Listeners of ours share a port without a word, so two nodes that were
/// given the same would answer for one another.
pub(crate) fn free_port() -> u16 {
    static ASKED: AtomicU32 = AtomicU32::new(0);
    // Another process begins elsewhere.
    let begin = std::process::id().wrapping_mul(199);
    let count = u32::from(PORTS.end - PORTS.start);
    for _ in PORTS {
        let at = begin.wrapping_add(ASKED.fetch_add(1, Ordering::Relaxed)) % count;
        let port = PORTS.start + u16::try_from(at).expect("a port");
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
    panic!("no free port on 127.0.0.1");
}

/// A signal a test sends to a process it started.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Signal {
    Kill,
    Term,
    Interrupt,
    Hangup,
    Stop,
    Continue,
}

/// Sends `signal` to the process `pid`.
pub(crate) fn signal(pid: u32, signal: Signal) {
    let name = match signal {
        Signal::Kill => "KILL",
        Signal::Term => "TERM",
        Signal::Interrupt => "INT",
        Signal::Hangup => "HUP",
        Signal::Stop => "STOP",
        Signal::Continue => "CONT",
    };
    run("sh", ["-c", &format!("kill -{name} {pid}")]);
}

/// Runs `program` to its end and returns what it printed.
///
/// # Panics
/// When it cannot be started or fails, with all it printed.
pub(crate) fn run<I, S>(program: impl AsRef<Path>, arguments: I) -> String
where
    I: IntoIterator<Item = S>,
    S: AsRef<OsStr>,
{
    let program = program.as_ref();
    let output = Command::new(program)
        .args(arguments)
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}", program.display()));
    assert!(
        output.status.success(),
        "{} failed with {}: {}",
        program.display(),
        output.status,
        printed(&output)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Everything a finished program printed.
pub(crate) fn printed(output: &Output) -> String {
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    text
}

/// Asks `holds` again and again until it does.
///
/// # Panics
/// When it does not within `limit`, naming `what` was waited for.
pub(crate) fn eventually(what: &str, limit: Duration, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + limit;
    while !holds() {
        assert!(Instant::now() < deadline, "waited {limit:?} in vain for: {what}");
        pause();
    }
}

/// How much of something a test does: what the variable says, or what a build server has time for.
pub(crate) fn number(variable: &str, default: usize) -> usize {
    std::env::var(variable)
        .ok()
        .and_then(|number| number.parse().ok())
        .unwrap_or(default)
}

#[expect(
    clippy::disallowed_methods,
    reason = "asks a foreign process again, which tells nobody when it is done"
)]
fn pause() {
    std::thread::sleep(Duration::from_millis(10));
}

/// `algorithm=` and the HMAC of a body in hex, made by OpenSSL: an opinion that is not ours.
///
/// # Panics
/// When OpenSSL is missing, naming what installs it.
pub(crate) fn hmac(algorithm: &str, secret: &str, body: &[u8]) -> String {
    use std::io::Write as _;
    let openssl = program("openssl", &[], "openssl");
    let mut child = Command::new(openssl)
        .args(["dgst", &format!("-{algorithm}"), "-hmac", secret, "-r"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("openssl to be started");
    let mut input = child.stdin.take().expect("its input");
    input.write_all(body).expect("the body to be taken");
    drop(input);
    let output = child.wait_with_output().expect("openssl to end");
    let said = String::from_utf8_lossy(&output.stdout);
    let digest = said.split_whitespace().next().expect("a digest");
    format!("{algorithm}={digest}")
}
