//! What one operation of the server costs, in figures that do not depend on time: allocations, and instructions.
//!
//! `costs` counts allocations, and the bytes of a session at rest, in this process; `costs instructions` runs itself under callgrind. Both print every figure beside what
//! was recorded for it, and fail where one is half above: a gate against what creeps in, not a measurement of speed. The operations
//! are the library's own, optimised as the server is.

mod allocations;
mod chat;
mod instructions;
mod memory;
mod operations;
mod texts;

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};

use allocations::Counting;
use operations::Operation;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How often an operation is carried out before it is counted: what is made once is made by then.
const WARM_UP: u32 = 64;
/// How often it is carried out while it is counted.
const TIMES: u32 = 256;
/// How often it is carried out at most.
const MOST: u32 = 1_000;

#[derive(Debug, Parser)]
#[command(about = "Allocations and instructions of one operation")]
struct Arguments {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Instructions, by callgrind.
    Instructions,
    /// Carries an operation out so often, for callgrind to count.
    #[command(hide = true)]
    Run {
        /// Which.
        name: String,
        /// How often.
        times: u32,
    },
}

fn main() -> Result<ExitCode> {
    let sound = match Arguments::parse().what {
        None => count_allocations()?,
        Some(What::Instructions) => instructions::count()?,
        Some(What::Run { name, times }) => {
            let operation = Operation::all().find(|operation| operation.name() == name);
            let mut run = operation.context("no such operation")?.ready()?;
            for _ in 0..times {
                run();
            }
            true
        }
    };
    Ok(if sound {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn count_allocations() -> Result<bool> {
    let mut sound = true;
    for operation in Operation::all() {
        let mut run = operation.ready()?;
        for _ in 0..WARM_UP {
            run();
        }
        let before = allocations::so_far();
        for _ in 0..TIMES {
            run();
        }
        let made = f64::from(u32::try_from(allocations::so_far() - before)?) / f64::from(TIMES);
        sound &= told(operation.name(), "allocations", made, operation.allocations());
    }
    sound &= memory::of_a_session()?;
    Ok(sound)
}

/// Prints a figure beside the recorded one; whether it is within what may be added. Half of it: other C libraries copy otherwise.
#[expect(
    clippy::print_stdout,
    reason = "a command-line tool speaks on its standard output"
)]
fn told(name: &str, unit: &str, measured: f64, recorded: u32) -> bool {
    let most = f64::from(recorded) * 1.5 + 1.0;
    let sound = measured <= most;
    let verdict = if sound { "" } else { "  ! more than allowed" };
    println!("  {name:<28} {measured:>10.1} {unit} (recorded {recorded}, at most {most:.0}){verdict}");
    sound
}
