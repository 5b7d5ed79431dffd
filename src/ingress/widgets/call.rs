//! One request while it is answered.

use std::cell::{Cell, OnceCell};
use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use hyper::header::{CONTENT_TYPE, HeaderMap};
use hyper::http::request::Parts;

use crate::model::Millis;
use crate::net::http::{Body, BodyError};
use crate::protocol::body::{Encoding, Fields, decode_form};
use crate::protocol::envelope::{CallIds, Code, Fault};
use crate::provisioning::Snapshot;

use super::handler::Widgets;

/// What is known of a request before its body.
pub(super) struct Call {
    pub(super) head: Parts,
    pub(super) address: IpAddr,
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) now: Millis,
    pub(super) instant: Instant,
    reference: String,
    operation: OnceCell<Option<String>>,
}

impl Call {
    pub(super) fn new(
        head: Parts,
        address: IpAddr,
        snapshot: Arc<Snapshot>,
        (now, instant): (Millis, Instant),
        reference: String,
    ) -> Self {
        Self {
            head,
            address,
            snapshot,
            now,
            instant,
            reference,
            operation: OnceCell::new(),
        }
    }

    pub(super) const fn headers(&self) -> &HeaderMap {
        &self.head.headers
    }

    /// Notes the caller's correlation id, as soon as it is read, so that refusals carry it too.
    pub(super) fn note_operation(&self, operation: Option<String>) {
        let _ = self.operation.set(operation);
    }

    pub(super) fn ids(&self) -> CallIds<'_> {
        CallIds {
            reference: &self.reference,
            operation: self.operation.get().and_then(Option::as_deref),
        }
    }

    pub(super) fn content_type(&self) -> Option<&str> {
        // A value that is no text matches no type, and must not pass for an absent one.
        self.headers()
            .get(CONTENT_TYPE)
            .map(|value| value.to_str().unwrap_or("?"))
    }

    /// Reads the body in whichever encoding it claims.
    pub(super) async fn fields(&self, widgets: &Widgets, body: Body) -> Result<Fields, Fault> {
        if body.is_empty() {
            return Ok(Fields::default());
        }
        let encoding = Encoding::of_content_type(self.content_type())?;
        let options = widgets.options();
        let whole = Bytes::from(body.collect(options.body).await.map_err(unreadable)?);
        // The buffer is ours alone, so this takes it over as it is.
        let whole = whole
            .try_into_mut()
            .unwrap_or_else(|shared| BytesMut::from(&shared[..]));
        Ok(match encoding {
            Encoding::Form => decode_form(whole, &options.structure)?,
            Encoding::Json => widgets.decoder().borrow_mut().decode(whole)?,
        })
    }
}

/// Why a body could not be read.
pub(super) fn unreadable(error: BodyError) -> Fault {
    Fault::new(match error {
        BodyError::TooLarge => Code::TooLarge,
        BodyError::TooSlow => Code::RequestTimeout,
        BodyError::Cut | BodyError::Malformed => Code::Malformed,
    })
}

/// Names for calls: where the process began, and a count.
#[derive(Debug)]
pub(super) struct References {
    /// What all begin with.
    origin: String,
    next: Cell<u64>,
}

impl References {
    pub(super) fn new(origin: u64) -> Self {
        Self {
            origin: format!("{origin:016x}-"),
            next: Cell::new(1),
        }
    }

    pub(super) fn next(&self) -> String {
        let count = self.next.get();
        self.next.set(count + 1);
        let mut name = String::with_capacity(self.origin.len() + 16);
        name.push_str(&self.origin);
        // Into memory it cannot fail.
        let _ = write!(name, "{count:x}");
        name
    }
}
