//! A URL, read strictly: what two parsers could read differently is refused, not repaired.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hyper::http::uri::PathAndQuery;

/// Longest URL.
const MOST_URL: usize = 4 * 1024;
/// Longest name.
const MOST_NAME: usize = 253;

/// Who a URL names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Host {
    /// A name, in lower case.
    Name(String),
    /// An address.
    Address(IpAddr),
}

/// A URL that means one thing only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    tls: bool,
    host: Host,
    port: u16,
    path: PathAndQuery,
}

/// Why a text is not a URL we use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadUrl {
    /// Too long.
    #[error("longer than 4096 bytes")]
    TooLong,
    /// White space, control characters, a backslash, or anything beyond ASCII.
    #[error("a character that does not belong in a URL")]
    Character,
    /// Neither `http` nor `https`.
    #[error("neither http:// nor https://")]
    Scheme,
    /// A user before the host.
    #[error("a user name in the URL")]
    User,
    /// A fragment.
    #[error("a fragment in the URL")]
    Fragment,
    /// No host, or none in its plain form.
    #[error("not a host name or an address in its plain form")]
    Host,
    /// Not a port.
    #[error("not a port")]
    Port,
    /// Not a path and query.
    #[error("not a path")]
    Path,
}

impl Target {
    /// Reads `url`. Addresses are taken in their plain form only (`127.0.0.1`, `[::1]`): decimal, hexadecimal, octal and
    /// short forms, zones, trailing dots, escapes and characters beyond ASCII in a host are refused, as are
    /// users and fragments. Names beyond ASCII are written `xn--`.
    ///
    /// # Errors
    /// [`BadUrl`].
    pub fn parse(url: &str) -> Result<Self, BadUrl> {
        if url.len() > MOST_URL {
            return Err(BadUrl::TooLong);
        }
        if !url.bytes().all(|b| b.is_ascii_graphic() && b != b'\\') {
            return Err(BadUrl::Character);
        }
        let (scheme, rest) = url.split_once("://").ok_or(BadUrl::Scheme)?;
        let tls = match scheme {
            _ if scheme.eq_ignore_ascii_case("https") => true,
            _ if scheme.eq_ignore_ascii_case("http") => false,
            _ => return Err(BadUrl::Scheme),
        };
        if rest.contains('#') {
            return Err(BadUrl::Fragment);
        }
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        if authority.contains('@') {
            return Err(BadUrl::User);
        }
        let (host, port) = split_port(authority)?;
        let path = match path.as_bytes().first() {
            None => "/".to_owned(),
            Some(b'?') => format!("/{path}"),
            Some(_) => path.to_owned(),
        };
        Ok(Self {
            tls,
            host: Host::parse(host)?,
            port: port.unwrap_or(if tls { 443 } else { 80 }),
            path: path.parse().map_err(|_| BadUrl::Path)?,
        })
    }

    /// Whether TLS is asked for.
    pub fn is_tls(&self) -> bool {
        self.tls
    }

    /// Who is named.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The port, which is never 0.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The path with the query.
    pub fn path(&self) -> &PathAndQuery {
        &self.path
    }

    /// The host, and the port unless it goes without saying: the value of `Host`.
    pub fn authority(&self) -> String {
        let usual = if self.tls { 443 } else { 80 };
        let host = match &self.host {
            Host::Name(name) => name.clone(),
            Host::Address(IpAddr::V4(ip)) => ip.to_string(),
            Host::Address(IpAddr::V6(ip)) => format!("[{ip}]"),
        };
        if self.port == usual {
            host
        } else {
            format!("{host}:{}", self.port)
        }
    }
}

/// The host and the port of an authority without a user.
fn split_port(authority: &str) -> Result<(&str, Option<u16>), BadUrl> {
    let colon = match authority.rfind(']') {
        Some(bracket) if authority.len() == bracket + 1 => return Ok((authority, None)),
        Some(bracket) if authority[bracket + 1..].starts_with(':') => bracket + 1,
        Some(_) => return Err(BadUrl::Host),
        None => match authority.find(':') {
            Some(colon) => colon,
            None => return Ok((authority, None)),
        },
    };
    let (host, port) = (&authority[..colon], &authority[colon + 1..]);
    if port.is_empty() || port.len() > 5 || !port.bytes().all(|b| b.is_ascii_digit()) {
        return Err(BadUrl::Port);
    }
    match port.parse() {
        Ok(0) | Err(_) => Err(BadUrl::Port),
        Ok(port) => Ok((host, Some(port))),
    }
}

impl Host {
    /// Reads a host as it stands in a URL.
    ///
    /// # Errors
    /// [`BadUrl::Host`].
    pub fn parse(host: &str) -> Result<Self, BadUrl> {
        if let Some(inner) = host.strip_prefix('[') {
            let inner = inner.strip_suffix(']').ok_or(BadUrl::Host)?;
            let address: Ipv6Addr = inner.parse().map_err(|_| BadUrl::Host)?;
            return Ok(Self::Address(IpAddr::V6(address)));
        }
        if let Ok(address) = host.parse::<Ipv4Addr>() {
            return Ok(Self::Address(IpAddr::V4(address)));
        }
        let sound = |label: &str| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        };
        if host.len() > MOST_NAME || !host.split('.').all(sound) {
            return Err(BadUrl::Host);
        }
        // Many parsers take a name whose last label is a number for an address.
        let last = host.rsplit('.').next().unwrap_or_default();
        let hex = last
            .as_bytes()
            .get(..2)
            .is_some_and(|two| two.eq_ignore_ascii_case(b"0x"));
        if hex || last.bytes().all(|b| b.is_ascii_digit()) {
            return Err(BadUrl::Host);
        }
        Ok(Self::Name(host.to_ascii_lowercase()))
    }
}

#[cfg(test)]
mod tests;
