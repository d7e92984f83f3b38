//! The story of a session: folded again from the archive by the code that wrote the facts, and held
//! against what is stored.

use std::collections::BTreeMap;

use naap_actors::backfill::{self, is_gone, key};
use naap_actors::session::SessionActor;
use naap_actors::session::outcome::{StartupClass, StartupEvidence};
use naap_actors::session::story::{Story, left_by};
use naap_actors::session::summary::MarkKind;
use naap_protocol::capability::decide::{Decision, DirectWindow, Trace};
use naap_protocol::capability::evidence::{Answer, Role, Subject};
use naap_protocol::identity::EntityKey;
use naap_protocol::rows::TableSpec;
use naap_protocol::rows::cells::{Cell, Cells};
use naap_protocol::rows::spec::FINGERPRINT_EXCLUDED;
use naap_protocol::state::{Delivery, StoredBody, StoredSignal, Symbols};
use naap_protocol::time::{ClockDomain, Timestamp};

use super::load::{Found, TABLES};
use crate::archive::{Advertised, Archived, decoder};
use crate::times::stamp;

/// Rows by table.
pub type Tables = BTreeMap<&'static str, Vec<Cells>>;

/// Everything that is told about a session.
#[derive(Debug, Default)]
pub struct Explanation {
    /// The session's row.
    pub session: Cells,
    /// Records of the session in the archive, further deliveries among them.
    pub records: usize,
    /// Capability events that told of an orchestrator that the session observed.
    pub advertisements: usize,
    /// The rows are folded anew; otherwise they are told as stored.
    pub recomputed: bool,
    /// The lifecycle 3.1 rule that fixed the outcome, and why it matched.
    pub rule: (u8, String),
    /// What happened, in order.
    pub timeline: Vec<Moment>,
    /// Selections, and what swaps say was left.
    pub decisions: Vec<Decided>,
    /// Rows of the session's tables.
    pub tables: Tables,
    /// How stored rows changed over time.
    pub corrections: Vec<Correction>,
    /// What does not fit.
    pub findings: Vec<String>,
}

/// One signal.
#[derive(Debug, Default)]
pub struct Moment {
    /// Gateway time.
    pub ts: Timestamp,
    /// `trace`, `status` or `event`.
    pub kind: &'static str,
    /// What it says.
    pub what: String,
    /// Frames per second of a status sample, out of and into inference.
    pub fps: Option<(f32, f32)>,
    /// The payload's own stamp, on `clock`.
    pub source_ts: Option<Timestamp>,
    /// `gateway` or `runner`.
    pub clock: String,
    /// Event uid.
    pub uid: String,
    /// Segment that covers it.
    pub segment: Option<i64>,
    /// The selection in force, from 1; `None` without an identity.
    pub selection: Option<usize>,
    /// Why it has no identity; `""` when it has one.
    pub reason: String,
}

/// What was observed at a moment, who was asked about it, and what was decided.
#[derive(Debug)]
pub struct Decided {
    /// Number of the selection from 1; `None` for what a swap left.
    pub selection: Option<usize>,
    /// What led to it: a trigger, or `left by swap`.
    pub trigger: &'static str,
    /// It counts: it began no later than the close.
    pub counts: bool,
    /// What was observed.
    pub subject: Subject,
    /// The decision; `None` while it waits for an answer, and when it does not count: then nobody is asked.
    pub decision: Option<Decision>,
    /// Who was asked.
    pub asked: Vec<Asked>,
}

/// What one orchestrator said.
#[derive(Debug)]
pub struct Asked {
    /// What its key is to the session: `url` or `address`.
    pub role: &'static str,
    /// Its key.
    pub key: String,
    /// What it said and why.
    pub trace: Trace,
}

/// One stored version of a row.
#[derive(Debug)]
pub struct Correction {
    /// The table.
    pub table: &'static str,
    /// What tells the row from others of the session, such as its index.
    pub row: String,
    /// Write version.
    pub version: i64,
    /// When it was written, node clock.
    pub written: Timestamp,
    /// Column, value before, value now; empty for the oldest version and for a mere repetition.
    pub changed: Vec<(&'static str, String, String)>,
}

/// What is at hand about a session.
#[derive(Debug)]
pub struct Evidence<'a> {
    /// The session.
    pub found: &'a Found,
    /// Its archived records.
    pub records: &'a [Archived],
    /// What was advertised under the keys that it names.
    pub advertised: &'a Advertised,
    /// Its latest stored rows.
    pub stored: &'a Tables,
    /// The direct window.
    pub window: DirectWindow,
    /// Longest silence inside a session of a live node, ms.
    pub retention_ms: i64,
}

