//! The files of the pages.

use crate::api::pages::Asset;

const SCRIPT: &str = "text/javascript; charset=utf-8";

macro_rules! page {
    ($path:literal) => {
        Asset {
            path: $path,
            mime: "text/html; charset=utf-8",
            bytes: include_bytes!("index.html"),
        }
    };
}

macro_rules! script {
    ($name:literal) => {
        Asset {
            path: concat!("/admin/ux/", $name),
            mime: SCRIPT,
            bytes: include_bytes!($name),
        }
    };
}

/// Every file under `/admin/ux/`.
pub const ASSETS: &[Asset] = &[
    page!("/admin/ux/index.html"),
    page!("/admin/ux/fieldcodes/index.html"),
    page!("/admin/ux/customvariables/index.html"),
    page!("/admin/ux/sr/index.html"),
    Asset {
        path: "/admin/ux/plugins.css",
        mime: "text/css; charset=utf-8",
        bytes: include_bytes!("plugins.css"),
    },
    script!("main.js"),
    script!("client.js"),
    script!("editor.js"),
    script!("kinds.js"),
    script!("dom.js"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn text(asset: &Asset) -> &'static str {
        std::str::from_utf8(asset.bytes).unwrap()
    }

    #[test]
    fn the_pages_ask_only_for_files_that_are_there() {
        for asset in ASSETS {
            let named = text(asset)
                .split(['"', '\''])
                .filter(|word| word.ends_with(".js") || word.ends_with(".css"));
            for name in named {
                let name = name.trim_start_matches("./").trim_start_matches("/admin/ux/");
                let path = format!("/admin/ux/{name}");
                assert!(
                    ASSETS.iter().any(|asset| asset.path == path),
                    "{} asks for {name}",
                    asset.path
                );
            }
        }
    }

    #[test]
    fn nothing_in_them_needs_a_weaker_policy() {
        for asset in ASSETS {
            let text = text(asset);
            for banned in ["innerHTML", "eval(", "style=\"", "onclick=\"", "document.write"] {
                assert!(!text.contains(banned), "{} has {banned}", asset.path);
            }
        }
    }
}
