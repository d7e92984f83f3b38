//! Layered strict configuration: defaults < file (TOML) < environment (`NAAP_…`) < flags.
//!
//! The module `schema` defines every setting once. A layer only adds raw values under dotted paths; each value is then checked by
//! the type of its setting, whatever layer it came from, and all problems are reported together.

mod environment;
mod file;
mod files;
mod names;
mod nearest;
mod print;
mod problem;
mod reference;
mod rules;
mod schema;
mod secret;
mod section;
#[cfg(test)]
mod tests;
mod tombstones;
pub(crate) mod units;
mod value;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

pub(crate) use files::{readable, unreadable};
pub use names::{HostPort, Name, PeerAddress, Reset, TopicSource, Url};
pub use problem::{LoadError, Origin, Problem};
pub use reference::{reference_json, reference_markdown};
pub(crate) use rules::hidden_state;
pub use schema::*;
pub use secret::{Secret, SecretError};
pub use value::ByteSize;

pub(crate) use value::{Setting, duration_text};

use file::{Node as FileNode, Value as FileValue};
use nearest::nearest;
use section::{Entry, Key, Raw, Reader, Section, join};

/// A setting given on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlagValue {
    /// The flag as the user knows it, such as `--data-dir`.
    pub flag: String,
    /// Dotted path of the setting.
    pub path: String,
    /// The value's text.
    pub text: String,
}

/// Where a configuration comes from besides the defaults.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The configuration file, if one is named.
    pub file: Option<PathBuf>,
    /// All environment variables of the process.
    pub environment: Vec<(OsString, OsString)>,
    /// Settings of the command line.
    pub flags: Vec<FlagValue>,
}

/// A good configuration and where each of its values came from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The values.
    pub config: Config,
    /// Dotted path to origin, for every setting that is not a default.
    pub origins: BTreeMap<String, Origin>,
}

impl Default for Config {
    fn default() -> Self {
        Self::read("", &mut Reader::default())
    }
}

/// Reads, layers and checks a configuration.
///
/// # Errors
/// The file can not be read, or anything in any layer is refused; all reasons are in the error.
pub fn load(sources: &Sources) -> Result<Loaded, LoadError> {
    let text = match &sources.file {
        Some(file) => Some((read_file(file)?, file.display().to_string())),
        None => None,
    };
    let text = text.as_ref().map(|(text, name)| (text.as_str(), name.as_str()));
    load_text(text, &sources.environment, &sources.flags).map_err(LoadError::Invalid)
}

fn read_file(file: &Path) -> Result<String, LoadError> {
    let unreadable = |source| LoadError::Unreadable { file: file.to_owned(), source };
    let bytes = std::fs::read(file).map_err(unreadable)?;
    String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let line = String::from_utf8_lossy(&error.as_bytes()[..good]).matches('\n').count() + 1;
        let origin = Origin::File { file: file.display().to_string(), line };
        LoadError::Invalid(vec![Problem::new(origin, "", "not UTF-8; save the file as UTF-8")])
    })
}

/// [`load`] with the file's text and name already at hand.
///
/// # Errors
/// Everything that is refused.
pub fn load_text(
    file: Option<(&str, &str)>,
    variables: &[(OsString, OsString)],
    flags: &[FlagValue],
) -> Result<Loaded, Vec<Problem>> {
    let keys = keys();
    let mut reader = Reader::default();
    if let Some((text, name)) = file {
        add_file(&mut reader, &keys, text, name);
    }
    let (given, problems) = environment::read(variables, &keys);
    reader.problems.extend(problems);
    for (origin, path, text) in given {
        reader.given.entry(path).or_default().push((origin, Raw::Text(text)));
    }
    for flag in flags {
        add_flag(&mut reader, &keys, flag);
    }
    let config = Config::read("", &mut reader);
    if reader.problems.is_empty() {
        reader.problems = rules::check(&config, &reader);
    }
    if !reader.problems.is_empty() {
        return Err(reader.problems);
    }
    let origins = reader
        .given
        .into_iter()
        .filter_map(|(path, mut layers)| Some((path, layers.pop()?.0)))
        .collect();
    Ok(Loaded { config, origins })
}

