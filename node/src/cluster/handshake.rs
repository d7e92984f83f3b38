//! The handshake of a connection: both sides say hello, judge the other's hello, and say so. Only then
//! does the actor runtime get the connection. A refusal is a sentence on both sides.

use std::time::Duration;

use naap_protocol::cluster::{Hello, Role, Verdict};
use naap_protocol::codec::{self, CodecError, Framed, HEADER_LEN, TraceContext};
use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Longest handshake, encryption included.
pub(super) const DEADLINE: Duration = Duration::from_secs(3);
/// Longest body of a frame before the other side is known to be a node.
const HELLO_BYTES: usize = 4 << 10;

/// Why a connection did not become a link.
#[derive(Debug, Error)]
pub enum ShakeError {
    /// Bytes did not come or go.
    #[error("the connection broke in the handshake: {0}")]
    Io(#[from] std::io::Error),
    /// What came is no hello or verdict.
    #[error("what connected does not speak as a node of naap does: {0}")]
    Foreign(#[from] CodecError),
    /// The other side repeats another connection's handshake.
    #[error("the verdict of {0} is for another connection")]
    Replayed(String),
    /// This node does not want the other one.
    #[error("{node} is refused: {reason}")]
    Ours {
        /// The other node, as it says.
        node: String,
        /// Why.
        reason: String,
    },
    /// The other node does not want this one.
    #[error("{node} refuses this node: {reason}")]
    Theirs {
        /// The other node.
        node: String,
        /// What it said.
        reason: String,
    },
    /// It took too long.
    #[error("the handshake did not end within {} s", DEADLINE.as_secs())]
    Late,
    /// The encrypted connection was not made.
    #[error("no encrypted connection: {0}")]
    Tls(std::io::Error),
    /// A plain connection that nobody has allowed.
    #[error(
        "{0} is not this machine, and links are plain; give certificates, or say cluster.insecure = true"
    )]
    Plain(std::net::SocketAddr),
}

impl ShakeError {
    /// The reason as a label of a metric.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Io(_) => "broken",
            Self::Foreign(_) => "foreign",
            Self::Replayed(_) => "replayed",
            Self::Ours { .. } => "refused",
            Self::Theirs { .. } => "refused_by_peer",
            Self::Late => "late",
            Self::Tls(_) => "tls",
            Self::Plain(_) => "plain",
        }
    }
}

/// Shakes hands over `wire`: says `ours`, lets `judge` look at the other's hello, and returns that if
/// both sides want the link. The caller has the clock.
///
/// # Errors
/// When the link does not come about.
pub(super) async fn shake<S>(
    wire: &mut S,
    ours: &Hello,
    judge: impl FnOnce(&Hello) -> Result<(), String>,
) -> Result<Hello, ShakeError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    write(wire, ours).await?;
    let theirs: Hello = read(wire, HELLO_BYTES).await?;
    let node = printable(&theirs.node);
    let refusal = judge(&theirs).err();
    write(wire, &Verdict { nonce: theirs.nonce, refusal: refusal.clone() }).await?;
    // Read in any case: closing with bytes unread would take our sentence from the other side.
    let verdict: Result<Verdict, ShakeError> = read(wire, HELLO_BYTES).await;
    if let Some(reason) = refusal {
        return Err(ShakeError::Ours { node, reason });
    }
    let verdict = verdict?;
    if verdict.nonce != ours.nonce {
        return Err(ShakeError::Replayed(node));
    }
    match verdict.refusal {
        Some(reason) => Err(ShakeError::Theirs { node, reason: printable(&reason) }),
        None => Ok(theirs),
    }
}

/// Writes a frame.
pub(super) async fn write<S, T>(wire: &mut S, value: &T) -> Result<(), ShakeError>
where
    S: AsyncWrite + Unpin,
    T: Framed + Serialize,
{
    let frame = codec::encode(value, TraceContext::default())?;
    wire.write_all(&frame).await?;
    Ok(wire.flush().await?)
}

/// Reads a frame whose body has at most `limit` bytes; nothing longer is made room for.
pub(super) async fn read<S, T>(wire: &mut S, limit: usize) -> Result<T, ShakeError>
where
    S: AsyncRead + Unpin,
    T: Framed + DeserializeOwned,
{
    let mut frame = vec![0; HEADER_LEN];
    wire.read_exact(&mut frame).await?;
    let len = u32::from_le_bytes([frame[4], frame[5], frame[6], frame[7]]) as usize;
    if codec::is::<T>(&frame) && len <= limit {
        frame.resize(HEADER_LEN + len, 0);
        wire.read_exact(&mut frame[HEADER_LEN..]).await?;
    } else if codec::is::<T>(&frame) {
        return Err(CodecError::TooLarge { name: T::NAME, len }.into());
    }
    Ok(codec::decode(&frame)?)
}

