//! Certificates of links: both ends show one that the cluster's authority has signed and that names
//! the node. Changed files count without a restart; a broken change keeps what was good.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use thiserror::Error;
use tokio_rustls::rustls::client::verify_server_name;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::server::{
    ClientHello, ParsedCertificate, ResolvesServerCert, WebPkiClientVerifier,
};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::version::TLS13;
use tokio_rustls::rustls::{ClientConfig, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use xxhash_rust::xxh3::xxh3_64;

use super::names;
use crate::certificates::{FileError, authorities, bytes, certificates, private_key, provider};
use crate::config;

/// How old what was read may be.
const FRESH: Duration = Duration::from_secs(10);

/// Why certificates can not be used. Never holds what is in a file.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A file can not be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// The certificate names somebody else.
    #[error("the certificate in {} does not name {node}; issue one with that DNS name, or change node.name", file.display())]
    OtherName {
        /// The file.
        file: PathBuf,
        /// Name of this node.
        node: String,
    },
}

/// Both roles of a node on encrypted links.
#[derive(Clone)]
pub(super) struct Ends {
    pub acceptor: TlsAcceptor,
    pub connector: TlsConnector,
}

/// The certificate of this node and the authority of all, as they are in their files.
pub(super) struct Certificates {
    files: Files,
    node: String,
    state: Mutex<Loaded>,
}

struct Files {
    ca: PathBuf,
    cert: PathBuf,
    key: PathBuf,
}

struct Loaded {
    ends: Ends,
    /// Hash of the files' bytes.
    content: u64,
    checked: Instant,
}

impl std::fmt::Debug for Certificates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Certificates").field("node", &self.node).finish_non_exhaustive()
    }
}

/// Whether the configured files can be used by this node.
///
/// # Errors
/// A sentence, when they can not.
pub(crate) fn check(cluster: &config::Cluster, node: &str) -> Result<(), TlsError> {
    Certificates::load(cluster, node).map(drop)
}

impl Certificates {
    /// Reads the configured files; `None` when links are plain.
    ///
    /// # Errors
    /// A file can not be read or used, or the certificate does not name this node.
    pub fn load(cluster: &config::Cluster, node: &str) -> Result<Option<Self>, TlsError> {
        let files = (&cluster.ca_file, &cluster.cert_file, &cluster.key_file);
        let (Some(ca), Some(cert), Some(key)) = files else { return Ok(None) };
        let files = Files { ca: ca.clone(), cert: cert.clone(), key: key.clone() };
        let (ends, content) = files.read(node)?;
        let state = Mutex::new(Loaded { ends, content, checked: Instant::now() });
        Ok(Some(Self { files, node: node.to_owned(), state }))
    }

    /// What is good now; looks at the files when the last look is a while ago.
    pub fn current(&self, now: Instant) -> Ends {
        // Replaced as a whole: also after a panic elsewhere it is whole.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if now.saturating_duration_since(state.checked) >= FRESH {
            state.checked = now;
            let reloads =
                |outcome| metrics::counter!(names::CERTIFICATE_RELOADS, "outcome" => outcome);
            match self.files.read(&self.node) {
                Ok((_, content)) if content == state.content => {}
                Ok((ends, content)) => {
                    (state.ends, state.content) = (ends, content);
                    reloads("ok").increment(1);
                    tracing::info!(
                        "the certificate files of links have changed and count from now on"
                    );
                }
                Err(error) => {
                    reloads("failed").increment(1);
                    tracing::error!(%error, "changed certificate files are not used; the old ones count on");
                }
            }
        }
        state.ends.clone()
    }
}

impl Files {
    /// Both ends from the files' present content, and the hash of that.
    fn read(&self, node: &str) -> Result<(Ends, u64), TlsError> {
        let ca = bytes("cluster.ca_file", &self.ca)?;
        let cert = bytes("cluster.cert_file", &self.cert)?;
        let key = bytes("cluster.key_file", &self.key)?;
        let content = hash([&ca, &cert, &key]);
        let authorities = authorities("cluster.ca_file", &self.ca, &ca)?;
        let chain = certificates("cluster.cert_file", &self.cert, &cert)?;
        let own = chain.first().is_some_and(|own| names_node(own, node));
        if !own {
            return Err(TlsError::OtherName { file: self.cert.clone(), node: node.to_owned() });
        }
        let unusable = |setting, file: &Path, reason: &dyn std::fmt::Display| {
            FileError::unusable(setting, file, reason)
        };
        let key = private_key("cluster.key_file", &self.key, &key)?;
        let roots = Arc::new(authorities);
        let provider = provider();
        let verifier = WebPkiClientVerifier::builder_with_provider(roots.clone(), provider.clone())
            .build()
            .map_err(|e| unusable("cluster.ca_file", &self.ca, &e))?;
        let pair = |e| unusable("cluster.key_file", &self.key, &e);
        let mut server = ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&[&TLS13])
            .map_err(pair)?
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain.clone(), key.clone_key())
            .map_err(pair)?;
        // A resumed session would keep a certificate beyond its time.
        server.send_tls13_tickets = 0;
        let client = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])
            .map_err(pair)?
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, key)
            .map_err(pair)?;
        let (server, client) = (Arc::new(server), Arc::new(client));
        let ends = Ends { acceptor: server.into(), connector: client.into() };
        Ok((ends, content))
    }
}

/// Hash of the files in their order.
fn hash(files: [&[u8]; 3]) -> u64 {
    files.iter().fold(0, |hash: u64, part| hash.rotate_left(7) ^ xxh3_64(part))
}

/// One of the DNS names of the certificate is the node's.
pub(super) fn names_node(certificate: &CertificateDer<'_>, node: &str) -> bool {
    let (Ok(certificate), Ok(name)) =
        (ParsedCertificate::try_from(certificate), ServerName::try_from(node))
    else {
        return false;
    };
    verify_server_name(&certificate, &name).is_ok()
}

/// An acceptor that lets nobody in: the runtime insists on a port of its own, which nobody needs.
pub(super) fn nobody() -> Result<TlsAcceptor, TlsError> {
    #[derive(Debug)]
    struct NoCertificate;
    impl ResolvesServerCert for NoCertificate {
        fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
            None
        }
    }
    let server = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .map_err(|e| FileError::unusable("cluster.listen", Path::new(""), &e))?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(NoCertificate));
    Ok(Arc::new(server).into())
}

#[cfg(test)]
mod tests;
