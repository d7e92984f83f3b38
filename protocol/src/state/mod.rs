//! What an entity remembers: plain data, kept as frames in the state log.

mod delivery;
mod event;
mod expired;
mod merge;
mod orchestrator;
mod progress;
mod sample;
mod session;

pub use delivery::{Coordinates, Deliveries, Delivery, Family, Sighting, Verdict};
pub use event::{Elements, EventState};
pub use expired::{Expired, event_due, session_due};
pub use merge::{join_frames, merge_frames};
pub use orchestrator::OrchestratorState;
pub use progress::{EpochOpen, Progress, SourcePartition};
pub use sample::{IngestReading, Reading, Samples, StoredSample, TransportReading};
pub use session::{
    HourKey, SessionState, SignalWritten, StoredBody, StoredSignal, Sym, Symbols, Uid, Written,
    row_hash, says_the_same,
};
