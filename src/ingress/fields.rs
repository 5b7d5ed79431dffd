//! A request's body as fields, whichever of the two encodings it came in.

use std::cell::RefCell;

use bytes::BytesMut;
use hyper::header::{CONTENT_TYPE, HeaderMap};

use crate::net::http::{Body, BodyError};
use crate::protocol::body::{Encoding, Fields, JsonDecoder, Limits, decode_form};
use crate::protocol::envelope::{Code, Fault};

/// Reads bodies; one for a handler of a core, so that the parser's memory is used again.
pub struct Reader {
    decoder: RefCell<JsonDecoder>,
    structure: Limits,
    bytes: usize,
}

impl Reader {
    /// Takes bodies of at most `bytes` bytes.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        let structure = Limits::default();
        Self {
            decoder: RefCell::new(JsonDecoder::new(structure)),
            structure,
            bytes,
        }
    }

    /// The fields of a body; none for an empty one.
    ///
    /// # Errors
    /// 400, 408, 413 or 415.
    pub async fn read(&self, headers: &HeaderMap, body: Body) -> Result<Fields, Fault> {
        if body.is_empty() {
            return Ok(Fields::default());
        }
        // A value that is no text matches no type, and must not pass for an absent one.
        let content_type = headers
            .get(CONTENT_TYPE)
            .map(|value| value.to_str().unwrap_or("?"));
        let encoding = Encoding::of_content_type(content_type)?;
        let whole = body.collect(self.bytes).await.map_err(unreadable)?;
        let whole = BytesMut::from(bytes::Bytes::from(whole));
        Ok(match encoding {
            Encoding::Form => decode_form(whole, &self.structure)?,
            Encoding::Json => self.decoder.borrow_mut().decode(whole)?,
        })
    }
}

fn unreadable(error: BodyError) -> Fault {
    Fault::new(match error {
        BodyError::TooLarge => Code::TooLarge,
        BodyError::TooSlow => Code::RequestTimeout,
        BodyError::Cut | BodyError::Malformed => Code::Malformed,
    })
}
