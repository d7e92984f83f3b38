//! Sent events as lifecycle signals (lifecycle 1).

use super::DAY_MS;
use crate::session::{Body, Event, LastError, Quirk, STATES, StartTime};

/// What a signal says, by family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    Trace { edge: &'static str },
    Status { state: &'static str, output: u32, last_error: &'static str, start_time: Option<i64> },
    Notice { kind: &'static str, message: &'static str },
}

/// One accepted event of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Signal {
    pub(crate) ord_ts: i64,
    pub(crate) uid: u128,
    pub(crate) gateway: &'static str,
    pub(crate) family: Family,
    /// Normalised wallet, `""` if none.
    pub(crate) address: String,
    /// URL as sent, `""` if none.
    pub(crate) url: String,
    /// `data.pipeline`, `""` if none.
    pub(crate) hint: &'static str,
    /// Text of a swap trace.
    pub(crate) reason: &'static str,
}

impl Signal {
    /// The signal of an event of a session; `None` for families that are no signals.
    pub(crate) fn of(event: &Event) -> Option<Self> {
        let session = event.session.as_deref()?;
        let (mut ord_ts, mut hint, mut reason) = (event.ts, session.label, "");
        let (family, named) = match &event.body {
            Body::Trace(trace) => {
                let swap = trace.edge == crate::session::Edge::Swap;
                let near = |t: &i64| *t > 0 && (*t - event.ts).abs() <= DAY_MS;
                if !trace.edge.is_runner() {
                    ord_ts = trace.stamp.filter(near).unwrap_or(event.ts);
                }
                hint = if swap { session.label } else { "" };
                reason = trace.message;
                (Family::Trace { edge: trace.edge.name() }, trace.named)
            }
            Body::Status(sample) => {
                let attempt = session.attempts.get(usize::from(sample.named.attempt))?;
                let start_time =
                    (sample.start_time != StartTime::Missing).then_some(attempt.started);
                let state = STATES[usize::from(sample.state)];
                let last_error = match sample.last_error {
                    LastError::Null | LastError::Empty => "",
                    LastError::NullText => "null",
                    LastError::Sticky | LastError::Own => "an error text",
                };
                (
                    Family::Status { state, output: sample.output, last_error, start_time },
                    sample.named,
                )
            }
            Body::Notice(notice) => {
                hint = if notice.unlabelled { "" } else { session.label };
                (Family::Notice { kind: notice.kind(), message: notice.message }, notice.named)
            }
            _ => return None,
        };
        let (address, url) = named.texts(session);
        let gateway = if event.quirk == Quirk::NoGateway { "" } else { session.gateway };
        Some(Self {
            ord_ts,
            uid: event.uid,
            gateway,
            family,
            address: norm_address(&address),
            url,
            hint,
            reason,
        })
    }

    /// Total order of lifecycle 1.7.5.
    pub(crate) fn order(&self) -> (i64, u8, u128) {
        let rank = match self.family {
            Family::Trace { .. } => 1,
            Family::Status { .. } => 2,
            Family::Notice { .. } => 3,
        };
        (self.ord_ts, rank, self.uid)
    }

    pub(crate) fn is_edge(&self, name: &str) -> bool {
        matches!(self.family, Family::Trace { edge } if edge == name)
    }

    pub(crate) fn is_swap(&self) -> bool {
        self.is_edge("orchestrator_swap")
    }

    /// Names an orchestrator, at least in part.
    pub(crate) fn has_identity(&self) -> bool {
        !self.address.is_empty() || !self.url.trim().is_empty()
    }
}

fn norm_address(text: &str) -> String {
    match text.trim().to_ascii_lowercase() {
        short if short == "0x" => String::new(),
        zero if zero.len() == 42 && zero[2..].bytes().all(|b| b == b'0') => String::new(),
        address => address,
    }
}

/// Trimmed, lower case, without one trailing slash.
pub(crate) fn norm_url(text: &str) -> String {
    let lower = text.trim().to_ascii_lowercase();
    lower.strip_suffix('/').map_or(lower.clone(), str::to_owned)
}
