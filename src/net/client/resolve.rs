//! From a name to its addresses: a seam, so that a test may answer as an attacker would.

use std::io;
use std::net::{IpAddr, ToSocketAddrs as _};
use std::sync::Arc;

use futures_util::future::LocalBoxFuture;
use tokio::sync::Semaphore;

/// Looks names up.
pub trait Resolve {
    /// All addresses of `name`, in the order they should be tried. The caller bounds the time and asks once a
    /// connection.
    ///
    /// # Errors
    /// When the name has none or nobody could be asked.
    fn resolve<'a>(&'a self, name: &'a str) -> LocalBoxFuture<'a, io::Result<Vec<IpAddr>>>;
}

/// The resolver of the machine. Its look-ups block a thread each, so their number is bounded; cores share the bound.
#[derive(Clone, Debug)]
pub struct SystemResolver {
    places: Arc<Semaphore>,
}

impl SystemResolver {
    /// At most `at_once` look-ups at a time. One that nobody waits for any longer still counts until it ends.
    pub fn new(at_once: usize) -> Self {
        Self {
            places: Arc::new(Semaphore::new(at_once.max(1))),
        }
    }
}

impl Default for SystemResolver {
    fn default() -> Self {
        Self::new(16)
    }
}

impl Resolve for SystemResolver {
    fn resolve<'a>(&'a self, name: &'a str) -> LocalBoxFuture<'a, io::Result<Vec<IpAddr>>> {
        Box::pin(async move {
            let place = Arc::clone(&self.places).acquire_owned().await;
            let place = place.map_err(io::Error::other)?;
            let name = name.to_owned();
            let look_up = tokio::task::spawn_blocking(move || {
                let _place = place;
                let mut found: Vec<IpAddr> = Vec::new();
                for address in (name.as_str(), 0).to_socket_addrs()? {
                    if !found.contains(&address.ip()) {
                        found.push(address.ip());
                    }
                }
                Ok(found)
            });
            look_up.await.map_err(io::Error::other)?
        })
    }
}
