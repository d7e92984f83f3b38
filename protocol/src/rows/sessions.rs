//! What became of a session: outcome, segments, swaps, coverage and status hours (contract tables.md
//! 2.4, 7.5, 12.1, lifecycle 2.2, 5.3, 6.1, 10).
//!
//! Rows are identified by (org, session[, position]) and hashed into eight partitions, so a row
//! stays where it is when the session's start moves.

use super::spec::table;
use crate::time::Timestamp;

table! {
    /// Session outcome, health and identity: one row per session.
    pub struct Session<'a> = "fact_workflow_sessions" {
        replacing: (version),
        partition: "cityHash64(org, workflow_session_id) % 8",
        order: [org, workflow_session_id],
        ttl: "toDate(session_start_ts)" + 180 days,
        bloom: [stream_id, request_id, orchestrator_address],
        columns: {
            /// Organisation, from the source topic.
            org: &'a str [low],
            /// Canonical session key (lifecycle 1.3); never empty.
            workflow_session_id: &'a str,
            /// Kind of workflow, `ai_live_video_stream`.
            workflow_type: &'a str [low],
            /// Pipeline, else the workflow type.
            workflow_id: &'a str [low],
            /// Stream id, first in total order; '' when unknown.
            stream_id: &'a str,
            /// Request id, first in total order; '' when unknown.
            request_id: &'a str,
            /// Producer session id; '' as long as no producer sends one.
            session_id: &'a str,
            /// First gateway in total order; '' when unknown.
            gateway: &'a str [low],
            /// Canonical wallet of the last resolved selection, lower case; '' until attributed.
            orchestrator_address: &'a str,
            /// URL of the selection that the identity is of (the last resolved one, else the last) as observed, else the node's; '' when unknown.
            orchestrator_url: &'a str,
            /// Wallet that the last selection showed, normalised; '' when none was seen.
            observed_address: &'a str,
            /// URL that the last selection showed, verbatim; '' when none was seen.
            observed_url: &'a str,
            /// Workflow class such as `live-video-to-video`; '' when unknown, never equal to `model_id`.
            pipeline: &'a str [low],
            /// Model label as advertised; '' when unknown.
            model_id: &'a str [low],
            /// GPU uuid; '' when unknown or when several GPUs fit.
            gpu_id: &'a str,
            /// Region; '' as long as no producer sends one.
            region: &'a str [low],
            /// Model hint as the signals sent it; '' when they sent none.
            model_hint: &'a str [low],
            /// Origin of `pipeline`: `capability`, `hint`, `inferred` or `none`.
            pipeline_source: &'a str [low],
            /// Origin of `model_id`: `capability`, `hint`, `inferred` or `none`.
            model_source: &'a str [low],
            /// 1 when resolved selections name more than one model, ignoring case.
            has_model_change: bool,
            /// 1 when resolved selections name more than one pipeline, ignoring case.
            has_pipeline_change: bool,
            /// How the GPU and the identity were found (lifecycle 7.5); `none` without attribution.
            gpu_attribution_method: &'a str [low],
            /// Confidence of the method, 0 to 1.
            gpu_attribution_confidence: f32,
            /// GPUs that fit the decision; more than 1 leaves `gpu_id` empty.
            gpu_candidate_count: u16,
            /// `resolved`, `hardware_less`, `stale`, `ambiguous`, `unresolved` or '' (no decision applies).
            attribution_status: &'a str [low],
            /// `direct` (enters gold), `mapped_window` or `unattributed`.
            attribution_source: &'a str [low],
            /// Why the decision came out so, such as `matched` or `missing_candidate` (lifecycle 7.10, 8.2).
            attribution_reason: &'a str [low],
            /// Time of the advertisement that decided, UTC, gateway clock; NULL without one.
            selected_snapshot_ts: Option<Timestamp>,
            /// Uid of the capability event that decided; '' without one.
            selected_snapshot_event_uid: &'a str,
            /// Distance from the selection to that advertisement, ms; NULL without one.
            attribution_distance_ms: Option<i64>,
            /// Key that matched: `uri`, `address`, `alias` or ''.
            attribution_identity: &'a str [low],
            /// Least event or accepted start time, UTC, gateway clock; can move earlier.
            session_start_ts: Timestamp,
            /// Greatest event time so far, UTC, gateway clock: last seen, not closed; NULL before any signal.
            session_end_ts: Option<Timestamp>,
            /// Time of the last close trace, UTC, gateway clock; NULL while open.
            closed_ts: Option<Timestamp>,
            /// 1 after a close trace.
            is_closed: bool,
            /// 1 after the request trace: the session counts as demand.
            known_stream: bool,
            /// Equal to `known_stream`, the later name.
            requested_seen: bool,
            /// 1 after a no-orchestrators trace.
            no_orchestrators: bool,
            /// 1 after the playable trace; readers also require `known_stream`.
            startup_success: bool,
            /// 1 when known, not playable, and excused by no orchestrators or only excusable errors.
            startup_excused: bool,
            /// 1 when known and neither playable nor excused.
            startup_unexcused: bool,
            /// `selected`, `no_orch` or `unknown`.
            selection_outcome: &'a str [low],
            /// `success`, `failed` or `unknown`.
            startup_outcome: &'a str [low],
            /// `none`, `no_orch` or `excusable_error`; not `none` only when failed.
            excusal_reason: &'a str [low],
            /// Selections up to the close.
            selection_count: u32,
            /// Valid segments: readers ignore segment rows with an index at or above it.
            segment_count: u16,
            /// Valid swap rows: readers ignore swap rows with an index at or above it.
            swap_row_count: u16,
            /// Distinct explicit swap traces.
            confirmed_swap_count: u16,
            /// Distinct canonical orchestrators minus 1, at least 0.
            inferred_orchestrator_change_count: u16,
            /// Equal to `confirmed_swap_count`, the older name.
            swap_count: u16,
            /// Error events.
            error_count: u32,
            /// Error events whose message is excusable (lifecycle 3.2); at most `error_count`.
            excusable_error_count: u32,
            /// Error events after the close.
            post_close_error_count: u32,
            /// Signals after the close.
            post_close_signal_count: u32,
            /// Parameter update events.
            params_update_count: u32,
            /// 1 when any status sample carried an error text.
            last_error_occurred: bool,
            /// 1 when there are status samples and all are `LOADING`.
            loading_only_session: bool,
            /// 1 when there are status samples and none has output frames.
            zero_output_fps_session: bool,
            /// Status samples.
            status_sample_count: u32,
            /// Status samples with an error text.
            status_error_sample_count: u32,
            /// Status samples up to 5 s before the close; all when not closed.
            before_tail_status_sample_count: u32,
            /// The same that are not `LOADING`.
            before_tail_status_non_loading_count: u32,
            /// The same with output frames.
            before_tail_status_positive_output_count: u32,
            /// Health signals seen, 0 to 3: status, first processed, playable.
            health_signal_count: u32,
            /// Health signals expected: 3 when known, else 0.
            health_expected_signal_count: u32,
            /// Seen over expected; 1 when none is expected.
            health_completeness_ratio: f32,
            /// First request trace, UTC, gateway clock; NULL when not seen.
            first_stream_request_ts: Option<Timestamp>,
            /// First processed segment, UTC, gateway clock; NULL when not seen.
            first_processed_ts: Option<Timestamp>,
            /// First playable trace, UTC, gateway clock; NULL when not seen.
            first_playable_ts: Option<Timestamp>,
            /// 1 when known and a canonical orchestrator is known.
            served_session: bool,
            /// 1 when known and no canonical orchestrator is known.
            unserved_session: bool,
            /// Why a known session was not served or did not start: `unattributed`, `no_orchestrators`, `not_selected`, `excusable_error` or `startup_failed`; '' when it did, or is not known.
            service_failure_reason: &'a str [low],
            /// Start of the first resolved selection, UTC, gateway clock; NULL when none.
            orchestrator_assigned_ts: Option<Timestamp>,
            /// From assignment to close or last signal, ms; NULL when not assigned.
            served_duration_ms: Option<i64>,
            /// Time from each status sample to the next one, at most 30 s each, ms; NULL without
            /// status samples.
            active_duration_ms: Option<i64>,
            /// Slots that the session's first assigned node advertised for the model, in the advertisement that is the
            /// evidence (`selected_snapshot_event_uid` of the first segment); NULL when it says none.
            capacity_units_at_start: Option<i64>,
            /// Time of the advertisement of that capacity, UTC, gateway clock; NULL with it.
            capacity_snapshot_ts: Option<Timestamp>,
            /// Gateway minus runner clock, ms, smallest seen; NULL without runner stamps.
            skew_ms: Option<i64>,
            /// Distinct events folded.
            event_count: u32,
            /// Uid of the first event in total order.
            source_first_event_uid: &'a str,
            /// Uid of the last event in total order.
            source_last_event_uid: &'a str,
            /// Write version (epoch and sequence); the greatest of a key is the row.
            version: u64,
            /// When the row was made, UTC, node clock.
            ingestion_timestamp: Timestamp,
        }
    }
}

