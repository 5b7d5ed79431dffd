//! Listening sockets, and who is let in.
//!
//! Each core listens on the same address by itself (`SO_REUSEPORT`). A place for the connection is taken
//! before it is accepted: when the node is full, connections wait in the kernel's backlog and cost us nothing.
//! Running out of file descriptors slows accepting down; it never spins and never ends it.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};
use tokio::net::{TcpListener, TcpStream};

use super::address::neighbourhood;
use super::balance::Load;
use crate::config::{ConnectionLimits, IpRange};
use crate::runtime::limit::{Permit, Permits};
use crate::telemetry::names;

/// The kernel queues no more than this beyond what is on its way to a peer: a slow reader's bytes stay ours to
/// drop.
const UNSENT: u32 = 16 * 1024;

/// The bounds of a listening address, for the whole node.
#[derive(Clone, Debug)]
pub struct ListenerLimits {
    /// Connections the kernel may complete before we accept them.
    pub backlog: i32,
    /// Open connections in total.
    pub connections: usize,
    /// Open connections from one address.
    pub per_address: usize,
    /// Open connections from one /24 or /56.
    pub per_neighbourhood: usize,
    /// Sent bytes that stay unacknowledged so long end the connection (`TCP_USER_TIMEOUT`).
    pub user_timeout: Duration,
    /// An idle connection is probed after so long.
    pub keepalive: Duration,
    /// Balancers that speak the PROXY protocol. Their connections must begin with its header; nobody else's
    /// may.
    pub proxies: Vec<IpRange>,
}

impl Default for ListenerLimits {
    fn default() -> Self {
        Self {
            backlog: 4096,
            connections: 18_000,
            per_address: 200,
            per_neighbourhood: 1_000,
            user_timeout: Duration::from_secs(30),
            keepalive: Duration::from_secs(60),
            proxies: Vec::new(),
        }
    }
}

impl ListenerLimits {
    /// The bounds of the settings, for a process that may have `open_files` files open.
    pub fn new(limits: &ConnectionLimits, proxies: &[IpRange], open_files: u64) -> Self {
        Self {
            backlog: i32::from(limits.backlog),
            connections: limits.total_within(open_files),
            per_address: limits.per_address,
            per_neighbourhood: limits.per_neighbourhood,
            user_timeout: limits.user_timeout,
            keepalive: limits.keepalive,
            proxies: proxies.to_vec(),
        }
    }
}

/// Counts the open connections of the whole node; one for all cores and addresses that share the bounds.
#[derive(Clone, Debug)]
pub struct Gate(Arc<Doors>);

#[derive(Debug)]
struct Doors {
    total: Permits<()>,
    addresses: Permits<IpAddr>,
    neighbourhoods: Permits<IpAddr>,
}

/// A place for one connection that is not there yet.
#[derive(Debug)]
pub struct Place(Permit<()>);

/// A connection's right to be open. Dropping it gives everything back. Small: there are as many as connections.
#[derive(Debug)]
pub struct Admission {
    gate: Gate,
    ip: IpAddr,
    load: Option<Load>,
}

impl Admission {
    /// Counts the connection for the core that serves it, as long as it is open.
    pub(crate) fn count(&mut self, load: Load) {
        self.load = Some(load);
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        let Doors {
            total,
            addresses,
            neighbourhoods,
        } = self.gate.0.as_ref();
        addresses.give_back(&self.ip);
        neighbourhoods.give_back(&neighbourhood(self.ip));
        total.give_back(&());
        metrics::gauge!(names::CONNECTIONS).decrement(1.0);
    }
}

/// The peer has too many connections already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAdmitted {
    /// From its address.
    #[error("too many connections from this address")]
    Address,
    /// From its /24 or /56.
    #[error("too many connections from this network")]
    Neighbourhood,
}

impl Gate {
    /// A gate with the bounds of `limits`.
    pub fn new(limits: &ListenerLimits) -> Self {
        let total = limits.connections;
        Self(Arc::new(Doors {
            total: Permits::new(total, total),
            addresses: Permits::new(total, limits.per_address),
            neighbourhoods: Permits::new(total, limits.per_neighbourhood),
        }))
    }

