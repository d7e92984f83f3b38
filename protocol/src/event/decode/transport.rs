//! Transport counters (contract backlog 001). A counter that is missing or no count makes the whole
//! sample worthless, because differences are taken of it: so this family is read strictly.

use super::{OrchestratorFields, Payload, Verdict, first_missing, id};
use crate::event::Body;
use crate::event::transport::{
    Channel, Counters, Link, Observer, SCHEMA_VERSION, TransportMetrics, TransportStream,
};
use crate::json::{Scalar, object};
use crate::time::Timestamp;

object! {
    pub(super) struct TransportFields<'a> {
        "schema_version" => schema_version: Scalar<'a>,
        "stream_id" => stream_id: Scalar<'a>,
        "request_id" => request_id: Scalar<'a>,
        "pipeline" => pipeline: Scalar<'a>,
        "orchestrator_info" => orchestrator: OrchestratorFields<'a>,
        "attempt" => attempt: Scalar<'a>,
        "link" => link: Scalar<'a>,
        "channel" => channel: Scalar<'a>,
        "observer" => observer: Scalar<'a>,
        "sample_seq" => sample_seq: Scalar<'a>,
        "interval_start_ms" => interval_start: Scalar<'a>,
        "interval_end_ms" => interval_end: Scalar<'a>,
        "final" => is_final: Scalar<'a>,
        "to_orchestrator" => to_orchestrator: CounterFields<'a>,
        "from_orchestrator" => from_orchestrator: CounterFields<'a>,
    }
}

object! {
    struct CounterFields<'a> {
        "bytes_total" => bytes: Scalar<'a>,
        "segments_total" => segments: Scalar<'a>,
        "failed_segments_total" => failed_segments: Scalar<'a>,
        "dropped_segments_total" => dropped_segments: Scalar<'a>,
        "retries_total" => retries: Scalar<'a>,
        "busy_ms_total" => busy_ms: Scalar<'a>,
        "last_seq" => last_seq: Scalar<'a>,
    }
}

