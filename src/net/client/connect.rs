//! From a vetted address to a connection: dials exactly that address, looks at who answered, then TLS.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use rustls_pki_types::ServerName;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::{CallError, ErrorClass, Guard, Host, Policy, Resolve, Target, Trust};

/// Addresses of one name that are tried.
const TRIED: usize = 4;
/// Most addresses of one name; more is no honest answer.
const MOST_ADDRESSES: usize = 64;
/// Sent bytes that stay unacknowledged so long end a connection.
const USER_TIMEOUT: Duration = Duration::from_secs(30);
/// An idle connection is probed after so long.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// A connection to the peer of a call.
pub(super) enum Connected {
    /// Without TLS.
    Plain(TcpStream),
    /// With TLS.
    Tls(Box<TlsStream<TcpStream>>),
}

/// What it takes to connect.
pub(super) struct Dialer<'a> {
    pub(super) policy: &'a Policy,
    pub(super) resolver: &'a dyn Resolve,
    pub(super) trust: &'a Trust,
    /// For TCP, and again for TLS.
    pub(super) patience: Duration,
}

impl Dialer<'_> {
    /// Looks the name up once, vets every address, and connects to one of those.
    ///
    /// # Errors
    /// [`CallError`]; the peer has seen no request.
    pub(super) async fn connect(&self, target: &Target, guard: Guard) -> Result<Connected, CallError> {
        let addresses = self.addresses(target).await?;
        self.policy
            .vet(target, guard, &addresses)
            .map_err(CallError::denied)?;
        let tcp = self.dial(target, &addresses).await?;
        if !target.is_tls() {
            return Ok(Connected::Plain(tcp));
        }
        let name = match target.host() {
            Host::Name(name) => ServerName::try_from(name.clone())
                .map_err(|error| CallError::new(ErrorClass::Connection, error))?,
            Host::Address(ip) => ServerName::from(*ip),
        };
        let connector = TlsConnector::from(self.trust.for_guard(guard));
        match timeout(self.patience, connector.connect(name, tcp)).await {
            Ok(Ok(stream)) => Ok(Connected::Tls(Box::new(stream))),
            Ok(Err(error)) => Err(CallError::new(ErrorClass::Tls, error)),
            Err(_) => Err(CallError::new(ErrorClass::Tls, "TLS handshake took too long")),
        }
    }

    async fn addresses(&self, target: &Target) -> Result<Vec<IpAddr>, CallError> {
        let name = match target.host() {
            Host::Address(ip) => return Ok(vec![*ip]),
            Host::Name(name) => name,
        };
        let none = |why: String| CallError::new(ErrorClass::Connection, format!("{name}: {why}"));
        let found = self.resolver.resolve(name).await;
        let found = found.map_err(|error| none(error.to_string()))?;
        match found.len() {
            0 => Err(none("no address".to_owned())),
            1..=MOST_ADDRESSES => Ok(found),
            many => Err(none(format!("{many} addresses"))),
        }
    }

    /// The first of `addresses` that answers. Each gets its share of the time that is left.
    async fn dial(&self, target: &Target, addresses: &[IpAddr]) -> Result<TcpStream, CallError> {
        let until = Instant::now() + self.patience;
        let tried = addresses.len().min(TRIED);
        let mut last = io::Error::from(io::ErrorKind::TimedOut);
        let mut at = SocketAddr::new(IpAddr::from([0, 0, 0, 0]), 0);
        for (nth, ip) in addresses.iter().take(tried).enumerate() {
            at = SocketAddr::new(*ip, target.port());
            let now = Instant::now();
            let share = (until - now) / u32::try_from(tried - nth).unwrap_or(1);
            match timeout_at(now + share, TcpStream::connect(at)).await {
                Ok(Ok(tcp)) => return self.checked(tcp, at),
                Ok(Err(error)) => last = error,
                Err(_) => last = io::ErrorKind::TimedOut.into(),
            }
        }
        Err(CallError::new(ErrorClass::Connection, format!("{at}: {last}")))
    }

    fn checked(&self, tcp: TcpStream, dialled: SocketAddr) -> Result<TcpStream, CallError> {
        let failed = |error: io::Error| CallError::new(ErrorClass::Connection, format!("{dialled}: {error}"));
        let peer = tcp.peer_addr().map_err(failed)?;
        let local = tcp.local_addr().map_err(failed)?;
        self.policy
            .confirm(dialled, peer, local)
            .map_err(CallError::denied)?;
        let socket = SockRef::from(&tcp);
        socket.set_tcp_nodelay(true).map_err(failed)?;
        socket.set_tcp_user_timeout(Some(USER_TIMEOUT)).map_err(failed)?;
        let keepalive = TcpKeepalive::new().with_time(KEEPALIVE);
        socket.set_tcp_keepalive(&keepalive).map_err(failed)?;
        Ok(tcp)
    }
}
