//! Files at the addresses that providers and customers were given: whoever has the address fetches the file with a plain GET, until its time
//! is over. What is forged, over, erased or never was is one and the same 404.
//!
//! Nothing lies in the store that a configured scanner has not found clean, so nothing else is given out here.

use hyper::Method;
use hyper::header::{CACHE_CONTROL, HeaderValue};

use crate::log::media::SharedMedia;
use crate::model::Millis;
use crate::net::http::{Request, Response};
use crate::protocol::envelope::{CallIds, Code, Dialect, Fault};
use crate::protocol::media_address::{AddressKey, MediaAddress};
use crate::provisioning::{SigningPurpose, Snapshots};
use crate::runtime::Clock;

use super::{answer, files};

/// What the paths begin with.
pub const PREFIX: &str = "/nexus/v3/media/";

/// Given files on one core.
pub struct GivenFiles {
    media: SharedMedia,
    snapshots: Snapshots,
    clock: Clock,
}

impl GivenFiles {
    /// Files of `media` at addresses signed with the shared keys.
    #[must_use]
    pub const fn new(media: SharedMedia, snapshots: Snapshots, clock: Clock) -> Self {
        Self {
            media,
            snapshots,
            clock,
        }
    }

    /// Answers one request under [`PREFIX`].
    pub async fn call(&self, request: &Request) -> Response {
        let given = match *request.method() {
            Method::GET | Method::HEAD => self.give(request.uri().path()).await,
            _ => Err(Code::NotFound.into()),
        };
        given.unwrap_or_else(|fault| answer::fault(Dialect::Numeric, &CallIds::default(), &fault))
    }

    async fn give(&self, path: &str) -> Result<Response, Fault> {
        let text = path.strip_prefix(PREFIX).ok_or(Code::NotFound)?;
        let address = self.read(text).ok_or(Code::NotFound)?;
        let (tenant, id) = (address.tenant, address.media);
        let known = files::look(&self.media, tenant, id, None).await?;
        let mut response = files::give(&self.media, tenant, id, &known.name, known.kind).await?;
        // Who may have it is who has the address: nobody in between keeps it.
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
        Ok(response)
    }

    fn read(&self, text: &str) -> Option<MediaAddress> {
        let snapshot = self.snapshots.load();
        let ring = snapshot.signing_keys(SigningPurpose::ClientToken);
        let find = |id| ring.find(id).map(|key| AddressKey::derived(key.id, key.secret()));
        let address = MediaAddress::read(text, Millis(self.clock.wall_ms()), find).ok()?;
        snapshot.tenant(address.tenant).map(|_| address)
    }
}
