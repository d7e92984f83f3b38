//! The way out: this node dials every node whose name sorts below its own, and again whenever a link
//! ends, with back-off.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use naap_actors::backoff::Backoff;
use naap_protocol::cluster::{Hello, Role};
use ractor::ActorRef;
use tokio::net::{TcpStream, lookup_host};
use tokio::sync::oneshot;
use tokio_rustls::rustls::pki_types::ServerName;

use super::Local;
use super::handshake::{self, Circumstances, DEADLINE, ShakeError, outranks};
use super::links::{LinkMsg, Shaken};
use super::names;
use super::socket::{Closer, Wire, tune};
use crate::config::Cluster;

/// Waits between tries. The first is short: a broken link is mended before the peer is suspect.
const BACKOFF: Backoff = Backoff { first: Duration::from_millis(100), max: Duration::from_secs(2) };
/// A link that lived this long starts the waits anew.
const STEADY: Duration = Duration::from_secs(5);

/// A node to dial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub node: String,
    pub host: String,
    pub port: u16,
}

/// The nodes that `node` dials.
pub(super) fn targets(cluster: &Cluster, node: &str) -> Vec<Target> {
    let listed = cluster.peers.iter().map(|peer| {
        let (host, port) = peer.address.parts();
        Target { node: peer.name.as_str().to_owned(), host: host.to_owned(), port }
    });
    let lower = listed.filter(|target| outranks(node, &target.node));
    match &cluster.service {
        None => lower.collect(),
        Some(service) => {
            let (domain, port) = service.parts();
            let base = node.trim_end_matches(|c: char| c.is_ascii_digit());
            // A name without a number is below all that have one.
            let number: u32 = node[base.len()..].parse().unwrap_or(0);
            let below = (0..number).map(|n| format!("{base}{n}"));
            below.map(|node| Target { host: format!("{node}.{domain}"), node, port }).collect()
        }
    }
}

/// Keeps a link to `target` until it is dropped.
pub(super) async fn keep(target: Target, local: Arc<Local>, links: ActorRef<LinkMsg>) {
    let mut attempt = 0;
    let mut told = String::new();
    loop {
        let dialled = Instant::now();
        let outcome = tokio::time::timeout(DEADLINE, dial(&target, &local)).await;
        match outcome.unwrap_or(Err(ShakeError::Late)) {
            Ok((peer, wire)) => {
                metrics::histogram!(names::HANDSHAKE_SECONDS)
                    .record(dialled.elapsed().as_secs_f64());
                told.clear();
                if link(peer, wire, &links).await.is_err() {
                    return;
                }
                attempt = if dialled.elapsed() >= STEADY { 0 } else { attempt };
            }
            Err(error) => {
                metrics::counter!(names::LINK_REFUSED, "reason" => error.label()).increment(1);
                if is_refused(&error) && links.cast(LinkMsg::Refused(target.node.clone())).is_err()
                {
                    return;
                }
                let text = error.to_string();
                if text == told {
                    tracing::debug!(node = target.node, error = text, "still no link");
                } else {
                    tracing::warn!(node = target.node, error = text, "no link; dialling again");
                    told = text;
                }
            }
        }
        tokio::time::sleep(BACKOFF.delay(attempt)).await;
        attempt += 1;
    }
}

/// Hands the connection over and returns when the link has ended.
async fn link(peer: Hello, wire: Wire, links: &ActorRef<LinkMsg>) -> Result<(), ShakeError> {
    let closer = Closer::of(wire.socket())?;
    let (ended, end) = oneshot::channel();
    let shaken = Shaken { peer, wire, closer, dialled_by_peer: false, ended };
    let gone = || ShakeError::Io(io::ErrorKind::NotConnected.into());
    links.cast(LinkMsg::Shaken(Box::new(shaken))).map_err(|_| gone())?;
    // Nothing is ever sent: the other end is dropped.
    drop(end.await);
    Ok(())
}

/// Nothing listens there.
fn is_refused(error: &ShakeError) -> bool {
    matches!(error, ShakeError::Io(error) if error.kind() == io::ErrorKind::ConnectionRefused)
}

async fn dial(target: &Target, local: &Local) -> Result<(Hello, Wire), ShakeError> {
    let mut wire = connect(target, local).await?;
    let judge = |theirs: &Hello| {
        let seen = Circumstances {
            dialled: Some(&target.node),
            // The encryption has compared the name that was dialled.
            named: local.certificates.is_some().then_some(true),
            local: false,
            newest: local.newest(&theirs.node),
        };
        if theirs.role == Role::Control {
            return Err("a node was expected".to_owned());
        }
        handshake::judge(&local.hello, theirs, &seen)
    };
    let peer = handshake::shake(&mut wire, &local.greeting(), judge).await?;
    Ok((peer, wire))
}

/// Connects to the first address that answers.
pub(super) async fn connect(target: &Target, local: &Local) -> Result<Wire, ShakeError> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for address in lookup_host((target.host.as_str(), target.port)).await? {
        let here = address.ip().to_canonical().is_loopback();
        if local.certificates.is_none() && !here && !local.insecure {
            return Err(ShakeError::Plain(address));
        }
        match TcpStream::connect(address).await {
            Ok(stream) => return wrap(stream, target, local).await,
            Err(error) => last = error,
        }
    }
    Err(last.into())
}

async fn wrap(stream: TcpStream, target: &Target, local: &Local) -> Result<Wire, ShakeError> {
    tune(&stream)?;
    let Some(certificates) = &local.certificates else { return Ok(Wire::Plain(stream)) };
    let name = ServerName::try_from(target.node.clone())
        .map_err(|e| ShakeError::Tls(io::Error::other(e)))?;
    let stream = certificates.current(Instant::now()).connector.connect(name, stream).await;
    Ok(Wire::Tls(Box::new(stream.map_err(ShakeError::Tls)?.into())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, FlagValue};

    fn targets_of(node: &str, settings: &[(&str, &str)]) -> Vec<String> {
        let flags: Vec<_> = settings
            .iter()
            .map(|&(path, text)| FlagValue {
                flag: path.into(),
                path: path.into(),
                text: text.into(),
            })
            .collect();
        let config = config::load_text(None, &[], &flags).unwrap().config;
        let text = |t: Target| format!("{}={}:{}", t.node, t.host, t.port);
        targets(&config.cluster, node).into_iter().map(text).collect()
    }

    #[test]
    fn a_node_dials_those_below_it() {
        let listen = ("cluster.listen", "127.0.0.1:9700");
        let peers = ("cluster.peers", "n-0=h0:1, n-1=h1:2, n-2=[::1]:3, n-10=h:4");
        assert_eq!(targets_of("n-2", &[listen, peers]), ["n-0=h0:1", "n-1=h1:2"]);
        assert_eq!(targets_of("n-10", &[listen, peers]).last().unwrap(), "n-2=::1:3");
        let service = ("cluster.service", "naap-headless.prod.svc:9700");
        assert_eq!(
            targets_of("naap-2", &[listen, service]),
            [
                "naap-0=naap-0.naap-headless.prod.svc:9700",
                "naap-1=naap-1.naap-headless.prod.svc:9700",
            ]
        );
        assert!(targets_of("naap-0", &[listen, service]).is_empty());
        assert!(targets_of("naap", &[listen, service]).is_empty());
        assert!(targets_of("naap-0", &[]).is_empty());
    }
}
