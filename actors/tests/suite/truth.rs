//! Generated sessions against the truth about them: who served them, when, and by whom they were
//! taken over.

use naap_actors::session::tally::Cause;
use std::collections::BTreeMap;

use naap_actors::outbox::Outbox;
use naap_actors::session::SessionActor;
use naap_actors::session::attribution::{Attributed, Identity};
use naap_actors::session::pen::Pen;
use naap_actors::session::story::Story;
use naap_generator::{Plan, Profile};
use naap_protocol::capability::decide::DirectWindow;
use naap_protocol::capability::evidence::Evidence;
use naap_protocol::capability::index::Index;
use naap_protocol::state::Delivery;
use naap_protocol::time::Timestamp;
use serde_json::{Value, json};

use crate::cells::Store;
use crate::generated::{Generated, Generation};

/// The indexes of all identity keys.
fn indexes(generated: &Generated) -> BTreeMap<&str, Index> {
    let mut indexes: BTreeMap<&str, Index> = BTreeMap::new();
    for advertisement in &generated.advertisements {
        for key in advertisement.routing_keys() {
            indexes.entry(key).or_default().insert(advertisement);
        }
    }
    indexes
}

/// A session that has heard everything and asked about it.
fn played(generation: &Generation, indexes: &BTreeMap<&str, Index>) -> SessionActor {
    let mut session = SessionActor::new("org", generation.id.clone(), "s", "r");
    for event in &generation.events {
        session.receive(event, &Delivery::of(event, "t", 0), None);
    }
    let unknown = Index::default();
    loop {
        let questions = session.questions((1, 0), None);
        if questions.is_empty() {
            return session;
        }
        for question in questions {
            let index = indexes.get(question.key.as_str()).unwrap_or(&unknown);
            for (subject, _) in question.subjects {
                let decision = subject.decide(index, DirectWindow::default());
                let (session_id, role) = (question.session, question.role);
                let complete = index.covers(subject.ts);
                let evidence = Evidence { session: session_id, role, subject, decision, complete };
                session.learn(evidence, Cause::LateCapability);
            }
        }
    }
}

/// A selection in the words of the truth.
fn selection(story: &Story<'_>, attributed: &Attributed<'_>) -> Value {
    let identity = Identity::of(attributed, &story.state.symbols);
    let text = |symbol| story.state.symbols.text(symbol);
    json!({
        "ts": attributed.selection.ts.0,
        "url": text(attributed.selection.url),
        "address": text(attributed.selection.address),
        "canonical": identity.address,
        "pipeline": identity.pipeline,
        "model": identity.model,
        "gpu": identity.gpu,
        "gpu_candidates": identity.gpu_candidates,
        "status": identity.status,
        "reason": identity.reason,
        "source": identity.source,
    })
}

/// The segments in the words of the truth.
fn segments(story: &Story<'_>) -> Vec<Value> {
    let segments = story.segments.iter().map(|segment| {
        let served_by = segment.selection.map(|place| story.selections[place].canonical());
        let end = segment.end.map(|end| end.0);
        json!({ "start": segment.start.0, "end": end, "canonical": served_by.unwrap_or_default() })
    });
    segments.collect()
}

/// The swap lineage that is written of a session, in the words of the truth.
fn swaps(session: &mut SessionActor) -> Vec<Value> {
    let (mut outbox, mut version, mut store) = (Outbox::default(), 0, Store::default());
    session.write(&mut Pen::new(&mut outbox, &mut version, Timestamp::default()), None);
    for batch in outbox.take() {
        store.insert(batch.table, &batch.rows);
    }
    let mut rows = store.table("fact_workflow_swaps");
    rows.sort_by_key(|row| row["swap_index"].parse::<u16>().expect("a number"));
    let told = rows.iter().map(|row| {
        json!({
            "ts": row["swap_ts"].parse::<i64>().expect("a time"),
            "swap_kind": row["swap_kind"],
            "outcome": row["outcome"],
            "reason": row["swap_reason"],
            "previous": row["previous_orchestrator_address"],
            "next": row["next_orchestrator_address"],
        })
    });
    told.collect()
}

