//! What the synthetic network does, and how often.

/// Relative weights of the session stories.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stories {
    /// Starts, runs, ends with an error text and a close.
    pub normal: u32,
    /// Runs for one to two hours.
    pub long: u32,
    /// Explicit swap to another orchestrator that takes over.
    pub swap_completed: u32,
    /// Explicit swap that comes back to the same orchestrator.
    pub swap_retry: u32,
    /// Explicit swap, then no orchestrator is left.
    pub swap_no_replacement: u32,
    /// Explicit swap to an orchestrator that never advertised.
    pub swap_unresolved: u32,
    /// Explicit swap, then silence.
    pub swap_pending: u32,
    /// The orchestrator changes without a swap trace.
    pub swap_inferred: u32,
    /// Selection exhausted: trace, and mostly an error.
    pub no_orchestrators: u32,
    /// Selection ends by timeout: visible only as an error text.
    pub selection_timeout: u32,
    /// Never playable, only excusable errors.
    pub excusable_failure: u32,
    /// Never playable, a product error.
    pub product_failure: u32,
    /// Every sample is LOADING.
    pub loading_only: u32,
    /// Running samples, but no output frame.
    pub zero_fps: u32,
    /// The request edge was never sent.
    pub never_known: u32,
    /// Runs and falls silent without error or close.
    pub no_close: u32,
    /// A BYOC stream: canonical address, data segments.
    pub byoc: u32,
}

impl Stories {
    pub(crate) fn weights(&self) -> [u32; 17] {
        [
            self.normal,
            self.long,
            self.swap_completed,
            self.swap_retry,
            self.swap_no_replacement,
            self.swap_unresolved,
            self.swap_pending,
            self.swap_inferred,
            self.no_orchestrators,
            self.selection_timeout,
            self.excusable_failure,
            self.product_failure,
            self.loading_only,
            self.zero_fps,
            self.never_known,
            self.no_close,
            self.byoc,
        ]
    }
}

impl Default for Stories {
    /// Two of three sessions are normal; every other story takes 1 to 5 per cent.
    fn default() -> Self {
        Self {
            normal: 640,
            long: 5,
            swap_completed: 45,
            swap_retry: 20,
            swap_no_replacement: 15,
            swap_unresolved: 15,
            swap_pending: 10,
            swap_inferred: 20,
            no_orchestrators: 40,
            selection_timeout: 20,
            excusable_failure: 30,
            product_failure: 30,
            loading_only: 15,
            zero_fps: 15,
            never_known: 20,
            no_close: 30,
            byoc: 15,
        }
    }
}

