//! A disk without space: how it is told, and what to do.

/// Whether this says so: the refusal of the system, or that of ClickHouse, which keeps a reserve.
pub(crate) fn is_full(said: &str) -> bool {
    said.contains("No space left on device") || said.contains("(NOT_ENOUGH_SPACE)")
}

/// The same, and what to do where it is that.
pub(crate) fn with_remedy(said: String) -> String {
    if !is_full(&said) {
        return said;
    }
    format!(
        "{said}; free some space or move the data folder to a larger disk, then start again: what is \
         stored stays"
    )
}
