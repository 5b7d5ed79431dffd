//! Which addresses are public: everything that a registry or a standard keeps for another use is not.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// IPv4 networks that no customer's server is in, as (network, prefix).
const INSIDE_V4: [([u8; 4], u32); 16] = [
    ([0, 0, 0, 0], 8),        // this network
    ([10, 0, 0, 0], 8),       // private
    ([100, 64, 0, 0], 10),    // shared by carriers
    ([127, 0, 0, 0], 8),      // loopback
    ([169, 254, 0, 0], 16),   // link-local, metadata services
    ([172, 16, 0, 0], 12),    // private
    ([192, 0, 0, 0], 24),     // protocol assignments
    ([192, 0, 2, 0], 24),     // documentation
    ([192, 88, 99, 0], 24),   // 6to4 relays
    ([192, 168, 0, 0], 16),   // private
    ([198, 18, 0, 0], 15),    // benchmarking
    ([198, 51, 100, 0], 24),  // documentation
    ([203, 0, 113, 0], 24),   // documentation
    ([224, 0, 0, 0], 4),      // multicast
    ([240, 0, 0, 0], 4),      // reserved, broadcast
    ([168, 63, 129, 16], 32), // a cloud's platform service
];

/// Of IPv6 only global unicast (2000::/3) is public, and of that not these.
const INSIDE_V6: [([u16; 8], u32); 4] = [
    ([0x2001, 0, 0, 0, 0, 0, 0, 0], 23), // protocol assignments, Teredo, ORCHID, benchmarking
    ([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32), // documentation
    ([0x2002, 0, 0, 0, 0, 0, 0, 0], 16), // 6to4 holds an IPv4 address
    ([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20), // documentation
];

/// Whether `ip` is an address on the public internet. Forms of IPv6 that hold an IPv4 address (mapped, compatible,
/// NAT64, 6to4, Teredo) are not, whatever they hold: no server that customers run is only there.
pub fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => !INSIDE_V4
            .iter()
            .any(|(network, prefix)| within(ip, Ipv4Addr::from(*network), *prefix)),
        IpAddr::V6(ip) => {
            let bits = ip.to_bits();
            let in_network =
                |network: Ipv6Addr, prefix: u32| (bits ^ network.to_bits()) >> (128 - prefix) == 0;
            in_network(Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3)
                && !INSIDE_V6
                    .iter()
                    .any(|(network, prefix)| in_network(Ipv6Addr::from(*network), *prefix))
        }
    }
}

fn within(ip: Ipv4Addr, network: Ipv4Addr, prefix: u32) -> bool {
    (ip.to_bits() ^ network.to_bits()) >> (32 - prefix) == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The edges of every network: its first and last address are inside, those next to it are not.
    #[test]
    fn networks_are_inside_from_their_first_address_to_their_last() {
        for (network, prefix) in INSIDE_V4 {
            let first = u32::from_be_bytes(network);
            let last = first | u32::MAX.checked_shr(prefix).unwrap_or(0);
            for inside in [first, last, first / 2 + last / 2] {
                assert!(
                    !is_public(Ipv4Addr::from_bits(inside).into()),
                    "{network:?}/{prefix}"
                );
            }
        }
        for outside in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.0.3.0",
            "192.88.98.255",
            "192.88.100.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "198.51.99.255",
            "203.0.114.0",
            "223.255.255.255",
            "2606:4700:4700::1111",
            "2001:4860:4860::8888",
            "2001:200::1",
            "2003::1",
            "2a00::1",
            "2001:db9::1",
            "3ffe::1",
        ] {
            assert!(is_public(outside.parse().unwrap()), "{outside}");
        }
    }

    #[test]
    fn special_addresses_of_ipv6_are_inside() {
        for inside in [
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "::8.8.8.8",
            "::127.0.0.1",
            "64:ff9b::1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:0:7f00:1::",
            "2001:2::1",
            "2001:20::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "2002:808:808::",
            "3fff::1",
            "3fff:fff::1",
            "4000::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fdff::1",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "ff02::1",
            "ff0e::1",
            "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        ] {
            assert!(!is_public(inside.parse().unwrap()), "{inside}");
        }
    }

    proptest! {
        /// Whatever the standard library calls special is inside here too.
        #[test]
        fn the_standard_library_knows_no_more(v4: u32, v6: u128) {
            let ip = Ipv4Addr::from_bits(v4);
            let special = ip.is_private() || ip.is_loopback() || ip.is_link_local() || ip.is_multicast()
                || ip.is_broadcast() || ip.is_documentation() || ip.is_unspecified();
            prop_assert!(!(special && is_public(ip.into())), "{}", ip);
            let ip = Ipv6Addr::from_bits(v6);
            let special = ip.is_loopback() || ip.is_multicast() || ip.is_unspecified() || ip.is_unique_local()
                || ip.is_unicast_link_local() || ip.to_ipv4().is_some();
            prop_assert!(!(special && is_public(ip.into())), "{}", ip);
        }

        #[test]
        fn an_address_within_another_form_is_never_public(v4: u32) {
            let [a, b, c, d] = v4.to_be_bytes();
            let (high, low) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
            for form in [
                Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, high, low),
                Ipv6Addr::new(0, 0, 0, 0, 0, 0, high, low),
                Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low),
                Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 1),
                Ipv6Addr::new(0x2001, 0, high, low, 0, 0, 0, 0),
            ] {
                prop_assert!(!is_public(form.into()));
            }
        }
    }
}
