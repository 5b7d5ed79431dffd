//! What a process costs, as the kernel counts it.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};
use serde::Serialize;

/// A look at a process.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Usage {
    /// Resident anonymous memory, bytes: what the program itself holds.
    pub anonymous: u64,
    /// Resident set, bytes.
    pub resident: u64,
    /// CPU time used so far, user and system.
    pub cpu: Duration,
    /// Open file descriptors.
    pub files: u64,
}

impl Usage {
    /// Looks at a process now.
    pub fn of(pid: u32) -> Result<Self> {
        let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))
            .with_context(|| format!("process {pid} is not there, or not ours"))?;
        let kib = |name: &str| -> u64 {
            rollup
                .lines()
                .find_map(|line| {
                    line.strip_prefix(name)?
                        .strip_prefix(':')?
                        .trim()
                        .strip_suffix(" kB")?
                        .parse()
                        .ok()
                })
                .unwrap_or(0)
        };
        Ok(Self {
            anonymous: kib("Anonymous") * 1024,
            resident: kib("Rss") * 1024,
            cpu: cpu(pid)?,
            files: fs::read_dir(format!("/proc/{pid}/fd"))?.count() as u64,
        })
    }
}

/// CPU time of all threads, from the scheduler's nanosecond counters.
fn cpu(pid: u32) -> Result<Duration> {
    let mut total = 0;
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        // A thread may end while we look.
        if let Ok(stat) = fs::read_to_string(task?.path().join("schedstat")) {
            total += stat
                .split_whitespace()
                .next()
                .and_then(|ns| ns.parse::<u64>().ok())
                .unwrap_or(0);
        }
    }
    Ok(Duration::from_nanos(total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_uses_something() {
        let usage = Usage::of(std::process::id()).unwrap();
        assert!(usage.resident > 0 && usage.files > 0);
    }
}
