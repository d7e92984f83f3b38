//! Files that the configuration names.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use naap_actors::ports::Clock as _;

use super::schema::{Cluster, Config, InputSource, Kafka};
use crate::certificates::{FileError, bytes, certificates, of_servers, private_key};
use crate::clock::SystemClock;
use crate::cluster::check_certificates;
use crate::quality::gates::Gates;
use crate::quality::probe::GATE;

/// The settings of files that can not be read here or do not hold what they should, one sentence each. A
/// node that needs one of them does not start.
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
    let refused: Vec<String> = files.into_iter().filter_map(sentence).collect();
    if refused.is_empty() { unusable(config) } else { refused }
}

/// The same of files that can be read: what is in those that the node uses can not be used.
fn unusable(config: &Config) -> Vec<String> {
    let clickhouse = &config.clickhouse;
    let encrypted = clickhouse.url.as_ref().is_some_and(|url| url.as_str().starts_with("https://"));
    let authority = clickhouse.ca_file.as_deref().filter(|_| encrypted);
    let clickhouse = authority.map(|file| of_servers("clickhouse.ca_file", Some(file)));
    let asks_kafka = config.ingest.source == InputSource::Kafka;
    let kafka = if asks_kafka { unusable_kafka(&config.kafka) } else { Vec::new() };
    let kafka = kafka.into_iter().map(|error| error.to_string());
    let gates = config.quality.gates_file.as_deref().filter(|_| config.quality.enabled);
    kafka
        .chain(clickhouse.and_then(Result::err).map(|error| error.to_string()))
        .chain(unusable_cluster(&config.cluster, config.node.name.as_str()))
        .chain(unusable_gates(gates))
        .collect()
}

/// The client of Kafka reads its files itself, and does not say which of them is wrong.
fn unusable_kafka(kafka: &Kafka) -> Vec<FileError> {
    let certificate = |setting, file: &Path| {
        bytes(setting, file).and_then(|pem| certificates(setting, file, &pem).map(drop))
    };
    let key = |setting, file: &Path| {
        bytes(setting, file).and_then(|pem| private_key(setting, file, &pem).map(drop))
    };
    let checked = [
        kafka.ca_file.as_deref().map(|file| certificate("kafka.ca_file", file)),
        kafka.cert_file.as_deref().map(|file| certificate("kafka.cert_file", file)),
        kafka.key_file.as_deref().map(|file| key("kafka.key_file", file)),
    ];
    checked.into_iter().flatten().filter_map(Result::err).collect()
}

/// Only a node that listens shows its certificate.
fn unusable_cluster(cluster: &Cluster, node: &str) -> Option<String> {
    cluster.listen.as_ref()?;
    check_certificates(cluster, node).err().map(|error| error.to_string())
}

fn unusable_gates(file: Option<&Path>) -> Option<String> {
    let file = file?;
    let sentence = match Gates::load(Some(file), SystemClock.now()) {
        Ok(gates) if gates.gate(GATE).is_ok() => return None,
        Ok(_) => format!(
            "{} has no gate '{GATE}', which a node runs; add it as deploy/quality/gates.toml has it",
            file.display()
        ),
        Err(refused) => refused.to_string(),
    };
    Some(format!("quality.gates_file: {sentence}"))
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
