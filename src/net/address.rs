//! Addresses: who a peer is, address ranges, and the prefix that stands for one neighbourhood.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::config::IpRange;

/// Who is at the other end of a connection.
///
/// Headers such as `X-Forwarded-For` never change it: only the PROXY protocol of a trusted balancer does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The client's address.
    pub addr: SocketAddr,
    /// The address it reached.
    pub local: SocketAddr,
    /// Whether the connection is encrypted.
    pub tls: bool,
    /// Whether it speaks HTTP/2.
    pub http2: bool,
}

/// Whether `ip` is in `range`. IPv4 addresses in their IPv6 form count as IPv4.
pub fn is_in(range: &IpRange, ip: IpAddr) -> bool {
    let ip = ip.to_canonical();
    ip.is_ipv4() == range.address.is_ipv4() && mask(ip, range.prefix) == mask(range.address, range.prefix)
}

/// The neighbourhood an address is counted in besides itself: its /24, or its /56 for IPv6.
pub fn neighbourhood(ip: IpAddr) -> IpAddr {
    let ip = ip.to_canonical();
    mask(ip, if ip.is_ipv4() { 24 } else { 56 })
}

fn mask(ip: IpAddr, bits: u8) -> IpAddr {
    match ip {
        IpAddr::V4(ip) => {
            let keep = u32::MAX.checked_shl(32 - u32::from(bits.min(32))).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from_bits(ip.to_bits() & keep))
        }
        IpAddr::V6(ip) => {
            let keep = u128::MAX.checked_shl(128 - u32::from(bits.min(128))).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() & keep))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contains(range: &str, ip: &str) -> bool {
        is_in(&range.parse().unwrap(), ip.parse().unwrap())
    }

    #[test]
    fn a_range_holds_its_addresses_and_no_others() {
        assert!(contains("10.0.0.0/8", "10.200.3.4"));
        assert!(contains("10.0.0.0/8", "::ffff:10.1.2.3"));
        assert!(!contains("10.0.0.0/8", "11.0.0.1"));
        assert!(contains("0.0.0.0/0", "1.2.3.4"));
        assert!(!contains("0.0.0.0/0", "2001:db8::1"));
        assert!(!contains("::/0", "1.2.3.4"));
        assert!(contains("2001:db8::/32", "2001:db8:1::1"));
        assert!(contains("127.0.0.1", "127.0.0.1"));
        assert!(!contains("127.0.0.1", "127.0.0.2"));
    }

    #[test]
    fn neighbours_share_a_prefix() {
        let near = |ip: &str| neighbourhood(ip.parse().unwrap());
        assert_eq!(near("192.0.2.7"), near("192.0.2.250"));
        assert_ne!(near("192.0.2.7"), near("192.0.3.7"));
        assert_eq!(near("2001:db8:0:12::1"), near("2001:db8:0:34::1"));
        assert_ne!(near("2001:db8:0:112::1"), near("2001:db8:0:234::1"));
    }
}
