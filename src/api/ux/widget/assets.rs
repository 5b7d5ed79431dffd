//! The files of the page and its settings.

use bytes::Bytes;
use serde::Serialize;

use crate::api::pages::Asset;

macro_rules! asset {
    ($file:literal, $mime:literal) => {
        Asset {
            path: concat!("/ux/widget/", $file),
            mime: $mime,
            bytes: include_bytes!($file),
        }
    };
}

/// The files; `config.json` beside them is [`settings`].
pub const ASSETS: &[Asset] = &[
    asset!("index.html", "text/html; charset=utf-8"),
    asset!("widget.js", "text/javascript; charset=utf-8"),
    asset!("widget.css", "text/css; charset=utf-8"),
    asset!("icon.svg", "image/svg+xml"),
];

/// The body of `/ux/widget/config.json`: where the page's chats go, and under which key. Any page that uses chat v3 shows its
/// key to its visitors.
#[must_use]
pub fn settings(api_key: &str, endpoint: &str) -> Bytes {
    let settings = Settings {
        data_url: "/nexus/v3/chat/sessions",
        api_key,
        endpoint,
        poll_ms: 3_000,
        active_poll_ms: 1_000,
    };
    // Texts and numbers into memory cannot fail.
    Bytes::from(serde_json::to_vec(&settings).unwrap_or_default())
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Settings<'a> {
    #[serde(rename = "dataURL")]
    data_url: &'static str,
    api_key: &'a str,
    endpoint: &'a str,
    poll_ms: u32,
    active_poll_ms: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(file: &str) -> &'static str {
        let asset = ASSETS.iter().find(|asset| asset.path.ends_with(file)).unwrap();
        std::str::from_utf8(asset.bytes).unwrap()
    }

    #[test]
    fn the_program_is_small() {
        assert!(text("widget.js").len() < 15_000);
    }

    #[test]
    fn the_page_holds_no_script_or_style_of_its_own() {
        let page = text("index.html");
        assert_eq!(page.matches("<script").count(), 1);
        for word in [
            "<style",
            "style=",
            " onclick",
            " onload",
            "javascript:",
            "http://",
        ] {
            assert!(!page.contains(word), "{word}");
        }
    }

    #[test]
    fn the_program_never_makes_markup_of_a_text() {
        for word in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "Function(",
        ] {
            assert!(!text("widget.js").contains(word), "{word}");
        }
    }

    #[test]
    fn the_settings_are_json_whatever_the_key() {
        let json: serde_json::Value = serde_json::from_slice(&settings("a\"b", "web")).unwrap();
        assert_eq!(
            (&json["apiKey"], &json["endpoint"]),
            (&"a\"b".into(), &"web".into())
        );
    }
}
