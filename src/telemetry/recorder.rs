//! Where the numbers of all metrics are kept, and their page.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use metrics_exporter_prometheus::{
    BuildError, Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder,
};

use tokio::time::Instant;

use super::lag::Lag;
use super::names::{self, Kind};
use super::process;
use super::tally::{CoreTally, Tallies};

/// The metrics of the process. Cheap to clone.
#[derive(Clone)]
pub struct Metrics {
    page: PrometheusHandle,
    tallies: Tallies,
    lags: Arc<Mutex<Vec<Lag>>>,
}

/// Why there are no metrics.
#[derive(Debug, thiserror::Error)]
pub enum MetricsError {
    /// A histogram of the list has no bounds.
    #[error("the list of metrics is unsound: {0}")]
    List(#[from] BuildError),
    /// Somebody else records already.
    #[error("another recorder of metrics is installed")]
    Installed,
}

impl Metrics {
    /// The metrics of this process; the first call makes them. The recording macros are global to a process, so two
    /// nodes within one share their numbers.
    ///
    /// # Errors
    /// Any [`MetricsError`].
    pub fn install() -> Result<Self, MetricsError> {
        static INSTALLED: OnceLock<Metrics> = OnceLock::new();
        static FIRST: Mutex<()> = Mutex::new(());
        let _first = FIRST.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(installed) = INSTALLED.get() {
            return Ok(installed.clone());
        }
        let (metrics, recorder) = Self::build()?;
        metrics::set_global_recorder(recorder).map_err(|_| MetricsError::Installed)?;
        describe();
        process::started();
        Ok(INSTALLED.get_or_init(|| metrics).clone())
    }

    fn build() -> Result<(Self, PrometheusRecorder), MetricsError> {
        let mut builder = PrometheusBuilder::new();
        for metric in names::ALL {
            if let Kind::Histogram(bounds) = metric.kind {
                builder = builder.set_buckets_for_metric(Matcher::Full(metric.name.to_owned()), bounds)?;
            }
        }
        let recorder = builder.build_recorder();
        let metrics = Self {
            page: recorder.handle(),
            tallies: Tallies::default(),
            lags: Arc::default(),
        };
        Ok((metrics, recorder))
    }

    /// The counters of one more core.
    pub fn core(&self) -> CoreTally {
        self.tallies.core()
    }

    /// The lateness of one more core, for [`super::watch_lag`].
    pub fn lag(&self) -> Lag {
        let lag = Lag::new();
        self.lags
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(lag.clone());
        lag
    }

    /// How late the latest core is with its timers. Many seconds mean that it has stopped.
    pub fn worst_lag(&self) -> Duration {
        let now = Instant::now();
        let lags = self.lags.lock().unwrap_or_else(PoisonError::into_inner);
        lags.iter().map(|lag| lag.at(now)).max().unwrap_or(Duration::ZERO)
    }

    /// Says what runs.
    pub fn build_info(&self, version: &'static str, git: &'static str, crypto: &'static str) {
        gauge!(names::BUILD, "version" => version, "git" => git, "crypto" => crypto).set(1.0);
    }

    /// The page in the text format of Prometheus.
    pub fn render(&self) -> String {
        let sums = self.tallies.sums();
        for (name, sum) in &sums {
            counter!(*name).absolute(*sum);
        }
        let of = |wanted| {
            sums.iter()
                .find(|(name, _)| *name == wanted)
                .map_or(0, |(_, sum)| *sum)
        };
        let open = of(names::SOCKET_CONNECTS).saturating_sub(of(names::SOCKET_DISCONNECTS));
        gauge!(names::SOCKET_ACTIVE).set(f64::from(u32::try_from(open).unwrap_or(u32::MAX)));
        gauge!(names::LOOP_LAG).set(self.worst_lag().as_secs_f64());
        process::observe();
        self.page.render()
    }

    /// Folds recorded samples into their histograms. To be called every few seconds, or samples pile up between two
    /// looks at the page.
    pub fn upkeep(&self) {
        self.page.run_upkeep();
    }
}

/// Gives each metric its help, and shows those without labels from the start.
fn describe() {
    for metric in names::ALL {
        let shown = metric.labels.is_empty();
        match metric.kind {
            Kind::Counter => {
                describe_counter!(metric.name, metric.help);
                if shown {
                    counter!(metric.name).absolute(0);
                }
            }
            Kind::Gauge => {
                describe_gauge!(metric.name, metric.help);
                if shown {
                    gauge!(metric.name).set(0.0);
                }
            }
            Kind::Histogram(_) => {
                describe_histogram!(metric.name, metric.help);
                if shown {
                    let _ = histogram!(metric.name);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{ApiMetrics, Count};
    use super::*;

    #[test]
    fn the_page_shows_what_was_recorded_under_the_names_others_query() {
        let (metrics, recorder) = Metrics::build().unwrap();
        let page = metrics::with_local_recorder(&recorder, || {
            describe();
            ApiMetrics::new().observe(200, "/nexus/v3/chat/sessions", "POST", Duration::from_millis(7));
            metrics.core().count(Count::ChatAsked);
            metrics.render()
        });
        for line in [
            "# HELP nexus_api_request_total API requests answered, by route.",
            "nexus_api_request_total{code=\"200\",path=\"/nexus/v3/chat/sessions\",method=\"POST\"} 1",
            "nexus_api_request_duration_milliseconds_bucket{code=\"200\",path=\"/nexus/v3/chat/sessions\",\
             method=\"POST\",le=\"10\"} 1",
            "nexus_chat_new_sessions_total 1",
            "nexus_bot_errors_total 0",
        ] {
            assert!(page.contains(line), "{line} is not in\n{page}");
        }
        let resident = page
            .lines()
            .find_map(|line| line.strip_prefix("nexus_process_resident_memory_bytes "));
        assert!(resident.unwrap().parse::<f64>().unwrap() > 1_000_000.0);
    }
}
