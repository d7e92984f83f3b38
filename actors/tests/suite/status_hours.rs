//! Status hours: what a session did, by hour and segment (tables.md 3.0, 12.2; decisions.md, gold).

use std::collections::BTreeMap;

use proptest::prelude::*;

use naap_protocol::time::Timestamp;

use crate::cells::Cells;
use crate::session_vectors::orders;
use crate::stage::{Input, Stage, play, play_eagerly, script};

const HOURS: &str = "fact_session_status_hours";

/// Scripts count from the first full hour after the base of the vectors: `h` hours, `m` minutes, `s`
/// seconds.
fn at(text: &str) -> Vec<Input> {
    const FIRST_HOUR_MS: i64 = 2_800_000;
    let expand = |word: &str| {
        let Some((head, tail)) = word.split_once('@') else { return word.to_owned() };
        let (time, fields) = tail.split_at(tail.find('{').unwrap_or(tail.len()));
        let parts = time.split(':').map(|part| part.parse::<i64>().expect("h:m:s"));
        let seconds = parts.fold(0, |seconds, part| seconds * 60 + part);
        format!("{head}@{}{fields}", FIRST_HOUR_MS + seconds * 1000)
    };
    script(&text.split_whitespace().map(expand).collect::<Vec<_>>().join(" "))
}

/// `columns` of every status hour, in the order of hour and segment.
fn hours(stage: &Stage, columns: &str) -> Vec<String> {
    let base = crate::signals::BASE + 2_800_000;
    let cell = |row: &Cells, column: &str| {
        let value = &row[column];
        match column {
            "window_start" | "first_sample_ts" | "last_sample_ts" => {
                ((value.parse::<i64>().expect("a time") - base) / 1000).to_string()
            }
            _ => value.clone(),
        }
    };
    let rows = stage.table(HOURS).into_iter();
    rows.map(|row| columns.split(' ').map(|c| cell(&row, c)).collect::<Vec<_>>().join(" "))
        .collect()
}

