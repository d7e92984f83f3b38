//! Certificates in files: of nodes, and of the authorities that others are trusted by.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use hyper_rustls::ConfigBuilderExt as _;
use thiserror::Error;
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// Why a file can not be used. Never holds what is in it.
#[derive(Debug, Error)]
pub enum FileError {
    /// The system refused to read it.
    #[error("cannot read {setting} = {}: {source}; check that it exists and is readable", file.display())]
    Unreadable {
        /// The setting.
        setting: &'static str,
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It does not hold what it should.
    #[error("{setting} = {} is not usable: {reason}; correct the file, or name another", file.display())]
    Unusable {
        /// The setting.
        setting: &'static str,
        /// The file.
        file: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

impl FileError {
    pub(crate) fn unusable(
        setting: &'static str,
        file: &Path,
        reason: &dyn std::fmt::Display,
    ) -> Self {
        Self::Unusable { setting, file: file.to_owned(), reason: reason.to_string() }
    }
}

/// The cryptography of every encrypted connection of this program but Kafka's.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

pub(crate) fn bytes(setting: &'static str, file: &Path) -> Result<Vec<u8>, FileError> {
    std::fs::read(file).map_err(|source| FileError::Unreadable {
        setting,
        file: file.to_owned(),
        source,
    })
}

/// At least one certificate, in the order of the file.
pub(crate) fn certificates(
    setting: &'static str,
    file: &Path,
    pem: &[u8],
) -> Result<Vec<CertificateDer<'static>>, FileError> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match read {
        Ok(found) if found.is_empty() => {
            Err(FileError::unusable(setting, file, &"it holds no certificate in PEM"))
        }
        Ok(found) => Ok(found),
        Err(error) => Err(FileError::unusable(setting, file, &error)),
    }
}

/// The private key of a file.
pub(crate) fn private_key(
    setting: &'static str,
    file: &Path,
    pem: &[u8],
) -> Result<PrivateKeyDer<'static>, FileError> {
    // What the parser says of a key could repeat its bytes.
    PrivateKeyDer::from_pem_slice(pem)
        .map_err(|_| FileError::unusable(setting, file, &"it holds no private key in PEM"))
}

/// Those whose signature counts.
pub(crate) fn authorities(
    setting: &'static str,
    file: &Path,
    pem: &[u8],
) -> Result<RootCertStore, FileError> {
    let mut roots = RootCertStore::empty();
    for authority in certificates(setting, file, pem)? {
        roots.add(authority).map_err(|error| FileError::unusable(setting, file, &error))?;
    }
    Ok(roots)
}

/// How a client checks the certificate of a server: signed by the authorities of `file`, or by those of
/// the system.
pub(crate) fn of_servers(
    setting: &'static str,
    file: Option<&Path>,
) -> Result<ClientConfig, FileError> {
    let system = Path::new("the authorities of the system");
    let name = file.unwrap_or(system);
    let unusable = |error: &dyn std::fmt::Display| FileError::unusable(setting, name, error);
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(&error))?;
    let builder = match file {
        Some(file) => {
            builder.with_root_certificates(authorities(setting, file, &bytes(setting, file)?)?)
        }
        None => builder.with_native_roots().map_err(|error| unusable(&error))?,
    };
    Ok(builder.with_no_client_auth())
}
