//! Files that the configuration names.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::schema::Config;

/// The settings of files that can not be read here, one sentence each. A node that needs one of them does
/// not start.
pub(crate) fn unreadable(config: &Config) -> Vec<String> {
    let (kafka, clickhouse, cluster) = (&config.kafka, &config.clickhouse, &config.cluster);
    let files = [
        ("kafka.ca_file", &kafka.ca_file),
        ("kafka.cert_file", &kafka.cert_file),
        ("kafka.key_file", &kafka.key_file),
        ("kafka.password_file", &kafka.password_file),
        ("clickhouse.ca_file", &clickhouse.ca_file),
        ("clickhouse.password_file", &clickhouse.password_file),
        ("clickhouse.reader.password_file", &clickhouse.reader.password_file),
        ("cluster.ca_file", &cluster.ca_file),
        ("cluster.cert_file", &cluster.cert_file),
        ("cluster.key_file", &cluster.key_file),
        ("quality.gates_file", &config.quality.gates_file),
    ];
    let sentence = |(setting, file): (&str, &Option<PathBuf>)| {
        let file = file.as_deref()?;
        readable(setting, file).err()
    };
    files.into_iter().filter_map(sentence).collect()
}

/// A sentence unless `file`, which `setting` names, can be read.
pub(crate) fn readable(setting: &str, file: &Path) -> Result<(), String> {
    // Folders can be opened, but not read.
    let first = File::open(file).and_then(|mut file| file.read(&mut [0]));
    first.map(drop).map_err(|error| {
        format!(
            "{setting}: can not read {}: {error}; correct the path or the permissions",
            file.display()
        )
    })
}
