//! The story on one screen.

use std::fmt::Write as _;

use naap_actors::shard::SEQUENCE_BITS;
use naap_protocol::capability::decide::{Considered, Decision, Fate};
use naap_protocol::rows::cells::{Cell, Cells};
use naap_protocol::time::Timestamp;

use crate::times::{clock, stamp};

use super::tell::{Asked, Decided, Explanation, Moment, number, skew, text};

/// This many status samples in a row of one state are summed up.
const RUN: usize = 4;
/// Findings and corrections that are listed without `--all`.
const LISTED: usize = 10;
/// Columns of a page.
const WIDTH: usize = 110;

/// Text that is being written, with the session's first moment as the origin of its offsets.
struct Page<'e> {
    out: String,
    told: &'e Explanation,
    origin: Timestamp,
    all: bool,
}

/// The explanation as text. `all` leaves nothing out.
pub fn text_of(told: &Explanation, all: bool) -> String {
    let first = told.timeline.first().map(|moment| moment.ts);
    let start = told.session.get("session_start_ts").and_then(Cell::time);
    let origin = first.or(start).unwrap_or_default();
    let mut page = Page { out: String::new(), told, origin, all };
    page.head();
    page.timeline();
    page.decisions();
    page.segments();
    page.swaps();
    page.latency();
    page.corrections();
    page.findings();
    page.out
}

