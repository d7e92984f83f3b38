//! Where the engine's library is, and whether it is the right one.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::EngineError;
use crate::ffi::Library;

/// The package version that the set-up script installs.
const PACKAGE: &str = "26.7.3-stable.1";
/// What `chdb_version()` of that package answers.
const VERSION: &str = "26.7.3";

/// Finds the library: an explicit path wins, else the cache folder.
pub(crate) fn locate(explicit: Option<&Path>) -> Result<PathBuf, EngineError> {
    locate_with(explicit, |name| std::env::var_os(name))
}

fn locate_with(
    explicit: Option<&Path>,
    env: impl Fn(&str) -> Option<OsString>,
) -> Result<PathBuf, EngineError> {
    let path = match explicit {
        Some(path) => path.to_owned(),
        None => cache_dir(env)
            .ok_or(EngineError::NoCacheDir)?
            .join(format!("chdb-{PACKAGE}"))
            .join("libchdb.so"),
    };
    if path.is_file() { Ok(path) } else { Err(EngineError::LibraryMissing { path }) }
}

/// `NAAP_CACHE_DIR`, else `$XDG_CACHE_HOME/naap`, else `~/.cache/naap`. Never the working directory: whoever
/// may write there would choose the code that runs here.
fn cache_dir(env: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let var = |name| env(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    var("NAAP_CACHE_DIR")
        .or_else(|| var("XDG_CACHE_HOME").map(|dir| dir.join("naap")))
        .or_else(|| var("HOME").map(|dir| dir.join(".cache/naap")))
}

/// Loads the library at `path` and refuses any version but the pinned one.
pub(crate) fn load(path: &Path) -> Result<&'static Library, EngineError> {
    let library = Library::load(path).map_err(|error| EngineError::LibraryUnusable {
        path: path.to_owned(),
        reason: error.to_string(),
    })?;
    let found = library.version();
    if found == VERSION {
        Ok(library)
    } else {
        Err(EngineError::LibraryVersion { path: path.to_owned(), found, wanted: VERSION })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_folder_follows_the_environment() {
        let env = |set: &'static [(&str, &str)]| {
            move |name: &str| {
                set.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value))
            }
        };
        assert_eq!(
            cache_dir(env(&[("NAAP_CACHE_DIR", "/a"), ("HOME", "/h")])),
            Some(PathBuf::from("/a"))
        );
        assert_eq!(
            cache_dir(env(&[("XDG_CACHE_HOME", "/x"), ("HOME", "/h")])),
            Some(PathBuf::from("/x/naap"))
        );
        assert_eq!(
            cache_dir(env(&[("NAAP_CACHE_DIR", ""), ("HOME", "/h")])),
            Some(PathBuf::from("/h/.cache/naap"))
        );
    }

    #[test]
    fn without_a_home_no_library_is_looked_for() {
        let text = locate_with(None, |_| None).unwrap_err().to_string();
        assert!(text.contains("HOME is set; set NAAP_CACHE_DIR, or name libchdb.so"), "{text}");
    }

    #[test]
    fn a_missing_library_names_the_path_and_the_remedy() {
        let error = locate_with(Some(Path::new("/nowhere/lib.so")), |_| None).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("/nowhere/lib.so") && text.contains("make setup"), "{text}");
    }
}
