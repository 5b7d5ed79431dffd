//! A real browser without a window, driven by a script.

use std::time::Duration;

use super::{node, part};

/// How long a journey in the browser may take.
const JOURNEY: Duration = Duration::from_secs(180);

/// Runs a script of `tests/it/browser` with Chromium; `environment` tells it where to go. The script finds its tools in
/// `harness.mjs`. Screenshots land in `target/artifacts`.
///
/// # Panics
/// When a part is missing, naming what installs it; when the script fails, with all the page said.
pub(crate) fn browse(script: &str, environment: &[(&str, &str)]) -> String {
    let chromium = part::program("chromium", &[], "chromium");
    let chromium = chromium.display().to_string();
    let mut environment = environment.to_vec();
    environment.push(("CHROMIUM", &chromium));
    node::node(script, &environment, JOURNEY)
}

mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    use super::*;

    /// Serves one fixed page to whoever asks, until the process ends.
    fn page(html: &'static str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let _ = stream.read(&mut [0; 4_096]);
                let head =
                    "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\nContent-Length:";
                let _ = write!(stream, "{head} {}\r\n\r\n{html}", html.len());
            }
        });
        url
    }

    #[test]
    fn a_page_is_driven_and_kept_as_a_picture() {
        let url =
            page("<!doctype html><title>Greeting</title><button onclick='this.textContent=1'>0</button>");
        let said = browse("smoke.mjs", &[("URL", &url), ("NAME", "smoke")]);
        assert!(said.contains("Greeting 1"), "{said}");
        let picture = std::fs::read(node::artifacts().join("smoke.png")).unwrap();
        assert_eq!(&picture[1..4], b"PNG");
    }

    #[test]
    #[should_panic(expected = "the page failed")]
    fn a_page_that_fails_fails_the_journey() {
        let url =
            page("<!doctype html><title>Broken</title><button>0</button><script>throw Error('no')</script>");
        browse("smoke.mjs", &[("URL", &url), ("NAME", "smoke-of-a-broken-page")]);
    }
}