/// Every rate of the network. Probabilities are 0 to 1; `…_per_session` are mean counts.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    /// What sessions do.
    pub stories: Stories,
    /// Mean running time of an ordinary session, seconds (20 to 3,600; the bounds are enforced).
    pub mean_run_s: u32,
    /// Share of sessions with WebRTC ingest, hence ingest metrics. Default 0.5.
    pub whip_share: f64,
    /// Time between two capability events of one gateway, seconds. Default 600.
    pub capability_interval_s: u32,
    /// Gateways that poll capabilities. Default 2.
    pub gateways: u32,
    /// An event never reaches the broker. Default 0.004.
    pub event_loss: f64,
    /// One second of a session's events is lost as a failed batch. Default 0.01.
    pub batch_loss: f64,
    /// Every event of a session is lost. Default 0.004.
    pub session_loss: f64,
    /// An event is delivered twice. Default 0.005.
    pub duplicate: f64,
    /// One second of a session's events is delivered twice. Default 0.02.
    pub batch_retry: f64,
    /// A session's events arrive minutes late in one burst, partly twice. Default 0.01.
    pub mirror_burst: f64,
    /// An event is published again later with replay marks. Default 0.001.
    pub replayed: f64,
    /// Harmless envelope variants: numeric time, explicit version, padded ids, no id. Default 0.01.
    pub envelope_quirk: f64,
    /// A signal names its orchestrator partly or not at all. Default 0.02.
    pub identity_gap: f64,
    /// Sessions whose signals never carry a URL: shared wallets become ambiguous. Default 0.03.
    pub address_only: f64,
    /// Runners whose clock is off by seconds. Default 0.1.
    pub skewed_runner: f64,
    /// Status samples without `start_time`, or with it in seconds (per session). Default 0.05.
    pub start_time_quirk: f64,
    /// Runners that still report an error or restarts of earlier sessions. Default 0.08.
    pub sticky_error: f64,
    /// A session's model label is an alias, `noop` or a model the orchestrator has not. Default 0.04.
    pub label_quirk: f64,
    /// Parameter update at a status sample. Default 0.03.
    pub params_update: f64,
    /// Restart at a status sample; one in four with huge logs. Default 0.004.
    pub restart: f64,
    /// Error during the run at a status sample. Default 0.01.
    pub run_error: f64,
    /// Signals after the close. Default 0.06.
    pub post_close: f64,
    /// Several close traces. Default 0.04.
    pub double_close: f64,
    /// The stream id of the session before is used again. Default 0.03.
    pub stream_reuse: f64,
    /// The request id of the session before is used again by another stream. Default 0.02.
    pub request_reuse: f64,
    /// Events of families that nobody accepts. Default 4.
    pub unsupported_per_session: f64,
    /// Web-client traces (`app_*`, scope) and unknown subtypes. Default 1.5.
    pub client_noise_per_session: f64,
    /// Events of later families (jobs, batch, worker). Default 0.3.
    pub later_families_per_session: f64,
    /// Capability documents of odd shape that are still valid. Default 0.005.
    pub odd_capabilities_per_session: f64,
    /// Lines that must be rejected. Default 0.06.
    pub garbage_per_session: f64,
    /// One value above 1 MB in the middle of the file. Default true.
    pub oversized: bool,
    /// Events whose id was used before for other content. Default 0.
    pub id_conflicts: u32,
    /// Gateways send transport counters of each attempt every five seconds. Default no, as today.
    pub transport: bool,
}

impl Default for Profile {
    fn default() -> Self {
        Self {
            stories: Stories::default(),
            mean_run_s: 90,
            whip_share: 0.5,
            capability_interval_s: 600,
            gateways: 2,
            event_loss: 0.004,
            batch_loss: 0.01,
            session_loss: 0.004,
            duplicate: 0.005,
            batch_retry: 0.02,
            mirror_burst: 0.01,
            replayed: 0.001,
            envelope_quirk: 0.01,
            identity_gap: 0.02,
            address_only: 0.03,
            skewed_runner: 0.1,
            start_time_quirk: 0.05,
            sticky_error: 0.08,
            label_quirk: 0.04,
            params_update: 0.03,
            restart: 0.004,
            run_error: 0.01,
            post_close: 0.06,
            double_close: 0.04,
            stream_reuse: 0.03,
            request_reuse: 0.02,
            unsupported_per_session: 4.0,
            client_noise_per_session: 1.5,
            later_families_per_session: 0.3,
            odd_capabilities_per_session: 0.005,
            garbage_per_session: 0.06,
            oversized: true,
            id_conflicts: 0,
            transport: false,
        }
    }
}

impl Profile {
    /// Nothing is lost, repeated, late, ignored or broken: for benchmarks. Stories stay as they are.
    pub fn clean() -> Self {
        Self {
            event_loss: 0.0,
            batch_loss: 0.0,
            session_loss: 0.0,
            duplicate: 0.0,
            batch_retry: 0.0,
            mirror_burst: 0.0,
            replayed: 0.0,
            envelope_quirk: 0.0,
            unsupported_per_session: 0.0,
            client_noise_per_session: 0.0,
            later_families_per_session: 0.0,
            odd_capabilities_per_session: 0.0,
            garbage_per_session: 0.0,
            oversized: false,
            ..Self::default()
        }
    }
}