    /// Waits for a place. Cancel-safe.
    pub async fn place(&self) -> Place {
        loop {
            if let Ok(permit) = self.0.total.take(()) {
                return Place(permit);
            }
            self.0.total.freed().await;
        }
    }

    /// Gives `place` to a connection from `ip`.
    ///
    /// # Errors
    /// [`NotAdmitted`] when `ip` or its neighbourhood has as many as it may.
    pub fn admit(&self, place: Place, ip: IpAddr) -> Result<Admission, NotAdmitted> {
        let ip = ip.to_canonical();
        let address = self.0.addresses.take(ip).map_err(|_| NotAdmitted::Address)?;
        let near = self.0.neighbourhoods.take(neighbourhood(ip));
        let near = near.map_err(|_| NotAdmitted::Neighbourhood)?;
        address.keep();
        near.keep();
        place.0.keep();
        metrics::gauge!(names::CONNECTIONS).increment(1.0);
        Ok(Admission {
            gate: self.clone(),
            ip,
            load: None,
        })
    }

    /// How many connections were let in and are open, for the metric.
    pub fn open(&self) -> usize {
        self.0.addresses.open()
    }
}

/// One core's listening socket.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
}

impl Listener {
    /// Listens on `addr`. Every core may listen on the same address; with port 0 the first one finds a port
    /// ([`Listener::local_addr`]) for the others.
    ///
    /// # Errors
    /// When the address cannot be had. Must be called inside a runtime.
    pub fn bind(addr: SocketAddr, limits: &ListenerLimits) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        socket.set_reuse_port(true)?;
        socket.set_nonblocking(true)?;
        // Accepted sockets inherit these, which saves a system call each.
        socket.set_tcp_nodelay(true)?;
        socket.set_tcp_user_timeout(Some(limits.user_timeout))?;
        socket.set_tcp_notsent_lowat(UNSENT)?;
        let probe = TcpKeepalive::new()
            .with_time(limits.keepalive)
            .with_interval(Duration::from_secs(10));
        socket.set_tcp_keepalive(&probe)?;
        socket.bind(&addr.into())?;
        socket.listen(limits.backlog)?;
        Ok(Self {
            socket: TcpListener::from_std(socket.into())?,
        })
    }

    /// The address it listens on.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// The next connection. Errors of a single connection are passed over; when the process or the machine is
    /// out of descriptors or memory, waits before it tries again. Cancel-safe.
    pub async fn accept(&self) -> (TcpStream, SocketAddr) {
        let mut pause = Duration::from_millis(10);
        loop {
            match self.socket.accept().await {
                Ok(accepted) => return accepted,
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    tracing::warn!(%error, pause_ms = pause.as_millis(), "cannot accept connections");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_secs(1));
                }
            }
        }
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted, TimedOut};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted | TimedOut
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(connections: usize, per_address: usize, per_neighbourhood: usize) -> Gate {
        Gate::new(&ListenerLimits {
            connections,
            per_address,
            per_neighbourhood,
            ..ListenerLimits::default()
        })
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[tokio::test]
    async fn an_address_and_its_neighbourhood_are_bounded_by_themselves() {
        let gate = gate(100, 2, 3);
        let mut open = Vec::new();
        for addr in ["192.0.2.1", "192.0.2.1", "192.0.2.2"] {
            open.push(gate.admit(gate.place().await, ip(addr)).unwrap());
        }
        let refused = gate.admit(gate.place().await, ip("192.0.2.1")).unwrap_err();
        assert_eq!(refused, NotAdmitted::Address);
        let refused = gate.admit(gate.place().await, ip("192.0.2.3")).unwrap_err();
        assert_eq!(refused, NotAdmitted::Neighbourhood);
        gate.admit(gate.place().await, ip("192.0.3.3")).unwrap();
        assert_eq!(gate.open(), 3);
    }

    #[tokio::test]
    async fn a_full_node_waits_for_a_place() {
        let gate = gate(1, 1, 1);
        let held = gate.admit(gate.place().await, ip("::1")).unwrap();
        let place = gate.place();
        tokio::pin!(place);
        assert!(futures_util::poll!(place.as_mut()).is_pending());
        drop(held);
        gate.admit(place.await, ip("::1")).unwrap();
    }
}
