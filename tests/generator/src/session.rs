//! What a session sends, before anything happens to it on the way.

use std::rc::Rc;

/// One orchestrator as a session sees it. A swap starts another attempt.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    /// Wallet as signals carry it, lower case.
    pub(crate) address: String,
    pub(crate) url: String,
    /// Payment recipient, mixed case.
    pub(crate) recipient: String,
    /// Runner clock minus gateway clock, ms.
    pub(crate) skew: i64,
    /// When the stream was attached, runner clock.
    pub(crate) started: i64,
    /// `sessionID` of payments.
    pub(crate) token: u64,
    /// Wei per pixel.
    pub(crate) price: i64,
    /// The runner still reports an error and restarts from before the session.
    pub(crate) sticky: bool,
}

/// What all events of one session share.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) stream_id: String,
    pub(crate) request_id: String,
    pub(crate) gateway: &'static str,
    /// Model label in status and AI events.
    pub(crate) label: &'static str,
    pub(crate) payer: String,
    pub(crate) attempts: Vec<Attempt>,
    pub(crate) start: i64,
}

/// Trace subtypes that reach the lifecycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Edge {
    Request,
    SendIngest,
    RunnerReceiveRequest,
    RunnerReceive,
    RunnerSend,
    FirstProcessed,
    FewProcessed,
    FirstData,
    NoOrchestrators,
    Swap,
    Closed,
}

impl Edge {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Request => "gateway_receive_stream_request",
            Self::SendIngest => "gateway_send_first_ingest_segment",
            Self::RunnerReceiveRequest => "runner_receive_stream_request",
            Self::RunnerReceive => "runner_receive_first_ingest_segment",
            Self::RunnerSend => "runner_send_first_processed_segment",
            Self::FirstProcessed => "gateway_receive_first_processed_segment",
            Self::FewProcessed => "gateway_receive_few_processed_segments",
            Self::FirstData => "gateway_receive_first_data_segment",
            Self::NoOrchestrators => "gateway_no_orchestrators_available",
            Self::Swap => "orchestrator_swap",
            Self::Closed => "gateway_ingest_stream_closed",
        }
    }

    /// Stamped by the inference host.
    pub(crate) fn is_runner(self) -> bool {
        matches!(self, Self::RunnerReceiveRequest | Self::RunnerReceive | Self::RunnerSend)
    }
}

/// How a signal spells its orchestrator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spelling {
    /// Lower-case wallet and URL.
    Full,
    MixedCase,
    /// Upper-case host and a trailing slash.
    OddUrl,
    UrlOnly,
    AddressOnly,
    /// Both texts empty.
    Blank,
    /// `0x` and an empty URL.
    BareZeroX,
    /// No `orchestrator_info` at all.
    Missing,
}

/// The orchestrator named by a signal.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Named {
    pub(crate) attempt: u8,
    pub(crate) spelling: Spelling,
}

impl Named {
    pub(crate) const NOBODY: Self = Self { attempt: 0, spelling: Spelling::Blank };

