//! A file on its way out.

use hyper::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue,
    X_CONTENT_TYPE_OPTIONS,
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::model::SessionEvent;
use crate::net::http::{Response, ResponseBody};
use crate::protocol::client_token::ClientToken;
use crate::protocol::envelope::{Code, Fault};
use crate::protocol::file::FileKind;
use crate::protocol::widget::EndPhase;

use super::access::Access;
use super::call::Call;
use super::conversation::Room;
use super::handler::Widgets;

/// What RFC 8187 lets stand in an extended value.
const ATTR_CHAR: &AsciiSet = &NON_ALPHANUMERIC.remove(b'.').remove(b'-').remove(b'_');

/// Gives out the file of record `n`, if the customer of the token sees that record.
pub(super) async fn download(
    widgets: &Widgets,
    call: &Call,
    access: &Access,
    token: &ClientToken,
    n: u64,
) -> Result<Response, Fault> {
    let room = Room::enter(widgets.shards(), token.session, access.tenant, token.participant).await?;
    let phase = EndPhase::at(room.state().closed_at(), call.now, &widgets.options().linger);
    if phase == EndPhase::Gone {
        return Err(Code::InvalidSession.into());
    }
    let said = room
        .record(widgets.shards(), n)
        .await?
        .ok_or(Fault::new(Code::NotFound))?;
    let record = &said.entry().record;
    let SessionEvent::File { media, mime, .. } = &record.event else {
        return Err(Code::NotFound.into());
    };
    let kind = FileKind::of_mime(mime).ok_or(Fault::new(Code::NotFound))?;
    let opened = widgets.media().read(access.tenant, *media).await;
    let file = opened.map_err(|error| {
        tracing::warn!(%error, "stored file not read");
        Fault::unavailable(std::time::Duration::from_secs(5))
    })?;
    let file = file.ok_or(Fault::new(Code::NotFound))?;
    let mut response = Response::new(ResponseBody::stream(file.pieces, Some(file.length)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_LENGTH, HeaderValue::from(file.length));
    let fields = [
        (CONTENT_TYPE, content_type(kind)),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"),
        (CACHE_CONTROL, "private, max-age=600"),
    ];
    for (name, value) in fields {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if let Ok(value) = HeaderValue::from_str(&disposition(kind, record.body.as_str())) {
        headers.insert(CONTENT_DISPOSITION, value);
    }
    Ok(response)
}

const fn content_type(kind: FileKind) -> &'static str {
    match kind {
        FileKind::Text => "text/plain; charset=utf-8",
        other => other.mime(),
    }
}

/// Pictures may be shown where they are; everything else is saved.
fn disposition(kind: FileKind, name: &str) -> String {
    let how = if kind.is_image() { "inline" } else { "attachment" };
    format!("{how}; filename*=UTF-8''{}", utf8_percent_encode(name, ATTR_CHAR))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pictures_are_shown_in_place_and_no_name_breaks_the_header() {
        assert_eq!(
            disposition(FileKind::Png, "a b.png"),
            "inline; filename*=UTF-8''a%20b.png"
        );
        let odd = disposition(FileKind::Pdf, "ü\"\r\n;.pdf");
        assert_eq!(odd, "attachment; filename*=UTF-8''%C3%BC%22%0D%0A%3B.pdf");
    }
}
