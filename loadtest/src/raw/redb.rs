//! The engine of the embedded store, writing rows as large as all that one message makes it write, in groups, and nothing else.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use redb::{Database, TableDefinition};

use crate::proc::Usage;

const ROWS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("rows");
/// Rows of one commit, as they are tried. The server's groups hold at most 256.
pub const GROUPS: [usize; 2] = [64, 256];

/// What one size of group reached.
#[derive(Debug, Clone, Copy)]
pub struct Reached {
    /// Rows of one commit.
    pub group: usize,
    /// Rows on the disk a second.
    pub per_second: f64,
    /// Rows a second of CPU.
    pub per_cpu_second: f64,
}

/// Commits rows of `bytes` for `time` with each size of group, on the disk that `folder` is on.
pub fn drive(folder: &Path, bytes: usize, time: Duration) -> Result<Vec<Reached>> {
    let mut all = Vec::new();
    for group in GROUPS {
        let file = folder.join(format!("raw-{group}.redb"));
        let database = Database::create(&file)?;
        let row = vec![b'r'; bytes];
        let own = Usage::of(std::process::id())?;
        let (started, mut next) = (Instant::now(), 0_u64);
        while started.elapsed() < time {
            let mut transaction = database.begin_write()?;
            transaction.set_quick_repair(true);
            {
                let mut rows = transaction.open_table(ROWS)?;
                for _ in 0..group {
                    rows.insert(next, row.as_slice())?;
                    next += 1;
                }
            }
            transaction.commit()?;
        }
        let took = started.elapsed().as_secs_f64();
        let cpu = (Usage::of(std::process::id())?.cpu - own.cpu).as_secs_f64();
        all.push(Reached {
            group,
            per_second: next as f64 / took,
            per_cpu_second: next as f64 / cpu.max(f64::EPSILON),
        });
        drop(database);
        std::fs::remove_file(&file)?;
    }
    Ok(all)
}
