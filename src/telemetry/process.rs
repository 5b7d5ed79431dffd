//! What the system says of this process, read when it is asked for.

use std::time::{SystemTime, UNIX_EPOCH};

use metrics::gauge;
use rustix::param::{clock_ticks_per_second, page_size};

use super::names;

/// Sets the gauges of the process. Where the system does not say, a gauge keeps its value.
pub(super) fn observe() {
    if let Some(pages) = field("/proc/self/statm", 1) {
        gauge!(names::PROCESS_MEMORY).set(pages * as_number(page_size() as u64));
    }
    if let (Some(user), Some(system)) = (stat(11), stat(12)) {
        gauge!(names::PROCESS_CPU).set((user + system) / as_number(clock_ticks_per_second()));
    }
    if let Ok(files) = std::fs::read_dir("/proc/self/fd") {
        gauge!(names::PROCESS_FILES).set(as_number(files.count() as u64));
    }
    if let Some(most) = rustix::process::getrlimit(rustix::process::Resource::Nofile).current {
        gauge!(names::PROCESS_MAX_FILES).set(as_number(most));
    }
}

/// Sets when the process started: now, when this is called first.
pub(super) fn started() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    gauge!(names::PROCESS_START).set(now.map_or(0.0, |since| since.as_secs_f64()));
}

fn field(path: &str, index: usize) -> Option<f64> {
    let text = std::fs::read_to_string(path).ok()?;
    text.split_whitespace().nth(index)?.parse().ok()
}

/// A field of `/proc/self/stat`, counted after the name, which may hold spaces.
fn stat(index: usize) -> Option<f64> {
    let text = std::fs::read_to_string("/proc/self/stat").ok()?;
    let (_, rest) = text.rsplit_once(") ")?;
    rest.split_whitespace().nth(index)?.parse().ok()
}

#[expect(
    clippy::cast_precision_loss,
    reason = "gauges are floating point; 2^53 bytes or ticks are out of reach"
)]
fn as_number(number: u64) -> f64 {
    number as f64
}
