//! Transport between gateway and orchestrator, as its observer counted it (contract backlog 001).

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::Orchestrator;
use crate::time::Timestamp;

/// The only `data.schema_version` that is read.
pub const SCHEMA_VERSION: i64 = 1;

/// Defines an enumeration whose values travel as one letter and are text in events and columns.
macro_rules! labels {
    (
        $(#[doc = $doc:literal])+
        pub enum $name:ident {
            $($(#[doc = $variant_doc:literal])+ $variant:ident = $letter:literal $label:literal,)+
        }
    ) => {
        $(#[doc = $doc])+
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        pub enum $name {
            $($(#[doc = $variant_doc])+ #[serde(rename = $letter)] $variant,)+
        }

        impl $name {
            /// Every value, in declaration order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The text in events and columns.
            pub fn label(self) -> &'static str {
                match self {
                    $(Self::$variant => $label,)+
                }
            }

            /// The value with exactly this text; `None` for any other.
            pub fn from_label(label: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.label() == label)
            }
        }
    };
}

labels! {
    /// What is connected (`data.link`).
    pub enum Link {
        /// Gateway and orchestrator: the link of the bandwidth figures.
        GatewayToOrchestrator = "o" "gateway_to_orchestrator",
        /// Orchestrator and its worker: reserved.
        OrchestratorToWorker = "w" "orchestrator_to_worker",
    }
}

labels! {
    /// What is carried (`data.channel`).
    pub enum Channel {
        /// Video and audio: the only channel in figures.
        Media = "m" "media",
        /// Control messages.
        Control = "c" "control",
        /// Events of the runner.
        Events = "e" "events",
    }
}

labels! {
    /// Which end counted (`data.observer`).
    pub enum Observer {
        /// The gateway: authoritative, and its clock is that of the intervals.
        Gateway = "g" "gateway",
        /// The orchestrator.
        Orchestrator = "o" "orchestrator",
    }
}

/// Samples of one stream count the same thing; their numbers follow one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TransportStream {
    /// Orchestrator attempt in the session, from 0, one more after each swap.
    pub attempt: u32,
    /// What is connected.
    pub link: Link,
    /// What is carried.
    pub channel: Channel,
    /// Which end counted.
    pub observer: Observer,
}

/// What went in one direction since the attempt began. Everything is cumulative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Payload bytes, with partial and repeated ones, without protocol overhead.
    pub bytes: u64,
    /// Segments completed.
    pub segments: u64,
    /// Segments aborted or timed out.
    pub failed_segments: u64,
    /// Segments never sent.
    pub dropped_segments: u64,
    /// Retries.
    pub retries: u64,
    /// Time with a transfer in progress, ms.
    pub busy_ms: u64,
    /// Number of the last segment; not a count.
    pub last_seq: u64,
}

/// One sample of a stream of transport counters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransportMetrics<'a> {
    /// Stream id, trimmed; `""` when sent as blank text or as a container.
    #[serde(borrow)]
    pub stream_id: Cow<'a, str>,
    /// Request id, trimmed; `""` when sent as blank text or as a container.
    #[serde(borrow)]
    pub request_id: Cow<'a, str>,
    /// Model hint as sent; can be `""`. It takes no part in attribution.
    #[serde(borrow)]
    pub pipeline: Cow<'a, str>,
    /// Orchestrator of the attempt: hot wallet and URL.
    #[serde(borrow)]
    pub orchestrator: Orchestrator<'a>,
    /// The stream that the sample belongs to.
    pub stream: TransportStream,
    /// Number of the sample in its stream, from 0.
    pub sample_seq: u64,
    /// Start of the interval, clock of the observer; not negative.
    pub interval_start: Timestamp,
    /// End of the interval, clock of the observer; after the start.
    pub interval_end: Timestamp,
    /// The last sample of the attempt; false when not sent.
    pub is_final: bool,
    /// From gateway to orchestrator: *down*, what the orchestrator receives.
    pub to_orchestrator: Counters,
    /// From orchestrator to gateway: *up*, what the orchestrator sends.
    pub from_orchestrator: Counters,
}
