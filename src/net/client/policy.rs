//! Where a call may go: what the settings allow, against the URL and against every address behind it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::config::{HostRange, IpRange, Outbound};
use crate::net::address::is_in;

use super::{Guard, Host, Target, is_public};

/// Names that mean the inside of some network, and all names below them.
const INSIDE: [&str; 9] = [
    "localhost",
    "localdomain",
    "local",
    "internal",
    "intranet",
    "lan",
    "corp",
    "home",
    "home.arpa",
];

/// The rules. Cheap to ask, the same for all cores.
#[derive(Clone, Debug)]
pub struct Policy {
    allow: Vec<HostRange>,
    peers: Vec<HostRange>,
    deny: Vec<IpRange>,
    ports: Vec<u16>,
    plain_http: bool,
    own: Vec<SocketAddr>,
}

/// Which rule a call would break. For the operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// Without TLS.
    #[error("no TLS")]
    Plain,
    /// A port that is not listed.
    #[error("port {0}")]
    Port(u16),
    /// A name of the inside.
    #[error("an inside name")]
    Name,
    /// An address of the inside. One is enough to refuse them all.
    #[error("inside address {0}")]
    Address(IpAddr),
    /// One of our own listeners.
    #[error("our own listener {0}")]
    Own(SocketAddr),
    /// The connection leads elsewhere than where it was dialled.
    #[error("dialled {0}, reached {1}")]
    Elsewhere(SocketAddr, SocketAddr),
}

impl Policy {
    /// The rules of the settings, for a node that listens at `own`.
    pub fn new(settings: &Outbound, own: Vec<SocketAddr>) -> Self {
        Self {
            allow: settings.allow.clone(),
            peers: settings.peers.clone(),
            deny: settings.deny.clone(),
            ports: settings.ports.clone(),
            plain_http: settings.plain_http,
            own,
        }
    }

    /// Judges the URL before anything is looked up. What passes here may still fail [`Policy::vet`].
    ///
    /// # Errors
    /// [`Denied`].
    pub fn judge(&self, target: &Target, guard: Guard) -> Result<(), Denied> {
        let Host::Name(name) = target.host() else {
            return self.judge_form(target, guard, self.may_be_listed(guard));
        };
        if self.is_named(name, guard) {
            return Ok(());
        }
        if is_inside_name(name) {
            return Err(Denied::Name);
        }
        self.judge_form(target, guard, self.may_be_listed(guard))
    }

    /// Judges all the addresses a target has: one that is not good makes all of them bad.
    ///
    /// # Errors
    /// [`Denied`], for the first that is not good.
    pub fn vet(&self, target: &Target, guard: Guard, addresses: &[IpAddr]) -> Result<(), Denied> {
        let named = matches!(target.host(), Host::Name(name) if self.is_named(name, guard));
        let mut listed = true;
        for &address in addresses {
            let ip = address.to_canonical();
            let at = SocketAddr::new(ip, target.port());
            if self.deny.iter().any(|range| is_in(range, ip)) || is_nowhere(ip) {
                return Err(Denied::Address(address));
            }
            if self.own.iter().any(|own| is_own(*own, at)) {
                return Err(Denied::Own(at));
            }
            let in_list = self.lists(guard).any(|entry| match entry {
                HostRange::Addresses(range) => is_in(range, ip),
                _ => false,
            });
            // A name the operator listed may be anywhere but where no service is: link-local holds the metadata.
            let by_name = named && !is_link_local(ip);
            // Not the canonical form: an IPv4 address inside an IPv6 one is not how anybody is reached.
            if !in_list && !by_name && !is_public(address) {
                return Err(Denied::Address(address));
            }
            listed &= in_list || by_name;
        }
        self.judge_form(target, guard, listed)
    }

    /// Judges the connection that came about: that it leads where it was dialled, and not to ourselves.
    ///
    /// # Errors
    /// [`Denied`].
    pub fn confirm(&self, dialled: SocketAddr, peer: SocketAddr, local: SocketAddr) -> Result<(), Denied> {
        let same = peer.ip().to_canonical() == dialled.ip().to_canonical() && peer.port() == dialled.port();
        if !same {
            return Err(Denied::Elsewhere(dialled, peer));
        }
        let ourselves = peer.ip().to_canonical() == local.ip().to_canonical();
        if ourselves
            && self
                .own
                .iter()
                .any(|own| own.ip().is_unspecified() && own.port() == peer.port())
        {
            return Err(Denied::Own(peer));
        }
        Ok(())
    }

    /// Scheme and port; who is `listed` may have any.
    fn judge_form(&self, target: &Target, guard: Guard, listed: bool) -> Result<(), Denied> {
        if guard == Guard::Operator || listed {
            return Ok(());
        }
        if !target.is_tls() && !self.plain_http {
            return Err(Denied::Plain);
        }
        if !self.ports.contains(&target.port()) {
            return Err(Denied::Port(target.port()));
        }
        Ok(())
    }

    fn lists(&self, guard: Guard) -> impl Iterator<Item = &HostRange> {
        let peers = match guard {
            Guard::Public => &[],
            Guard::Operator => self.peers.as_slice(),
        };
        self.allow.iter().chain(peers)
    }

    fn is_named(&self, name: &str, guard: Guard) -> bool {
        self.lists(guard).any(|entry| entry.names(name))
    }

    fn may_be_listed(&self, guard: Guard) -> bool {
        self.lists(guard)
            .any(|entry| matches!(entry, HostRange::Addresses(_)))
    }
}

/// Whether a name has no business in the public DNS. A name of one label means what the machine's search list makes
/// of it.
fn is_inside_name(name: &str) -> bool {
    let below = |end: &str| {
        name.strip_suffix(end)
            .is_some_and(|before| before.is_empty() || before.ends_with('.'))
    };
    !name.contains('.') || name.starts_with("metadata.") || INSIDE.iter().any(|end| below(end))
}

/// Where no service ever is.
fn is_nowhere(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.octets()[0] == 0 || ip.is_multicast() || ip.is_broadcast(),
        IpAddr::V6(ip) => ip.is_unspecified() || ip.is_multicast(),
    }
}

fn is_link_local(ip: IpAddr) -> bool {
    /// The metadata service of one cloud, which is not link-local.
    const METADATA: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);
    match ip {
        IpAddr::V4(ip) => ip.is_link_local() || ip == Ipv4Addr::new(168, 63, 129, 16),
        IpAddr::V6(ip) => ip.is_unicast_link_local() || ip == METADATA,
    }
}

/// Whether `at` is the listener `own`. One that listens everywhere, or on loopback, is met at every loopback address.
fn is_own(own: SocketAddr, at: SocketAddr) -> bool {
    let (own_ip, ip) = (own.ip().to_canonical(), at.ip().to_canonical());
    let meets = own_ip == ip || (ip.is_loopback() && (own_ip.is_unspecified() || own_ip.is_loopback()));
    own.port() == at.port() && meets
}

#[cfg(test)]
mod tests;