    /// Address and URL as the text of the event says; empty where it says nothing.
    pub(crate) fn texts(self, session: &Session) -> (String, String) {
        let Some(attempt) = session.attempts.get(usize::from(self.attempt)) else {
            return (String::new(), String::new());
        };
        let (address, url) = (attempt.address.clone(), attempt.url.clone());
        match self.spelling {
            Spelling::Full => (address, url),
            Spelling::MixedCase => (crate::text::mixed_case(&address), url),
            Spelling::OddUrl => (address, url.to_ascii_uppercase() + "/"),
            Spelling::UrlOnly => (String::new(), url),
            Spelling::AddressOnly => (address, String::new()),
            Spelling::BareZeroX => ("0x".to_owned(), String::new()),
            Spelling::Blank | Spelling::Missing => (String::new(), String::new()),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StartTime {
    Milliseconds,
    Seconds,
    Missing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LastError {
    Null,
    /// The literal text `null`.
    NullText,
    Empty,
    /// From before the session.
    Sticky,
    /// From this run.
    Own,
}

pub(crate) const STATES: [&str; 8] = [
    "ONLINE",
    "DEGRADED_INPUT",
    "DEGRADED_INFERENCE",
    "LOADING",
    "OFFLINE",
    "ERROR",
    "loading",
    "",
];

/// One status sample.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    pub(crate) named: Named,
    /// Index into [`STATES`].
    pub(crate) state: u8,
    /// Output frames per second × 1000.
    pub(crate) output: u32,
    /// Input frames per second × 1000.
    pub(crate) input: u32,
    pub(crate) start_time: StartTime,
    pub(crate) last_error: LastError,
    /// 0 none, 1 text, 2 weighted list, 3 object.
    pub(crate) prompt: u8,
    pub(crate) restarts: u8,
    /// Sample time on the runner clock.
    pub(crate) runner_ts: i64,
    /// Time of the sample before, runner clock.
    pub(crate) previous: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Report {
    GatewayError,
    RunnerError,
    ParamsUpdate,
    Restart {
        logs: bool,
    },
    /// A pass-through runner event.
    Other,
}

/// One `ai_stream_events` event.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Notice {
    pub(crate) report: Report,
    /// Error text.
    pub(crate) message: &'static str,
    pub(crate) named: Named,
    /// Type text in upper case.
    pub(crate) shout: bool,
    /// Without model label.
    pub(crate) unlabelled: bool,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Trace {
    pub(crate) edge: Edge,
    pub(crate) named: Named,
    /// `data.timestamp`.
    pub(crate) stamp: Option<i64>,
    /// Reason of a swap.
    pub(crate) message: &'static str,
}

/// Time between two samples of transport counters.
pub(crate) const TRANSPORT_INTERVAL_MS: i64 = 5_000;

/// Bytes that a transport sample adds, to and from the orchestrator: 4 and 3 Mbit/s.
pub(crate) const TRANSPORT_BYTES: (i64, i64) = (2_500_000, 1_875_000);

/// What a line says.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Body {
    Trace(Trace),
    Status(Sample),
    Notice(Notice),
    /// Seconds since connect.
    Ingest {
        elapsed: u32,
    },
    Discovery {
        found: u8,
    },
    Payment {
        attempt: u8,
        first: bool,
        eth: bool,
    },
    /// Sample `seq` of the transport counters of an attempt that began at `begin`.
    Transport {
        attempt: u8,
        seq: u32,
        begin: i64,
        last: bool,
    },
    /// Number of the advertisement.
    Capabilities(u32),
    /// Variants of capability documents with no effect: single entry, empty list.
    OddCapabilities(u8),
    ClientNoise(u8),
    Unsupported(u8),
    Later(u8),
    Garbage(u8),
    Oversized,
}

/// Harmless variants of the envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quirk {
    None,
    NumberTime,
    Version(&'static str),
    /// Blanks around the session ids.
    PaddedIds,
    NoId,
    /// The gateway does not know its name yet.
    NoGateway,
}

/// One event before the way to the broker.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) uid: u128,
    /// Envelope time.
    pub(crate) ts: i64,
    pub(crate) quirk: Quirk,
    pub(crate) body: Body,
    pub(crate) session: Option<Rc<Session>>,
}

/// What must become of a line (contract events.md 6, decisions.md).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Accepted,
    Ignored(&'static str),
    DeadLetter(&'static str),
    Quarantined(&'static str),
}

impl Event {
    /// Envelope type as sent.
    pub(crate) fn family(&self) -> &'static str {
        match self.body {
            Body::Trace(_) | Body::ClientNoise(_) => "stream_trace",
            Body::Status(_) => "ai_stream_status",
            Body::Notice(_) | Body::Oversized => "ai_stream_events",
            Body::Ingest { .. } => "stream_ingest_metrics",
            Body::Transport { .. } => "stream_transport_metrics",
            Body::Discovery { .. } => "discovery_results",
            Body::Payment { .. } => "create_new_payment",
            Body::Capabilities(_) | Body::OddCapabilities(_) => "network_capabilities",
            Body::Unsupported(n) => crate::lines::noise::unsupported(n).0,
            Body::Later(n) => crate::lines::noise::later(n).0,
            Body::Garbage(_) => "garbage",
        }
    }

    /// Takes part in the lifecycle of its session.
    pub(crate) fn is_signal(&self) -> bool {
        matches!(self.body, Body::Trace(_) | Body::Status(_) | Body::Notice(_))
    }

    pub(crate) fn fate(&self) -> Fate {
        match self.body {
            Body::ClientNoise(n) => Fate::Ignored(crate::lines::noise::client(n).ignored_as),
            Body::Unsupported(_) | Body::Later(_) => Fate::Ignored("unsupported_event_family"),
            Body::Garbage(n) => crate::lines::garbage::KINDS[usize::from(n)].1,
            Body::Oversized => Fate::DeadLetter("record_too_large"),
            _ => Fate::Accepted,
        }
    }
}
