//! `multipart/form-data` as a stream of parts; the bytes of a file are never gathered here.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::Stream;
use multer::{Constraints, Error, Field, Multipart, SizeLimit};

use super::error::BodyError;

/// Bytes that may pass before the next part has shown its headers. The search for them starts again with each chunk, so this
/// bounds its cost as well as its memory.
const BETWEEN_PARTS: usize = 64 * 1_024;
/// Parts of one upload; the widget sends two.
const PARTS: usize = 16;

/// The boundary of a `Content-Type: multipart/form-data`.
///
/// # Errors
/// [`BodyError::ContentType`] for any other type, and without a boundary of 1 to 70 characters.
pub fn boundary(content_type: Option<&str>) -> Result<String, BodyError> {
    content_type
        .and_then(|value| multer::parse_boundary(value).ok())
        .filter(|boundary| (1..=70).contains(&boundary.len()))
        .ok_or(BodyError::ContentType)
}

/// An upload while it arrives.
#[derive(Debug)]
pub struct Upload<'r> {
    multipart: Multipart<'r>,
    allowance: Arc<AtomicUsize>,
    parts: usize,
}

impl<'r> Upload<'r> {
    /// Reads `stream`; a part of more than `part_limit` bytes is refused as soon as it is one byte too long.
    pub fn new<S, E>(stream: S, boundary: String, part_limit: u64) -> Self
    where
        S: Stream<Item = Result<Bytes, E>> + Send + Unpin + 'r,
        E: Into<Box<dyn std::error::Error + Send + Sync>> + 'r,
    {
        let allowance = Arc::new(AtomicUsize::new(BETWEEN_PARTS));
        let paced = Paced {
            stream,
            allowance: Arc::clone(&allowance),
            rest: false,
        };
        let limits = SizeLimit::new().per_field(part_limit);
        Self {
            multipart: Multipart::with_constraints(paced, boundary, Constraints::new().size_limit(limits)),
            allowance,
            parts: 0,
        }
    }

    /// The next part; the one before must have been read to its end. `None` after the last.
    ///
    /// # Errors
    /// [`BodyError::Multipart`], [`BodyError::FileTooLarge`] or [`BodyError::Unreadable`].
    pub async fn next(&mut self) -> Result<Option<Part<'r>>, BodyError> {
        self.parts += 1;
        if self.parts > PARTS {
            return Err(BodyError::TooManyKeys);
        }
        self.allowance.store(BETWEEN_PARTS, Ordering::Relaxed);
        let field = self.multipart.next_field().await.map_err(classify)?;
        self.allowance.store(usize::MAX, Ordering::Relaxed);
        Ok(field.map(|field| Part { field }))
    }
}

/// One part of an upload.
#[derive(Debug)]
pub struct Part<'r> {
    field: Field<'r>,
}

impl Part<'_> {
    /// The form name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.field.name().unwrap_or_default()
    }

    /// The file name as the sender wrote it: any text at all.
    #[must_use]
    pub fn file_name(&self) -> Option<&str> {
        self.field.file_name()
    }

    /// The next bytes; `None` at the end of the part.
    ///
    /// # Errors
    /// As [`Upload::next`].
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, BodyError> {
        self.field.chunk().await.map_err(classify)
    }

    /// The whole part as text of at most `limit` bytes.
    ///
    /// # Errors
    /// As [`Upload::next`], and [`BodyError::StringTooLong`], [`BodyError::NotUtf8`].
    pub async fn text(mut self, limit: usize) -> Result<String, BodyError> {
        let mut bytes = Vec::new();
        while let Some(chunk) = self.chunk().await? {
            if bytes.len() + chunk.len() > limit {
                return Err(BodyError::StringTooLong);
            }
            bytes.extend_from_slice(&chunk);
        }
        String::from_utf8(bytes).map_err(|_| BodyError::NotUtf8)
    }
}

fn classify(error: Error) -> BodyError {
    match error {
        Error::FieldSizeExceeded { .. } | Error::StreamSizeExceeded { .. } => BodyError::FileTooLarge,
        Error::StreamReadFailed(_) => BodyError::Unreadable,
        _ => BodyError::Multipart,
    }
}

/// Hands over one chunk at a time: the reader behind it takes all that is ready before it looks at any of it.
struct Paced<S> {
    stream: S,
    allowance: Arc<AtomicUsize>,
    rest: bool,
}

