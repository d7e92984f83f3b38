//! Shards: fixed slices of the key space, each hosting its entities (design.md, actors).

mod actor;
mod capability_rows;
mod core;
mod counts;
mod entities;
mod evidence;
mod expiry;
mod inventory_rows;
mod meters;
mod retraction;
mod rows;
mod wheel;

pub use actor::{Attach, Mark, ShardCommit, ShardMsg, ShardStatus, Traffic};
pub(crate) use actor::{ShardArgs, spawn};
pub use core::{Applied, ROUTING_VERSION, Saved, ShardCore, ShardError, ShardOptions};
pub use counts::ShardCounts;
pub(crate) use counts::add_all;
pub use entities::IdMap;
pub use expiry::Ended;
pub use rows::{Origin, RowWriter, SEQUENCE_BITS};
