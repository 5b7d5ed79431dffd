//! A real clamd on a port of its own, whose only signature is one of ours: nothing is fetched from anywhere.

use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::part::{eventually, free_port, program};

/// What it finds.
pub(crate) const PLANTED: &[u8] = b"planted-virus-of-ours";

const PATIENCE: Duration = Duration::from_secs(60);

/// A running scanner.
pub(crate) struct RealClamd {
    pub(crate) addr: SocketAddr,
    child: Child,
    _files: tempfile::TempDir,
}

impl RealClamd {
    /// Starts it and waits until it listens.
    ///
    /// # Panics
    /// When it is not installed, naming what installs it.
    pub(crate) fn start() -> Self {
        let clamd = program("clamd", &["/usr/sbin"], "clamav-daemon");
        let files = tempfile::tempdir().unwrap();
        let place = files.path();
        let signatures = place.join("signatures");
        std::fs::create_dir(&signatures).unwrap();
        let text: String = PLANTED.iter().map(|byte| format!("{byte:02x}")).collect();
        std::fs::write(signatures.join("planted.ndb"), format!("Planted:0:*:{text}\n")).unwrap();
        let addr = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let settings = format!(
            "DatabaseDirectory {}\nTCPSocket {}\nTCPAddr 127.0.0.1\nForeground yes\nTemporaryDirectory {}\nSelfCheck 0\n\
             StreamMaxLength 12M\n",
            signatures.display(),
            addr.port(),
            place.display()
        );
        let file = place.join("clamd.conf");
        std::fs::write(&file, settings).unwrap();
        let child = Command::new(clamd)
            .arg(format!("--config-file={}", file.display()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("clamd to be started");
        eventually("clamd", PATIENCE, || TcpStream::connect(addr).is_ok());
        Self {
            addr,
            child,
            _files: files,
        }
    }
}

impl Drop for RealClamd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