/// A text of somebody else, fit for a log line.
fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(500).collect()
}

/// What is known of the other side of a connection besides its hello.
#[derive(Clone, Debug)]
pub(super) struct Circumstances<'a> {
    /// The name that was dialled; `None` on the side that was dialled.
    pub dialled: Option<&'a str>,
    /// Its certificate names it: `None` on plain links.
    pub named: Option<bool>,
    /// It is on this machine.
    pub local: bool,
    /// The newest boot known of it.
    pub newest: Option<u64>,
}

/// Judges a hello.
///
/// # Errors
/// The reason for a refusal, as a sentence that says what to do.
pub(super) fn judge(ours: &Hello, theirs: &Hello, seen: &Circumstances<'_>) -> Result<(), String> {
    let node = printable(&theirs.node);
    if theirs.cluster != ours.cluster {
        let (theirs, ours) = (printable(&theirs.cluster), &ours.cluster);
        return Err(format!(
            "it belongs to cluster {theirs}, not {ours}; give both nodes the same cluster.name"
        ));
    }
    if theirs.newest < ours.oldest || ours.newest < theirs.oldest {
        let (a, b, c, d) = (theirs.oldest, theirs.newest, ours.oldest, ours.newest);
        return Err(format!(
            "it speaks link versions {a} to {b}, this node {c} to {d}; bring both nodes to the same release"
        ));
    }
    if seen.named == Some(false) {
        return Err(format!("its certificate does not name {node}; issue one with that DNS name"));
    }
    match theirs.role {
        Role::Control => control(ours, theirs, seen),
        Role::Peer => peer(ours, theirs, &node, seen),
    }
}

fn control(ours: &Hello, theirs: &Hello, seen: &Circumstances<'_>) -> Result<(), String> {
    match (seen.named, seen.local) {
        (Some(_), _) if theirs.node == ours.node => Ok(()),
        (Some(_), _) => Err(format!(
            "commands for {} need the certificate of that node; run them beside it",
            ours.node
        )),
        (None, true) => Ok(()),
        (None, false) => {
            Err("commands over a plain connection must come from this machine".to_owned())
        }
    }
}

fn peer(ours: &Hello, theirs: &Hello, node: &str, seen: &Circumstances<'_>) -> Result<(), String> {
    if theirs.shards != ours.shards {
        let (theirs, ours) = (theirs.shards, ours.shards);
        return Err(format!(
            "it has {theirs} shards, this node {ours}; cluster.shards is fixed for the life of a cluster"
        ));
    }
    if theirs.routing_version != ours.routing_version {
        let (theirs, ours) = (theirs.routing_version, ours.routing_version);
        return Err(format!(
            "it routes by version {theirs}, this node by {ours}; drain all nodes before such a change"
        ));
    }
    if theirs.node == ours.node {
        return Err(format!(
            "it is named {node} as this node is; give each node its own node.name"
        ));
    }
    match seen.dialled {
        Some(dialled) if dialled != theirs.node => {
            return Err(format!(
                "{dialled} was dialled and {node} answered; correct cluster.peers or the name service"
            ));
        }
        None if !outranks(&theirs.node, &ours.node) => {
            return Err(format!(
                "{} dials {node}, not the other way round; give both the same cluster.peers",
                ours.node
            ));
        }
        _ => {}
    }
    match seen.newest {
        Some(newest) if newest > theirs.incarnation => Err(format!(
            "boot {} of {node} is over, boot {newest} is known; a later boot needs a later clock",
            theirs.incarnation
        )),
        _ => Ok(()),
    }
}

/// Whether `a` dials `b`: names sort by their text and then by the number at their end.
pub(super) fn outranks(a: &str, b: &str) -> bool {
    let key = |name: &str| {
        let text = name.trim_end_matches(|c: char| c.is_ascii_digit());
        let number = name[text.len()..].trim_start_matches('0');
        (text.to_owned(), number.len(), number.to_owned(), name.to_owned())
    };
    key(a) > key(b)
}

#[cfg(test)]
mod tests;
