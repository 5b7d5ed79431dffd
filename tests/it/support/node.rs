//! Independent peers written for Node: scripts of ours that drive packages of others.
//!
//! Packages lie below `target/node`, where `tests/run` puts them. The scripts are in `tests/it/browser` and print
//! what went wrong before they end with an error.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::part;

/// The versions the tests were written with; `tests/run` reads them from here.
pub(crate) const PACKAGES: [&str; 6] = [
    "ajv@8.20.0",
    "playwright-core@1.65.1",
    "cometd-nodejs-server@1.2.1",
    "faye@1.4.3",
    "ws@8.23.0",
    "yaml@2.9.1",
];

/// Makes sure that a package is there.
///
/// # Panics
/// When it is not, naming what installs it.
pub(crate) fn require(name: &str) {
    let package = PACKAGES
        .iter()
        .find(|package| package.rsplit_once('@').is_some_and(|(known, _)| known == name));
    let package = package.expect("a package of the list");
    assert!(
        modules().join(name).is_dir(),
        "this test needs the package `{name}` of Node, which is not installed; \
         run `npm install --prefix target/node {package}` (`tests/run` does it for you)"
    );
}

/// Runs a script of `tests/it/browser` to its end and returns what it printed.
///
/// # Panics
/// When Node or a package is missing, naming what installs it; when the script fails or takes longer than `limit`.
pub(crate) fn node(script: &str, environment: &[(&str, &str)], limit: Duration) -> String {
    for package in ["playwright-core", "ajv", "yaml"] {
        require(package);
    }
    let script = root().join("tests/it/browser").join(script);
    let program = part::program("node", &[], "nodejs npm");
    let mut child = Command::new(program)
        .arg(&script)
        .env("NODE_MODULES", modules())
        .env("ARTIFACTS", artifacts())
        .env("DOCS", root().join("docs"))
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("node to be started");
    let pid = child.id();
    let (done, finished) = std::sync::mpsc::channel::<()>();
    let watch = std::thread::spawn(move || {
        let late = finished.recv_timeout(limit) == Err(std::sync::mpsc::RecvTimeoutError::Timeout);
        if late {
            part::signal(pid, part::Signal::Kill);
        }
        late
    });
    let mut errors = child.stderr.take().expect("its errors");
    let heard = std::thread::spawn(move || {
        let mut text = String::new();
        let _ = std::io::Read::read_to_string(&mut errors, &mut text);
        text
    });
    let output = child.wait_with_output().expect("node to end");
    drop(done);
    let late = watch.join().expect("the watch");
    let errors = heard.join().expect("the errors");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        !late,
        "{} took longer than {limit:?}\n{said}{errors}",
        script.display()
    );
    assert!(
        output.status.success(),
        "{} failed with {}\n{said}{errors}",
        script.display(),
        output.status
    );
    said
}

/// Where screenshots and other things to look at are kept.
pub(crate) fn artifacts() -> PathBuf {
    let folder = target().join("artifacts");
    std::fs::create_dir_all(&folder).expect("a folder for artifacts");
    folder
}

/// Where the packages lie.
pub(crate) fn modules() -> PathBuf {
    target().join("node/node_modules")
}

fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
