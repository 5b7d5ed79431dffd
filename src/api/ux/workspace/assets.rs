//! The files of the desktop.

use crate::api::pages::Asset;

const SCRIPT: &str = "text/javascript; charset=utf-8";

macro_rules! script {
    ($name:literal) => {
        Asset {
            path: concat!("/ux/workspace/", $name),
            mime: SCRIPT,
            bytes: include_bytes!($name),
        }
    };
}

/// Every file under `/ux/workspace/`.
pub const ASSETS: &[Asset] = &[
    Asset {
        path: "/ux/workspace/index.html",
        mime: "text/html; charset=utf-8",
        bytes: include_bytes!("index.html"),
    },
    Asset {
        path: "/ux/workspace/workspace.css",
        mime: "text/css; charset=utf-8",
        bytes: include_bytes!("workspace.css"),
    },
    script!("main.js"),
    script!("client.js"),
    script!("model.js"),
    script!("dom.js"),
    script!("conversation.js"),
    script!("panel.js"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn text(asset: &Asset) -> &'static str {
        std::str::from_utf8(asset.bytes).unwrap()
    }

    #[test]
    fn the_page_asks_only_for_files_that_are_there() {
        for asset in ASSETS {
            let named = text(asset)
                .split(['"', '\''])
                .filter(|word| word.ends_with(".js") || word.ends_with(".css"));
            for name in named {
                let path = format!("/ux/workspace/{}", name.trim_start_matches("./"));
                assert!(
                    ASSETS.iter().any(|asset| asset.path == path),
                    "{} asks for {name}",
                    asset.path
                );
            }
        }
    }

    #[test]
    fn nothing_in_it_needs_a_weaker_policy() {
        for asset in ASSETS {
            let text = text(asset);
            for banned in ["innerHTML", "eval(", "style=\"", "onclick=\"", "document.write"] {
                assert!(!text.contains(banned), "{} has {banned}", asset.path);
            }
        }
    }
}
