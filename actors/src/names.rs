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
/// Records ignored, by reason.
pub const IGNORED: &str = "naap_ingest_ignored_total";
/// Records rejected, by reason.
pub const REJECTED: &str = "naap_ingest_rejected_total";
/// Further deliveries of known events, as of the last commit cycle.
pub const DUPLICATES: &str = "naap_duplicates_total";
/// Bytes of envelopes that wait for a shard's window.
pub const INGEST_WAITING_BYTES: &str = "naap_ingest_waiting_bytes";
/// Commit cycles completed.
pub const COMMITS: &str = "naap_commit_cycles_total";
/// Duration of a commit cycle in seconds.
pub const COMMIT_SECONDS: &str = "naap_commit_seconds";
/// Entities put to sleep.
pub const PASSIVATIONS: &str = "naap_passivations_total";
/// Panics inside one session, isolated.
pub const SESSION_PANICS: &str = "naap_session_panics_total";
/// Rows refused by the size guard, by table.
pub const OVERSIZED_ROWS: &str = "naap_oversized_rows_total";
/// Rejects that a topic has acknowledged, by topic.
pub const REJECT_MESSAGES: &str = "naap_reject_messages_total";
/// Rejects whose payload is too long for a message and stands in the table alone, by topic.
pub const REJECT_MESSAGES_SHORTENED: &str = "naap_reject_messages_shortened_total";
