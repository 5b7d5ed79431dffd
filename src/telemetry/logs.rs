//! The process's log: JSON for machines, a plain form for people, a filter that can be changed while it runs.

use std::io::{self, IsTerminal, Write};
use std::panic::PanicHookInfo;

use tracing::Subscriber;
use tracing_subscriber::filter::{EnvFilter, ParseError};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::Registry;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};
use tracing_subscriber::{fmt, reload};

use super::lines::Lines;
use crate::config::{LogFormat, Telemetry};

/// The log of the process. Cheap to clone; everything queued is written by [`Logs::flush`].
#[derive(Clone)]
pub struct Logs {
    lines: Lines,
    filter: reload::Handle<EnvFilter, Registry>,
}

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// `telemetry.log` is not a filter.
    #[error("telemetry.log is not a filter: {0}")]
    Filter(#[from] ParseError),
    /// The writing thread did not start.
    #[error("the log's thread did not start: {0}")]
    Thread(#[from] io::Error),
    /// The process has a log already.
    #[error(transparent)]
    Twice(#[from] TryInitError),
    /// The log is gone.
    #[error("the filter cannot be changed: {0}")]
    Reload(#[from] reload::Error),
}

impl Logs {
    /// Makes standard output the log of this process.
    ///
    /// # Errors
    /// Any [`LogError`].
    pub fn init(settings: &Telemetry) -> Result<Self, LogError> {
        let terminal = io::stdout().is_terminal();
        let (logs, subscriber) = build(settings, terminal, io::stdout())?;
        subscriber.try_init()?;
        Ok(logs)
    }

    /// Changes what is logged from now on.
    ///
    /// # Errors
    /// [`LogError::Filter`] when `filter` is none.
    pub fn set_filter(&self, filter: &str) -> Result<(), LogError> {
        self.filter.reload(EnvFilter::try_new(filter)?)?;
        Ok(())
    }

    /// Waits, at most a second, until all lines so far are written.
    pub fn flush(&self) {
        self.lines.flush();
    }

    /// Lines lost because the reader of the log was too slow.
    pub fn dropped(&self) -> u64 {
        self.lines.dropped()
    }

    /// Makes a panic a line of the log, written before the process goes on or ends.
    pub fn log_panics(&self) {
        let logs = self.clone();
        std::panic::set_hook(Box::new(move |panic| {
            log_panic(panic);
            logs.flush();
        }));
    }
}

fn log_panic(panic: &PanicHookInfo<'_>) {
    let thread = std::thread::current();
    let place = panic.location().map(ToString::to_string);
    let message = panic.payload_as_str().unwrap_or("no message");
    tracing::error!(
        thread = thread.name(),
        place,
        message = %message.chars().take(500).collect::<String>(),
        backtrace = %std::backtrace::Backtrace::capture(),
        "panic"
    );
}

type Built = Box<dyn Subscriber + Send + Sync>;

fn build(
    settings: &Telemetry,
    terminal: bool,
    out: impl Write + Send + 'static,
) -> Result<(Logs, Built), LogError> {
    let lines = Lines::start(out)?;
    let (filter, handle) = reload::Layer::new(EnvFilter::try_new(&settings.log)?);
    let human = match settings.format {
        LogFormat::Auto => terminal,
        LogFormat::Human => true,
        LogFormat::Json => false,
    };
    let registry = tracing_subscriber::registry().with(filter);
    // Colours are escapes, and no escape leaves this process.
    let layer = fmt::layer().with_ansi(false).with_writer(lines.clone());
    let subscriber: Built = if human {
        Box::new(registry.with(layer.with_target(false)))
    } else {
        Box::new(registry.with(layer.json().flatten_event(true).with_current_span(false)))
    };
    Ok((
        Logs {
            lines,
            filter: handle,
        },
        subscriber,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(format: LogFormat, log: impl FnOnce(&Logs)) -> String {
        let kept = Kept::default();
        let settings = Telemetry {
            format,
            ..Telemetry::default()
        };
        let (logs, subscriber) = build(&settings, false, kept.clone()).unwrap();
        tracing::subscriber::with_default(subscriber, || log(&logs));
        logs.flush();
        let bytes = kept.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    const HOSTILE: &str = "a\r\nb\u{1b}[31mc\u{202e}d\u{2028}e\u{85}f\u{7f}\0\u{200b}g";

    #[test]
    fn hostile_text_gives_exactly_one_json_line_that_reads_back() {
        let text = logged(LogFormat::Json, |_| {
            tracing::warn!(login = HOSTILE, peer = ?HOSTILE, "{HOSTILE}");
        });
        assert_eq!(text.split_inclusive('\n').count(), 1, "{text:?}");
        assert!(
            !text.contains(['\u{1b}', '\u{202e}', '\u{2028}', '\r']),
            "{text:?}"
        );
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["login"], HOSTILE);
        assert_eq!(line["level"], "WARN");
        assert!(line["timestamp"].as_str().unwrap().ends_with('Z'));
    }

    #[test]
    fn hostile_text_gives_exactly_one_human_line() {
        let text = logged(LogFormat::Human, |_| tracing::warn!(login = HOSTILE, "{HOSTILE}"));
        assert_eq!(text.split_inclusive('\n').count(), 1, "{text:?}");
        assert!(
            !text.contains(['\u{1b}', '\u{202e}', '\u{2028}', '\r']),
            "{text:?}"
        );
    }

    #[test]
    fn the_filter_can_be_changed_while_it_runs() {
        let text = logged(LogFormat::Json, |logs| {
            tracing::debug!("before");
            logs.set_filter("debug").unwrap();
            tracing::debug!("after");
            logs.set_filter("==").unwrap_err();
        });
        assert!(!text.contains("before") && text.contains("after"), "{text}");
    }
}
