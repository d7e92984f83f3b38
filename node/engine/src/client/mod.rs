//! The client side: how a node talks to ClickHouse, embedded or real.

mod query;
mod writer;

use clickhouse::{Client, Compression};
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::{Connect, HttpConnector};
use hyper_util::rt::TokioExecutor;
use std::time::Duration;

use crate::Credential;

pub use query::{QueryError, write_answer};
pub use writer::{InsertTimeouts, WriteError, insert};

/// Connections are reused for less than the 3 s after which a ClickHouse server closes idle ones.
const POOL_IDLE: Duration = Duration::from_secs(2);
/// Silence after which the other machine is asked for a sign, and then each second: whoever waits for an
/// answer has sent everything, so only this tells a network that is away from a server that thinks. An
/// answer that was lost comes again after waits of the other side that double, too.
const KEEPALIVE: Duration = Duration::from_secs(3);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(1);
/// A network that takes nothing for so long is away, and what was asked is asked again on another
/// connection. The old one would wait twice as long after each attempt, up to the limit of the request,
/// and so for long after the network is back. A server that merely thinks is not meant: its machine
/// acknowledges.
#[cfg(target_os = "linux")]
const UNACKNOWLEDGED: Duration = Duration::from_secs(8);
const CONNECT: Duration = Duration::from_secs(5);

/// A client for the server at `url`, with LZ4 and `TCP_NODELAY`.
pub fn connect(url: &str, database: Option<&str>, credential: Option<&Credential>) -> Client {
    connect_by(connector(), url, database, credential)
}

/// How connections are made: also what an encrypted one is made over.
///
/// Without `TCP_NODELAY` every small insert waits about 40 ms for the other side's delayed
/// acknowledgement.
pub fn connector() -> HttpConnector {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    connector.set_keepalive(Some(KEEPALIVE));
    connector.set_keepalive_interval(Some(KEEPALIVE_INTERVAL));
    connector.set_connect_timeout(Some(CONNECT));
    #[cfg(target_os = "linux")]
    connector.set_tcp_user_timeout(Some(UNACKNOWLEDGED));
    connector
}

/// The same client over another kind of connections.
pub fn connect_by<C: Connect + Clone + Send + Sync + 'static>(
    connector: C,
    url: &str,
    database: Option<&str>,
    credential: Option<&Credential>,
) -> Client {
    let http =
        HttpClient::builder(TokioExecutor::new()).pool_idle_timeout(POOL_IDLE).build(connector);
    let mut client =
        Client::with_http_client(http).with_url(url).with_compression(Compression::Lz4);
    if let Some(database) = database {
        client = client.with_database(database);
    }
    if let Some(Credential { user, password }) = credential {
        client = client.with_user(user).with_password(password);
    }
    client
}

/// What an error says, and what its causes say that it does not: that a connection failed is told by
/// one, and that it was refused, or whose certificate is not trusted, by the last.
pub fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = error.source();
    }
    text
}
