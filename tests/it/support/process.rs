//! A `nexus` process of the tests: started with settings, watched through its log, stopped by signals.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::part::{self, Signal};

/// How long the process may take for anything a test waits for.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running `nexus serve`. Its addresses are free ports; its data is a temporary folder.
#[derive(Debug)]
pub(crate) struct Nexus {
    child: Child,
    lines: Receiver<String>,
    heard: Vec<String>,
    plain: SocketAddr,
    _data: tempfile::TempDir,
}

/// The settings that let many nodes run beside one another.
const SETTINGS: [&str; 4] = [
    "listen.admin.address=127.0.0.1:0",
    "drain.delay=0s",
    "drain.window=1s",
    "telemetry.format=json",
];

impl Nexus {
    /// Starts `nexus serve` with the settings of tests and `settings` on top.
    pub(crate) fn start(settings: &[&str]) -> Self {
        Self::spawn(program(), settings)
    }

    /// The same with a settings file below them.
    pub(crate) fn start_with_file(file: &Path, settings: &[&str]) -> Self {
        let mut command = program();
        command.arg("--config").arg(file);
        Self::spawn(command, settings)
    }

    /// The same with echoes for conformance suites: their addresses, without and with TLS.
    pub(crate) fn start_echoing(settings: &[&str]) -> (Self, SocketAddr, SocketAddr) {
        let [plain, tls] = [(); 2].map(|()| SocketAddr::from(([127, 0, 0, 1], part::free_port())));
        let mut command = program();
        command.args(["serve", "--conformance-echo", &plain.to_string()]);
        command.args(["--conformance-echo-tls", &tls.to_string()]);
        let nexus = Self::spawn(command, settings);
        (nexus, plain, tls)
    }

    fn spawn(mut command: Command, settings: &[&str]) -> Self {
        let data = tempfile::tempdir().expect("a temporary folder");
        // Each core binds the public addresses by itself, so their ports must be known before.
        let port = || SocketAddr::from(([127, 0, 0, 1], part::free_port()));
        let plain = port();
        let mut all: Vec<String> = SETTINGS.map(str::to_owned).to_vec();
        all.push(format!("store.data_dir={}", data.path().display()));
        all.push(format!("listen.public.address={}", port()));
        all.push(format!("listen.public.plain_address={plain}"));
        all.push(format!("listen.internal.address={}", port()));
        all.extend(settings.iter().map(|setting| (*setting).to_owned()));
        for setting in &all {
            command.args(["--set", setting]);
        }
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("nexus to be started");
        let out = BufReader::new(child.stdout.take().expect("its output"));
        let mut kept = log_file(child.id());
        let (line, lines) = channel();
        std::thread::spawn(move || {
            for text in out.lines().map_while(Result::ok) {
                let _ = writeln!(kept, "{text}");
                if line.send(text).is_err() {
                    return;
                }
            }
        });
        Self {
            child,
            lines,
            heard: Vec::new(),
            plain,
            _data: data,
        }
    }

    /// The public address without TLS.
    pub(crate) fn plain(&self) -> SocketAddr {
        self.plain
    }

    /// Everything it logged that [`Nexus::line`] has passed so far.
    pub(crate) fn log(&self) -> String {
        self.heard.join("\n")
    }

    /// Everything it logged.
    pub(crate) fn kept_log(&self) -> String {
        std::fs::read_to_string(log_path(self.child.id())).expect("its log")
    }

    /// Waits for a line of the log that `wanted` takes.
    pub(crate) fn line<T>(&mut self, what: &str, mut wanted: impl FnMut(&Value) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(text) => {
                    let found = serde_json::from_str(&text).ok().and_then(|line| wanted(&line));
                    self.heard.push(text);
                    if let Some(found) = found {
                        return found;
                    }
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    panic!("no log line with {what}; the log:\n{}", self.heard.join("\n"))
                }
            }
        }
    }

    /// Waits for the line that says where `listener` listens.
    pub(crate) fn address(&mut self, listener: &str) -> SocketAddr {
        self.line(&format!("the address of {listener}"), |line| {
            let named = line["listener"] == listener && line["message"] == "listening";
            named.then(|| line["address"].as_str()?.parse().ok()).flatten()
        })
    }

    /// Waits until the node takes traffic.
    pub(crate) fn ready(&self, admin: SocketAddr) {
        part::eventually("readiness", PATIENCE, || get(admin, "/health/ready").0 == 200);
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        part::signal(self.child.id(), signal);
    }

    /// What the kernel says of the process.
    pub(crate) fn status(&self) -> String {
        std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("its status")
    }

    /// Waits for the end of the process.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        let mut status = None;
        part::eventually("the end of nexus", PATIENCE, || {
            status = self.child.try_wait().expect("its status");
            status.is_some()
        });
        status.expect("its status")
    }
}

impl Drop for Nexus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where the log of a node is kept: `tests/run` looks through all of them for what must not be logged.
fn log_file(pid: u32) -> std::fs::File {
    let path = log_path(pid);
    let folder = path.parent().expect("a folder");
    std::fs::create_dir_all(folder).expect("a folder for logs");
    std::fs::File::create(path).expect("a file for the log")
}

fn log_path(pid: u32) -> std::path::PathBuf {
    super::node::artifacts()
        .join("logs")
        .join(format!("nexus-{pid}.log"))
}

/// The program, in an environment without settings.
fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nexus"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("NEXUS__")) {
        command.env_remove(name);
    }
    command
}

/// Runs `nexus` to its end.
pub(crate) fn nexus(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    program()
        .args(arguments)
        .envs(environment.iter().copied())
        .output()
        .expect("nexus to be started")
}

/// One GET over a plain connection: status and body.
pub(crate) fn get(address: SocketAddr, path: &str) -> (u16, String) {
    request(
        address,
        &format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"),
    )
}

/// Sends these bytes, reads to the end: status and body.
pub(crate) fn request(address: SocketAddr, bytes: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).expect("a connection");
    stream.set_read_timeout(Some(PATIENCE)).expect("a deadline");
    stream
        .write_all(bytes.as_bytes())
        .expect("the request to be sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    (status.expect("a status"), body.to_owned())
}