/// The session as its archived records make it, and the retention under which they are folded: of
/// those that a node can have had, the one that gives the stored number of events.
fn replay(known: &Evidence<'_>, stored: &Cells) -> (SessionActor, Option<i64>) {
    let counted = number(stored, "event_count");
    let live = Some(known.retention_ms);
    let ways = [None, live].map(|retention| (fold(known, retention), retention));
    let fits = |(session, retention): &mut (SessionActor, Option<i64>)| {
        i64::from(session.fold(*retention).1.events) == counted
    };
    let [mut bounded, mut live] = ways;
    if !fits(&mut bounded) && fits(&mut live) { live } else { bounded }
}

fn fold(known: &Evidence<'_>, retention_ms: Option<i64>) -> SessionActor {
    let Found { org, id, stream_id, request_id, .. } = known.found;
    let mut session = SessionActor::new(org, id.clone(), stream_id, request_id);
    let gate = decoder();
    for record in known.records {
        record.read(&gate, |event| {
            let own = Delivery::of(event, &record.source_topic, record.source_partition);
            session.receive(event, &own, retention_ms);
        });
    }
    session
}

/// Everything that `records` make `found` ask about.
pub fn subjects(found: &Found, records: &[Archived]) -> Vec<Subject> {
    let (advertised, stored) = (Advertised::default(), Tables::default());
    let window = DirectWindow::default();
    let known = Evidence {
        found,
        records,
        advertised: &advertised,
        stored: &stored,
        window,
        retention_ms: 0,
    };
    let mut session = fold(&known, None);
    session.questions((0, 0), None);
    session.state().answers.iter().map(|answer| answer.subject.clone()).collect()
}

/// Tells the story of a session.
pub fn tell(known: &Evidence<'_>) -> Explanation {
    let row = known.stored.get(TABLES[0].name).and_then(|rows| rows.first());
    let stored = row.cloned().unwrap_or_default();
    let (mut replayed, retention) = replay(known, &stored);
    let session = &mut replayed;
    let mut told = Explanation {
        records: known.records.len(),
        advertisements: known.advertised.events.len(),
        ..Explanation::default()
    };
    told.findings.extend(lost(session, &stored, known.advertised, retention));
    told.recomputed = told.findings.is_empty();
    if told.recomputed {
        let me = EntityKey::session_id(&known.found.org, &known.found.id).id();
        backfill::consult(session, me, retention, &mut |role, subject| {
            Some((known.advertised.trace(role, subject, known.window).decision, true))
        });
        for (table, row) in backfill::rows(session, retention) {
            told.tables.entry(table.name).or_default().push(row);
        }
        let story = session.story(retention);
        told.timeline = moments(&story);
        told.decisions = decisions(&story, known.advertised, known.window);
        told.findings.extend(differences(&told.tables, known.stored));
    } else {
        told.tables.clone_from(known.stored);
        told.timeline = stored_moments(known.stored);
    }
    let own = told.tables.get(TABLES[0].name).and_then(|rows| rows.first());
    told.session = own.cloned().unwrap_or(stored);
    told.rule = rule(&told.session);
    told
}

/// Why the archive can not tell the story any more.
fn lost(
    session: &mut SessionActor,
    stored: &Cells,
    advertised: &Advertised,
    retention: Option<i64>,
) -> Option<String> {
    let events = i64::from(session.fold(retention).1.events);
    let counted = number(stored, "event_count");
    if events < counted {
        return Some(format!(
            "the archive holds {events} of {counted} events of this session (it keeps them for 90 days): \
             told from the stored facts alone, without candidates"
        ));
    }
    let evidence = text(stored, "selected_snapshot_event_uid");
    (!evidence.is_empty() && !advertised.events.contains(evidence)).then(|| {
        format!(
            "the archive no longer holds advertisement {evidence}, which decided (it keeps them for 90 \
             days): told from the stored facts alone, without candidates"
        )
    })
}

/// A number of a row; 0 when there is none.
pub fn number(row: &Cells, column: &str) -> i64 {
    row.get(column).and_then(Cell::number).unwrap_or_default()
}

/// A text of a row; `""` when there is none.
pub fn text<'r>(row: &'r Cells, column: &str) -> &'r str {
    row.get(column).map_or("", Cell::text)
}

