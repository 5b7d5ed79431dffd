//! Independent peers written for Python: scripts of ours that drive packages of others.
//!
//! Packages lie in `target/python`, where `tests/run` puts them. A script prints one line of JSON when it is ready, serves
//! until its standard input ends, and says on standard error what it does not like.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use serde_json::Value;

use super::part;

/// The versions the tests were written with; `tests/run` reads them from here.
pub(crate) const PACKAGES: [&str; 11] = [
    "autobahntestsuite==25.10.1",
    "botocore==1.43.11",
    "cryptography==48.0.0",
    "django-anymail==15.2",
    "google-auth==2.63.0",
    "messagebird==2.2.0",
    "sendgrid==6.12.5",
    "standardwebhooks==1.1.0",
    "twilio==9.13.0",
    "vonage-http-client==1.5.2",
    "vonage-jwt==1.1.5",
];

/// A script that serves beside the test.
#[derive(Debug)]
pub(crate) struct Python {
    child: Child,
    /// What it said when it was ready.
    pub(crate) ready: Value,
    _stdin: Option<ChildStdin>,
}

impl Python {
    /// Starts a script of `tests/it` and waits until it is ready.
    ///
    /// # Panics
    /// When Python or a package is missing, naming what installs it; when the script ends before it is ready.
    pub(crate) fn start(script: &str) -> Self {
        let mut child = command(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("python3 to be started");
        let mut line = String::new();
        let out = child.stdout.take().expect("its output");
        BufReader::new(out).read_line(&mut line).expect("a line");
        let ready = serde_json::from_str(&line)
            .unwrap_or_else(|_| panic!("{script} ended before it was ready: {line}"));
        Self {
            _stdin: child.stdin.take(),
            child,
            ready,
        }
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks a script of `tests/it` that reads JSON to the end and then writes JSON.
///
/// # Panics
/// As [`Python::start`], and when the script fails.
pub(crate) fn ask(script: &str, question: &Value) -> Value {
    let mut child = command(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .expect("python3 to be started");
    let question = question.to_string();
    let mut input = child.stdin.take().expect("its input");
    let writer = std::thread::spawn(move || input.write_all(question.as_bytes()));
    let output = child.wait_with_output().expect("python3 to end");
    let written = writer.join().expect("the writer");
    assert!(output.status.success(), "{script} failed with {}", output.status);
    written.expect("a script that reads");
    serde_json::from_slice(&output.stdout).expect("an answer in json")
}

fn command(script: &str) -> Command {
    for package in PACKAGES {
        let (name, version) = package.split_once("==").expect("a version");
        let installed = packages().join(format!("{}-{version}.dist-info", name.replace('-', "_")));
        assert!(
            installed.is_dir(),
            "this test needs the package `{package}` of Python, which is not installed; \
             run `python3 -m pip install --target target/python {package}` (`tests/run` does it for you)"
        );
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/it")
        .join(script);
    let mut command = Command::new(part::program("python3", &[], "python3 python3-pip"));
    command
        .arg("-u")
        .arg(script)
        .env("PYTHONPATH", packages())
        .env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

fn packages() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    target
        .unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target"))
        .join("python")
}
