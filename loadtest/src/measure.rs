//! Latency histograms and counters of one run.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

/// Latencies from 1 us to 60 s with three significant digits.
#[derive(Debug, Clone)]
pub struct Latencies {
    histogram: Histogram<u64>,
}

impl Default for Latencies {
    fn default() -> Self {
        #[expect(clippy::expect_used, reason = "constant bounds")]
        let histogram = Histogram::new_with_bounds(1, 60_000_000, 3).expect("constant bounds are valid");
        Self { histogram }
    }
}

impl Latencies {
    /// Counts one.
    pub fn record(&mut self, latency: Duration) {
        self.histogram
            .saturating_record(u64::try_from(latency.as_micros()).unwrap_or(u64::MAX).max(1));
    }

    /// Counts those of another.
    pub fn add(&mut self, other: &Self) {
        // Both have the same bounds.
        let _ = self.histogram.add(&other.histogram);
    }

    /// The points a report shows.
    pub fn summary(&self) -> Summary {
        let at = |quantile| self.histogram.value_at_quantile(quantile) as f64 / 1_000.0;
        Summary {
            count: self.histogram.len(),
            p50_ms: at(0.5),
            p90_ms: at(0.9),
            p99_ms: at(0.99),
            p999_ms: at(0.999),
            max_ms: self.histogram.max() as f64 / 1_000.0,
            curve: (0..=60)
                .map(|step| 1.0 - 10f64.powf(-f64::from(step) / 15.0))
                .map(|quantile| (quantile, at(quantile)))
                .collect(),
        }
    }
}

/// A histogram as a report shows it.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// How many were counted.
    pub count: u64,
    /// Median.
    pub p50_ms: f64,
    /// 90th percentile.
    pub p90_ms: f64,
    /// 99th percentile.
    pub p99_ms: f64,
    /// 99.9th percentile.
    pub p999_ms: f64,
    /// The slowest.
    pub max_ms: f64,
    /// (quantile, milliseconds), denser towards 1.
    pub curve: Vec<(f64, f64)>,
}

/// Everything one scenario measured.
#[derive(Debug, Default, Serialize)]
pub struct Results {
    /// What was run, with its parameters.
    pub title: String,
    /// Single figures by name, with their unit in the name.
    pub figures: BTreeMap<String, f64>,
    /// Latencies by name.
    pub latencies: BTreeMap<String, Summary>,
    /// Growth curves by name: (x, y).
    pub curves: BTreeMap<String, Vec<(f64, f64)>>,
    /// How often what went wrong.
    pub errors: BTreeMap<String, u64>,
}
