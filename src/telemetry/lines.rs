//! Log lines on their way out: each event is exactly one line, and nobody waits for the reader.
//!
//! Events are queued for a thread that writes them. When the queue is full a line is dropped and counted: a log
//! collector that stopped must not stop the service. A character that a terminal or a log reader could take for
//! a line end, an escape or a change of direction is written as its number.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

/// Lines that may wait for the writer. At 300 bytes each: 2.4 MB.
const WAITING: usize = 8_192;

/// How long the end of the process waits for the reader of the log.
const FLUSH: Duration = Duration::from_secs(1);

enum Piece {
    Line(Vec<u8>),
    Flush(SyncSender<()>),
}

/// The way in. Cheap to clone.
#[derive(Clone)]
pub(super) struct Lines {
    queue: SyncSender<Piece>,
    dropped: Arc<AtomicU64>,
}

impl Lines {
    /// Starts the thread that writes to `out`.
    pub(super) fn start(out: impl Write + Send + 'static) -> io::Result<Self> {
        let (queue, waiting) = sync_channel(WAITING);
        std::thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || write_all(&waiting, out))?;
        Ok(Self {
            queue,
            dropped: Arc::default(),
        })
    }

    /// How many lines found the queue full so far.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Waits, but not long, until everything queued so far is written.
    pub(super) fn flush(&self) {
        let (done, written) = sync_channel(1);
        if self.queue.try_send(Piece::Flush(done)).is_ok() {
            let _ = written.recv_timeout(FLUSH);
        }
    }
}

fn write_all(waiting: &Receiver<Piece>, mut out: impl Write) {
    for piece in waiting {
        // Nobody is left to be told that the log cannot be written.
        match piece {
            Piece::Line(line) => {
                let _ = out.write_all(&line);
            }
            Piece::Flush(done) => {
                let _ = out.flush();
                let _ = done.try_send(());
            }
        }
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line(self)
    }
}

/// One event. The formatter writes it whole, in one call.
pub(super) struct Line<'a>(&'a Lines);

impl Write for Line<'_> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let line = one_line(&String::from_utf8_lossy(event));
        if self.0.queue.try_send(Piece::Line(line)).is_err() {
            self.0.dropped.fetch_add(1, Ordering::Relaxed);
        }
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The event with every dangerous character written as `\uXXXX`, which JSON reads back as the character, and with one
/// line end, at its end.
fn one_line(event: &str) -> Vec<u8> {
    let text = event.strip_suffix('\n').unwrap_or(event);
    let mut line = String::with_capacity(text.len() + 1);
    for character in text.chars() {
        if is_dangerous(character) {
            use std::fmt::Write as _;
            let _ = write!(line, "\\u{:04x}", u32::from(character));
        } else {
            line.push(character);
        }
    }
    line.push('\n');
    line.into_bytes()
}

/// Control characters, line and paragraph separators, marks and overrides of direction, and what is invisible.
fn is_dangerous(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{061c}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::sync::mpsc;

    struct Stuck(Receiver<()>);

    impl Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.0.recv();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_stopped_costs_lines_and_never_time() {
        let (go, stuck) = mpsc::channel();
        let lines = Lines::start(Stuck(stuck)).unwrap();
        for _ in 0..WAITING + 100 {
            lines.make_writer().write_all(b"line\n").unwrap();
        }
        // One line is in the hands of the writer at most.
        assert!((99..=100).contains(&lines.dropped()), "{}", lines.dropped());
        drop(go);
    }

    proptest! {
        #[test]
        fn an_event_is_one_line_whatever_it_says(event: String) {
            let line = String::from_utf8(one_line(&event)).unwrap();
            prop_assert_eq!(line.find('\n'), Some(line.len() - 1));
            prop_assert!(!line.trim_end_matches('\n').chars().any(is_dangerous));
        }
    }
}