/// The rule of lifecycle 3.1 that matched, in words.
fn rule(row: &Cells) -> (u8, String) {
    let count = |column: &str| u32::try_from(number(row, column)).unwrap_or_default();
    let startup = StartupEvidence {
        known_stream: number(row, "known_stream") == 1,
        playable: number(row, "startup_success") == 1,
        no_orchestrators: number(row, "no_orchestrators") == 1,
        errors: count("error_count"),
        excusable_errors: count("excusable_error_count"),
        selected: number(row, "selection_count") > 0,
    };
    let (errors, excusable) = (startup.errors, startup.excusable_errors);
    let failed = "requested and never playable";
    match startup.class() {
        StartupClass::NotKnown => (
            1,
            "no gateway_receive_stream_request was seen, so it counts in no denominator".to_owned(),
        ),
        StartupClass::Success => (
            2,
            "requested, and gateway_receive_few_processed_segments was seen: playable".to_owned(),
        ),
        StartupClass::Excused(_) if startup.no_orchestrators => {
            (3, format!("{failed}; excused by gateway_no_orchestrators_available"))
        }
        StartupClass::Excused(_) => (
            4,
            format!("{failed}; excused, as all {errors} errors are on the list of normal endings"),
        ),
        StartupClass::Unexcused if errors == 0 => {
            (5, format!("{failed}; nothing excuses it: no error, no lack of orchestrators"))
        }
        StartupClass::Unexcused => (
            5,
            format!(
                "{failed}; not excused: only {excusable} of {errors} errors are on the list of normal endings"
            ),
        ),
    }
}

fn moments(story: &Story<'_>) -> Vec<Moment> {
    let symbols = &story.state.symbols;
    let signals = story.signals.iter();
    signals
        .map(|signal| {
            // As the rows: several selections of a moment are one after the other, the last one counts.
            let cover = story.cover(signal.ord_ts);
            let number = cover.selection.and_then(|own| {
                story.selections.iter().position(|s| s.selection.anchor == own.selection.anchor)
            });
            let (kind, what, fps) = said(signal, symbols);
            Moment {
                ts: signal.ord_ts,
                kind,
                what,
                fps,
                source_ts: signal.source_ts,
                clock: signal.clock().label().to_owned(),
                uid: signal.uid.to_string(),
                segment: cover.segment.map(i64::from),
                selection: number.map(|n| n + 1),
                reason: cover.force.err().unwrap_or_default().to_owned(),
            }
        })
        .collect()
}

fn said(signal: &StoredSignal, symbols: &Symbols) -> (&'static str, String, Option<(f32, f32)>) {
    let with = |what: &str, message: &str| {
        if message.is_empty() { what.to_owned() } else { format!("{what}: {message}") }
    };
    match &signal.body {
        StoredBody::Trace { kind, message } => {
            ("trace", with(kind.name(), symbols.text(*message)), None)
        }
        StoredBody::Status { state, output_fps, input_fps, has_error, .. } => {
            let state =
                Some(symbols.text(*state)).filter(|s| !s.is_empty()).unwrap_or("(no state)");
            let what =
                if *has_error { format!("{state}, with an error") } else { state.to_owned() };
            ("status", what, Some((*output_fps, *input_fps)))
        }
        StoredBody::Ai { kind, message, .. } => {
            use naap_protocol::signal::AiKind;
            let what = match kind {
                AiKind::Error => "error",
                AiKind::ExcusableError => "excusable error",
                AiKind::ParamsUpdate => "params_update",
                AiKind::Other => "event",
            };
            ("event", with(what, symbols.text(*message)), None)
        }
    }
}

/// The timeline where only facts are left.
fn stored_moments(stored: &Tables) -> Vec<Moment> {
    let kinds = [
        ("fact_stream_trace_edges", "trace", "trace_type"),
        ("fact_stream_status_samples", "status", "state"),
        ("fact_workflow_param_updates", "event", "update_type"),
    ];
    let mut moments: Vec<Moment> = Vec::new();
    for (table, kind, what) in kinds {
        for row in stored.get(table).into_iter().flatten() {
            let fps = |column: &str| match row.get(column) {
                Some(Cell::Float32(fps)) => *fps,
                _ => 0.0,
            };
            moments.push(Moment {
                ts: row.get("gateway_ts").and_then(Cell::time).unwrap_or_default(),
                kind,
                what: text(row, what).to_owned(),
                fps: (kind == "status").then(|| (fps("output_fps"), fps("input_fps"))),
                source_ts: row.get("source_ts").and_then(Cell::time),
                clock: text(row, "clock_domain").to_owned(),
                uid: text(row, "source_event_uid").to_owned(),
                segment: row.get("segment_index").and_then(Cell::number),
                selection: None,
                reason: match number(row, "is_attributed") {
                    1 => String::new(),
                    _ => text(row, "attribution_reason").to_owned(),
                },
            });
        }
    }
    let rank = |kind: &str| ["trace", "status", "event"].iter().position(|k| *k == kind);
    moments.sort_by(|a, b| (a.ts, rank(a.kind), &a.uid).cmp(&(b.ts, rank(b.kind), &b.uid)));
    moments
}