table! {
    /// Identity over time: one row per session and segment.
    pub struct Segment<'a> = "fact_workflow_session_segments" {
        replacing: (version, is_retracted),
        partition: "cityHash64(org, workflow_session_id) % 8",
        order: [org, workflow_session_id, segment_index],
        ttl: "toDate(segment_start_ts)" + 180 days,
        bloom: [orchestrator_address],
        columns: {
            /// Organisation, from the source topic.
            org: &'a str [low],
            /// Canonical session key (lifecycle 1.3); never empty.
            workflow_session_id: &'a str,
            /// Position in the session, from 0.
            segment_index: u16,
            /// Start, inclusive, UTC, gateway clock.
            segment_start_ts: Timestamp,
            /// End, exclusive (of the last one inclusive), UTC, gateway clock; NULL while open.
            segment_end_ts: Option<Timestamp>,
            /// First gateway of the session; '' when unknown.
            gateway: &'a str [low],
            /// Canonical orchestrator wallet, lower case; '' when not attributed.
            orchestrator_address: &'a str,
            /// Service URI of the orchestrator; '' when unknown.
            orchestrator_url: &'a str,
            /// Canonical wallet of the segment before; '' for the first.
            previous_orchestrator_address: &'a str,
            /// Canonical wallet of the segment after; '' for the last.
            next_orchestrator_address: &'a str,
            /// Worker; '' as long as no producer sends one.
            worker_id: &'a str,
            /// Workflow class such as `live-video-to-video`; '' when unknown, never equal to `model_id`.
            pipeline: &'a str [low],
            /// Model label as advertised; '' when unknown.
            model_id: &'a str [low],
            /// GPU uuid; '' when unknown or when several GPUs fit.
            gpu_id: &'a str,
            /// Region; '' as long as no producer sends one.
            region: &'a str [low],
            /// Model hint as the signals sent it; '' when they sent none.
            model_hint: &'a str [low],
            /// Origin of `pipeline`: `capability`, `hint`, `inferred` or `none`.
            pipeline_source: &'a str [low],
            /// Origin of `model_id`: `capability`, `hint`, `inferred` or `none`.
            model_source: &'a str [low],
            /// How the GPU and the identity were found (lifecycle 7.5); `none` without attribution.
            gpu_attribution_method: &'a str [low],
            /// Confidence of the method, 0 to 1.
            gpu_attribution_confidence: f32,
            /// GPUs that fit the decision; more than 1 leaves `gpu_id` empty.
            gpu_candidate_count: u16,
            /// `resolved`, `hardware_less`, `stale`, `ambiguous`, `unresolved` or '' (no decision applies).
            attribution_status: &'a str [low],
            /// `direct` (enters gold), `mapped_window` or `unattributed`.
            attribution_source: &'a str [low],
            /// Why the decision came out so, such as `matched` or `missing_candidate` (lifecycle 7.10, 8.2).
            attribution_reason: &'a str [low],
            /// Time of the advertisement that decided, UTC, gateway clock; NULL without one.
            selected_snapshot_ts: Option<Timestamp>,
            /// Uid of the capability event that decided; '' without one.
            selected_snapshot_event_uid: &'a str,
            /// Distance from the selection to that advertisement, ms; NULL without one.
            attribution_distance_ms: Option<i64>,
            /// Close reason if closed, else open reason.
            reason: &'a str [low],
            /// `initial` or `orchestrator_change`.
            open_reason: &'a str [low],
            /// `orchestrator_change`, `stream_closed`, or '' while open.
            close_reason: &'a str [low],
            /// Trace subtype of the signal that opened the segment; '' when it was no trace.
            source_trace_type: &'a str [low],
            /// Uid of the signal that opened the segment.
            source_event_uid: &'a str,
            /// 1 removes the row: a recomputation no longer has it.
            is_retracted: bool,
            /// Write version (epoch and sequence); the greatest of a key is the row.
            version: u64,
            /// When the row was made, UTC, node clock.
            ingestion_timestamp: Timestamp,
        }
    }
}

