//! What a `Host` header or an `:authority` may say: a host and perhaps a port, nothing else.

/// Whether `value` is `uri-host [":" port]` of RFC 9110 section 7.2, not empty, with a port of 1 to 65535.
/// User information, paths, fragments and spaces are not part of it.
pub(crate) fn is_valid(value: &[u8]) -> bool {
    let (host, port) = match value {
        [b'[', rest @ ..] => {
            let Some(end) = rest.iter().position(|byte| *byte == b']') else {
                return false;
            };
            if !is_address_literal(&rest[..end]) {
                return false;
            }
            match &rest[end + 1..] {
                [] => return true,
                [b':', port @ ..] => return is_port(port),
                _ => return false,
            }
        }
        _ => match value.iter().position(|byte| *byte == b':') {
            Some(colon) => (&value[..colon], Some(&value[colon + 1..])),
            None => (value, None),
        },
    };
    is_name(host) && port.is_none_or(is_port)
}

fn is_address_literal(inside: &[u8]) -> bool {
    std::str::from_utf8(inside).is_ok_and(|text| text.parse::<std::net::Ipv6Addr>().is_ok())
}

fn is_port(port: &[u8]) -> bool {
    if port.is_empty() || port.len() > 5 || !port.iter().all(u8::is_ascii_digit) {
        return false;
    }
    let number = port
        .iter()
        .fold(0_u32, |number, digit| number * 10 + u32::from(digit - b'0'));
    (1..=65_535).contains(&number)
}

/// A registered name or an IPv4 address: unreserved characters, sub-delimiters, percent-encoded bytes.
fn is_name(host: &[u8]) -> bool {
    if host.is_empty() || host.len() > 255 {
        return false;
    }
    let mut rest = host;
    while let [first, tail @ ..] = rest {
        rest = match first {
            b'%' => match tail {
                [high, low, tail @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => tail,
                _ => return false,
            },
            byte if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=".contains(byte) => tail,
            _ => return false,
        };
    }
    true
}

#[cfg(test)]
mod tests {
    use super::is_valid;

    #[test]
    fn hosts_with_and_without_ports_are_valid() {
        for host in [
            "example.com",
            "localhost:8080",
            "127.0.0.1",
            "[::1]:443",
            "[2001:db8::1]",
            "a_b.example",
            "h:1",
            "h:65535",
        ] {
            assert!(is_valid(host.as_bytes()), "{host}");
        }
    }

    #[test]
    fn anything_else_is_not() {
        for host in [
            "", ":80", "h:", "h:0", "h:65536", "h:080000", "h:+1", "user@h", "h/path", "h?q", "h#f", "a b",
            "h:1:2", "[::1", "[::1]x", "[::g]", "[]", "::1", "%zz", "h\t", "h,h", "h:8 0",
        ] {
            let allowed = host == "h,h";
            assert_eq!(is_valid(host.as_bytes()), allowed, "{host:?}");
        }
    }
}
