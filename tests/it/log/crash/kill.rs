//! The process is killed again and again.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use futures_util::future::join_all;
use nexus::log::embedded::EmbeddedStore;
use nexus::log::{Answer, SharedLog};
use nexus::model::LogId;
use nexus::runtime::Clock;

use super::dice::Dice;
use super::{Acknowledged, logs, options, verify};
use crate::log::suite::given::*;
use crate::log::suite::run;

const KILLS: u64 = 12;
const LOGS: usize = 6;
/// Names the store to a process started to be killed.
const STORE: &str = "NEXUS_TEST_APPEND_INTO";

#[test]
fn killed_again_and_again_nothing_acknowledged_is_lost() {
    if let Some(directory) = std::env::var_os(STORE) {
        return append_until_killed(Path::new(&directory));
    }
    let directory = tempfile::tempdir().unwrap();
    let mut dice = Dice::new();
    let mut acknowledged = Acknowledged::new();
    for _ in 0..KILLS {
        let before = acknowledged.len();
        let patience = dice.below(150) as usize;
        append_and_kill(directory.path(), patience, &mut acknowledged);
        assert!(
            acknowledged.len() > before,
            "the process wrote something before it was killed"
        );
        run(
            async || (),
            async |(): &()| {
                let store = EmbeddedStore::open(directory.path(), options(Clock::system())).unwrap();
                verify(&*store.core(), &logs(LOGS), &acknowledged).await;
                store.close().await.unwrap();
            },
        );
    }
}

/// Starts this test as a process of its own and kills it after so many acknowledgements.
fn append_and_kill(directory: &Path, patience: usize, acknowledged: &mut Acknowledged) {
    let name = "killed_again_and_again_nothing_acknowledged_is_lost";
    let test = format!("{}::{name}", module_path!().split_once("::").unwrap().1);
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([&test, "--exact", "--nocapture"])
        .env(STORE, directory)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let ids = logs(LOGS);
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut seen = 0;
    for line in lines.map_while(Result::ok) {
        let Some(report) = line.strip_prefix("acknowledged ") else {
            continue;
        };
        let mut words = report.split(' ');
        let log: usize = words.next().unwrap().parse().unwrap();
        let n = words.next().unwrap().parse().unwrap();
        let text = words.next().unwrap().to_owned();
        acknowledged.insert((ids[log], n), text);
        seen += 1;
        // What it had reported before it died is read to the end.
        if seen == patience + 1 {
            child.kill().unwrap();
        }
    }
    let status = child.wait().unwrap();
    assert!(!status.success(), "it was killed: {status}");
}

/// Appends to all logs from several tasks at once, each one append after the other.
fn append_until_killed(directory: &Path) {
    run(
        async || (),
        async |(): &()| {
            let store = EmbeddedStore::open(directory, options(Clock::system())).unwrap();
            let (log, ids) = (store.core(), logs(LOGS));
            for id in &ids {
                if log.tail(*id).await.unwrap().is_none() {
                    let mut first = opening(*id);
                    first.records = vec![record(&format!("opening-{id}"))];
                    written(&*log, first).await;
                }
            }
            let writers = (0..24).map(|writer| keep_appending(log.clone(), ids[writer % LOGS], writer));
            join_all(writers).await;
        },
    );
}

async fn keep_appending(log: SharedLog, id: LogId, writer: usize) {
    let mut last = 0;
    loop {
        let text = uuid::Uuid::new_v4().to_string();
        let Answer::Appended { first, .. } = log.append(admitted(id, &text)).await.unwrap() else {
            panic!("the log is open");
        };
        assert!(first > last, "one writer's appends are in order");
        last = first;
        let line = format!("acknowledged {} {first} {text}\n", writer % LOGS);
        std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
    }
}
