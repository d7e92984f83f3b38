//! The way in: connections of other nodes, and commands.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use naap_protocol::cluster::{Hello, Role};
use ractor::ActorRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::{AbortHandle, JoinSet};

use super::Local;
use super::control::{self, Answering};
use super::handshake::{self, Circumstances, DEADLINE, ShakeError};
use super::links::{LinkMsg, Shaken};
use super::names;
use super::socket::{Closer, Wire, tune};
use super::tls::names_node;

/// Handshakes under way at most. When there are more, the oldest gives way: a node needs
/// milliseconds, so what has waited longest is no node.
const PENDING: usize = 256;
/// Pause after an accept that failed, so that a lack of descriptors does not become a busy loop.
const BREATH: Duration = Duration::from_millis(50);

/// Takes connections until it is dropped.
pub(super) async fn listen(
    listener: TcpListener,
    local: Arc<Local>,
    links: ActorRef<LinkMsg>,
    answering: Answering,
) {
    let mut handshakes = JoinSet::new();
    let mut order: VecDeque<AbortHandle> = VecDeque::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = handshakes.join_next() => continue,
        };
        order.retain(|handshake| !handshake.is_finished());
        metrics::gauge!(names::LINK_PENDING).set(order.len() as f64);
        let (stream, from) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(BREATH).await;
                continue;
            }
        };
        if order.len() >= PENDING
            && let Some(oldest) = order.pop_front()
        {
            metrics::counter!(names::LINK_REFUSED, "reason" => "crowded").increment(1);
            oldest.abort();
        }
        let (local, links, answering) = (local.clone(), links.clone(), answering.clone());
        order.push_back(handshakes.spawn(async move {
            if let Err(error) = take(stream, from, &local, &links, &answering).await {
                metrics::counter!(names::LINK_REFUSED, "reason" => error.label()).increment(1);
                tracing::warn!(%from, %error, "a connection was refused");
            }
        }));
    }
}

async fn take(
    stream: TcpStream,
    from: SocketAddr,
    local: &Local,
    links: &ActorRef<LinkMsg>,
    answering: &Answering,
) -> Result<(), ShakeError> {
    let started = Instant::now();
    let shaking = tokio::time::timeout(DEADLINE, shake(stream, from, local));
    let (peer, wire) = shaking.await.map_err(|_| ShakeError::Late)??;
    metrics::histogram!(names::HANDSHAKE_SECONDS).record(started.elapsed().as_secs_f64());
    match peer.role {
        Role::Control => control::serve(wire, answering).await,
        Role::Peer => {
            let closer = Closer::of(wire.socket())?;
            // The peer redials by itself.
            let (ended, _) = oneshot::channel();
            let shaken = Shaken { peer, wire, closer, dialled_by_peer: true, ended };
            // Links that are going down close it.
            drop(links.cast(LinkMsg::Shaken(Box::new(shaken))));
            Ok(())
        }
    }
}

async fn shake(
    stream: TcpStream,
    from: SocketAddr,
    local: &Local,
) -> Result<(Hello, Wire), ShakeError> {
    tune(&stream)?;
    let here = from.ip().to_canonical().is_loopback();
    let mut wire = match &local.certificates {
        Some(certificates) => {
            let stream = certificates.current(Instant::now()).acceptor.accept(stream).await;
            Wire::Tls(Box::new(stream.map_err(ShakeError::Tls)?.into()))
        }
        None if here || local.insecure => Wire::Plain(stream),
        None => return Err(ShakeError::Plain(from)),
    };
    let certificate = certificate(&wire);
    let judge = |theirs: &Hello| {
        let named = certificate.as_ref().map(|shown| names_node(shown, &theirs.node));
        // A plain wire has no certificate; an encrypted one without is not let in above.
        let seen =
            Circumstances { dialled: None, named, local: here, newest: local.newest(&theirs.node) };
        handshake::judge(&local.hello, theirs, &seen)
    };
    let peer = handshake::shake(&mut wire, &local.greeting(), judge).await?;
    Ok((peer, wire))
}

/// The certificate that the other side has shown.
fn certificate(wire: &Wire) -> Option<tokio_rustls::rustls::pki_types::CertificateDer<'static>> {
    match wire {
        Wire::Plain(_) => None,
        Wire::Tls(stream) => {
            let shown = stream.get_ref().1.peer_certificates()?.first()?;
            Some(shown.clone().into_owned())
        }
    }
}

/// Opens the port.
///
/// # Errors
/// When the address can not be had.
pub(super) async fn open(host: &str, port: u16) -> io::Result<TcpListener> {
    TcpListener::bind((host, port)).await
}
