//! A private redis-server, and a cluster of three masters.
//!
//! Each server has its own temporary folder, a free port of 127.0.0.1 and a socket in the folder. It can be
//! killed, frozen and restarted on the same data. Dropping it kills it and removes the data.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::part::{self, Signal};

/// What the append-only file promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AppendOnly {
    /// Nothing is written to disk.
    Off,
    /// `appendfsync everysec`.
    EverySecond,
    /// `appendfsync always`.
    Always,
}

/// How a server is started.
#[derive(Clone, Debug)]
pub(crate) struct RedisOptions {
    /// What reaches the disk.
    pub(crate) append_only: AppendOnly,
    /// Whether the server is a node of a cluster.
    pub(crate) cluster: bool,
    /// More `name value` settings; they win over the defaults here.
    pub(crate) settings: Vec<(String, String)>,
}

impl Default for RedisOptions {
    fn default() -> Self {
        Self {
            append_only: AppendOnly::EverySecond,
            cluster: false,
            settings: Vec::new(),
        }
    }
}

impl RedisOptions {
    /// The defaults with this promise of the append-only file.
    pub(crate) fn append_only(append_only: AppendOnly) -> Self {
        Self {
            append_only,
            ..Self::default()
        }
    }

    /// The same with one more setting, as in redis.conf.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// A running (or killed, and restartable) redis-server.
#[derive(Debug)]
pub(crate) struct RedisServer {
    options: RedisOptions,
    folder: tempfile::TempDir,
    port: u16,
    cluster_port: u16,
    process: Option<Process>,
}

#[derive(Debug)]
struct Process {
    child: Child,
    said: Arc<Mutex<VecDeque<String>>>,
}

impl RedisServer {
    /// A server with the default options: append-only file, fsync every second.
    pub(crate) fn start() -> Self {
        Self::start_with(RedisOptions::default())
    }

    /// A server with `options`, accepting connections when this returns.
    ///
    /// # Panics
    /// When redis-server is not installed or does not start; the message says what to do.
    pub(crate) fn start_with(options: RedisOptions) -> Self {
        // A free port is free only until somebody else takes it.
        let mut refused = String::new();
        for _ in 0..5 {
            let mut server = Self {
                options: options.clone(),
                folder: tempfile::tempdir().expect("a temporary folder"),
                port: part::free_port(),
                cluster_port: part::free_port(),
                process: None,
            };
            match server.spawn() {
                Ok(()) => return server,
                Err(said) => refused = said,
            }
        }
        panic!("redis-server did not start: {refused}");
    }

    /// `host:port`.
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The port on 127.0.0.1.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// `redis://host:port`.
    pub(crate) fn url(&self) -> String {
        format!("redis://{}", self.address())
    }

    /// The Unix socket of the server.
    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("redis.sock")
    }

