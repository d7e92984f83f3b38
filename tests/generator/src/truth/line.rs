//! One session of the truth file.

use std::collections::BTreeMap;

use super::Outcome;
use super::attribution::{Decision, Selection, decide, selections};
use super::history::History;
use super::segments::{Segment, segments};
use super::signal::{Family, Signal};
use super::swaps::{Scene, Swap};
use crate::delivery::Slot;
use crate::session::{Body, TRANSPORT_BYTES};
use crate::text::{Put, uuid_text};

/// Writes the truth about one session with at least one signal, and a line end.
pub(crate) fn write(line: &mut Vec<u8>, slot: &Slot, signals: &mut [Signal], history: &History) {
    let session = &slot.session;
    signals.sort_by_key(Signal::order);
    let chosen = selections(signals);
    let outcome = Outcome::of(signals, &chosen);
    let decisions: Vec<Decision> =
        chosen.iter().map(|s| decide(history, &s.address, &s.url, s.hint, s.ts)).collect();
    let scene = Scene {
        signals,
        selections: &chosen,
        decisions: &decisions,
        closed: outcome.closed,
        history,
    };
    let swaps = scene.swaps();
    line.text("{\"kind\":\"session\",\"workflow_session_id\":\"").text(&session.stream_id);
    line.text("|").text(&session.request_id);
    line.text("\",\"stream_id\":\"").text(&session.stream_id);
    line.text("\",\"request_id\":\"").text(&session.request_id).text("\"");
    outcome.write(line);
    let conflict = slot.deliveries.iter().any(|d| d.conflict);
    line.text(",\"id_conflict\":").text(if conflict { "true" } else { "false" });
    text(line, "story", slot.tags.first().unwrap_or(&""));
    line.text(",\"selections\":[");
    for (at, (selection, decision)) in chosen.iter().zip(&decisions).enumerate() {
        if at > 0 {
            line.push(b',');
        }
        write_selection(line, selection, decision);
    }
    line.text("],\"segments\":[");
    for (at, segment) in segments(signals, &chosen, &decisions, outcome.closed).iter().enumerate() {
        if at > 0 {
            line.push(b',');
        }
        write_segment(line, segment);
    }
    line.text("],\"swaps\":[");
    for (at, swap) in swaps.iter().enumerate() {
        if at > 0 {
            line.push(b',');
        }
        write_swap(line, swap);
    }
    line.text("]");
    write_rows(line, signals);
    write_transport(line, slot);
    line.text("}\n");
}

/// What every single status sample and trace says; frame rates in thousandths.
fn write_rows(line: &mut Vec<u8>, signals: &[Signal]) {
    let (mut samples, mut edges) = (Vec::new(), Vec::new());
    for signal in signals {
        let (list, what) = match signal.family {
            Family::Status { state, .. } => (&mut samples, ("state", state)),
            Family::Trace { edge } => (&mut edges, ("trace_type", edge)),
            Family::Notice { .. } => continue,
        };
        list.text(if list.is_empty() { "{\"uid\":" } else { ",{\"uid\":" });
        list.string(&uuid_text(signal.uid));
        number(list, "ts", Some(signal.ord_ts));
        text(list, what.0, what.1);
        if let Family::Status { output, .. } = signal.family {
            number(list, "output_fps", Some(output.into()));
        }
        list.push(b'}');
    }
    line.text(",\"samples\":[");
    line.extend_from_slice(&samples);
    line.text("],\"edges\":[");
    line.extend_from_slice(&edges);
    line.text("]");
}

/// Bytes of each attempt that were counted up to its last delivered sample; nothing without samples.
fn write_transport(line: &mut Vec<u8>, slot: &Slot) {
    let mut attempts: BTreeMap<u8, i64> = BTreeMap::new();
    for delivery in &slot.deliveries {
        if let Body::Transport { attempt, seq, .. } = delivery.event.body {
            let samples = attempts.entry(attempt).or_default();
            *samples = (*samples).max(i64::from(seq) + 1);
        }
    }
    if attempts.is_empty() {
        return;
    }
    line.text(",\"transport\":[");
    for (at, (attempt, samples)) in attempts.into_iter().enumerate() {
        line.text(if at > 0 { "," } else { "" }).text("{\"attempt\":").int(attempt.into());
        number(line, "rx_bytes", Some(TRANSPORT_BYTES.0 * samples));
        number(line, "tx_bytes", Some(TRANSPORT_BYTES.1 * samples));
        line.push(b'}');
    }
    line.push(b']');
}

