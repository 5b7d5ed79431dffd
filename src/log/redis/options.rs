//! How to reach a Redis and what to expect of it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use crate::log::store::Durability;

/// Settings of one store. Equal on all nodes but for `adopt`.
#[derive(Clone)]
pub struct RedisOptions {
    /// Host and port; of a cluster, any of its nodes.
    pub nodes: Vec<(String, u16)>,
    /// Whether the nodes are a Redis Cluster.
    pub cluster: bool,
    /// Connections of one core for its calls; at least one is made.
    pub connections: usize,
    /// Whether the address asks for TLS; needs `tls`.
    pub secure: bool,
    /// `None`: plain TCP.
    pub tls: Option<Arc<rustls::ClientConfig>>,
    /// ACL user.
    pub username: Option<String>,
    /// Password.
    pub password: Option<String>,
    /// Put into every hash tag, so that several installations can share a Redis. Letters, digits, `-` and `_`.
    pub namespace: String,
    /// A power of two of at most 4096; fixed when the store is first used.
    pub partitions: u16,
    /// The least that an acknowledged append must survive; a Redis that gives less is refused.
    pub durability: Durability,
    /// Whether a missing function library may be loaded.
    pub load_library: bool,
    /// Names a store whose partitions are to be taken back although some have lost their identity.
    pub adopt: Option<Uuid>,
    /// When a call is given up; what it wrote is then unknown.
    pub command_timeout: Duration,
    /// When an attempt to connect is given up.
    pub connect_timeout: Duration,
    /// Calls of one core without an answer; more are refused.
    pub max_in_flight: usize,
    /// Watch events a core may be behind.
    pub watch_capacity: usize,
    /// When a subscription that does not hear its own beat is lost.
    pub watch_timeout: Duration,
    /// How much of the last appends is kept against a rollback.
    pub ring: RingLimits,
}

/// Bounds of the recent appends that one core keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RingLimits {
    /// Older ones are dropped.
    pub age: Duration,
    /// Payload bytes; beyond it the oldest are dropped.
    pub bytes: usize,
}

impl Default for RedisOptions {
    fn default() -> Self {
        Self {
            nodes: vec![("127.0.0.1".to_owned(), 6379)],
            cluster: false,
            connections: 1,
            secure: false,
            tls: None,
            username: None,
            password: None,
            namespace: String::new(),
            partitions: 256,
            durability: Durability::Process,
            load_library: true,
            adopt: None,
            command_timeout: Duration::from_secs(2),
            connect_timeout: Duration::from_secs(3),
            max_in_flight: 4_096,
            watch_capacity: 4_096,
            watch_timeout: Duration::from_secs(3),
            ring: RingLimits {
                age: Duration::from_secs(10),
                bytes: 16 * 1024 * 1024,
            },
        }
    }
}

impl fmt::Debug for RedisOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisOptions")
            .field("nodes", &self.nodes)
            .field("cluster", &self.cluster)
            .field("tls", &self.tls.is_some())
            .field("namespace", &self.namespace)
            .field("partitions", &self.partitions)
            .field("durability", &self.durability)
            .finish_non_exhaustive()
    }
}

/// The text is not an address of a Redis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected redis[s]://[user:password@]host:port or redis[s]-cluster://…, several separated by commas")]
pub struct BadRedisUrl;

impl RedisOptions {
    /// The defaults for `redis://[user:password@]host:port[,redis://…]`; with `redis-cluster://`, or more than one, a cluster;
    /// with `rediss` for `redis`, over TLS.
    ///
    /// # Errors
    /// [`BadRedisUrl`] for anything else.
    pub fn at(url: &str) -> Result<Self, BadRedisUrl> {
        let mut options = Self {
            nodes: Vec::new(),
            ..Self::default()
        };
        for part in url.split(',') {
            let (scheme, rest) = part.trim().split_once("://").ok_or(BadRedisUrl)?;
            match scheme {
                "redis" => {}
                "rediss" => options.secure = true,
                "redis-cluster" => options.cluster = true,
                "rediss-cluster" => (options.cluster, options.secure) = (true, true),
                _ => return Err(BadRedisUrl),
            }
            let (credentials, address) = match rest.trim_end_matches('/').rsplit_once('@') {
                Some((credentials, address)) => (Some(credentials), address),
                None => (None, rest.trim_end_matches('/')),
            };
            if let Some(credentials) = credentials {
                let (user, password) = credentials.split_once(':').ok_or(BadRedisUrl)?;
                options.username = (!user.is_empty()).then(|| user.to_owned());
                options.password = Some(password.to_owned());
            }
            let (host, port) = address.rsplit_once(':').ok_or(BadRedisUrl)?;
            let port = port.parse().map_err(|_| BadRedisUrl)?;
            let host = host.trim_start_matches('[').trim_end_matches(']');
            if host.is_empty() {
                return Err(BadRedisUrl);
            }
            options.nodes.push((host.to_owned(), port));
        }
        options.cluster |= options.nodes.len() > 1;
        Ok(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_says_where_and_how() {
        let options = RedisOptions::at("redis://app:s%c@db.example:7000").unwrap();
        assert_eq!(options.nodes, [("db.example".to_owned(), 7000)]);
        assert_eq!(options.username.as_deref(), Some("app"));
        assert_eq!(options.password.as_deref(), Some("s%c"));
        assert!(!options.cluster);
        assert!(RedisOptions::at("redis-cluster://[::1]:1").unwrap().cluster);
        assert!(RedisOptions::at("redis://a:1,redis://b:2").unwrap().cluster);
        let sealed = RedisOptions::at("rediss-cluster://a:1").unwrap();
        assert!(sealed.cluster && sealed.secure);
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for url in [
            "",
            "a:1",
            "http://a:1",
            "redis://a",
            "redis://:1",
            "redis://a:x",
            "redis://p@a:1",
        ] {
            assert_eq!(RedisOptions::at(url).unwrap_err(), BadRedisUrl, "{url}");
        }
    }

    #[test]
    fn a_password_is_never_printed() {
        let options = RedisOptions::at("redis://u:hush@a:1").unwrap();
        assert!(!format!("{options:?}").contains("hush"));
    }
}