/// A distance in milliseconds, and in larger units where that is easier to read.
fn distance(ms: i64) -> String {
    match ms / 60_000 {
        0 => format!("{ms} ms"),
        minutes if minutes < 60 => format!("{ms} ms ({minutes} min)"),
        minutes => format!("{ms} ms ({} h {} min)", minutes / 60, minutes % 60),
    }
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn or_dash(text: &str) -> &str {
    if text.is_empty() { "-" } else { text }
}

impl Page<'_> {
    fn line(&mut self, line: &str) {
        self.out.push_str(line.trim_end());
        self.out.push('\n');
    }

    fn title(&mut self, title: &str) {
        self.out.push('\n');
        self.line(title);
    }

    fn offset(&self, ts: Timestamp) -> String {
        format!("{:+} ms", ts.millis_since(self.origin))
    }

    /// The offset of a time of a row; `-` without one.
    fn offset_of(&self, row: &Cells, column: &str) -> String {
        let ts = row.get(column).and_then(Cell::time);
        ts.map_or_else(|| "-".to_owned(), |ts| self.offset(ts))
    }

    fn head(&mut self) {
        let told = self.told;
        let row = &told.session;
        let column = |name: &str| or_dash(text(row, name));
        self.line(&format!("session   {}  org {}", column("workflow_session_id"), column("org")));
        let (rule, why) = &told.rule;
        self.line(&format!("outcome   startup {}: {why}", column("startup_outcome")));
        let closed = match row.get("closed_ts").and_then(Cell::time) {
            Some(ts) => format!("closed {}", self.offset(ts)),
            None => format!("not closed, last signal {}", self.offset_of(row, "session_end_ts")),
        };
        self.line(&format!(
            "          rule {rule} of lifecycle 3.1; selection {}, excusal {}; {closed}",
            column("selection_outcome"),
            column("excusal_reason")
        ));
        self.line(&format!(
            "identity  {}  {}",
            column("orchestrator_address"),
            column("orchestrator_url")
        ));
        let gpus = match (text(row, "gpu_id"), number(row, "gpu_candidate_count")) {
            ("", 0) => "no GPU known".to_owned(),
            ("", count) => format!("one of {count} GPUs"),
            (gpu, _) => gpu.to_owned(),
        };
        let (pipeline, model) = (column("pipeline"), column("model_id"));
        self.line(&format!("          {pipeline} / {model}, {gpus}"));
        let of = |name| text(row, name);
        let (status, source) = (of("attribution_status"), of("attribution_source"));
        self.line(&format!("          {status}, {source}: {}", of("attribution_reason")));
        self.line(&format!(
            "told from {}: {}, {}; skew {} ms (gateway minus runner)",
            if told.recomputed { "the archive" } else { "the stored facts alone" },
            counted(told.records, "record"),
            counted(told.advertisements, "capability event"),
            row.get("skew_ms")
                .filter(|ms| **ms != Cell::Null)
                .map_or_else(|| "-".to_owned(), Cell::to_string)
        ));
    }

    fn timeline(&mut self) {
        let started = stamp(self.origin);
        self.title(&format!(
            "TIMELINE  gateway clock, from {started} UTC; the runner's own stamp beside"
        ));
        let told = self.told;
        let mut rest = told.timeline.as_slice();
        while let Some((first, after)) = rest.split_first() {
            let same = |moment: &&Moment| {
                let key =
                    |m: &Moment| (m.kind, m.what.clone(), m.segment, m.selection, m.reason.clone());
                moment.kind == "status" && key(moment) == key(first)
            };
            let run = 1 + after.iter().take_while(same).count();
            if first.kind == "status" && run >= RUN && !self.all {
                self.moment(first);
                self.summed_up(&rest[1..run - 1]);
                self.moment(&rest[run - 1]);
                rest = &rest[run..];
            } else {
                self.moment(first);
                rest = after;
            }
        }
    }

    fn moment(&mut self, moment: &Moment) {
        let mut line =
            format!("{:>11}  {}  {}", self.offset(moment.ts), clock(moment.ts), moment.what);
        if let Some((out, into)) = moment.fps {
            let _ = write!(line, ", {out:.1} fps out, {into:.1} in");
        }
        let mut place = String::new();
        for (what, number) in [("sel", moment.selection.map(|n| n as i64)), ("seg", moment.segment)]
        {
            let number = number.map_or_else(|| "-".to_owned(), |n| n.to_string());
            let _ = write!(place, "{what} {number} ");
        }
        let reason = moment.reason.as_str();
        let short = ["unresolved_selection", "ambiguous_selection"].contains(&reason);
        place.push_str(if short { reason.trim_end_matches("_selection") } else { reason });
        if let Some(skew) = skew(moment) {
            let at = moment.source_ts.map(clock).unwrap_or_default();
            let _ = write!(place, " runner {at} ({skew:+} ms)");
        }
        self.line(&format!("{line:<69}  {}", place.replace("  ", " ")));
    }

    fn summed_up(&mut self, moments: &[Moment]) {
        let fps: Vec<f32> = moments.iter().filter_map(|m| m.fps).map(|(out, _)| out).collect();
        let low = fps.iter().copied().fold(f32::INFINITY, f32::min);
        let high = fps.iter().copied().fold(0.0, f32::max);
        let (count, what) = (moments.len(), moments.first().map_or("", |m| &m.what));
        let line = format!(
            "{:>11}  {count} more {what}, {low:.1} to {high:.1} fps out (--all shows each)",
            "..."
        );
        self.line(&line);
    }

    fn decisions(&mut self) {
        let told = self.told;
        self.title(
            "SELECTIONS  what was observed, who was asked, and why the answer is what it is",
        );
        if told.decisions.is_empty() {
            self.line(if told.recomputed {
                "  none: no signal names an orchestrator"
            } else {
                "  not told: candidates stand in the archive only"
            });
        }
        for decided in &told.decisions {
            self.decided(decided);
        }
    }

    fn decided(&mut self, decided: &Decided) {
        let number = decided.selection.map_or_else(|| "-".to_owned(), |n| n.to_string());
        let subject = &decided.subject;
        let after = if decided.counts { "" } else { ", after the close: does not count" };
        let (url, address) = (or_dash(&subject.url), or_dash(&subject.address));
        let at = self.offset(subject.ts);
        self.line(&format!("  {number} {at}  {}{after}: {url}  {address}", decided.trigger));
        let (pipeline, model) = (or_dash(&subject.pipeline), or_dash(&subject.model));
        self.line(&format!("    hints: pipeline {pipeline}, model {model}"));
        match &decided.decision {
            Some(decision) => self.decision(decision),
            None if !decided.counts => {
                self.line("    nobody is asked, as it came after the close");
            }
            None => self.line("    waits for an answer"),
        }
        for asked in &decided.asked {
            self.asked(asked);
        }
    }

    fn decision(&mut self, decision: &Decision) {
        let (status, source) = (decision.status.label(), decision.source.label());
        let reason = decision.reason.label();
        let Some(chosen) = &decision.chosen else {
            self.line(&format!("    {status}, {source}: {reason}"));
            return;
        };
        self.line(&format!(
            "    {status}, {source}: {reason} by {}, {} {:.1}",
            decision.identity.label(),
            decision.method.label(),
            decision.method.confidence()
        ));
        let at = self.offset(chosen.snapshot_ts);
        let (away, uid) = (distance(chosen.distance_ms), &chosen.snapshot_uid);
        self.line(&format!("    evidence: advertisement {uid} at {at}, {away} away"));
    }

    fn asked(&mut self, asked: &Asked) {
        let Asked { role, key, trace } = asked;
        let count = trace.candidates.len();
        let candidates = counted(count, "candidate");
        self.line(&format!("    asked {role} {key}: {candidates} within 24 h"));
        let limit = if self.all { usize::MAX } else { LISTED };
        for candidate in trace.candidates.iter().take(limit) {
            self.candidate(candidate);
        }
        if count > limit {
            self.line(&format!("      {} more (--all shows each)", count - limit));
        }
    }

    fn candidate(&mut self, candidate: &Considered) {
        let Considered { node, first_ts, last_ts, advertisements, band, distance_ms, fate, .. } =
            candidate;
        let mark = match fate {
            Fate::Chosen => '+',
            Fate::Ambiguous => '?',
            _ => '-',
        };
        let (canonical, url) = (&node.canonical, or_dash(&node.url));
        let why = because(*fate);
        self.line(&format!("      {mark} {canonical}  {url}  {why}"));
        let offers: Vec<String> = candidate
            .offers
            .iter()
            .take(4)
            .map(|o| {
                let gpus = counted(o.gpus.len(), "GPU");
                format!("{}/{} on {gpus}", or_dash(&o.pipeline), or_dash(&o.model))
            })
            .collect();
        let more = candidate.offers.len().saturating_sub(offers.len());
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let first = stamp(*first_ts);
        let span =
            if first_ts == last_ts { first } else { format!("{first} to {}", stamp(*last_ts)) };
        let away = distance(*distance_ms);
        let (band, times) = (band.label(), counted(*advertisements as usize, "advertisement"));
        self.line(&format!("        {band}, {away} away; {times} at {span}"));
        self.line(&format!("        {}{more}", offers.join(", ")));
    }

    fn rows(&self, table: &str) -> &[Cells] {
        self.told.tables.get(table).map_or(&[], Vec::as_slice)
    }

    fn segments(&mut self) {
        self.title("SEGMENTS");
        let rows: Vec<String> = self
            .rows("fact_workflow_session_segments")
            .iter()
            .map(|row| {
                let (from, to) = (
                    self.offset_of(row, "segment_start_ts"),
                    self.offset_of(row, "segment_end_ts"),
                );
                let of = |name| or_dash(text(row, name));
                let (index, opened) = (number(row, "segment_index"), of("open_reason"));
                let (address, url) = (of("orchestrator_address"), of("orchestrator_url"));
                let closed = of("close_reason");
                let to = if to == "-" { "open".to_owned() } else { format!("to {to}, {closed}") };
                format!("  {index}  {opened}, {from} {to}  {address}  {url}")
            })
            .collect();
        self.list(&rows);
    }

    fn swaps(&mut self) {
        self.title("SWAPS");
        let rows: Vec<String> = self
            .rows("fact_workflow_swaps")
            .iter()
            .map(|row| {
                let of = |name| or_dash(text(row, name));
                let (index, at) = (number(row, "swap_index"), self.offset_of(row, "swap_ts"));
                let (left, next) =
                    (of("previous_orchestrator_address"), of("next_orchestrator_address"));
                let (kind, outcome) = (of("swap_kind"), of("outcome"));
                let done = self.offset_of(row, "completed_ts");
                format!("  {index}  {at}  {kind} {outcome} ({done})  {left} -> {next}")
            })
            .collect();
        self.list(&rows);
    }

    fn latency(&mut self) {
        self.title("LATENCY");
        // Column, null reason, and what the column means in v1 and v2.
        let kpis = [
            (
                "prompt_to_first_frame_ms",
                "prompt_to_first_frame_null_reason",
                ["request to first frame", "prompt to playable"],
            ),
            (
                "startup_time_ms",
                "startup_time_null_reason",
                ["first frame to playable", "request to first frame"],
            ),
            (
                "e2e_latency_ms",
                "e2e_latency_null_reason",
                ["request to playable", "first ingest to first output"],
            ),
        ];
        let rows: Vec<String> = self
            .rows("fact_workflow_latency_samples")
            .iter()
            .map(|row| {
                let version = text(row, "edge_semantics_version");
                let values = kpis.map(|(value, reason, means)| {
                    let means = means[usize::from(version != "v1")];
                    match row.get(value) {
                        Some(Cell::Float64(ms)) => format!("{means} {ms} ms"),
                        _ => format!("{means}: {}", or_dash(text(row, reason))),
                    }
                });
                format!("  {version}  {}", values.join(", "))
            })
            .collect();
        self.list(&rows);
    }

    fn list(&mut self, rows: &[String]) {
        if rows.is_empty() {
            self.line("  none");
        }
        for row in rows {
            self.line(row);
        }
    }

    fn corrections(&mut self) {
        self.title("CORRECTIONS  stored versions of rows; the storage merges old ones away");
        let told = self.told;
        let limit = if self.all { usize::MAX } else { LISTED };
        for correction in told.corrections.iter().take(limit) {
            let (epoch, sequence) = version(correction.version);
            let changed = correction.changed.iter();
            let changed: Vec<String> = changed
                .map(|(column, before, now)| format!("{column} {before} -> {now}"))
                .collect();
            let (table, row) = (correction.table, &correction.row);
            let written = stamp(correction.written);
            self.line(&format!("  {written}  epoch {epoch} seq {sequence}  {table}{row}"));
            if changed.is_empty() {
                self.line("    the oldest that is left, or a repetition");
            } else {
                self.items(&changed);
            }
        }
        let more = told.corrections.len().saturating_sub(limit);
        if more > 0 {
            self.line(&format!("  {more} more (--all shows each)"));
        }
    }

    /// Texts one after the other, in lines of at most [`WIDTH`] where they fit.
    fn items(&mut self, items: &[String]) {
        let mut line = String::new();
        for item in items {
            if !line.is_empty() && 6 + line.len() + item.len() > WIDTH {
                self.line(&format!("    {line},"));
                line.clear();
            }
            let comma = if line.is_empty() { "" } else { ", " };
            line.push_str(comma);
            line.push_str(item);
        }
        self.line(&format!("    {line}"));
    }

    fn findings(&mut self) {
        let told = self.told;
        self.title("FINDINGS");
        if told.findings.is_empty() {
            self.line("  none: what is stored is what follows from the archive");
        }
        let limit = if self.all { usize::MAX } else { LISTED };
        for finding in told.findings.iter().take(limit) {
            self.line(&format!("  ! {finding}"));
        }
        let more = told.findings.len().saturating_sub(limit);
        if more > 0 {
            self.line(&format!("  {more} more (--all shows each)"));
        }
        if told.recomputed && told.findings.iter().any(|finding| finding.contains(" attribution_"))
        {
            self.line(
                "  `naap backfill attribution` corrects attribution by what the archive holds",
            );
        }
    }
}

