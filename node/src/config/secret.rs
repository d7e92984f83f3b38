//! Secrets: readable only on purpose, never printed.

use std::fmt;
use std::path::PathBuf;

/// A password. Its text leaves only through [`Secret::expose`]; every printed form is `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

/// What stands in place of a secret in everything that is printed.
pub(crate) const REDACTED: &str = "***";

impl Secret {
    pub(crate) fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The text itself, for the client library that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

/// The secret file can not be used.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The system refused to read it.
    #[error("cannot read the secret file {}: {source}; check that it exists and is readable", file.display())]
    Unreadable {
        /// The file as configured.
        file: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It holds nothing but line ends.
    #[error("the secret file {} is empty; write the password into it", .0.display())]
    Empty(PathBuf),
}

/// The secret of a pair of settings `password` and `password_file`; the file is read now, so that a rotated one counts.
/// Trailing line ends of the file are not part of the secret.
pub(crate) fn resolve(
    inline: Option<&Secret>,
    file: Option<&PathBuf>,
) -> Result<Option<Secret>, SecretError> {
    let Some(file) = file else { return Ok(inline.cloned()) };
    let text = std::fs::read_to_string(file)
        .map_err(|source| SecretError::Unreadable { file: file.clone(), source })?;
    match text.trim_end_matches(['\r', '\n']) {
        "" => Err(SecretError::Empty(file.clone())),
        text => Ok(Some(Secret::new(text))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn reads_the_file_when_it_is_needed() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_owned();
        assert!(matches!(resolve(None, Some(&path)), Err(SecretError::Empty(_))));
        file.write_all(b"hunter 2\r\n").unwrap();
        assert_eq!(resolve(None, Some(&path)).unwrap().unwrap().expose(), "hunter 2");
        let error = resolve(None, Some(&path.join("x"))).unwrap_err().to_string();
        assert!(error.starts_with("cannot read the secret file"), "{error}");
        assert_eq!(resolve(None, None).unwrap(), None);
    }

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", Some(Secret::new("hunter2"))), "Some(***)");
    }
}