table! {
    /// Swap lineage, who was left and who took over: one row per session and swap.
    pub struct Swap<'a> = "fact_workflow_swaps" {
        replacing: (version, is_retracted),
        partition: "cityHash64(org, workflow_session_id) % 8",
        order: [org, workflow_session_id, swap_index],
        ttl: "toDate(swap_ts)" + 180 days,
        bloom: [],
        columns: {
            /// Organisation, from the source topic.
            org: &'a str [low],
            /// Canonical session key (lifecycle 1.3); never empty.
            workflow_session_id: &'a str,
            /// Position in the session, from 0.
            swap_index: u16,
            /// Gateway of the swap trace, or of the first signal of the new orchestrator; '' when unknown.
            gateway: &'a str [low],
            /// `explicit` (swap trace) or `inferred` (segment boundary without one).
            swap_kind: &'a str [low],
            /// Time of the swap trace, or of the first signal of the new orchestrator, UTC, gateway clock.
            swap_ts: Timestamp,
            /// Message of the swap trace; '' when inferred or absent.
            swap_reason: &'a str,
            /// Canonical wallet that was left; '' when not resolved.
            previous_orchestrator_address: &'a str,
            /// URL that was left; '' when unknown.
            previous_orchestrator_url: &'a str,
            /// Canonical wallet that took over; '' when none or not resolved.
            next_orchestrator_address: &'a str,
            /// URL that took over; '' when unknown.
            next_orchestrator_url: &'a str,
            /// Evidence of the next one: `signal`, `next_swap` or ''.
            next_evidence: &'a str [low],
            /// `completed`, `same_orchestrator_retry`, `no_replacement`, `pending` or `unresolved`.
            outcome: &'a str [low],
            /// Time of the next evidence, UTC, gateway clock; NULL without one.
            completed_ts: Option<Timestamp>,
            /// `completed_ts` minus `swap_ts`, ms; NULL without one.
            gap_ms: Option<i64>,
            /// Segment that was left: that of the swap trace, or the one before the boundary; NULL after the close.
            from_segment_index: Option<u16>,
            /// Segment of the next evidence; NULL without signal evidence.
            to_segment_index: Option<u16>,
            /// Uid of the swap trace; '' when inferred.
            swap_event_uid: &'a str,
            /// Uid of the next evidence; '' without one.
            next_event_uid: &'a str,
            /// 1 removes the row: a recomputation no longer has it.
            is_retracted: bool,
            /// Write version (epoch and sequence); the greatest of a key is the row.
            version: u64,
            /// When the row was made, UTC, node clock.
            ingestion_timestamp: Timestamp,
        }
    }
}

