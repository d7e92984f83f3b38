//! What a life of the node begins with: a boot number of its own, the state log, and the other nodes.
//!
//! The actors of a node may fail while its process goes on. What then starts again is another boot to
//! everybody: its shards are free for others, its links and signs of life are new, and so are the connections
//! to Kafka, since a producer that has failed for good stays so.

use std::path::Path;
use std::sync::Arc;

use naap_actors::ports::{Clock, StateLog, StateLogError};
use naap_actors::supervisor::Node;

use crate::cli::{Failure, environment};
use crate::clock::SystemClock;
use crate::cluster::Cluster as Links;
use crate::config::{Config, InputSource, StateStore, hidden_state};
use crate::kafka::{KafkaStateLog, Members, StartOffset};
use crate::state_log::{LocalStateLog, applied_by_all};

/// Where the state of shards is kept.
pub(super) enum Log {
    Local(Arc<LocalStateLog>),
    Kafka(Arc<KafkaStateLog>),
}

impl Log {
    async fn open(
        config: &Config,
        dir: &Path,
        incarnation: u64,
        local: Option<Arc<LocalStateLog>>,
    ) -> Result<Self, Failure> {
        let shards = config.cluster.shards as u16;
        if let Some(hidden) = hidden_state(config) {
            return Err(Failure::environment(hidden));
        }
        Ok(match config.state_log.store {
            StateStore::Local => Self::Local(match local {
                Some(log) => log,
                None => Arc::new(LocalStateLog::open(dir, shards).map_err(environment)?),
            }),
            StateStore::Kafka => {
                let log = KafkaStateLog::open(config, dir, incarnation).await;
                Self::Kafka(Arc::new(log.map_err(environment)?))
            }
        })
    }

    pub fn shared(&self) -> Arc<dyn StateLog> {
        match self {
            Self::Local(log) => Arc::clone(log) as Arc<dyn StateLog>,
            Self::Kafka(log) => Arc::clone(log) as Arc<dyn StateLog>,
        }
    }

    /// An epoch that the log knows; 0 when it does not know one of every shard.
    pub fn known_epoch(&self, shards: u16) -> Result<u64, StateLogError> {
        match self {
            Self::Local(log) => log.highest_epoch(shards),
            // The openings themselves are read before a shard is opened.
            Self::Kafka(log) => Ok(u64::from(log.knows_every_shard())),
        }
    }

    /// Where the shards stand.
    pub fn start_offset(&self, shards: u16, node: &Node) -> StartOffset {
        match self {
            Self::Local(log) => {
                let log = Arc::clone(log);
                Box::new(move |source| match applied_by_all(&log, source, shards) {
                    Ok(offset) => offset,
                    Err(error) => {
                        tracing::warn!(
                            %error,
                            "the applied offsets can not be read; using those of the group"
                        );
                        None
                    }
                })
            }
            // What is not known yet makes no harm: a shard that misses offsets asks for them, and one that
            // is ahead of all that was read has the source look whether there is that much.
            Self::Kafka(_) => {
                let applied = node.applied.clone();
                Box::new(move |source| applied.borrow().get(source).copied())
            }
        }
    }
}

/// What the boot before this one in the same process has left.
#[derive(Default)]
pub(super) struct Before {
    incarnation: u64,
    /// A log in a file is open once per process.
    local: Option<Arc<LocalStateLog>>,
}

/// One boot of the node, before its actors run.
pub(super) struct Boot {
    pub incarnation: u64,
    pub log: Log,
    members: Option<Members>,
}

impl Boot {
    /// The boot after `before`.
    ///
    /// # Errors
    /// When Kafka does not answer, or the state log is not what it must be.
    pub async fn begin(config: &Config, dir: &Path, before: &Before) -> Result<Self, Failure> {
        let members = members(config).await?;
        let known = members.as_ref().and_then(|all| all.newest(config.node.name.as_str()));
        let now = SystemClock.now().0.unsigned_abs();
        let incarnation = number(now, known.unwrap_or_default().max(before.incarnation));
        let log = Log::open(config, dir, incarnation, before.local.clone()).await?;
        Ok(Self { incarnation, log, members })
    }

    /// What the next boot has to know.
    pub fn left(&self) -> Before {
        let local = match &self.log {
            Log::Local(log) => Some(Arc::clone(log)),
            Log::Kafka(_) => None,
        };
        Before { incarnation: self.incarnation, local }
    }

    /// Links to the other nodes, where there are any; once.
    ///
    /// # Errors
    /// When the certificates or the address can not be used.
    pub async fn link(&mut self, config: &Config) -> Result<Option<Links>, Failure> {
        if config.cluster.listen.is_none() {
            return Ok(None);
        }
        let members = self.members.take();
        let topic = members.as_ref().map(Members::publisher);
        let links = Links::start(config, self.incarnation, topic).await.map_err(environment)?;
        if let Some(members) = members {
            members.follow(links.agent().clone()).map_err(environment)?;
        }
        Ok(Some(links))
    }
}

/// The number of a boot: the time, and above every earlier boot even where a clock went back, or two boots
/// begin in one millisecond.
fn number(now: u64, known: u64) -> u64 {
    now.max(known + 1)
}

/// The members topic, where a cluster has one.
async fn members(config: &Config) -> Result<Option<Members>, Failure> {
    match (&config.cluster.listen, config.ingest.source) {
        (Some(_), InputSource::Kafka) => Members::open(config).await.map(Some).map_err(environment),
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_a_boot_is_above_every_earlier_one() {
        assert_eq!(number(7, 0), 7);
        assert_eq!(number(7, 7), 8);
        assert_eq!(number(7, 9), 10);
    }

    #[tokio::test]
    async fn the_next_boot_of_a_process_is_a_later_one_with_the_same_file() {
        let dir = tempfile::tempdir().unwrap();
        let config = Config::default();
        let first = Boot::begin(&config, dir.path(), &Before::default()).await.unwrap();
        let mut left = first.left();
        left.incarnation += 1_000_000;
        let next = Boot::begin(&config, dir.path(), &left).await.unwrap();
        assert_eq!(next.incarnation, left.incarnation + 1);
        let (Log::Local(one), Log::Local(other)) = (&first.log, &next.log) else {
            panic!("in Kafka")
        };
        assert!(Arc::ptr_eq(one, other));
    }
}