    /// Where its data lies.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The process id while it runs.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(|process| process.child.id())
    }

    /// Ends the process as `kill -9` does. The data stays.
    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.child.kill();
            let _ = process.child.wait();
        }
    }

    /// Freezes the process: connections stay open and nothing answers. It is frozen when this returns.
    pub(crate) fn freeze(&self) {
        let pid = self.pid().expect("a running server");
        part::signal(pid, Signal::Stop);
        part::eventually("a frozen redis-server", Duration::from_secs(5), || {
            std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| stat.contains(") T "))
        });
    }

    /// Lets a frozen process go on.
    pub(crate) fn thaw(&self) {
        part::signal(self.pid().expect("a running server"), Signal::Continue);
    }

    /// Starts a killed server again on the same port and data (kills it first if it runs).
    pub(crate) fn restart(&mut self) {
        self.kill();
        // The kernel may need a moment to let go of the port of the process before.
        let mut refused = String::new();
        for _ in 0..50 {
            match self.spawn() {
                Ok(()) => return,
                Err(said) => refused = said,
            }
        }
        panic!("redis-server did not restart: {refused}");
    }

    /// Takes the last bytes from the append-only file of a killed server, as a disk does that was not asked in time.
    pub(crate) fn lose_the_end(&self, bytes: u64) {
        assert!(self.process.is_none(), "it still writes");
        let files = std::fs::read_dir(self.folder().join("appendonlydir")).expect("an append-only file");
        let newest = files
            .map(|file| file.expect("a file").path())
            .filter(|file| file.to_string_lossy().ends_with(".incr.aof"))
            .max()
            .expect("what was written since the last rewrite");
        let file = std::fs::OpenOptions::new()
            .write(true)
            .open(newest)
            .expect("to write it");
        let length = file.metadata().expect("its length").len();
        file.set_len(length.saturating_sub(bytes)).expect("to cut it");
    }

    /// Sends one command and returns the answer as redis-cli prints it when not on a terminal.
    pub(crate) fn command(&self, arguments: &[&str]) -> String {
        let port = self.port.to_string();
        let mut line = vec!["-e", "-h", "127.0.0.1", "-p", &port];
        line.extend_from_slice(arguments);
        part::run(cli(), line).trim_end().to_owned()
    }

    /// The last lines the server wrote to its log.
    pub(crate) fn said(&self) -> String {
        self.process.as_ref().map(Process::said).unwrap_or_default()
    }

    fn spawn(&mut self) -> Result<(), String> {
        let mut command = Command::new(part::program("redis-server", &[], "redis-server"));
        for (name, value) in self.arguments() {
            command.arg(format!("--{name}")).arg(value);
        }
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("redis-server to be started");
        let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let mut before = VecDeque::new();
        loop {
            match lines.next() {
                Some(Ok(line)) if line.contains("Ready to accept connections") => break,
                Some(Ok(line)) => before.push_back(line),
                Some(Err(_)) | None => {
                    let _ = child.kill();
                    let _ = child.wait();
                    return Err(Vec::from(before).join("\n"));
                }
            }
        }
        let said = Arc::new(Mutex::new(before));
        let heard = Arc::clone(&said);
        // Keeps the pipe empty; ends with the process.
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let mut said = heard.lock().expect("the log of the server");
                if said.len() == 200 {
                    said.pop_front();
                }
                said.push_back(line);
            }
        });
        self.process = Some(Process { child, said });
        Ok(())
    }

    /// The command line, the given settings last so that they win.
    fn arguments(&self) -> Vec<(String, String)> {
        let (append_only, fsync) = match self.options.append_only {
            AppendOnly::Off => ("no", "no"),
            AppendOnly::EverySecond => ("yes", "everysec"),
            AppendOnly::Always => ("yes", "always"),
        };
        let mut arguments: Vec<(String, String)> = [
            ("bind", "127.0.0.1"),
            ("port", &self.port.to_string()),
            ("unixsocket", &self.socket().display().to_string()),
            ("dir", &self.folder.path().display().to_string()),
            ("daemonize", "no"),
            ("save", ""),
            ("appendonly", append_only),
            ("appendfsync", fsync),
            ("maxmemory-policy", "noeviction"),
            ("stream-node-max-bytes", "1024"),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
        if self.options.cluster {
            arguments.push(("cluster-enabled".into(), "yes".into()));
            arguments.push(("cluster-port".into(), self.cluster_port.to_string()));
            arguments.push(("cluster-node-timeout".into(), "2000".into()));
        }
        arguments.extend(self.options.settings.iter().cloned());
        arguments
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Process {
    fn said(&self) -> String {
        let said = self.said.lock().expect("the log of the server");
        said.iter().cloned().collect::<Vec<_>>().join("\n")
    }
}

/// A Redis Cluster of three masters without replicas, all slots served.
#[derive(Debug)]
pub(crate) struct RedisCluster {
    /// The masters, in the order of their slots.
    pub(crate) masters: Vec<RedisServer>,
}

impl RedisCluster {
    /// Starts three masters and waits until each of them says the cluster is whole.
    pub(crate) fn start(options: &RedisOptions) -> Self {
        let masters: Vec<RedisServer> = (0..3)
            .map(|_| {
                RedisServer::start_with(RedisOptions {
                    cluster: true,
                    ..options.clone()
                })
            })
            .collect();
        let mut line = vec!["--cluster".to_owned(), "create".to_owned()];
        line.extend(masters.iter().map(RedisServer::address));
        line.push("--cluster-yes".to_owned());
        part::run(cli(), line);
        let cluster = Self { masters };
        cluster.wait_until_whole(Duration::from_secs(30));
        cluster
    }

    /// Waits until every master sees all slots served.
    pub(crate) fn wait_until_whole(&self, limit: Duration) {
        part::eventually("a whole Redis Cluster", limit, || {
            self.masters
                .iter()
                .all(|master| master.command(&["cluster", "info"]).contains("cluster_state:ok"))
        });
    }

    /// `redis-cluster://host:port` of the first master; the others are found through it.
    pub(crate) fn url(&self) -> String {
        format!("redis-cluster://{}", self.masters[0].address())
    }
}

fn cli() -> PathBuf {
    part::program("redis-cli", &[], "redis-tools")
}

mod tests {
    use std::io::{Read, Write};

    use super::*;

    #[test]
    fn a_killed_server_comes_back_with_what_was_fsynced() {
        let mut server = RedisServer::start_with(RedisOptions::append_only(AppendOnly::Always));
        server.command(&["set", "kept", "yes"]);
        server.kill();
        server.restart();
        assert_eq!(server.command(&["get", "kept"]), "yes");
    }

    #[test]
    fn three_masters_share_the_slots() {
        let cluster = RedisCluster::start(&RedisOptions::default());
        for master in &cluster.masters {
            assert!(
                master
                    .command(&["cluster", "info"])
                    .contains("cluster_slots_ok:16384")
            );
        }
    }

    #[test]
    fn a_frozen_server_answers_nothing_until_thawed() {
        let server = RedisServer::start();
        server.freeze();
        let mut asked = std::net::TcpStream::connect(server.address()).unwrap();
        asked.write_all(b"PING\r\n").unwrap();
        asked.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        assert!(asked.read(&mut [0; 8]).is_err());
        server.thaw();
        assert_eq!(server.command(&["ping"]), "PONG");
    }
}
