//! Instructions of one operation: callgrind counts a run of few and a run of many, and the difference is theirs.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use super::operations::Operation;
use super::told;

const FEW: u32 = 50;
const MANY: u32 = 250;

/// Counts all operations; whether none takes more than it may.
pub fn count() -> Result<bool> {
    let mut sound = true;
    for operation in Operation::all() {
        let name = operation.name();
        let (few, many) = (begin(name, FEW)?, begin(name, MANY)?);
        let (few, many) = (collected(few)?, collected(many)?);
        let each = (many - few) / f64::from(MANY - FEW);
        sound &= told(name, "instructions", each, operation.instructions());
    }
    Ok(sound)
}

fn begin(name: &str, times: u32) -> Result<std::process::Child> {
    Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe()?)
        .args(["run", name, &times.to_string()])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .context("valgrind is not there: `apt-get install valgrind`")
}

/// What callgrind says at the end: `==1== Collected : 12345`.
fn collected(run: std::process::Child) -> Result<f64> {
    let done = run.wait_with_output()?;
    let said = String::from_utf8_lossy(&done.stderr);
    if !done.status.success() {
        bail!("callgrind: {said}");
    }
    let figure = said
        .lines()
        .find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok());
    figure.with_context(|| format!("callgrind counted nothing: {said}"))
}
