//! The recorder of metrics: what the process counts, as Prometheus reads it.

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

/// Buckets of durations, seconds.
const SECONDS: [f64; 14] =
    [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 600.0];

/// Starts to count. `None` when something in this process counts already.
pub fn metrics() -> Option<PrometheusHandle> {
    let builder = PrometheusBuilder::new().set_buckets(&SECONDS).ok()?;
    builder.install_recorder().inspect_err(|error| tracing::warn!(%error, "no metrics")).ok()
}
