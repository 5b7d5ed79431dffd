//! A file on its way in: judged while it streams to the media store, known to the session once it is whole.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join;
use futures_util::stream;
use serde_json::json;
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::log::media::{MediaError, MediaWriter};
use crate::model::MediaId;
use crate::net::http::{Body, BodyError};
use crate::protocol::body::{Part, Upload, boundary};
use crate::protocol::client_token::ClientToken;
use crate::protocol::envelope::{Code, Dialect, Fault, success};
use crate::protocol::file::{FileKind, Inspector, Refused, safe_name};
use crate::session::{File, SessionInput};

use super::access::Access;
use super::call::{Call, unreadable};
use super::conversation::{Room, refused};
use super::handler::Widgets;

/// Bytes of an upload's text parts.
const TEXT_PART: usize = 4_096;
/// How long the rest of a refused upload is read and dropped.
const DRAIN: Duration = Duration::from_secs(5);

/// Takes a file of the customer's.
pub(super) async fn upload(
    widgets: &Widgets,
    call: &Call,
    access: &Access,
    token: &ClientToken,
    body: Body,
) -> Result<Bytes, Fault> {
    let boundary = boundary(call.content_type())?;
    let room = Room::enter(widgets.shards(), token.session, access.tenant, token.participant).await?;
    if room.state().closed_at().is_some() {
        return Err(Code::InvalidSession.into());
    }
    if room.state().files() >= widgets.options().uploads {
        return Err(Code::TooManyFiles.into());
    }
    widgets.shards().heard_from(token.session);
    let media = MediaId(Uuid::new_v4());
    let taking = take(widgets, call, access, media, boundary, body);
    let taken = tokio::time::timeout(widgets.options().upload_time, taking).await;
    let file = match taken.unwrap_or(Err(Code::RequestTimeout.into())) {
        Ok(file) => file,
        Err(fault) => {
            forget(widgets, access, media).await;
            return Err(fault);
        }
    };
    let input = SessionInput::CustomerFile {
        participant: token.participant,
        file,
    };
    if let Err(error) = widgets.shards().session(token.session, input).await {
        forget(widgets, access, media).await;
        return Err(refused(error));
    }
    Ok(success(Dialect::Chat, &call.ids(), &json!({})))
}

/// Takes back bytes that no record names. If they cannot be removed now they lie there unread.
async fn forget(widgets: &Widgets, access: &Access, media: MediaId) {
    let _ = widgets.media().remove(access.tenant, media).await;
}

/// Reads the body while the reader of its parts asks for it, one piece at a time.
async fn take(
    widgets: &Widgets,
    call: &Call,
    access: &Access,
    media: MediaId,
    boundary: String,
    mut body: Body,
) -> Result<File, Fault> {
    let (pieces, mut arriving) = mpsc::channel::<Result<Bytes, BodyError>>(1);
    let feed = async move {
        loop {
            let (piece, last) = match body.next().await {
                Ok(Some(piece)) => (Ok(piece), false),
                Ok(None) => return None,
                Err(error) => (Err(error), true),
            };
            let failed = piece.as_ref().err().copied();
            let unwanted = pieces.send(piece).await.is_err();
            if unwanted && !last {
                drain(&mut body, widgets.options().upload).await;
            }
            if unwanted || last {
                return failed;
            }
        }
    };
    let read = async move {
        let stream = stream::poll_fn(|cx| arriving.poll_recv(cx));
        let mut upload = Upload::new(stream, boundary, widgets.options().upload);
        let mut file = None;
        while let Some(part) = upload.next().await? {
            match part.name() {
                "file" if file.is_none() => file = Some(store(widgets, access, media, part).await?),
                "operationId" => call.note_operation(Some(part.text(TEXT_PART).await?)),
                _ => drop(part.text(TEXT_PART).await?),
            }
        }
        file.ok_or(Fault::new(Code::MissingField).detail("file"))
    };
    match join(feed, read).await {
        (Some(error), Err(_)) => Err(unreadable(error)),
        (_, read) => read,
    }
}

/// Reads on for a while after a refusal: a browser that is still sending when its stream is reset never sees the answer.
async fn drain(body: &mut Body, most: u64) {
    let rest = async {
        let mut left = most;
        while let Ok(Some(piece)) = body.next().await {
            left = left.saturating_sub(piece.len() as u64);
            if left == 0 {
                break;
            }
        }
    };
    // Who takes longer does without the answer.
    let _ = tokio::time::timeout(DRAIN, rest).await;
}

async fn store(
    widgets: &Widgets,
    access: &Access,
    media: MediaId,
    mut part: Part<'_>,
) -> Result<File, Fault> {
    let name = part.file_name().map(str::to_owned);
    let mut writer: Box<dyn MediaWriter> = widgets
        .media()
        .write(access.tenant, media)
        .await
        .map_err(unavailable)?;
    let mut inspector = Inspector::new();
    let mut length = 0;
    while let Some(piece) = part.chunk().await? {
        inspector.pass(&piece).map_err(not_taken)?;
        length += piece.len() as u64;
        writer.write(piece).await.map_err(unavailable)?;
    }
    let kind = inspector.finish().map_err(not_taken)?;
    if !is_taken(widgets, kind) {
        return Err(Code::UnsupportedType.into());
    }
    writer.finish().await.map_err(unavailable)?;
    Ok(File {
        media,
        mime: kind.mime().to_owned(),
        length,
        name: safe_name(name.as_deref(), kind),
    })
}

fn is_taken(widgets: &Widgets, kind: FileKind) -> bool {
    widgets.options().types.iter().any(|mime| mime == kind.mime())
}

fn not_taken(refused: Refused) -> Fault {
    Fault::new(Code::UnsupportedType).detail(refused.to_string())
}

fn unavailable(error: MediaError) -> Fault {
    if matches!(error, MediaError::Infected) {
        return not_taken(Refused::Infected);
    }
    tracing::warn!(%error, "upload not stored");
    Fault::unavailable(Duration::from_secs(5))
}
