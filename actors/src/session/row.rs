//! The session's fact row (tables.md 2.4, lifecycle 2.2).

use naap_protocol::rows::sessions::Session;

use super::attribution::{Attributed, Identity, attributed};
use super::outcome::{StartupClass, completeness, service_failure_reason};
use super::pen::Stamp;
use super::story::Story;
use super::summary::CloseCounts;

/// The only kind of workflow there is; also the workflow id of a session without a pipeline.
const WORKFLOW_TYPE: &str = "ai_live_video_stream";

/// What the rows of a session as a whole are made of, beside its story.
#[derive(Clone, Debug)]
pub struct RowParts<'a> {
    first_uid: String,
    last_uid: String,
    /// The identity columns of the session.
    pub identity: Identity<'a>,
    /// Counts around its close.
    pub close: CloseCounts,
}

impl<'a> RowParts<'a> {
    /// The parts for the rows of this session.
    pub fn of(story: &Story<'a>) -> Self {
        let uid = |signal: Option<&naap_protocol::state::StoredSignal>| {
            signal.map_or_else(String::new, |s| s.uid.to_string())
        };
        Self {
            first_uid: uid(story.signals.first()),
            last_uid: uid(story.signals.last()),
            identity: story.identity(),
            close: story.summary.close_counts(story.signals, &story.state.symbols),
        }
    }
}

/// True when `names` has more than one distinct text, ignoring case and blanks.
fn differ<'n>(names: impl Iterator<Item = &'n str>) -> bool {
    let mut known = names.filter(|name| !name.is_empty());
    let first = known.next();
    first.is_some_and(|first| known.any(|name| !name.eq_ignore_ascii_case(first)))
}

/// The row of a session that has signals.
pub fn session_row<'a>(story: &'a Story<'a>, parts: &'a RowParts<'a>, stamp: Stamp) -> Session<'a> {
    let Story { state, summary, .. } = story;
    let symbols = &state.symbols;
    let startup = summary.startup();
    let class = startup.class();
    let selections = story.counted();
    let last = selections.last().map(|attributed| attributed.selection);
    let counts = parts.close;
    let (health_signal_count, health_expected_signal_count) = summary.health_signals();
    let identity = &parts.identity;
    let resolved = || selections.iter().filter(|s| s.chosen().is_some());
    let names: Vec<Identity<'_>> = resolved().map(|s| Identity::of(s, symbols)).collect();
    let canonicals = story.canonicals().len();
    let served = !identity.address.is_empty();
    let first = resolved().next();
    let assigned = first.map(|first| first.selection.ts);
    let sized = first.and_then(Attributed::chosen).filter(|chosen| chosen.capacity.is_some());
    let end = summary.closed_ts.or(summary.end_ts);
    let swaps = u16::try_from(summary.swaps).unwrap_or(u16::MAX);
    let observed_url = last.map_or("", |s| symbols.text(s.url));
    attributed!(Session, identity, {
        org: &state.org,
        workflow_session_id: &state.session_id,
        workflow_type: WORKFLOW_TYPE,
        workflow_id: if identity.pipeline.is_empty() { WORKFLOW_TYPE } else { &identity.pipeline },
        stream_id: &state.stream_id,
        request_id: &state.request_id,
        gateway: symbols.text(summary.gateway),
        observed_address: last.map_or("", |s| symbols.text(s.address)),
        observed_url,
        model_hint: symbols.text(summary.hints.model),
        pipeline_source: identity.pipeline_source,
        model_source: identity.model_source,
        has_model_change: differ(names.iter().map(|n| &*n.model)),
        has_pipeline_change: differ(names.iter().map(|n| &*n.pipeline)),
        gpu_attribution_method: identity.method,
        gpu_attribution_confidence: identity.confidence,
        attribution_identity: identity.matched,
        session_start_ts: summary.start_ts.unwrap_or_default(),
        session_end_ts: summary.end_ts,
        closed_ts: summary.closed_ts,
        is_closed: summary.closed_ts.is_some(),
        known_stream: startup.known_stream,
        requested_seen: startup.known_stream,
        no_orchestrators: startup.no_orchestrators,
        startup_success: startup.playable,
        startup_excused: matches!(class, StartupClass::Excused(_)),
        startup_unexcused: class == StartupClass::Unexcused,
        selection_outcome: startup.selection_outcome(),
        startup_outcome: class.outcome(),
        excusal_reason: class.excusal_reason(),
        selection_count: selections.len() as u32,
        segment_count: story.segments.len().min(u16::MAX.into()) as u16,
        swap_row_count: story.swaps.len().min(u16::MAX.into()) as u16,
        confirmed_swap_count: swaps,
        inferred_orchestrator_change_count: canonicals.saturating_sub(1).min(u16::MAX.into())
            as u16,
        swap_count: swaps,
        error_count: summary.errors,
        excusable_error_count: summary.excusable_errors,
        post_close_error_count: counts.post_close_errors,
        post_close_signal_count: counts.post_close_signals,
        params_update_count: summary.params_updates,
        last_error_occurred: summary.health.with_error > 0,
        loading_only_session: summary.health.loading_only(),
        zero_output_fps_session: summary.health.zero_output(),
        status_sample_count: summary.health.samples,
        status_error_sample_count: summary.health.with_error,
        before_tail_status_sample_count: counts.before_tail.samples,
        before_tail_status_non_loading_count: counts.before_tail.non_loading,
        before_tail_status_positive_output_count: counts.before_tail.positive_output,
        health_signal_count,
        health_expected_signal_count,
        health_completeness_ratio: completeness(health_signal_count, health_expected_signal_count),
        first_stream_request_ts: summary.request.map(|edge| edge.ts),
        first_processed_ts: summary.processed.map(|edge| edge.ts),
        first_playable_ts: summary.playable.map(|edge| edge.ts),
        served_session: startup.known_stream && served,
        unserved_session: startup.known_stream && !served,
        service_failure_reason: service_failure_reason(&startup, served),
        orchestrator_assigned_ts: assigned,
        served_duration_ms: assigned.zip(end).map(|(from, to)| to.millis_since(from).max(0)),
        active_duration_ms: (summary.health.samples > 0).then_some(summary.active_ms),
        capacity_units_at_start: sized.and_then(|chosen| chosen.capacity),
        capacity_snapshot_ts: sized.map(|chosen| chosen.snapshot_ts),
        skew_ms: summary.skew_ms,
        event_count: summary.events,
        source_first_event_uid: &parts.first_uid,
        source_last_event_uid: &parts.last_uid,
        version: stamp.version,
        ingestion_timestamp: stamp.now,
        ..Session::default()
    })
}
