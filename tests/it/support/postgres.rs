//! A private PostgreSQL: its own data directory, a port of its own on 127.0.0.1, gone with the value.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::part::{eventually, free_port, printed, program, run};

/// A running server with an empty database `nexus`.
pub(crate) struct Postgres {
    dir: tempfile::TempDir,
    port: u16,
    server: Option<Child>,
    /// Whether it speaks TLS.
    tls: bool,
}

const PATIENCE: Duration = Duration::from_secs(30);

impl Postgres {
    /// Makes a cluster and starts it.
    pub(crate) fn start() -> Self {
        Self::make(None)
    }

    /// The same, speaking TLS with this certificate and key (PEM).
    pub(crate) fn start_with_tls(certificate: &str, key: &str) -> Self {
        Self::make(Some((certificate, key)))
    }

    fn make(tls: Option<(&str, &str)>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        // The server's user must be able to make its data in here.
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
        let made = as_server_user("initdb")
            .args([
                "--username=nexus",
                "--auth=trust",
                "--encoding=UTF8",
                "--locale=C",
                "--no-sync",
                "-D",
            ])
            .arg(dir.path().join("data"))
            .output()
            .unwrap();
        assert!(made.status.success(), "initdb: {}", printed(&made));
        let mut postgres = Postgres {
            dir,
            port: 0,
            server: None,
            tls: tls.is_some(),
        };
        if let Some((certificate, key)) = tls {
            postgres.give_file("server.crt", certificate);
            postgres.give_file("server.key", key);
        }
        // Somebody else may take the port between our look and the server's.
        let up = (0..5).any(|_| {
            postgres.port = free_port();
            postgres.try_up()
        });
        assert!(up, "postgres does not start: {}", postgres.complaints());
        postgres.tool("createdb", &["nexus"]);
        postgres
    }

    /// Writes a file into the data directory for the server alone.
    fn give_file(&self, name: &str, text: &str) {
        let path = self.dir.path().join("data").join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        let owner = std::fs::metadata(self.dir.path().join("data")).unwrap();
        std::os::unix::fs::chown(&path, Some(owner.uid()), Some(owner.gid())).unwrap();
    }

    /// Starts the server again, on the same data and port.
    pub(crate) fn up(&mut self) {
        assert!(self.try_up(), "postgres does not start: {}", self.complaints());
    }

    /// Stops the server at once, without a checkpoint, as a crash would; its data stays.
    pub(crate) fn down(&mut self) {
        let Some(mut server) = self.server.take() else {
            return;
        };
        run("sh", ["-c", &format!("kill -QUIT {} || true", server.id())]);
        server.wait().unwrap();
    }

    /// The address for our settings.
    pub(crate) fn url(&self) -> String {
        format!("postgres://nexus@127.0.0.1:{}/nexus", self.port)
    }

    /// Runs SQL and gives what it prints, unaligned.
    pub(crate) fn sql(&self, sql: &str) -> String {
        self.tool(
            "psql",
            &["-d", "nexus", "-AtqX", "-v", "ON_ERROR_STOP=1", "-c", sql],
        )
    }

    /// A dump of everything, as a backup would be.
    pub(crate) fn dump(&self) -> String {
        self.tool("pg_dump", &["-d", "nexus", "--inserts"])
    }

    /// Cuts every connection but the one that does it.
    pub(crate) fn cut_connections(&self) {
        self.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE datname = 'nexus' AND pid <> pg_backend_pid()",
        );
    }

    fn try_up(&mut self) -> bool {
        assert!(self.server.is_none(), "it is up");
        let log = std::fs::File::create(self.dir.path().join("log")).unwrap();
        let mut server = as_server_user("postgres")
            .arg("-D")
            .arg(self.dir.path().join("data"))
            .args(["-p", &self.port.to_string(), "-c", "listen_addresses=127.0.0.1"])
            .args([
                "-c",
                "unix_socket_directories=",
                "-c",
                "fsync=off",
                "-c",
                "max_connections=50",
            ])
            .args(["-c", if self.tls { "ssl=on" } else { "ssl=off" }])
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let asked = postgres_program("pg_isready");
        let mut ended = false;
        eventually("postgres to take connections", PATIENCE, || {
            ended = server.try_wait().unwrap().is_some();
            let port = self.port.to_string();
            let ready = Command::new(&asked)
                .args(["-h", "127.0.0.1", "-p", &port])
                .output();
            ended || ready.unwrap().status.success()
        });
        if !ended {
            self.server = Some(server);
        }
        !ended
    }

    fn complaints(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    fn tool(&self, name: &str, arguments: &[&str]) -> String {
        let port = self.port.to_string();
        let server = ["-h", "127.0.0.1", "-p", &port, "-U", "nexus"];
        run(postgres_program(name), server.iter().chain(arguments))
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.down();
    }
}

/// Distributions keep the server's programs out of `PATH`, by version.
fn postgres_program(name: &str) -> PathBuf {
    let mut versions: Vec<String> = std::fs::read_dir("/usr/lib/postgresql")
        .map(|entries| {
            let bins = entries.flatten().map(|entry| entry.path().join("bin"));
            bins.filter_map(|bin| bin.to_str().map(str::to_owned)).collect()
        })
        .unwrap_or_default();
    versions.sort();
    let newest: Vec<&str> = versions.iter().rev().map(String::as_str).collect();
    program(name, &newest, "postgresql")
}

/// The server refuses to run as root; as root it runs as the user its package made.
fn as_server_user(name: &str) -> Command {
    let program_path = postgres_program(name);
    if std::fs::metadata("/proc/self").unwrap().uid() != 0 {
        return Command::new(program_path);
    }
    let mut command = Command::new(program("setpriv", &["/usr/bin"], "util-linux"));
    command
        .args(["--reuid=postgres", "--regid=postgres", "--init-groups", "--"])
        .arg(program_path)
        .current_dir("/");
    command
}