fn decisions(story: &Story<'_>, advertised: &Advertised, window: DirectWindow) -> Vec<Decided> {
    let Story { state, summary, .. } = story;
    let symbols = &state.symbols;
    let decided = |selection: Option<usize>, trigger, counts, subject: Subject| {
        let answer = state.answers.iter().find(|answer| answer.subject == subject);
        let roles: Vec<Role> = answer.into_iter().flat_map(Answer::roles).collect();
        let asked = roles.into_iter().map(|role| Asked {
            role: if role == Role::Url { "url" } else { "address" },
            key: subject.key(role).to_owned(),
            trace: advertised.trace(role, &subject, window),
        });
        let (asked, decision) = (asked.collect(), answer.and_then(|a| a.decision()).cloned());
        Decided { selection, trigger, counts, subject, decision, asked }
    };
    let mut all: Vec<Decided> = Vec::new();
    for (place, attributed) in story.selections.iter().enumerate() {
        let selection = attributed.selection;
        let (url, address) = (symbols.text(selection.url), symbols.text(selection.address));
        let hint = &attributed.hint;
        let subject = naap_actors::session::attribution::subject(selection.ts, url, address, hint);
        let (trigger, counts) = (selection.trigger.label(), place < story.counted);
        all.push(decided(Some(place + 1), trigger, counts, subject));
    }
    for mark in summary.marks.iter().filter(|mark| mark.kind == MarkKind::Swap) {
        let left = state.signals.get(mark.at as usize);
        if let Some(subject) = left.and_then(|swap| left_by(swap, state, summary.hints)) {
            all.push(decided(None, "left by swap", true, subject));
        }
    }
    all.sort_by_key(|decided| decided.subject.ts);
    all
}

/// What differs between the rows as folded again and as stored.
fn differences(recomputed: &Tables, stored: &Tables) -> Vec<String> {
    let mut findings = Vec::new();
    for table in TABLES {
        let (new, old) = (by_key(table, recomputed), by_key(table, stored));
        for (row, cells) in &new {
            let Some(known) = old.get(row) else {
                findings
                    .push(format!("{}{row}: not stored, but follows from the archive", table.name));
                continue;
            };
            for (column, before, now) in changes(known, cells) {
                findings.push(format!(
                    "{}{row}: {column} is {before} as stored, {now} as folded again",
                    table.name
                ));
            }
        }
        for row in old.keys().filter(|row| !new.contains_key(*row)) {
            findings
                .push(format!("{}{row}: stored, but does not follow from the archive", table.name));
        }
    }
    findings
}

fn by_key<'t>(table: &TableSpec, tables: &'t Tables) -> BTreeMap<String, &'t Cells> {
    let rows = tables.get(table.name).into_iter().flatten();
    rows.filter(|row| !is_gone(table, row)).map(|row| (name(table, row), row)).collect()
}

/// What tells a row from the others of its session.
fn name(table: &TableSpec, row: &Cells) -> String {
    let shared = ["org", "workflow_session_id"];
    let parts = table.order_by.iter().zip(key(table, row));
    let own = parts.filter(|(column, _)| !shared.contains(column)).map(|(_, value)| value);
    let own: Vec<String> = own.collect();
    if own.is_empty() { String::new() } else { format!("[{}]", own.join(", ")) }
}

/// Columns that differ, but for those that no comparison includes.
fn changes(before: &Cells, now: &Cells) -> Vec<(&'static str, String, String)> {
    let shown = |cell: Option<&Cell>| match cell {
        Some(Cell::Text(text)) => format!("'{text}'"),
        Some(Cell::Time(ts)) => stamp(*ts),
        Some(cell) => cell.to_string(),
        None => "missing".to_owned(),
    };
    let columns = now.iter().filter(|(column, _)| !FINGERPRINT_EXCLUDED.contains(column));
    let differ = columns.filter(|(column, cell)| before.get(*column) != Some(*cell));
    differ.map(|(column, cell)| (*column, shown(before.get(column)), shown(Some(cell)))).collect()
}

/// How the rows of `table` changed; `versions` are ascending by key and version.
pub fn corrections(table: &'static TableSpec, versions: &[Cells]) -> Vec<Correction> {
    let mut corrections: Vec<Correction> = Vec::new();
    let mut before: Option<(String, &Cells)> = None;
    for row in versions {
        let name = name(table, row);
        let known = before.take().filter(|(known, _)| *known == name);
        let changed = known.map(|(_, known)| changes(known, row)).unwrap_or_default();
        corrections.push(Correction {
            table: table.name,
            row: name.clone(),
            version: number(row, table.version),
            written: row.get("ingestion_timestamp").and_then(Cell::time).unwrap_or_default(),
            changed,
        });
        before = Some((name, row));
    }
    corrections
}

/// Milliseconds by which the gateway's clock is ahead of the stamp, where the runner made it.
pub fn skew(moment: &Moment) -> Option<i64> {
    let on_runner = moment.clock == ClockDomain::Runner.label();
    moment.source_ts.filter(|_| on_runner).map(|stamp| moment.ts.millis_since(stamp))
}
