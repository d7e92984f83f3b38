//! A server that is asked over encrypted connections.

#[path = "../cluster/authority.rs"]
mod authority;

use std::sync::Arc;

use authority::{Authority, Files};
use naap_node::config::load_text;
use naap_node::store::Store;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::bench::Bench;

/// Takes encrypted connections for the engine at `engine`; its port.
async fn in_front_of(engine: String, files: &Files) -> u16 {
    let chain = CertificateDer::pem_file_iter(&files.cert).unwrap().map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_file(&files.key).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, engine) = (acceptor.clone(), engine.clone());
            tokio::spawn(async move {
                // A client that does not trust the certificate goes away.
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let mut server = TcpStream::connect(engine).await.unwrap();
                drop(copy_bidirectional(&mut stream, &mut server).await);
            });
        }
    });
    port
}

/// The server at `url`, trusted by `settings`.
fn server(url: &str, settings: &str) -> Result<Store, String> {
    let text = format!("[clickhouse]\nurl = \"{url}\"\n{settings}");
    let loaded = load_text(Some((&text, "encrypted.toml")), &[], &[]).unwrap();
    Store::server(url, &loaded.config.clickhouse).map_err(|error| error.to_string())
}

#[test]
fn a_server_has_to_show_a_certificate_that_is_trusted_and_names_it() {
    let (authority, other) = (Authority::new(), Authority::new());
    let good = authority.issue("server", "localhost");
    let engine = Bench::get().url().strip_prefix("http://").unwrap().to_owned();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let port = in_front_of(engine, &good).await;
        let trusting = |ca: &std::path::Path| format!("ca_file = {ca:?}\n");
        let asked = async |host: &str, settings: &str| {
            let store = server(&format!("https://{host}:{port}"), settings).unwrap();
            store.execute(&store.tables(), "ask", "SELECT count() FROM schema_migrations").await
        };
        asked("localhost", &trusting(&good.ca)).await.unwrap();
        for (host, settings) in [
            ("127.0.0.1", trusting(&good.ca)),
            ("localhost", trusting(&other.ca())),
            ("localhost", String::new()),
        ] {
            let refused = asked(host, &settings).await.unwrap_err().to_string();
            assert!(refused.contains("certificate"), "{host} {settings}: {refused}");
        }
    });
    let missing = server("https://localhost:1", "ca_file = \"/nowhere.pem\"\n").unwrap_err();
    assert!(missing.starts_with("cannot read clickhouse.ca_file = /nowhere.pem"), "{missing}");
}