/// Name, inputs, columns, rows.
type Case = (&'static str, &'static str, &'static str, &'static [&'static str]);

const CASES: &[Case] = &[
    (
        "sums",
        "CAP@0:0:0{A} ST@0:0:10{A,state=ONLINE,fps=20.5,in=30,gw=g} \
         ST@0:0:20{state=DEGRADED_INPUT,fps=10,err=x} ST@0:0:30{state=DEGRADED_INFERENCE} \
         ST@0:0:40{state=LOADING}",
        "window_start segment_index gateway orchestrator_address orchestrator_url pipeline model_id \
         gpu_id attribution_source status_samples fps_positive_samples running_state_samples \
         degraded_input_samples degraded_inference_samples error_samples output_fps_sum \
         output_fps_sumsq input_fps_sum first_sample_ts last_sample_ts active_ms \
         is_first_evidence_hour is_terminal_tail_artifact",
        &["0 0 g 0xa https://a live-video-to-video m1 G-A direct 4 2 3 1 1 1 30500000 520250000 \
           30000000 10 40 30000 1 0"],
    ),
    (
        "hours and segments",
        "CAP@0:55:0{A} CAP@0:55:0{B} ST@0:59:50{A,state=ONLINE} ST@1:0:5{B,state=ONLINE} \
         ST@1:0:15{A,state=ONLINE} ST@1:0:25{state=ONLINE}",
        "window_start segment_index orchestrator_address status_samples active_ms \
         is_first_evidence_hour",
        // The first gap is 15 s, of which 10 are in its hour.
        &["0 0 0xa 1 10000 1", "3600 1 0xb 1 10000 0", "3600 2 0xa 2 10000 0"],
    ),
    (
        "active time is cut, goes on while the stream loads, and needs a next sample",
        "CAP@0:0:0{A} ST@0:1:0{A,state=ONLINE} ST@0:5:0{state=online} ST@0:5:7{state=LOADING} \
         ST@0:5:17{state=ONLINE}",
        "status_samples active_ms",
        &["4 47000"],
    ),
    (
        "a late sample ends the active time of the hour before",
        "CAP@0:55:0{A} ST@0:59:50{A,state=ONLINE} ST@1:0:5 AI@1:0:20",
        "status_samples active_ms",
        &["1 10000", "1 0"],
    ),
    (
        "samples without attribution are in no hour",
        "CAP@0:0:0{A} ST@0:1:0 ST@0:2:0{A} ST@0:3:0{u=https://zz} ST@0:4:0{A} CLOSE@0:5:0 \
         ST@0:5:5 ST@0:5:6",
        "status_samples first_sample_ts last_sample_ts",
        &["3 120 305"],
    ),
    (
        "a tail",
        "CAP@0:55:0{A} ST@0:59:50{A} ST@1:0:0 ST@1:0:10 CLOSE@1:0:20",
        "window_start is_terminal_tail_artifact is_first_evidence_hour",
        &["0 0 1", "3600 1 0"],
    ),
    (
        "three samples are work",
        "CAP@0:55:0{A} ST@0:59:50{A} ST@1:0:0 ST@1:0:10 ST@1:0:20",
        "is_terminal_tail_artifact",
        &["0", "0"],
    ),
    (
        "so is an hour before with output",
        "CAP@0:55:0{A} ST@0:59:50{A,fps=1} ST@1:0:0 CLOSE@1:0:20",
        "is_terminal_tail_artifact",
        &["0", "0"],
    ),
    (
        "or with a running state",
        "CAP@0:55:0{A} ST@0:59:50{A} ST@1:0:0{state=DEGRADED_INPUT} CLOSE@1:0:20",
        "is_terminal_tail_artifact",
        &["0", "0"],
    ),
    (
        "a session that starts in its last hour has no tail",
        "CAP@0:0:0{A} ST@0:0:0{A} CLOSE@0:0:20",
        "is_terminal_tail_artifact is_first_evidence_hour",
        &["0 1"],
    ),
    (
        "a session that goes on has none either",
        "CAP@0:55:0{A} ST@0:59:50{A} ST@1:0:0 AI@2:0:0",
        "is_terminal_tail_artifact",
        &["0", "0"],
    ),
    (
        "segments of one orchestrator are one element of an hour",
        "CAP@0:55:0{A} CAP@0:55:0{B} ST@0:59:50{A} ST@1:0:0 ST@1:0:1 ST@1:0:2{B} ST@1:0:3{A}",
        "segment_index is_terminal_tail_artifact",
        &["0 0", "0 0", "1 0", "2 0"],
    ),
    (
        "mapped hours are no evidence",
        "CAP@0:0:0{A} CAP@12:0:0{B} ST@11:59:50{A} ST@12:0:0{B}",
        "window_start attribution_source is_first_evidence_hour",
        &["39600 mapped_window 0", "43200 direct 1"],
    ),
    (
        "a wallet behind two urls has a row for each",
        "CAP@0:0:0{A} CAP@0:0:0{A,u=https://a2,g=G2} ST@0:1:0{A,state=ONLINE} ST@0:1:10{u=https://a2} \
         ST@0:1:20{A,fps=7} ST@1:0:0{u=https://a2} ST@1:30:0{A}",
        "window_start segment_index identity_index orchestrator_address orchestrator_url gpu_id \
         model_id status_samples fps_positive_samples first_sample_ts last_sample_ts active_ms \
         attribution_source is_first_evidence_hour",
        &[
            "0 0 0 0xa https://a G-A m1 2 1 60 80 40000 direct 1",
            "0 0 1 0xa https://a2 G2 m1 1 0 70 70 10000 direct 0",
            "3600 0 0 0xa https://a2 G2 m1 1 0 3600 3600 30000 mapped_window 0",
            "3600 0 1 0xa https://a G-A m1 1 0 5400 5400 0 mapped_window 0",
        ],
    ),
];

#[test]
fn cases_in_every_order() {
    for (name, text, columns, expected) in CASES {
        let columns = columns.split_whitespace().collect::<Vec<_>>().join(" ");
        let inputs = at(text);
        for order in orders(inputs.len()) {
            let stage = play_eagerly(&inputs, &order, None);
            let once = play(&inputs, &order, None);
            assert_eq!(stage.store.latest(), once.store.latest(), "{name}, order {order:?}");
            let expected: Vec<String> = expected.iter().map(|row| row.replace("  ", " ")).collect();
            let found: Vec<String> =
                hours(&stage, &columns).iter().map(|row| row.replace("  ", " ")).collect();
            assert_eq!(found, expected, "{name}, order {order:?}");
        }
    }
}

#[test]
fn histograms_have_a_place_for_each_sample() {
    let stage = play(
        &at("CAP@0:0:0{A} ST@0:1:0{A} ST@0:1:1{fps=0.25} ST@0:1:2{fps=0.29}"),
        &[0, 1, 2, 3],
        None,
    );
    assert_eq!(stage.table(HOURS)[0]["output_fps_histogram"], "1,0,2");
}

/// Rows that were written are taken back when what comes late leaves them without samples.
#[test]
fn hours_that_are_gone_are_taken_back() {
    let cases = [
        // The session was closed long before.
        ("CAP@0:0:0{A} ST@0:1:0{A} ST@1:0:0 ST@2:0:0", "CLOSE@0:2:0", &["0 0 0xa 1"][..]),
        // What was one segment is three, and the samples are in others.
        (
            "CAP@0:0:0{A} ST@0:1:0{A} ST@0:3:0{A} ST@1:0:0",
            "ST@0:2:0{B} CAP@0:0:0{B}",
            &["0 0 0xa 1", "0 1 0xb 1", "0 2 0xa 1", "3600 2 0xa 1"],
        ),
        // The wallet behind the url is another one: two nodes fit, and none is told.
        ("CAP@0:0:0{A} ST@0:1:0{A}", "CAP@0:0:0{A,c=0xother,uid=another}", &[]),
    ];
    for (text, late, expected) in cases {
        let (inputs, late) = (at(text), at(late));
        let mut stage = play(&inputs, &(0..inputs.len()).collect::<Vec<_>>(), None);
        let before = stage.table(HOURS).len();
        for (input, offset) in late.iter().zip(100..) {
            stage.take(input, offset);
            stage.settle();
            stage.write();
        }
        let columns = "window_start segment_index orchestrator_address status_samples";
        assert_eq!(hours(&stage, columns), expected, "{text}, then {late:?}");
        assert_ne!(
            stage.table(HOURS).len(),
            before,
            "{text}: the case is about the number of rows"
        );
        let after = stage.store.latest();
        stage.restart(true);
        stage.settle();
        stage.write();
        assert_eq!(stage.store.latest(), after, "what is gone stays gone in a new epoch");
    }
}

/// What counts once per session counts in its first hour of gold, which may be a mapped one.
#[test]
fn an_hour_that_becomes_the_first_one_touches_the_one_that_was() {
    let inputs = at("CAP@12:0:0{A,u=https://a2} ST@11:0:0{A} ST@12:0:0{u=https://a2,fps=1}");
    let mut stage = play(&inputs, &[0, 1, 2], None);
    let columns = "window_start attribution_source is_first_evidence_hour";
    assert_eq!(hours(&stage, columns), ["43200 direct 1"]);
    let hour = |row: &Cells| row["window_start"].parse().map(Timestamp).expect("a time");
    let was: Vec<Timestamp> = stage.table(HOURS).iter().map(hour).collect();
    stage.slices();
    stage.take(&at("CAP@0:0:0{A}")[0], 9);
    stage.settle();
    stage.write();
    assert_eq!(hours(&stage, columns), ["39600 mapped_window 0", "43200 direct 1"]);
    assert!(stage.slices().is_superset(&was.into_iter().collect()), "where it counted before");
}

/// A payment belongs to a session that ran then, or a minute before.
#[test]
fn a_session_that_runs_on_touches_the_hours_of_its_new_payments() {
    let inputs = at("CAP@0:0:0{A} REQ@11:0:0 PROC@11:59:0 PROC@11:59:30");
    let mut stage = play(&inputs[..3], &[0, 1, 2], None);
    stage.slices();
    stage.take(&inputs[3], 9);
    stage.settle();
    stage.write();
    let hours: Vec<i64> = stage
        .slices()
        .iter()
        .map(|hour| (hour.0 - crate::signals::BASE - 2_800_000) / 3_600_000)
        .collect();
    assert_eq!(hours, [11, 12]);
}

/// Figures have how long sessions ran in each hour, samples or not.
#[test]
fn all_hours_in_which_a_session_ran_are_touched() {
    let touched = |text: &str| {
        let inputs = at(text);
        let mut stage = play(&inputs[..1], &[0], None);
        for (input, offset) in inputs[1..].iter().zip(1..) {
            stage.slices();
            stage.take(input, offset);
            stage.settle();
            stage.write();
        }
        let base = crate::signals::BASE + 2_800_000;
        stage.slices().iter().map(|hour| (hour.0 - base) / 3_600_000).collect::<Vec<_>>()
    };
    assert_eq!(touched("REQ@9:59:0 ST@11:59:50{A} CLOSE@12:0:10"), [9, 10, 11, 12]);
    assert_eq!(touched("PROC@11:0:0 PROC@12:30:0 REQ@9:30:0"), [9, 10, 11, 12]);
    // Within the hour, without a request id of its own.
    assert_eq!(touched("PROC@9:1:0{r=} PROC@9:2:0{r=} PROC@9:3:0{r=}"), [9]);
    // Counters that come long after the close go by what the session is called.
    let counted = "REQ@9:30:0 ST@9:31:0{A} CLOSE@9:40:0 ING@11:0:2 CAP@9:29:0{A}";
    assert_eq!(touched(counted), [9, 11]);
    // A clock that is years off does not have years computed again.
    assert!(touched("REQ@9:59:0 CLOSE@90000:0:0").len() < 800);
}

#[test]
fn the_session_knows_its_active_time() {
    let active = |text| {
        let inputs = at(text);
        let stage = play(&inputs, &(0..inputs.len()).collect::<Vec<_>>(), None);
        stage.table("fact_workflow_sessions")[0]["active_duration_ms"].clone()
    };
    assert_eq!(active("REQ@0:0:0"), "null", "no samples, no evidence");
    assert_eq!(active("ST@0:0:0{state=LOADING}"), "0", "a measured zero");
    // Unlike that of an hour it does not end with the hour, and needs no attribution.
    assert_eq!(active("ST@0:59:50{state=ONLINE} ST@1:0:5{state=ONLINE} ST@1:9:9"), "45000");
}

/// Samples from shortly before the end of an hour on, in steps of 7 s and now and then more, of up to three orchestrators.
fn samples() -> impl Strategy<Value = String> {
    let step = prop_oneof![8 => Just(7_000_i64), 1 => 0..2_000_000_i64];
    let who =
        prop::sample::select(vec!["", "", "", "", "A,", "B,", "u=https://zz,", "u=https://a2,"]);
    let state = prop::sample::select(vec!["ONLINE", "LOADING", "DEGRADED_INPUT"]);
    prop::collection::vec((step, who, state, 0..40), 1..60).prop_map(|samples| {
        let words = samples.into_iter().scan(2_700_000, |now, (step, who, state, fps)| {
            *now += step;
            Some(format!("ST@{now}{{{who}state={state},fps={fps}}}"))
        });
        let words: Vec<String> = words.collect();
        format!("CAP@0{{A}} CAP@0{{B}} CAP@0{{A,u=https://a2}} {}", words.join(" "))
    })
}

fn sum(rows: &[Cells], column: &str) -> i64 {
    rows.iter().map(|row| row[column].parse::<i64>().expect("a number")).sum()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    /// The hours hold the attributed samples, each once and under its identity, and no more active time than the session.
    #[test]
    fn hours_add_up_to_the_attributed_samples(
        text in samples(),
        shuffle in prop::collection::vec(any::<prop::sample::Index>(), 0..70),
    ) {
        let inputs = script(&text);
        let stage = play(&inputs, &(0..inputs.len()).rev().collect::<Vec<_>>(), None);
        let samples = stage.table("fact_stream_status_samples");
        let attributed: Vec<_> = samples.iter().filter(|row| row["is_attributed"] == "1").cloned().collect();
        let hours = stage.table(HOURS);
        let whose = |row: &Cells| {
            ["orchestrator_address", "orchestrator_url", "pipeline", "model_id", "gpu_id", "attribution_source"]
                .map(|column| row[column].clone())
        };
        let mut left: BTreeMap<_, i64> = BTreeMap::new();
        for row in &attributed {
            *left.entry(whose(row)).or_default() += 1;
        }
        for row in &hours {
            *left.entry(whose(row)).or_default() -= sum(std::slice::from_ref(row), "status_samples");
        }
        prop_assert!(left.values().all(|count| *count == 0), "{:?}", left);
        prop_assert_eq!(sum(&hours, "output_fps_sum"), sum(&attributed, "output_fps") * 1_000_000);
        let buckets = hours.iter().flat_map(|row| row["output_fps_histogram"].split(',')).map(|n| n.parse::<i64>().unwrap_or(0));
        prop_assert_eq!(buckets.sum::<i64>(), attributed.len() as i64);
        let session = stage.table("fact_workflow_sessions");
        prop_assert!(sum(&hours, "active_ms") <= sum(&session, "active_duration_ms"));
        prop_assert!(hours.iter().all(|row| sum(std::slice::from_ref(row), "active_ms") <= 3_600_000));
        prop_assert!(sum(&hours, "is_first_evidence_hour") <= 1);

        // Written as they come, in whatever order, they end the same.
        let mut order: Vec<usize> = (0..inputs.len()).collect();
        for (place, with) in (0..inputs.len()).zip(&shuffle) {
            order.swap(place, with.index(inputs.len()));
        }
        let other = play_eagerly(&inputs, &order, None);
        prop_assert_eq!(other.store.latest(), stage.store.latest());
    }
}
