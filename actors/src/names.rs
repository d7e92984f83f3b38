//! Every metric name, in one place.

/// Rows stored, by table.
pub const SINK_ROWS: &str = "naap_sink_rows_total";
/// Bytes of rows stored, by table.
pub const SINK_BYTES: &str = "naap_sink_bytes_total";
/// Inserts tried again, by table.
pub const SINK_RETRIES: &str = "naap_sink_retries_total";
/// Bytes of rows that wait for storage.
pub const SINK_WAITING_BYTES: &str = "naap_sink_waiting_bytes";
/// Records taken from the source.
pub const RECORDS: &str = "naap_ingest_records_total";
/// Records accepted, by family.
pub const ACCEPTED: &str = "naap_ingest_accepted_total";
/// Accepted records whose gateway is not known, by family.
pub const WITHOUT_GATEWAY: &str = "naap_ingest_without_gateway_total";
/// Records ignored, by reason.
pub const IGNORED: &str = "naap_ingest_ignored_total";
/// Dead letters and quarantined records, by reason: those of the gate, and as of the last commit cycle those of
/// the shards. Duplicates are [`DUPLICATES`].
pub const REJECTED: &str = "naap_ingest_rejected_total";
/// Further deliveries of known events, as of the last commit cycle.
pub const DUPLICATES: &str = "naap_duplicates_total";
/// Bytes of envelopes that wait for a shard's window.
pub const INGEST_WAITING_BYTES: &str = "naap_ingest_waiting_bytes";
/// Bytes of rows of the archive and of rejects that wait for room in the sinks.
pub const INGEST_UNSENT_BYTES: &str = "naap_ingest_unsent_bytes";
/// Partitions read again because a shard missed some of their offsets.
pub const REREADS: &str = "naap_ingest_rereads_total";
/// Shards that this node has open.
pub const SHARDS_OPEN: &str = "naap_shards_open";
/// Shards that this node should have and has not open yet.
pub const SHARDS_PENDING: &str = "naap_shards_pending";
/// Steps in the ownership of shards, by `step`: `opened`, `handed_off`, `superseded`, `lost_race`,
/// `heir_late`: handed off before the next owner had read the log.
pub const OWNERSHIP: &str = "naap_ownership_steps_total";
/// Messages for a shard that this node does not have, or of an opening that was superseded, by `kind`.
pub const MISROUTED: &str = "naap_misrouted_total";
/// Time from the wish for a shard to its opening, seconds.
pub const OPENING_SECONDS: &str = "naap_shard_opening_seconds";
/// Slices of published figures that wait for a computation.
pub const ROLLUP_WAITING: &str = "naap_rollup_waiting_slices";
/// How long the oldest of them has waited, in seconds.
pub const ROLLUP_LAG: &str = "naap_rollup_lag_seconds";
/// Slices computed, by `outcome` (`computed`, `failed`).
pub const ROLLUP_SLICES: &str = "naap_rollup_slices_total";
/// Duration of a computation in seconds.
pub const ROLLUP_SECONDS: &str = "naap_rollup_seconds";
/// Verdict of each check of stored data, by `check`: 0 fine, 1 warns, 2 fails.
pub const DQ_VERDICT: &str = "naap_dq_check_verdict";
/// Rows that contradict a check, by `check`.
pub const DQ_ROWS: &str = "naap_dq_check_rows";
/// Worst figure of a check, by `check`.
pub const DQ_VALUE: &str = "naap_dq_check_value";
/// Runs of the quality probe, by `outcome` (`finished`, `failed`).
pub const DQ_RUNS: &str = "naap_dq_runs_total";
/// When the last run ended, seconds since 1970.
pub const DQ_LAST_RUN: &str = "naap_dq_last_run_seconds";
/// Duration of a run in seconds.
pub const DQ_SECONDS: &str = "naap_dq_run_seconds";
/// Commit cycles completed.
pub const COMMITS: &str = "naap_commit_cycles_total";
/// Duration of a commit cycle in seconds.
pub const COMMIT_SECONDS: &str = "naap_commit_seconds";
/// Entities put to sleep.
pub const PASSIVATIONS: &str = "naap_passivations_total";
/// Panics inside one session, isolated.
pub const SESSION_PANICS: &str = "naap_session_panics_total";
/// Rows of a session that contradict each other or what was published before, by check.
pub const DATA_QUALITY_DEFECTS: &str = "naap_data_quality_defects_total";
/// Rows refused by the size guard, by table.
pub const OVERSIZED_ROWS: &str = "naap_oversized_rows_total";
/// Lifecycle signals, by `type` (family) and `outcome`.
pub const SIGNALS: &str = "naap_lifecycle_signals_total";
/// New coverage rows whose edges match, by `edge` of the signal.
pub const EDGES_MATCHED: &str = "naap_lifecycle_edges_matched_total";
/// New coverage rows whose edges do not match, by `edge` of the signal and `reason`.
pub const EDGES_UNMATCHED: &str = "naap_lifecycle_edges_unmatched_total";
/// Coverage rows written, by `state` and `terminal`.
pub const COVERAGE_ROWS: &str = "naap_lifecycle_coverage_rows_total";
/// Edges that arrived before their logical predecessor, by `edge`.
pub const OUT_OF_ORDER: &str = "naap_lifecycle_out_of_order_total";
/// Signals that arrived after a later one of their session, by `type`.
pub const OUT_OF_ORDER_SIGNALS: &str = "naap_lifecycle_out_of_order_signals_total";
/// Start times of status samples that are not believed.
pub const IGNORED_START_TIMES: &str = "naap_lifecycle_ignored_start_times_total";
/// Missing latencies of closed sessions, by `metric`, `reason` and `late_trickle`.
pub const NULL_LATENCY: &str = "naap_lifecycle_null_latency_total";
/// Latencies of closed sessions above 10 min, by `metric`.
pub const IMPLAUSIBLE_LATENCY: &str = "naap_lifecycle_implausible_latency_total";
/// Latencies missing because two gateways stamped their edges, by `metric`.
pub const MULTI_GATEWAY: &str = "naap_lifecycle_multi_gateway_total";
/// New signals, by `class` of lateness.
pub const LATE: &str = "naap_lifecycle_late_total";
/// Distance of broker time and gateway time in seconds, by `class` of lateness.
pub const LATENESS_SECONDS: &str = "naap_lifecycle_lateness_seconds";
/// Sessions without a close, by `shard`.
pub const SESSIONS_OPEN: &str = "naap_lifecycle_sessions_open";
/// Sessions whose state is kept, by `shard`.
pub const SESSIONS_RETAINED: &str = "naap_lifecycle_sessions_retained";
/// Sessions that are over and of which a mark is kept, by `shard`.
pub const EXPIRED_MARKS: &str = "naap_state_expired_marks";
/// States that were given up, by `kind`: `session` (a mark is kept), `event` (without a session), `mark`.
pub const STATE_ENDED: &str = "naap_state_ended_total";
/// Rows that replaced others, by `cause`.
pub const CORRECTIONS: &str = "naap_lifecycle_corrections_total";
/// Versions of a session's row between waking and sleep.
pub const VERSIONS: &str = "naap_lifecycle_versions_per_session";
/// Decisions about sessions, by `label` (source), `method` and `reason`.
pub const ATTRIBUTION_RESULTS: &str = "naap_attribution_results_total";
/// Sessions whose pipeline is left blank, as it equals the model.
pub const PIPELINES_BLANKED: &str = "naap_attribution_pipelines_blanked_total";
/// Sessions that wait for an answer.
pub const ATTRIBUTION_PENDING: &str = "naap_attribution_pending";
/// Longest wait for an answer that goes on, seconds.
pub const ATTRIBUTION_OLDEST: &str = "naap_attribution_pending_oldest_seconds";
/// Waits for an answer that have ended, seconds, by `outcome`.
pub const ATTRIBUTION_WAIT: &str = "naap_attribution_wait_seconds";
/// Rows attributed after they had been written without, by `kind`.
pub const ATTRIBUTION_DELAYED: &str = "naap_attribution_delayed_total";
/// Advertised intervals held by the orchestrators of this node.
pub const CAPABILITY_ENTRIES: &str = "naap_capability_cache_entries";
/// Advertised intervals given up, by `reason`.
pub const CAPABILITY_EVICTED: &str = "naap_capability_cache_evicted_total";
/// Changes of the orchestrator, by `kind`: confirmed by a swap trace, or inferred.
pub const SWAP_SIGNALS: &str = "naap_swap_signals_total";
/// Gateway minus runner clock, ms, of the busiest pairs, by `gateway` and `orchestrator`.
pub const CLOCK_SKEW_MS: &str = "naap_clock_skew_ms";
/// Steps of a clock, by `gateway` and `orchestrator`.
pub const CLOCK_STEP: &str = "naap_clock_step_total";
/// Clock signs that there was no room for.
pub const CLOCK_LEFT_OUT: &str = "naap_clock_left_out_total";
/// How far the watermark is behind, seconds, by `shard`.
pub const WATERMARK_LAG: &str = "naap_shard_watermark_lag_seconds";
/// Rejects that a topic has acknowledged, by topic.
pub const REJECT_MESSAGES: &str = "naap_reject_messages_total";
/// Rejects whose payload is too long for a message and stands in the table alone, by topic.
pub const REJECT_MESSAGES_SHORTENED: &str = "naap_reject_messages_shortened_total";
/// Members that this node knows, by `state`.
pub const MEMBERS: &str = "naap_cluster_members";
/// Members whose link is silent.
pub const SUSPECTS: &str = "naap_cluster_suspects";
/// Members that are not down and to which no link is open.
pub const UNLINKED: &str = "naap_cluster_unlinked";
/// Signs of life received, by `sign`: link or topic.
pub const BEATS: &str = "naap_cluster_beats_total";
/// Messages of peers that this build can not read.
pub const UNREADABLE: &str = "naap_cluster_unreadable_total";
/// Bytes of messages that wait for a link, by `peer`.
pub const PEER_WAITING_BYTES: &str = "naap_peer_waiting_bytes";
/// Bytes of messages that a peer has not acknowledged, by `peer`.
pub const PEER_UNDER_WAY_BYTES: &str = "naap_peer_under_way_bytes";
/// Batches of messages over links, by `way`.
pub const PEER_BATCHES: &str = "naap_peer_batches_total";
/// Size of a batch that is sent, bytes.
pub const PEER_BATCH_BYTES: &str = "naap_peer_batch_bytes";
/// From sending a batch to its acknowledgement, seconds.
pub const PEER_ACK_SECONDS: &str = "naap_peer_ack_seconds";
/// Messages for or of peers that were dropped, by `reason`; the protocol makes up for them.
pub const PEER_DROPPED: &str = "naap_peer_dropped_total";
/// Batches of peers that were refused.
pub const PEER_REFUSED: &str = "naap_peer_refused_total";
