//! Peers that speak TLS and the protocol well, and are not who they say.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use naap_protocol::cluster::{Hello, Verdict};
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::authority::{Authority, Files};
use crate::hostile::{connect, hello, lonely, receive, send, still_serves};

/// A connection to the node `n-0` that shows the certificate of `files`, or none.
fn encrypted(
    port: u16,
    ca: &Files,
    files: Option<&Files>,
) -> StreamOwned<ClientConnection, TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(&ca.ca).unwrap()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let config = match files {
        Some(files) => {
            let chain = vec![CertificateDer::from_pem_file(&files.cert).unwrap()];
            let key = PrivateKeyDer::from_pem_file(&files.key).unwrap();
            builder.with_client_auth_cert(chain, key).unwrap()
        }
        None => builder.with_no_client_auth(),
    };
    let name = ServerName::try_from("n-0").unwrap();
    StreamOwned::new(ClientConnection::new(Arc::new(config), name).unwrap(), connect(port))
}

#[test]
fn a_client_without_a_certificate_is_told_nothing() {
    let authority = Authority::new();
    let (mut node, port) = lonely(Some(&authority.issue("n-0", "n-0")), &[]);
    let mut stream = encrypted(port, &authority.issue("any", "any"), None);
    // With TLS 1.3 a client believes that it is through before the other side has looked for a certificate.
    let mut answer = Vec::new();
    let refused = stream.flush().and_then(|()| stream.read_to_end(&mut answer));
    assert!(refused.is_err() && answer.is_empty(), "{refused:?} {answer:?}");
    node.until(&["a connection was refused", "no encrypted connection"]);
    still_serves(&mut node, port, Some(&authority.issue("n-1", "n-1")));
}

#[test]
fn a_certificate_of_one_node_does_not_let_another_in() {
    let authority = Authority::new();
    let (mut node, port) = lonely(Some(&authority.issue("n-0", "n-0")), &[]);
    let files = authority.issue("n-1", "n-1");
    let mut stream = encrypted(port, &files, Some(&files));
    send(&mut stream, &hello(5));
    let theirs: Hello = receive(&mut stream);
    send(&mut stream, &Verdict { nonce: theirs.nonce, refusal: None });
    let verdict: Verdict = receive(&mut stream);
    let refusal = verdict.refusal.unwrap();
    assert!(refusal.contains("n-9") && refusal.contains("certificate"), "{refusal}");
    node.until(&["n-9 is refused", &refusal]);

    // Under its own name the same certificate is good.
    let mut stream = encrypted(port, &files, Some(&files));
    send(&mut stream, &Hello { node: "n-1".into(), ..hello(6) });
    let theirs: Hello = receive(&mut stream);
    send(&mut stream, &Verdict { nonce: theirs.nonce, refusal: None });
    assert_eq!(receive::<Verdict>(&mut stream).refusal, None);
}
