//! Names of the metrics of the Kafka source.

/// Records that are not durably applied yet, by topic and partition: end of the partition less applied offset.
pub(super) const LAG: &str = "naap_kafka_lag_records";
/// Partitions that this node reads.
pub(super) const ASSIGNED: &str = "naap_kafka_assigned_partitions";
/// Partitions that wait because the node has too much in hand.
pub(super) const PAUSED: &str = "naap_kafka_paused_partitions";
/// Partitions that stand still until somebody acts.
pub(super) const STOPPED: &str = "naap_kafka_stopped_partitions";
/// Changes of the assignment, by kind (assigned, revoked, lost).
pub(super) const REBALANCES: &str = "naap_kafka_rebalances_total";
/// Offset commits that failed; they are repeated.
pub(super) const COMMIT_FAILURES: &str = "naap_kafka_commit_failures_total";
/// Errors of the client that it recovers from by itself, by code.
pub(super) const ERRORS: &str = "naap_kafka_client_errors_total";
/// Revocations that did not wait until everything was applied.
pub(super) const HASTY: &str = "naap_kafka_hasty_revocations_total";
/// Offsets that Kafka no longer held when they were wanted, by topic and partition.
pub(super) const LOST_OFFSETS: &str = "naap_lost_offsets_total";
/// Record headers beyond the limits, not read.
pub(super) const HEADERS_DROPPED: &str = "naap_kafka_headers_dropped_total";
/// Signs of life that the members topic did not acknowledge.
pub(super) const BEAT_FAILURES: &str = "naap_cluster_beat_failures_total";
