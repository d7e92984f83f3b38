//! The cluster as one node takes part in it: links to other nodes, and who is there.
//!
//! handshake decides who gets a link, links hold one per peer, and the agent of
//! `naap_actors::agent` gives and takes signs of life over them.

mod control;
mod dial;
mod handshake;
mod links;
mod listen;
mod names;
mod socket;
mod tls;

use std::sync::Arc;
use std::time::Duration;

use naap_actors::agent::{AgentArgs, AgentMsg, FAREWELL, MembersTopic};
use naap_actors::exchange::{ExchangeMsg, Inbox};
use naap_actors::membership::Timing;
use naap_actors::peers::{Members, Peers};
use naap_actors::region::RegionMsg;
use naap_actors::shard::ROUTING_VERSION;
use naap_protocol::cluster::{Hello, LINK_VERSIONS, Request, Response, Role};
use ractor::{Actor, ActorRef};
use rand_chacha::rand_core::{OsRng, TryRngCore};
use thiserror::Error;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;

pub use handshake::ShakeError;
pub use tls::TlsError;
pub(crate) use tls::check as check_certificates;

use crate::config::Config;
use control::Answering;
use dial::Target;
use links::{LinkArgs, LinkMsg, Links, Parts};
use tls::Certificates;

/// How long links that are going down are waited for.
const GRACE: Duration = Duration::from_secs(2);

/// Why a node does not take part in the cluster.
#[derive(Debug, Error)]
pub enum ClusterError {
    /// The certificates can not be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The address can not be had.
    #[error(
        "cannot listen on cluster.listen = {address}: {source}; choose an address of this machine and a free port"
    )]
    Listen {
        /// As configured.
        address: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// No address is configured.
    #[error(
        "cluster.listen is not set, so this node has no links; set it to an address of this machine"
    )]
    NotConfigured,
    /// The actors can not be started.
    #[error("the links can not be started: {0}")]
    Start(String),
    /// The node does not answer.
    #[error("cannot ask the node at {address}: {source}")]
    Ask {
        /// Where it should listen.
        address: String,
        /// What went wrong.
        source: ShakeError,
    },
}

/// What a node says and knows of itself on links.
#[derive(Debug)]
struct Local {
    hello: Hello,
    certificates: Option<Certificates>,
    insecure: bool,
    members: watch::Receiver<Members>,
}

impl Local {
    fn new(
        config: &Config,
        incarnation: u64,
        members: watch::Receiver<Members>,
    ) -> Result<Self, ClusterError> {
        let node = config.node.name.as_str();
        let (oldest, newest) = LINK_VERSIONS;
        let hello = Hello {
            oldest,
            newest,
            role: Role::Peer,
            cluster: config.cluster.name.as_str().to_owned(),
            node: node.to_owned(),
            incarnation,
            shards: config.cluster.shards as u16,
            routing_version: ROUTING_VERSION,
            nonce: 0,
        };
        let certificates = Certificates::load(&config.cluster, node)?;
        Ok(Self { hello, certificates, insecure: config.cluster.insecure, members })
    }

    /// The hello for one connection.
    fn greeting(&self) -> Hello {
        Hello { nonce: nonce(), ..self.hello.clone() }
    }

    /// Newest known boot of a node.
    fn newest(&self, node: &str) -> Option<u64> {
        self.members.borrow().0.get(node).map(|known| known.incarnation)
    }
}

/// A number that no other connection has had.
fn nonce() -> u128 {
    let mut bytes = [0; 16];
    // Without the system's random numbers a recording could be repeated on a plain link; encrypted
    // ones do not depend on it.
    let _ = OsRng.try_fill_bytes(&mut bytes);
    u128::from_le_bytes(bytes)
}

/// This node's part in the cluster. It outlives the actors that do the work.
#[derive(Debug)]
pub struct Cluster {
    links: ActorRef<LinkMsg>,
    parts: Parts,
    members: watch::Receiver<Members>,
    failed: watch::Receiver<Option<String>>,
    /// Where commands find the shards of this node.
    region: watch::Sender<Option<ActorRef<RegionMsg>>>,
    /// The listener and one dialler per lower node; they end with this value.
    tasks: JoinSet<()>,
}

