//! Names of the metrics of the state log.

/// Shards whose partition is read up to its end.
pub(super) const RESTORING: &str = "naap_state_restoring_shards";
/// Bytes read while shards were restored.
pub(super) const RESTORED: &str = "naap_state_restored_bytes_total";
