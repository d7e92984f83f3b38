//! The domain of naap and the actors that run it.
//!
//! Pure modules ([`session`], [`shard`]'s core, [`clocks`], [`watermark`], [`outbox`], [`backoff`]) hold
//! the rules; thin ractor actors around them ([`supervisor`], [`ingest`], [`region`], [`shard`],
//! [`orchestrator`], [`sink`]) move messages, and [`commit`] makes their work durable. [`topology`] has
//! all of them as data. Decisions about advertised evidence are made in `naap-protocol`; here sessions
//! ask and orchestrators answer. Kafka, `ClickHouse`, files and clocks come in as the traits of
//! [`ports`].
#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod agent;
pub mod backfill;
pub mod backoff;
mod budget;
pub mod clocks;
pub mod commit;
pub mod exchange;
pub mod ingest;
pub mod membership;
pub mod names;
pub mod orchestrator;
pub mod outbox;
pub mod ownership;
pub mod peers;
pub mod placement;
pub mod ports;
pub mod probe;
pub mod region;
mod reject_rows;
pub mod remote;
pub mod rollup;
pub mod session;
pub mod shard;
pub mod sink;
pub mod supervisor;
pub mod topology;
pub mod watermark;