impl Cluster {
    /// Opens the port, dials the nodes below, and begins to give signs of life.
    ///
    /// # Errors
    /// When the certificates or the address can not be used.
    pub async fn start(
        config: &Config,
        incarnation: u64,
        topic: Option<Arc<dyn MembersTopic>>,
    ) -> Result<Self, ClusterError> {
        let settings = &config.cluster;
        let address = settings.listen.as_ref().ok_or(ClusterError::NotConfigured)?;
        let (told, members) = watch::channel(Members::default());
        let local = Arc::new(Local::new(config, incarnation, members.clone())?);
        if settings.insecure {
            tracing::warn!(
                listen = address.as_str(),
                "CLUSTER LINKS ARE PLAIN (cluster.insecure = true): whoever reaches the port is a \
                 member of the cluster and can write facts"
            );
        }
        let (host, port) = address.parts();
        let listener = listen::open(host, port).await.map_err(|source| ClusterError::Listen {
            address: address.as_str().to_owned(),
            source,
        })?;
        let agent = AgentArgs {
            node: local.hello.node.clone(),
            incarnation,
            shards: local.hello.shards,
            timing: Timing {
                beat: settings.heartbeat,
                suspect: settings.suspect_after,
                down: settings.down_after,
            },
            topic,
            members: told,
        };
        let (started, parts) = oneshot::channel();
        let (failed, failure) = watch::channel(None);
        let args = LinkArgs { hello: local.hello.clone(), agent, started, failed };
        let spawned = Actor::spawn(None, Links, args).await;
        let (links, _) = spawned.map_err(|e| ClusterError::Start(e.to_string()))?;
        let parts = parts.await.map_err(|e| ClusterError::Start(e.to_string()))?;
        let mut tasks = JoinSet::new();
        for target in dial::targets(settings, &local.hello.node) {
            tasks.spawn(dial::keep(target, local.clone(), links.clone()));
        }
        let (region, found) = watch::channel(None);
        let answering = Answering { agent: parts.agent.clone(), region: found };
        tasks.spawn(listen::listen(listener, local, links.clone(), answering));
        tracing::info!(
            listen = address.as_str(),
            incarnation,
            "this node takes part in the cluster"
        );
        Ok(Self { links, parts, members, failed: failure, region, tasks })
    }

    /// The members, as they change.
    pub fn members(&self) -> watch::Receiver<Members> {
        self.members.clone()
    }

    /// The actor that signs of life and commands go to.
    pub fn agent(&self) -> &ActorRef<AgentMsg> {
        &self.parts.agent
    }

    /// The way to the other nodes.
    pub fn peers(&self) -> Arc<dyn Peers> {
        self.parts.peers.clone()
    }

    /// From now on what other nodes say goes to `inbox`, which is told of the links that are open, and this
    /// node may be up. Before, it only joins.
    pub fn attach(&self, inbox: Arc<dyn Inbox>) {
        // Links that have failed say so.
        drop(self.parts.exchange.cast(ExchangeMsg::Attach(inbox)));
        drop(self.parts.agent.cast(AgentMsg::Serves));
    }

    /// From now on commands about shards go to `region`.
    pub fn serve(&self, region: ActorRef<RegionMsg>) {
        self.region.send_replace(Some(region));
    }

    /// Returns when the links have failed, with the reason.
    pub async fn failure(&self) -> String {
        let mut failed = self.failed.clone();
        let reason = failed.wait_for(Option::is_some).await.ok().and_then(|reason| reason.clone());
        reason.unwrap_or_else(|| "the links ended without a reason".to_owned())
    }

    /// Says goodbye, so that nobody waits for signs of life, and closes every link and the port. A later
    /// boot may then begin in the same process.
    pub async fn leave(mut self) {
        // No link is mended any more, and none is let in.
        self.tasks.shutdown().await;
        // What does not answer any more needs no goodbye.
        let _ = self.parts.agent.call(AgentMsg::Leave, Some(GRACE)).await;
        tokio::time::sleep(FAREWELL).await;
        let _ = self.links.call(LinkMsg::Close, Some(GRACE)).await;
        if let Err(error) = self.links.stop_and_wait(None, Some(GRACE)).await {
            tracing::warn!(%error, "the links did not stop in time");
        }
    }
}

/// Asks the node of this configuration, which must be running.
///
/// # Errors
/// When it can not be reached with these certificates, or does not answer.
pub async fn ask(config: &Config, request: &Request) -> Result<Response, ClusterError> {
    let address = config.cluster.listen.as_ref().ok_or(ClusterError::NotConfigured)?;
    let (_, members) = watch::channel(Members::default());
    let local = Local::new(config, 0, members)?;
    let (host, port) = address.parts();
    // Who listens everywhere listens here too.
    let host = match host {
        "0.0.0.0" => "127.0.0.1",
        "::" => "::1",
        host => host,
    };
    let target = Target { node: local.hello.node.clone(), host: host.to_owned(), port };
    control::ask(&target, &local, request)
        .await
        .map_err(|source| ClusterError::Ask { address: address.as_str().to_owned(), source })
}