/// `told` without what the truth says of how it came to it; `None` when it is not sure.
fn sure(told: &Value, fields: &Value) -> Option<Value> {
    let unsure = told.get("unsure").is_some();
    let kept = fields.as_object().expect("fields").keys();
    let pairs = kept.map(|key| (key.clone(), told[key].clone()));
    (!unsure).then(|| Value::Object(pairs.collect()))
}

/// Where `found` is not what the session's truth says of `kind`.
fn differences(generation: &Generation, kind: &str, found: &[Value]) -> Vec<String> {
    let told = generation.truth[kind].as_array().expect("a list");
    // Who is chosen after the close serves nothing.
    let closed = generation.truth["closed_ts"].as_i64().filter(|_| kind == "selections");
    let counts = |told: &&Value| closed.is_none_or(|closed| told["ts"].as_i64() <= Some(closed));
    let told: Vec<&Value> = told.iter().filter(counts).collect();
    if told.len() != found.len() {
        return vec![format!("{}: {found:#?} instead of {told:#?}", generation.id)];
    }
    let pairs = told.into_iter().zip(found);
    let wrong = pairs.filter(|(told, found)| sure(told, found).is_some_and(|sure| sure != **found));
    let text = |(told, found)| format!("{}: {kind} {found:#} instead of {told:#}", generation.id);
    wrong.map(text).collect()
}

/// Two ordinary days, and an hour in which an advertisement is rare.
fn plans() -> [Plan; 3] {
    let rare = Profile { capability_interval_s: 1800, gateways: 1, ..Profile::default() };
    let day = |seed| Plan { seed, sessions: 500, ..Plan::default() };
    [day(1), day(2), Plan { sessions: 1000, hours: 1, profile: rare, ..day(3) }]
}

#[test]
fn selections_segments_and_swaps_are_what_they_were() {
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    for plan in plans() {
        let generated = Generated::of(&plan);
        let indexes = indexes(&generated);
        let mut wrong = Vec::new();
        for generation in &generated.sessions {
            let mut session = played(generation, &indexes);
            let story = session.story(None);
            let selections: Vec<Value> =
                story.counted().iter().map(|s| selection(&story, s)).collect();
            for found in &selections {
                let label = format!("{} {}", found["status"], found["reason"]);
                *seen.entry(label.replace('"', "")).or_default() += 1;
            }
            wrong.extend(differences(generation, "selections", &selections));
            wrong.extend(differences(generation, "segments", &segments(&story)));
            *seen.entry(format!("{} segments", story.segments.len())).or_default() += 1;
            let swaps = swaps(&mut session);
            wrong.extend(differences(generation, "swaps", &swaps));
            for found in &swaps {
                let label = format!("{} {}", found["swap_kind"], found["outcome"]);
                *seen.entry(label.replace('"', "")).or_default() += 1;
            }
        }
        assert!(wrong.is_empty(), "seed {}, {} wrong: {}", plan.seed, wrong.len(), wrong[0]);
    }
    let reasons = [
        "ambiguous ambiguous_candidates",
        "hardware_less matched_without_hardware",
        "resolved future_skew",
        "resolved matched",
        "stale stale_candidate",
        "unresolved missing_candidate",
        "unresolved missing_uri_snapshot_address_match_present",
        "unresolved missing_uri_snapshot_local_alias_present",
        "unresolved no_compatible_candidate",
    ];
    let swaps = [
        "explicit completed",
        "explicit no_replacement",
        "explicit pending",
        "explicit same_orchestrator_retry",
        "explicit unresolved",
        "inferred completed",
    ];
    for what in reasons.iter().chain(&swaps) {
        assert!(seen.contains_key(*what), "nothing is {what}: {seen:#?}");
    }
}
