//! Files of agents and portals: taken in over HTTPS before they are sent, and given out again.

use std::convert::Infallible;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use hyper::header::{
    CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{HeaderMap, StatusCode};
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::log::media::{MediaError, MediaReader, SharedMedia};
use crate::model::{MediaId, TenantId};
use crate::net::http::{self as net, Body, Response, ResponseBody};
use crate::protocol::body::{Upload, boundary};
use crate::protocol::envelope::{Code, Fault};
use crate::protocol::file::{FileKind, Inspector, Refused, safe_name};

/// Bytes by which every type can be told.
const HEAD: usize = 64;

/// What was stored.
#[derive(Debug, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Stored {
    /// Its id.
    pub media_id: MediaId,
    /// A name that is safe anywhere.
    pub name: String,
    /// The type found in the bytes.
    pub mime: &'static str,
    /// Bytes.
    pub length: u64,
}

/// A stored file as its first bytes tell it.
#[derive(Debug)]
pub struct Known {
    /// A name that is safe anywhere.
    pub name: String,
    /// The type found in the bytes.
    pub kind: FileKind,
    /// Bytes.
    pub length: u64,
}

/// Takes the part `file` of an upload of at most `limit` bytes.
///
/// # Errors
/// 400, 408, 413, 415, 503; nothing is kept then.
pub async fn take(
    media: &SharedMedia,
    tenant: TenantId,
    headers: &HeaderMap,
    body: Body,
    limit: u64,
) -> Result<Stored, Fault> {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let boundary = boundary(content_type).map_err(Fault::from)?;
    let (pieces, mut arriving) = mpsc::channel(2);
    // The reader of multipart wants a stream that could move between threads; a body cannot, so its pieces are handed over.
    let stream = stream::poll_fn(move |cx| arriving.poll_recv(cx));
    tokio::select! {
        biased;
        taken = store(media, tenant, Upload::new(stream, boundary, limit)) => taken,
        never = feed(body, pieces) => match never {},
    }
}

/// Hands pieces over until the receiver has had enough; never ends by itself, so that the receiver's verdict counts.
async fn feed(mut body: Body, pieces: mpsc::Sender<Result<Bytes, net::BodyError>>) -> Infallible {
    while let Some(piece) = body.next().await.transpose() {
        if pieces.send(piece).await.is_err() {
            break;
        }
    }
    drop(pieces);
    std::future::pending().await
}

async fn store(media: &SharedMedia, tenant: TenantId, mut upload: Upload<'_>) -> Result<Stored, Fault> {
    while let Some(mut part) = upload.next().await.map_err(Fault::from)? {
        if part.name() != "file" {
            while part.chunk().await.map_err(Fault::from)?.is_some() {}
            continue;
        }
        let claimed = part.file_name().map(str::to_owned);
        let id = MediaId(Uuid::new_v4());
        let mut writer = media.write(tenant, id).await.map_err(store_fault)?;
        let (mut inspector, mut length) = (Inspector::new(), 0);
        while let Some(piece) = part.chunk().await.map_err(Fault::from)? {
            inspector.pass(&piece).map_err(refused_fault)?;
            length += piece.len() as u64;
            writer.write(piece).await.map_err(store_fault)?;
        }
        let kind = inspector.finish().map_err(refused_fault)?;
        writer.finish().await.map_err(store_fault)?;
        return Ok(Stored {
            media_id: id,
            name: safe_name(claimed.as_deref(), kind),
            mime: kind.mime(),
            length,
        });
    }
    Err(Fault::new(Code::MissingField).detail("file"))
}

/// Looks at a stored file that is to be sent under a name.
///
/// # Errors
/// 404, 415, 503.
pub async fn look(
    media: &SharedMedia,
    tenant: TenantId,
    id: MediaId,
    name: Option<&str>,
) -> Result<Known, Fault> {
    let MediaReader { length, mut pieces } = media
        .read(tenant, id)
        .await
        .map_err(store_fault)?
        .ok_or(Code::NotFound)?;
    let mut head = Vec::with_capacity(HEAD);
    while head.len() < HEAD {
        let Some(piece) = pieces.next().await else { break };
        let piece: Bytes = piece.map_err(|_| Code::Unavailable)?;
        head.extend_from_slice(&piece[..piece.len().min(HEAD)]);
    }
    let kind = FileKind::of_head(&head).ok_or(Code::UnsupportedType)?;
    Ok(Known {
        name: safe_name(name, kind),
        kind,
        length,
    })
}

/// Gives out a file of a session. Only pictures may be shown inside a page; nothing of it may run.
///
/// # Errors
/// 404, 503.
pub async fn give(
    media: &SharedMedia,
    tenant: TenantId,
    id: MediaId,
    name: &str,
    kind: FileKind,
) -> Result<Response, Fault> {
    let reader = media
        .read(tenant, id)
        .await
        .map_err(store_fault)?
        .ok_or(Code::NotFound)?;
    let mut response = Response::new(ResponseBody::stream(reader.pieces, Some(reader.length)));
    *response.status_mut() = StatusCode::OK;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind.mime()));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; sandbox"),
    );
    let way = if kind.is_image() { "inline" } else { "attachment" };
    let ascii: String = name
        .chars()
        .map(|char| if char.is_ascii_graphic() { char } else { '_' })
        .collect();
    let encoded = percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC);
    let disposition = format!("{way}; filename=\"{ascii}\"; filename*=UTF-8''{encoded}");
    if let Ok(value) = HeaderValue::from_str(&disposition) {
        headers.insert(CONTENT_DISPOSITION, value);
    }
    Ok(response)
}

fn refused_fault(refused: Refused) -> Fault {
    Fault::new(Code::UnsupportedType).detail(refused.to_string())
}

fn store_fault(error: MediaError) -> Fault {
    if matches!(error, MediaError::Infected) {
        return refused_fault(Refused::Infected);
    }
    tracing::warn!(%error, "media store");
    Fault::unavailable(std::time::Duration::from_secs(2))
}