impl<S, E> Stream for Paced<S>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Item = Result<Bytes, Box<dyn std::error::Error + Send + Sync>>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if std::mem::take(&mut self.rest) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let polled = Pin::new(&mut self.stream).poll_next(cx);
        let Poll::Ready(Some(Ok(chunk))) = polled else {
            return polled.map(|item| item.map(|result| result.map_err(Into::into)));
        };
        self.rest = true;
        let left = self.allowance.load(Ordering::Relaxed);
        match left.checked_sub(chunk.len()) {
            Some(left) => {
                self.allowance.store(left, Ordering::Relaxed);
                Poll::Ready(Some(Ok(chunk)))
            }
            None => Poll::Ready(Some(Err("too much between two parts".into()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures_util::stream;
    use proptest::prelude::*;

    use super::*;

    type Parts = Vec<(String, Option<String>, Vec<u8>)>;

    async fn read(body: Vec<u8>, chunk: usize, limit: u64) -> Result<Parts, BodyError> {
        let chunks: Vec<Result<Bytes, Infallible>> = body
            .chunks(chunk)
            .map(|chunk| Ok(Bytes::copy_from_slice(chunk)))
            .collect();
        let mut upload = Upload::new(stream::iter(chunks), "XX".to_owned(), limit);
        let mut parts = Parts::new();
        while let Some(mut part) = upload.next().await? {
            let (name, file) = (part.name().to_owned(), part.file_name().map(str::to_owned));
            let mut bytes = Vec::new();
            while let Some(chunk) = part.chunk().await? {
                bytes.extend_from_slice(&chunk);
            }
            parts.push((name, file, bytes));
        }
        Ok(parts)
    }

    fn widget_upload(file: &[u8]) -> Vec<u8> {
        let mut body = b"--XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.png\"\r\n\
            Content-Type: image/png\r\n\r\n"
            .to_vec();
        body.extend_from_slice(file);
        body.extend_from_slice(
            b"\r\n--XX\r\nContent-Disposition: form-data; name=\"operationId\"\r\n\r\nop-1\r\n--XX--\r\n",
        );
        body
    }

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
            .block_on(future)
    }

    #[test]
    fn the_upload_of_the_widget_is_read_at_any_chunk_size() {
        for chunk in [1, 7, 64, 4_096] {
            let parts = block_on(read(widget_upload(b"\x89PNG\r\n--X"), chunk, 100)).unwrap();
            assert_eq!(parts[0].0, "file");
            assert_eq!(parts[0].1.as_deref(), Some("a.png"));
            assert_eq!(parts[0].2, b"\x89PNG\r\n--X");
            assert_eq!(
                (parts[1].0.as_str(), &parts[1].2[..]),
                ("operationId", &b"op-1"[..])
            );
        }
    }

    #[test]
    fn a_file_one_byte_too_long_is_refused() {
        assert!(block_on(read(widget_upload(&[0; 100]), 16, 100)).is_ok());
        assert_eq!(
            block_on(read(widget_upload(&[0; 101]), 16, 100)).unwrap_err(),
            BodyError::FileTooLarge
        );
    }

    #[test]
    fn a_body_that_ends_early_is_refused() {
        let mut body = widget_upload(b"abc");
        body.truncate(body.len() - 20);
        assert!(block_on(read(body, 16, 100)).is_err());
    }

    #[test]
    fn headers_without_end_are_not_gathered() {
        let mut body = b"--XX\r\nContent-Disposition: form-data; name=\"".to_vec();
        body.resize(1 << 20, b'a');
        assert_eq!(
            block_on(read(body, 4_096, 1 << 21)).unwrap_err(),
            BodyError::Unreadable
        );
    }

    #[test]
    fn many_parts_are_refused() {
        let mut body = Vec::new();
        for _ in 0..20 {
            body.extend_from_slice(b"--XX\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb\r\n");
        }
        body.extend_from_slice(b"--XX--\r\n");
        assert_eq!(
            block_on(read(body, 4_096, 100)).unwrap_err(),
            BodyError::TooManyKeys
        );
    }

    #[test]
    fn only_multipart_with_a_boundary_is_an_upload() {
        assert_eq!(
            boundary(Some("multipart/form-data; boundary=XX")),
            Ok("XX".to_owned())
        );
        for value in [
            None,
            Some("multipart/form-data"),
            Some("image/png"),
            Some("multipart/mixed; boundary=a"),
        ] {
            assert_eq!(boundary(value), Err(BodyError::ContentType), "{value:?}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(
            bytes in proptest::collection::vec(prop_oneof![Just(b'-'), Just(b'X'), Just(b'\r'), Just(b'\n'), any::<u8>()], 0..300),
            chunk in 1_usize..40,
        ) {
            let mut body = b"--XX\r\n".to_vec();
            body.extend_from_slice(&bytes);
            let _ = block_on(read(body, chunk, 100));
        }
    }
}