table! {
    /// Edges that a session has or misses: one row per session.
    pub struct SessionCoverage<'a> = "fact_workflow_session_coverage" {
        replacing: (version),
        partition: "cityHash64(org, workflow_session_id) % 8",
        order: [org, workflow_session_id],
        ttl: "toDate(session_start_ts)" + 180 days,
        bloom: [],
        columns: {
            /// Organisation, from the source topic.
            org: &'a str [low],
            /// Canonical session key (lifecycle 1.3); never empty.
            workflow_session_id: &'a str,
            /// Stream id; '' when unknown.
            stream_id: &'a str,
            /// Request id; '' when unknown.
            request_id: &'a str,
            /// First gateway of the session; '' when unknown.
            gateway: &'a str [low],
            /// Canonical orchestrator wallet of the session, lower case; '' until attributed.
            orchestrator_address: &'a str,
            /// Workflow class of the session; '' when unknown.
            pipeline: &'a str [low],
            /// Model label of the session; '' when unknown.
            model_id: &'a str [low],
            /// Start of the session, UTC, gateway clock.
            session_start_ts: Timestamp,
            /// Last signal of the session, UTC, gateway clock.
            session_end_ts: Timestamp,
            /// 1 after the request trace.
            known_stream: bool,
            /// 1 after a first processed segment.
            has_first_processed_edge: bool,
            /// 1 after a playable trace.
            has_first_playable_edge: bool,
            /// 1 when known and processed.
            startup_edge_matched: bool,
            /// 1 when known and playable.
            playable_edge_matched: bool,
            /// 1 when the session is closed.
            is_terminal: bool,
            /// First missing or awaited edge (lifecycle 10); '' when matched.
            unmatched_reason: &'a str [low],
            /// Signals after the close.
            late_after_close_count: u32,
            /// Write version (epoch and sequence); the greatest of a key is the row.
            version: u64,
            /// When the row was made, UTC, node clock.
            ingestion_timestamp: Timestamp,
        }
    }
}