fn number(line: &mut Vec<u8>, key: &str, value: Option<i64>) {
    line.text(",\"").text(key).text("\":");
    match value {
        Some(value) => line.int(value),
        None => line.text("null"),
    };
}

fn text(line: &mut Vec<u8>, key: &str, value: &str) {
    line.text(",\"").text(key).text("\":").string(value);
}

impl Outcome {
    fn write(&self, line: &mut Vec<u8>) {
        let (excused, unexcused) = self.failure();
        let count = |n: u32| Some(i64::from(n));
        let flag = |f: bool| Some(i64::from(f));
        text(line, "gateway", self.gateway);
        text(line, "startup_outcome", self.startup_outcome());
        text(line, "excusal_reason", self.excusal_reason());
        text(line, "selection_outcome", self.selection_outcome());
        text(line, "source_first_event_uid", &uuid_text(self.first_uid));
        text(line, "source_last_event_uid", &uuid_text(self.last_uid));
        let numbers = [
            ("session_start_ts", Some(self.start)),
            ("session_end_ts", Some(self.end)),
            ("closed_ts", self.closed),
            ("first_stream_request_ts", self.first_request),
            ("first_processed_ts", self.first_processed),
            ("first_playable_ts", self.first_playable),
            ("known_stream", flag(self.known)),
            ("startup_success", flag(self.playable_seen)),
            ("startup_excused", flag(excused)),
            ("startup_unexcused", flag(unexcused)),
            ("selection_count", count(self.selections)),
            ("no_orchestrators", flag(self.no_orchestrators)),
            ("error_count", count(self.errors)),
            ("excusable_error_count", count(self.excusable_errors)),
            ("post_close_error_count", count(self.post_close_errors)),
            ("post_close_signal_count", count(self.post_close_signals)),
            ("confirmed_swap_count", count(self.swaps)),
            ("params_update_count", count(self.params_updates)),
            ("status_sample_count", count(self.samples)),
            ("status_error_sample_count", count(self.error_samples)),
            ("loading_only_session", flag(self.samples > 0 && self.non_loading == 0)),
            ("zero_output_fps_session", flag(self.samples > 0 && self.positive_output == 0)),
            ("last_error_occurred", flag(self.error_samples > 0)),
            ("health_signal_count", count(self.health_signals())),
            ("health_expected_signal_count", Some(if self.known { 3 } else { 0 })),
            ("event_count", count(self.event_count)),
        ];
        for (key, value) in numbers {
            number(line, key, value);
        }
    }
}

fn write_selection(line: &mut Vec<u8>, selection: &Selection, decision: &Decision) {
    line.text("{\"ts\":").int(selection.ts);
    text(line, "url", &selection.url);
    text(line, "address", &selection.address);
    text(line, "hint", selection.hint);
    text(line, "canonical", &decision.canonical);
    text(line, "pipeline", &decision.pipeline);
    text(line, "model", &decision.model);
    let gpu = decision.gpu.map_or(String::new(), |id| format!("GPU-{}", uuid_text(id)));
    text(line, "gpu", &gpu);
    number(line, "gpu_candidates", Some(decision.gpu_candidates as i64));
    text(line, "status", decision.status);
    text(line, "reason", decision.reason);
    text(line, "source", decision.source);
    unsure(line, selection.unsure);
}

fn write_segment(line: &mut Vec<u8>, segment: &Segment) {
    line.text("{\"start\":").int(segment.start);
    number(line, "end", segment.end);
    text(line, "canonical", &segment.canonical);
    line.push(b'}');
}

fn write_swap(line: &mut Vec<u8>, swap: &Swap) {
    line.text("{\"ts\":").int(swap.ts);
    text(line, "swap_kind", swap.kind);
    text(line, "outcome", swap.outcome);
    text(line, "reason", swap.reason);
    text(line, "previous", &swap.previous);
    text(line, "next", &swap.next);
    unsure(line, swap.unsure);
}

fn unsure(line: &mut Vec<u8>, unsure: bool) {
    line.text(if unsure { ",\"unsure\":true}" } else { "}" });
}
