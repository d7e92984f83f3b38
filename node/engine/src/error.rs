//! What can go wrong with an engine, each with its remedy.

use std::path::PathBuf;

/// Why an engine did not start or ended.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// Nothing says where the library is.
    #[error(
        "no place to look for the ClickHouse engine: none of NAAP_CACHE_DIR, XDG_CACHE_HOME and HOME is set; set \
         NAAP_CACHE_DIR, or name libchdb.so with clickhouse.engine_lib or NAAP_ENGINE_LIB"
    )]
    NoCacheDir,
    /// The library is not installed.
    #[error(
        "no ClickHouse engine at {}: run `make setup`, or name libchdb.so with NAAP_ENGINE_LIB",
        path.display()
    )]
    LibraryMissing {
        /// Where it was expected.
        path: PathBuf,
    },
    /// The file is no usable libchdb.
    #[error(
        "{} can not be loaded as the ClickHouse engine: {reason}; run `make setup` to fetch it again",
        path.display()
    )]
    LibraryUnusable {
        /// The file.
        path: PathBuf,
        /// What the loader said.
        reason: String,
    },
    /// The library is of another version than the tested one.
    #[error(
        "{} is libchdb '{found}' but {wanted} is needed: run `make setup`, or unset NAAP_ENGINE_LIB",
        path.display()
    )]
    LibraryVersion {
        /// The file.
        path: PathBuf,
        /// What it says it is.
        found: String,
        /// What this program was tested with.
        wanted: &'static str,
    },
    /// The data folder can not be created or written.
    #[error("data folder {} can not be used: {reason}; choose a folder this user can write to", path.display())]
    DataDir {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// Another engine owns the data folder.
    #[error(
        "data folder {} is in use by another engine: stop that one, or choose another folder",
        path.display()
    )]
    Locked {
        /// The folder.
        path: PathBuf,
    },
    /// The engine takes its arguments as text.
    #[error("the path {} is not UTF-8, as the ClickHouse engine needs it; choose another", path.display())]
    NotUtf8 {
        /// The folder or file.
        path: PathBuf,
    },
    /// The engine itself refused the folder; it says why on standard error.
    #[error("the ClickHouse engine refused data folder {}: see its message above", path.display())]
    Refused {
        /// The folder.
        path: PathBuf,
    },
    /// The address can not be listened on.
    #[error("can not listen on {address}: {reason}; choose another address or port 0")]
    Listen {
        /// The address asked for.
        address: String,
        /// What the system said.
        reason: String,
    },
    /// Something of the operating system failed.
    #[error("{action} failed: {source}")]
    System {
        /// What was tried.
        action: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// The child process ended or stayed silent instead of becoming ready.
    #[error("the engine did not start ({status}): {sentence}")]
    NotReady {
        /// How the child ended.
        status: String,
        /// The last line it wrote to standard error.
        sentence: String,
    },
}

impl EngineError {
    /// The exit code of a process that ends with this error: 2 if its surroundings must change.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::System { .. } | Self::NotReady { .. } => 1,
            _ => 2,
        }
    }

    pub(crate) fn system(action: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::System { action, source }
    }
}
