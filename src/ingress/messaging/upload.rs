//! A file of a custom client, uploaded before the message that names it.

use bytes::Bytes;
use futures_util::stream;
use hyper::header::CONTENT_TYPE;
use hyper::http::request::Parts;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::log::media::{NotKept, keep};
use crate::model::MediaId;
use crate::net::http::BodyError;
use crate::protocol::body::{Upload, boundary};
use crate::protocol::envelope::{Code, Fault};
use crate::provisioning::objects::{Channel, Stored};

use super::handler::Messaging;

/// Keeps the part `file` of an upload whose signature was good. The signature covers the whole body, so the body is whole here.
pub(super) async fn upload(
    messaging: &Messaging,
    channel: &Stored<Channel>,
    head: &Parts,
    body: Bytes,
) -> Result<Value, Fault> {
    let content_type = head
        .headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let boundary = boundary(content_type).map_err(Fault::from)?;
    let whole = stream::iter([Ok::<_, BodyError>(body)]);
    let mut upload = Upload::new(whole, boundary, messaging.settings.upload);
    while let Some(mut part) = upload.next().await.map_err(Fault::from)? {
        let mut bytes = Vec::new();
        while let Some(piece) = part.chunk().await.map_err(Fault::from)? {
            bytes.extend_from_slice(&piece);
        }
        if part.name() != "file" {
            continue;
        }
        let name = part.file_name().map(str::to_owned);
        let id = MediaId(Uuid::new_v4());
        let kept = keep(
            &*messaging.media,
            channel.tenant,
            id,
            name.as_deref(),
            bytes.into(),
        )
        .await;
        let kept = kept.map_err(|error| match error {
            NotKept::Refused(reason) => Fault::new(Code::UnsupportedType).detail(reason.to_string()),
            NotKept::Store(error) => {
                tracing::warn!(%error, "media store");
                Fault::unavailable(std::time::Duration::from_secs(2))
            }
        })?;
        return Ok(json!({
            "mediaId": kept.id,
            "url": format!("genesys://nexus/{}", kept.id),
            "filename": kept.name,
            "mimetype": kept.mime,
            "length": kept.length,
        }));
    }
    Err(Fault::new(Code::MissingField).detail("file"))
}
