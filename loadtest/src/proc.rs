//! What a process costs, as the kernel counts it.

use std::cell::RefCell;
use std::collections::HashMap;
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

thread_local! {
    /// What was said of each process the last time.
    static SAID: RefCell<HashMap<u32, Duration>> = RefCell::default();
}

/// CPU time of a process. The scheduler counts nanoseconds for each thread, and forgets those of a thread that has ended; the process's
/// own count forgets nobody, in hundredths of a second. The larger is nearer, and time does not run backwards.
fn cpu(pid: u32) -> Result<Duration> {
    let now = of_threads(pid)?.max(of_process(pid)?);
    Ok(SAID.with_borrow_mut(|said| {
        let last = said.entry(pid).or_default();
        *last = now.max(*last);
        *last
    }))
}

fn of_threads(pid: u32) -> Result<Duration> {
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

fn of_process(pid: u32) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // Behind the name, which may hold anything, user and system time are the twelfth and thirteenth field.
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    let times = fields.split_whitespace().skip(11).take(2);
    let ticks: u64 = times.filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    Ok(Duration::from_millis(ticks * 10))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_uses_something() {
        let usage = Usage::of(std::process::id()).unwrap();
        assert!(usage.resident > 0 && usage.files > 0);
    }

    #[test]
    fn a_thread_that_ended_is_not_forgotten() {
        let pid = std::process::id();
        let before = Usage::of(pid).unwrap().cpu;
        let busy = std::thread::spawn(|| {
            let mut sum = 0_u64;
            for number in 0..50_000_000_u64 {
                sum = std::hint::black_box(sum.wrapping_add(number));
            }
            sum
        });
        busy.join().unwrap();
        assert!(Usage::of(pid).unwrap().cpu > before + Duration::from_millis(10));
    }
}