table! {
    /// Status evidence of a session: one row per session, hour, segment and identity.
    pub struct StatusHour<'a> = "fact_session_status_hours" {
        replacing: (version, is_retracted),
        partition: "toYYYYMM(window_start)",
        order: [org, workflow_session_id, window_start, segment_index, identity_index],
        ttl: "toDate(window_start)" + 180 days,
        bloom: [orchestrator_address],
        touches: window_start,
        columns: {
            /// Organisation, from the source topic.
            org: &'a str [low],
            /// Canonical session key (lifecycle 1.3); never empty.
            workflow_session_id: &'a str,
            /// Start of the hour, UTC, gateway clock.
            window_start: Timestamp,
            /// Segment of the samples.
            segment_index: u16,
            /// Which of the segment's identities within the hour, in the order of their first samples; 0 but where
            /// its selections come to several URLs, models or GPUs of the wallet.
            identity_index: u16,
            /// First gateway that the samples name; '' when unknown.
            gateway: &'a str [low],
            /// Canonical orchestrator wallet, lower case; '' when not attributed.
            orchestrator_address: &'a str,
            /// Service URI of the orchestrator; '' when unknown.
            orchestrator_url: &'a str,
            /// Workflow class such as `live-video-to-video`; '' when unknown, never equal to `model_id`.
            pipeline: &'a str [low],
            /// Model label as advertised; '' when unknown.
            model_id: &'a str [low],
            /// GPU uuid; '' when unknown or several GPUs fit.
            gpu_id: &'a str,
            /// Region; '' as long as no producer sends one.
            region: &'a str [low],
            /// `direct` (enters gold) or `mapped_window`.
            attribution_source: &'a str [low],
            /// Attributed status samples.
            status_samples: u32,
            /// Samples with output frames.
            fps_positive_samples: u32,
            /// Samples in `ONLINE`, `DEGRADED_INFERENCE` or `DEGRADED_INPUT`.
            running_state_samples: u32,
            /// Samples in `DEGRADED_INPUT`.
            degraded_input_samples: u32,
            /// Samples in `DEGRADED_INFERENCE`.
            degraded_inference_samples: u32,
            /// Samples with an error text.
            error_samples: u32,
            /// Sum of output frames per second, units of 0.000001.
            output_fps_sum: u64,
            /// Sum of squares of output frames per second, each square rounded, units of 0.000001.
            output_fps_sumsq: u64,
            /// Sum of input frames per second, units of 0.000001.
            input_fps_sum: u64,
            /// Samples per fixed log bucket of output frames per second, trailing zeros left out. A
            /// bucket b below 32 begins at b / 10, others at bitShiftLeft(32 + b % 32, intDiv(b, 32) - 1) / 10.
            output_fps_histogram: &'a [u32],
            /// First sample, UTC, gateway clock.
            first_sample_ts: Timestamp,
            /// Last sample, UTC, gateway clock.
            last_sample_ts: Timestamp,
            /// Active time, ms: from each sample to the session's next one, at most 30 s and
            /// not beyond the hour.
            active_ms: u32,
            /// 1 when the hour is only the tail of a session that ended (tables.md 3.0).
            is_terminal_tail_artifact: bool,
            /// 1 in the session's first hour with direct evidence that is no tail: start outcomes count here.
            is_first_evidence_hour: bool,
            /// 1 removes the row: a recomputation no longer has it.
            is_retracted: bool,
            /// Write version (epoch and sequence); the greatest of a key is the row.
            version: u64,
            /// When the row was made, UTC, node clock.
            ingestion_timestamp: Timestamp,
        }
    }
}