/// Why a sample can not be read.
enum Fault {
    Missing(&'static str),
    Version(String),
    Value(String),
}

/// Paths of the counters of one direction, in the order of [`Counters`].
macro_rules! counter_paths {
    ($direction:literal) => {
        [
            concat!("data.", $direction, ".bytes_total"),
            concat!("data.", $direction, ".segments_total"),
            concat!("data.", $direction, ".failed_segments_total"),
            concat!("data.", $direction, ".dropped_segments_total"),
            concat!("data.", $direction, ".retries_total"),
            concat!("data.", $direction, ".busy_ms_total"),
            concat!("data.", $direction, ".last_seq"),
        ]
    };
}

pub(super) fn transport(fields: TransportFields<'_>) -> Payload<'_> {
    // `data.schema_version` alone is the version of this payload.
    match read(fields) {
        Ok(metrics) => Verdict::Body(Body::Transport(metrics)).into(),
        Err(Fault::Missing(path)) => Verdict::MissingField(path).into(),
        Err(Fault::Version(details)) => Verdict::UnsupportedVersion(details).into(),
        Err(Fault::Value(details)) => Verdict::Unparsable(details).into(),
    }
}

fn read(fields: TransportFields<'_>) -> Result<TransportMetrics<'_>, Fault> {
    check_version(&fields.schema_version)?;
    let missing = first_missing(&[
        ("data.stream_id", &fields.stream_id),
        ("data.request_id", &fields.request_id),
    ]);
    if let Some(path) = missing {
        return Err(Fault::Missing(path));
    }
    let attempt = "data.attempt";
    let stream = TransportStream {
        attempt: u32::try_from(count(attempt, &fields.attempt)?)
            .map_err(|_| refused(attempt, &fields.attempt, "a number below 2^32"))?,
        link: named("data.link", &fields.link, Link::from_label, LINKS)?,
        channel: named("data.channel", &fields.channel, Channel::from_label, CHANNELS)?,
        observer: named("data.observer", &fields.observer, Observer::from_label, OBSERVERS)?,
    };
    let interval_start = moment("data.interval_start_ms", &fields.interval_start)?;
    let interval_end = moment("data.interval_end_ms", &fields.interval_end)?;
    if interval_end <= interval_start {
        let (start, end) = (interval_start.0, interval_end.0);
        return Err(Fault::Value(format!(
            "data.interval_end_ms is {end}, which is not after data.interval_start_ms {start}"
        )));
    }
    Ok(TransportMetrics {
        sample_seq: count("data.sample_seq", &fields.sample_seq)?,
        to_orchestrator: counters(counter_paths!("to_orchestrator"), &fields.to_orchestrator)?,
        from_orchestrator: counters(
            counter_paths!("from_orchestrator"),
            &fields.from_orchestrator,
        )?,
        stream_id: id(&fields.stream_id),
        request_id: id(&fields.request_id),
        pipeline: fields.pipeline.text(),
        orchestrator: fields.orchestrator.into(),
        is_final: flag("data.final", &fields.is_final)?,
        stream,
        interval_start,
        interval_end,
    })
}

const LINKS: &str = "gateway_to_orchestrator or orchestrator_to_worker";
const CHANNELS: &str = "media, control or events";
const OBSERVERS: &str = "gateway or orchestrator";

fn check_version(version: &Scalar<'_>) -> Result<(), Fault> {
    if !version.is_present() {
        return Err(Fault::Missing("data.schema_version"));
    }
    if version.integer() == Some(SCHEMA_VERSION) {
        return Ok(());
    }
    let version = version.text();
    Err(Fault::Version(format!(
        "data.schema_version is {version:?}; this family is read in version {SCHEMA_VERSION}"
    )))
}

fn counters(paths: [&'static str; 7], fields: &CounterFields<'_>) -> Result<Counters, Fault> {
    let [bytes, segments, failed_segments, dropped_segments, retries, busy_ms, last_seq] = paths;
    Ok(Counters {
        bytes: count(bytes, &fields.bytes)?,
        segments: count(segments, &fields.segments)?,
        failed_segments: count(failed_segments, &fields.failed_segments)?,
        dropped_segments: count(dropped_segments, &fields.dropped_segments)?,
        retries: count(retries, &fields.retries)?,
        busy_ms: count(busy_ms, &fields.busy_ms)?,
        last_seq: count(last_seq, &fields.last_seq)?,
    })
}

fn count(path: &'static str, value: &Scalar<'_>) -> Result<u64, Fault> {
    present(path, value)?;
    value.unsigned().ok_or_else(|| refused(path, value, "a whole number from 0"))
}

fn moment(path: &'static str, value: &Scalar<'_>) -> Result<Timestamp, Fault> {
    let millis = i64::try_from(count(path, value)?);
    millis.map(Timestamp).map_err(|_| refused(path, value, "a time in epoch milliseconds"))
}

/// What nobody says is false.
fn flag(path: &'static str, value: &Scalar<'_>) -> Result<bool, Fault> {
    match value {
        Scalar::Bool(flag) => Ok(*flag),
        value if value.is_present() => Err(refused(path, value, "true or false")),
        _ => Ok(false),
    }
}

fn named<T>(
    path: &'static str,
    value: &Scalar<'_>,
    of: fn(&str) -> Option<T>,
    known: &'static str,
) -> Result<T, Fault> {
    present(path, value)?;
    of(&value.text()).ok_or_else(|| refused(path, value, known))
}

fn present(path: &'static str, value: &Scalar<'_>) -> Result<(), Fault> {
    if value.is_present() { Ok(()) } else { Err(Fault::Missing(path)) }
}

fn refused(path: &str, value: &Scalar<'_>, expected: &str) -> Fault {
    let text = value.text();
    Fault::Value(format!("{path} is {text:?}, which is not {expected}"))
}