/// Epoch and sequence of a write version.
pub fn version(version: i64) -> (i64, i64) {
    (version >> SEQUENCE_BITS, version & ((1 << SEQUENCE_BITS) - 1))
}

/// Why a candidate was taken or not.
fn because(fate: Fate) -> &'static str {
    match fate {
        Fate::Chosen => "chosen",
        Fate::Ambiguous => "ambiguous: others fit as well",
        Fate::OtherIdentity => "rejected: not the orchestrator that was observed",
        Fate::Incompatible => "rejected: offers no such model or pipeline",
        Fate::UnnamedModel => "rejected: names no model, another names the hinted one",
        Fate::FartherInterval => "rejected: the same node is nearer at another time",
        Fate::WorseBand => "rejected: another node is in a better band",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn undecided(counts: bool) -> String {
        let decided = Decided {
            selection: Some(1),
            trigger: "selected",
            counts,
            subject: naap_protocol::capability::evidence::Subject::default(),
            decision: None,
            asked: Vec::new(),
        };
        let told = Explanation { decisions: vec![decided], ..Explanation::default() };
        text_of(&told, false)
    }

    #[test]
    fn a_selection_after_the_close_waits_for_nobody() {
        let (late, waiting) = (undecided(false), undecided(true));
        assert!(late.contains("    nobody is asked, as it came after the close\n"), "{late}");
        assert!(!late.contains("waits for an answer"), "{late}");
        assert!(waiting.contains("    waits for an answer\n"), "{waiting}");
    }
}
