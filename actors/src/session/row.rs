//! The session's fact row (tables.md 2.4, lifecycle 2.2).

use naap_protocol::capability::catalogue::{Catalogue, Hint, canonical_pipeline};
use naap_protocol::rows::sessions::Session;
use naap_protocol::state::SessionState;
use naap_protocol::time::Timestamp;

use super::outcome::{StartupClass, completeness};
use super::summary::Summary;

/// The only kind of workflow there is; also the workflow id of a session without a pipeline.
const WORKFLOW_TYPE: &str = "ai_live_video_stream";

/// Texts of a row that are made for it and do not stand in the session's state.
#[derive(Clone, Debug, Default)]
pub struct RowTexts<'a> {
    first_uid: String,
    last_uid: String,
    /// Pipeline and model as the hint alone tells them (backlog 022, unattributed).
    hint: Hint<'a>,
}

impl<'a> RowTexts<'a> {
    /// The texts for the row of a session with this summary.
    pub fn of(state: &'a SessionState, summary: &Summary) -> Self {
        let folded = &state.signals[..state.signals.len().min(summary.events as usize)];
        let uid = |signal: Option<&naap_protocol::state::StoredSignal>| {
            signal.map_or_else(String::new, |s| s.uid.to_string())
        };
        let hint = Catalogue::builtin().hint(state.symbols.text(summary.first_hint));
        Self { first_uid: uid(folded.first()), last_uid: uid(folded.last()), hint }
    }
}

/// The row of a session; `None` as long as it has no signal.
pub fn session_row<'a>(
    state: &'a SessionState,
    summary: &Summary,
    texts: &'a RowTexts<'a>,
    version: u64,
    now: Timestamp,
) -> Option<Session<'a>> {
    let session_start_ts = summary.start_ts?;
    let symbols = &state.symbols;
    let startup = summary.startup();
    let class = startup.class();
    let selections = summary.selections();
    let last = selections.last();
    let counts = summary.close_counts(&state.signals, symbols);
    let (health_signal_count, health_expected_signal_count) = summary.health_signals();
    let model_hint = symbols.text(summary.first_hint);
    let Hint { pipeline, model: model_id, inferred } = &texts.hint;
    let pipeline = canonical_pipeline(pipeline, model_id);
    let source = |text: &str, how| if text.is_empty() { "none" } else { how };
    let swaps = u16::try_from(summary.swaps).unwrap_or(u16::MAX);
    let observed_url = last.map_or("", |s| symbols.text(s.url));
    Some(Session {
        org: &state.org,
        workflow_session_id: &state.session_id,
        workflow_type: WORKFLOW_TYPE,
        workflow_id: if pipeline.is_empty() { WORKFLOW_TYPE } else { pipeline },
        stream_id: &state.stream_id,
        request_id: &state.request_id,
        gateway: symbols.text(summary.gateway),
        orchestrator_url: observed_url,
        observed_address: last.map_or("", |s| symbols.text(s.address)),
        observed_url,
        pipeline,
        model_id,
        model_hint,
        pipeline_source: source(pipeline, if *inferred { "inferred" } else { "hint" }),
        model_source: source(model_id, "hint"),
        gpu_attribution_method: "none",
        attribution_status: if last.is_some() { "" } else { "unresolved" },
        attribution_source: if last.is_some() { "" } else { "unattributed" },
        attribution_reason: if last.is_some() { "" } else { "no_selection" },
        session_start_ts,
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
        confirmed_swap_count: swaps,
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
        first_stream_request_ts: summary.first_request_ts,
        first_processed_ts: summary.first_processed_ts,
        first_playable_ts: summary.first_playable_ts,
        event_count: summary.events,
        source_first_event_uid: &texts.first_uid,
        source_last_event_uid: &texts.last_uid,
        version,
        ingestion_timestamp: now,
        ..Session::default()
    })
}
