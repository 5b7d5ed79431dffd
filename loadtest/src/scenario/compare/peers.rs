//! The servers that are compared, each started with a folder of its own and ended with the measurement.

use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::http::Target;
use crate::proc::Usage;
use crate::server::{Server, ServerArgs, free_ports};
use crate::tls;

/// Where Debian puts the module.
const NCHAN: &str = "/usr/lib/nginx/modules/ngx_nchan_module.so";

/// Echoes at every path but two: who is at `/sub` is told what is sent at `/pub`.
const NODE: &str = r"
const [, , modules, folder, port] = process.argv;
const { readFileSync } = require('fs');
const { WebSocketServer } = require(modules + '/ws');
const server = require('https').createServer({
  cert: readFileSync(folder + '/cert.pem'), key: readFileSync(folder + '/key.pem'),
});
const watchers = new Set();
new WebSocketServer({ server, perMessageDeflate: false }).on('connection', (socket, request) => {
  if (request.url === '/sub') {
    watchers.add(socket);
    socket.on('close', () => watchers.delete(socket));
  }
  socket.on('message', (data, binary) => {
    if (request.url === '/pub') for (const watcher of watchers) watcher.send(data, { binary });
    else socket.send(data, { binary });
  });
});
server.listen(Number(port), '127.0.0.1');
";

/// Who is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Peer {
    /// This server.
    Ours,
    /// Node with `ws`.
    NodeWs,
    /// nginx with nchan.
    Nchan,
}

impl Peer {
    /// What it is called in figures.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ours => "nexus",
            Self::NodeWs => "node_ws",
            Self::Nchan => "nginx_nchan",
        }
    }

    /// Whether it sends back what it is sent.
    pub(super) fn echoes(self) -> bool {
        self != Self::Nchan
    }

    /// Where connections idle.
    pub(super) fn idle_path(self) -> &'static str {
        if self.echoes() { "/" } else { "/sub" }
    }

    /// Where subscribers wait.
    pub(super) fn subscribe_path(self) -> &'static str {
        "/sub"
    }

    /// Starts it.
    pub(super) async fn start(self, ours: &ServerArgs, modules: &Path) -> Result<Running> {
        let [addr] = free_ports()?;
        let process = match self {
            Self::Ours => {
                let args = ServerArgs {
                    echo: Some(addr),
                    ..ours.clone()
                };
                Process::Ours(Box::new(Server::of(&args).await?))
            }
            Self::NodeWs => Process::Other(node(addr, modules)?),
            Self::Nchan => Process::Other(nginx(addr)?),
        };
        let give_up = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(addr).is_err() {
            if Instant::now() > give_up {
                bail!("{} did not start", self.name());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(Running {
            peer: self,
            target: Target::of(addr, Some(tls::any_certificate()?)),
            process: Rc::new(process),
        })
    }
}

/// One that runs.
pub(super) struct Running {
    peer: Peer,
    target: Target,
    process: Rc<Process>,
}

enum Process {
    Ours(Box<Server>),
    Other(Started),
}

struct Started {
    child: Child,
    folder: PathBuf,
}

impl Drop for Started {
    fn drop(&mut self) {
        // The workers of nginx go when the line to their master is cut; nobody needs what any of them holds.
        for worker in children(self.child.id()) {
            let _ = Command::new("kill").arg(worker.to_string()).status();
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Running {
    /// The same, for a task.
    pub(super) fn seen(&self) -> Self {
        Self {
            peer: self.peer,
            target: self.target.clone(),
            process: Rc::clone(&self.process),
        }
    }

    /// Which it is.
    pub(super) fn peer(&self) -> Peer {
        self.peer
    }

    /// Where it listens.
    pub(super) fn target(&self) -> &Target {
        &self.target
    }

    /// What all of its processes use.
    pub(super) fn usage(&self) -> Result<Usage> {
        let first = match self.process.as_ref() {
            Process::Ours(server) => return Usage::of(server.pid()),
            Process::Other(started) => started.child.id(),
        };
        let mut usage = Usage::of(first)?;
        for worker in children(first) {
            let more = Usage::of(worker)?;
            usage.anonymous += more.anonymous;
            usage.resident += more.resident;
            usage.cpu += more.cpu;
            usage.files += more.files;
        }
        Ok(usage)
    }
}

fn children(pid: u32) -> Vec<u32> {
    let listed = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    listed
        .split_whitespace()
        .filter_map(|pid| pid.parse().ok())
        .collect()
}

/// A folder with a certificate.
fn folder(name: &str) -> Result<PathBuf> {
    let folder = std::env::temp_dir().join(format!("nexus-compare-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let made = Command::new("openssl")
        .args(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
                .split(' '),
        )
        .arg("-keyout")
        .arg(folder.join("key.pem"))
        .arg("-out")
        .arg(folder.join("cert.pem"))
        .stderr(Stdio::null())
        .status()
        .context("openssl is not there: `apt-get install openssl`")?;
    if !made.success() {
        bail!("openssl made no certificate");
    }
    Ok(folder)
}

fn node(addr: SocketAddr, modules: &Path) -> Result<Started> {
    let modules = modules.canonicalize().unwrap_or_else(|_| modules.to_owned());
    if !modules.join("ws").exists() {
        bail!(
            "ws is not in {}: `npm install --prefix target/node ws`",
            modules.display()
        );
    }
    let folder = folder("node")?;
    let script = folder.join("server.js");
    std::fs::write(&script, NODE)?;
    let child = Command::new("node")
        .args([script.as_path(), modules.as_path(), folder.as_path()])
        .arg(addr.port().to_string())
        .spawn()
        .context("node is not there: `apt-get install nodejs`")?;
    Ok(Started { child, folder })
}

fn nginx(addr: SocketAddr) -> Result<Started> {
    if !Path::new(NCHAN).exists() {
        bail!("{NCHAN} is not there: `apt-get install nginx libnginx-mod-nchan`");
    }
    let folder = folder("nginx")?;
    let at = folder.display();
    let settings = format!(
        "load_module {NCHAN};\ndaemon off;\nworker_processes 1;\nworker_rlimit_nofile 20000;\n\
         pid {at}/nginx.pid;\nerror_log {at}/error.log;\nevents {{ worker_connections 19000; }}\n\
         http {{\n access_log off;\n client_body_temp_path {at}/body;\n proxy_temp_path {at}/proxy;\n\
         fastcgi_temp_path {at}/fastcgi;\n uwsgi_temp_path {at}/uwsgi;\n scgi_temp_path {at}/scgi;\n\
         keepalive_requests 100000000;\n server {{\n listen {addr} ssl backlog=4096;\n\
         ssl_certificate {at}/cert.pem;\n ssl_certificate_key {at}/key.pem;\n ssl_protocols TLSv1.3;\n\
         location = /sub {{ nchan_subscriber websocket; nchan_channel_id load; nchan_subscriber_first_message newest; }}\n\
         location = /pub {{ nchan_publisher; nchan_channel_id load; }}\n }}\n}}\n"
    );
    let file = folder.join("nginx.conf");
    std::fs::write(&file, settings)?;
    let child = Command::new("nginx")
        .arg("-c")
        .arg(&file)
        .arg("-e")
        .arg(folder.join("error.log"))
        .spawn()
        .context("nginx is not there: `apt-get install nginx libnginx-mod-nchan`")?;
    Ok(Started { child, folder })
}
