//! Names that existed before and what replaced them. They are refused with the new name, never accepted.

/// A removed name and its successor.
#[derive(Debug)]
pub(crate) struct Tombstone {
    /// Environment name, or dotted key.
    pub(crate) old: &'static str,
    /// Path of the setting that does this now; none when there is no such choice any more, or not yet.
    pub(crate) new: Option<&'static str>,
    /// What to know when moving.
    pub(crate) note: &'static str,
}

pub(crate) const TOMBSTONES: &[Tombstone] = &[
    Tombstone {
        old: "QUALITY_INPUT_TOPIC",
        new: Some("ingest.topics"),
        note: "write topic=org:reset for each topic",
    },
    Tombstone {
        old: "QUALITY_DEDUP_TTL_MINUTES",
        new: None,
        note: "there is no successor yet: duplicates are recognised for as long as state is kept; remove it",
    },
    Tombstone {
        old: "QUALITY_SUPPORTED_VERSIONS",
        new: Some("ingest.supported_versions"),
        note: "the same list",
    },
    Tombstone {
        old: "CLICKHOUSE_SINK_MAX_RECORD_BYTES",
        new: None,
        note: "there is no successor yet: rows of more than 1,000,000 bytes are not written; remove it",
    },
    Tombstone {
        old: "LIFECYCLE_PIPELINE_MODEL_MODE",
        new: None,
        note: "pipeline and model are always told apart by the capability catalogue; remove it",
    },
    Tombstone {
        old: "REPLAY_START_EPOCH_MS",
        new: Some("ingest.topics"),
        note: "choose reset = \"earliest\" for a topic, or run naap replay on files",
    },
    Tombstone {
        old: "RESTART_STRATEGY",
        new: Some("supervision.restart.type"),
        note: "its keys stand in a section of their own",
    },
    Tombstone {
        old: "supervision.restart",
        new: Some("supervision.restart.type"),
        note: "the keys of each type stand in a section of their own",
    },
];

impl Tombstone {
    /// The reason to refuse the old name; `environment` chooses the form of the new one.
    pub(crate) fn reason(&self, environment: bool) -> String {
        match self.new {
            Some(path) if environment => {
                format!(
                    "removed; use {} instead ({})",
                    super::environment::name_of(path),
                    self.note
                )
            }
            Some(path) => format!("removed; use {path} instead ({})", self.note),
            None => format!("removed; {}", self.note),
        }
    }
}

/// The tombstone of a name in any of its spellings: `QUALITY_INPUT_TOPIC`, `quality.input.topic`, `quality.input-topic`.
pub(crate) fn find(name: &str) -> Option<&'static Tombstone> {
    let plain = |text: &str| text.to_ascii_lowercase().replace(['.', '-'], "_").replace("__", "_");
    TOMBSTONES.iter().find(|tombstone| plain(tombstone.old) == plain(name))
}