/// Every entry of the reference, in order.
fn entries() -> Vec<Entry> {
    let mut entries = Vec::new();
    Config::describe("", &mut entries);
    entries
}

/// Every setting.
fn keys() -> Vec<Key> {
    let key = |entry| match entry {
        Entry::Key(key) => Some(key),
        Entry::Section { .. } => None,
    };
    entries().into_iter().filter_map(key).collect()
}

fn add_file(reader: &mut Reader, keys: &[Key], text: &str, name: &str) {
    match file::parse(text) {
        Ok(table) => add_table(reader, keys, name, "", table),
        Err(errors) => reader.problems.extend(errors.into_iter().map(|(line, message)| {
            let origin = Origin::File { file: name.to_owned(), line };
            Problem::new(origin, "", format!("not valid TOML: {message}"))
        })),
    }
}

fn add_table(
    reader: &mut Reader,
    keys: &[Key],
    file: &str,
    parent: &str,
    table: Vec<(String, FileNode)>,
) {
    for (key, node) in table {
        let path = join(parent, &key);
        let origin = Origin::File { file: file.to_owned(), line: node.line };
        let inside = format!("{path}.");
        let is_section = keys.iter().any(|key| key.path.starts_with(&inside));
        match node.value {
            _ if key.contains('.') => {
                let reason = "unknown key; write a nested key without quotes";
                reader.problems.push(Problem::new(origin, path, reason));
            }
            FileValue::Table(table) if is_section => add_table(reader, keys, file, &path, table),
            _ if keys.iter().any(|key| key.path == path) => {
                reader.given.entry(path).or_default().push((origin, Raw::Node(node)));
            }
            _ => reader.problems.push(unknown(origin, &path, is_section, keys)),
        }
    }
}

fn add_flag(reader: &mut Reader, keys: &[Key], flag: &FlagValue) {
    let origin = Origin::Flag(flag.flag.clone());
    let Some(key) = keys.iter().find(|key| key.path == flag.path) else {
        let inside = format!("{}.", flag.path);
        let is_section = keys.iter().any(|key| key.path.starts_with(&inside));
        reader.problems.push(unknown(origin, &flag.path, is_section, keys));
        return;
    };
    if key.secret {
        let reason = format!(
            "a secret must not stand on the command line, where others can read it; use {}_file or {}",
            key.path,
            environment::name_of(&key.path)
        );
        reader.problems.push(Problem::new(origin, &key.path, reason));
        return;
    }
    let layers = reader.given.entry(key.path.clone()).or_default();
    if let Some((Origin::Flag(first), _)) = layers.last() {
        let reason = format!("given twice, also by flag {first}; keep one");
        reader.problems.push(Problem::new(origin, &key.path, reason));
        return;
    }
    layers.push((origin, Raw::Text(flag.text.clone())));
}

/// A path that is no setting.
fn unknown(origin: Origin, path: &str, is_section: bool, keys: &[Key]) -> Problem {
    if let Some(tombstone) = tombstones::find(path) {
        return Problem::new(origin, path, tombstone.reason(false));
    }
    if is_section {
        let inside = format!("{path}.");
        let example = keys.iter().find(|key| key.path.starts_with(&inside));
        let example = example.map_or("", |key| key.path.as_str());
        let reason = format!("a section, not a setting; give its keys, such as {example}");
        return Problem::new(origin, path, reason);
    }
    let mut names: Vec<&str> = keys.iter().map(|key| key.path.as_str()).collect();
    names.extend(
        keys.iter().filter_map(|key| key.path.rsplit_once('.')).map(|(section, _)| section),
    );
    Problem::new(origin, path, "unknown key").suggest(nearest(path, names))
}
