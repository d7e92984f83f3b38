//! The story for programs. Times are milliseconds since the epoch, UTC, gateway clock.

use naap_protocol::capability::decide::{Considered, Decision};
use serde_json::{Value, json};

use super::tell::{Asked, Correction, Decided, Explanation, Moment, skew};
use super::text::version;

/// The explanation as JSON.
pub fn json_of(told: &Explanation) -> Value {
    let list = |name: &str| json!(told.tables.get(name).cloned().unwrap_or_default());
    let (rule, why) = &told.rule;
    json!({
        "session": told.session,
        "told_from": {
            "archive": told.recomputed,
            "records": told.records,
            "capability_events": told.advertisements,
        },
        "rule": { "number": rule, "why": why },
        "timeline": told.timeline.iter().map(moment).collect::<Vec<_>>(),
        "selections": told.decisions.iter().map(decided).collect::<Vec<_>>(),
        "segments": list("fact_workflow_session_segments"),
        "swaps": list("fact_workflow_swaps"),
        "latency": list("fact_workflow_latency_samples"),
        "tables": told.tables,
        "corrections": told.corrections.iter().map(correction).collect::<Vec<_>>(),
        "findings": told.findings,
    })
}

fn moment(moment: &Moment) -> Value {
    json!({
        "gateway_ts": moment.ts,
        "kind": moment.kind,
        "what": moment.what,
        "output_fps": moment.fps.map(|(out, _)| out),
        "input_fps": moment.fps.map(|(_, into)| into),
        "source_ts": moment.source_ts,
        "clock_domain": moment.clock,
        "skew_ms": skew(moment),
        "uid": moment.uid,
        "segment": moment.segment,
        "selection": moment.selection,
        "reason": moment.reason,
    })
}

fn decided(decided: &Decided) -> Value {
    let subject = &decided.subject;
    json!({
        "selection": decided.selection,
        "trigger": decided.trigger,
        "counts": decided.counts,
        "ts": subject.ts,
        "observed_url": subject.url,
        "observed_address": subject.address,
        "pipeline_hint": subject.pipeline,
        "model_hint": subject.model,
        "decision": decided.decision.as_ref().map(decision),
        "asked": decided.asked.iter().map(asked).collect::<Vec<_>>(),
    })
}

fn decision(decision: &Decision) -> Value {
    json!({
        "status": decision.status.label(),
        "source": decision.source.label(),
        "reason": decision.reason.label(),
        "identity": decision.identity.label(),
        "method": decision.method.label(),
        "confidence": decision.method.confidence(),
        "chosen": decision.chosen,
    })
}

fn asked(asked: &Asked) -> Value {
    json!({
        "role": asked.role,
        "key": asked.key,
        "decision": decision(&asked.trace.decision),
        "candidates": asked.trace.candidates.iter().map(candidate).collect::<Vec<_>>(),
    })
}

fn candidate(candidate: &Considered) -> Value {
    json!({
        "orchestrator_address": candidate.node.canonical,
        "orchestrator_url": candidate.node.url,
        "offers": candidate.offers,
        "first_ts": candidate.first_ts,
        "last_ts": candidate.last_ts,
        "advertisements": candidate.advertisements,
        "band": candidate.band.label(),
        "distance_ms": candidate.distance_ms,
        "fate": candidate.fate.label(),
    })
}

fn correction(correction: &Correction) -> Value {
    let (epoch, sequence) = version(correction.version);
    let changed = correction.changed.iter();
    let changed = changed
        .map(|(column, before, now)| json!({ "column": column, "before": before, "now": now }));
    json!({
        "table": correction.table,
        "row": correction.row,
        "epoch": epoch,
        "sequence": sequence,
        "written_at": correction.written,
        "changed": changed.collect::<Vec<_>>(),
    })
}
