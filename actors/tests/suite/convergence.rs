//! Whatever the order, the repetitions, the restarts and the moments of writing: the latest rows of
//! every table are the same (lifecycle 13.12).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Debug, Formatter};
use std::sync::LazyLock;

use naap_generator::{Plan, Profile};
use proptest::prelude::*;
use proptest::sample::Index;

use crate::cells::{Cells, Store};
use crate::generated::Generated;
use crate::session_vectors::orders;
use crate::stage::{Input, Stage, play, script};

/// Sessions of an afternoon with two changes of advertisements.
static POOL: LazyLock<Vec<Vec<Input>>> = LazyLock::new(|| {
    let profile = Profile {
        capability_interval_s: 1800,
        gateways: 1,
        address_only: 0.1,
        identity_gap: 0.1,
        post_close: 0.3,
        duplicate: 0.03,
        oversized: false,
        ..Profile::default()
    };
    let plan = Plan { seed: 11, sessions: 1200, orchestrators: 24, hours: 6, profile };
    let generated = Generated::of(&plan);
    let all = generated.sessions.iter().map(|session| generated.inputs(session));
    all.filter(|inputs| inputs.len() <= MOST).collect()
});

/// What happens to a session.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// Something arrives.
    Take(usize),
    /// It is delivered again, at the same place of the source.
    Redeliver(usize),
    /// It was sent again.
    Repeat(usize),
    /// Every question is answered.
    Settle,
    /// The rows are written.
    Write,
    /// The session sleeps and wakes.
    Restart,
    /// The session wakes elsewhere.
    Move,
}

/// A session and two ways to hear of it.
struct Case {
    inputs: Vec<Input>,
    steps: Vec<Step>,
}

impl Debug for Case {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "the script")?;
        for input in &self.inputs {
            writeln!(f, "  {}", input.words())?;
        }
        write!(f, "ends otherwise after {:?}", self.steps)
    }
}

impl Case {
    /// The rows in order of arrival, decided and written once; repeats come last.
    fn plain(&self) -> Store {
        let mut stage = Stage::new(None);
        for (input, offset) in self.inputs.iter().zip(0..) {
            stage.take(input, offset);
        }
        for step in &self.steps {
            if let Step::Repeat(place) = *step {
                stage.take(&self.inputs[place], self.again(place));
            }
        }
        stage.settle();
        stage.write();
        stage.store
    }

    /// The offset of a repeat.
    fn again(&self, place: usize) -> u64 {
        (place + self.inputs.len()) as u64
    }

    /// The rows after all steps.
    fn stepped(&self) -> Store {
        let mut stage = Stage::new(None);
        for step in &self.steps {
            match *step {
                Step::Take(place) | Step::Redeliver(place) => {
                    stage.take(&self.inputs[place], place as u64);
                }
                Step::Repeat(place) => {
                    stage.take(&self.inputs[place], self.again(place));
                }
                Step::Settle => stage.settle(),
                Step::Write => {
                    stage.write();
                }
                Step::Restart => stage.restart(false),
                Step::Move => stage.restart(true),
            }
        }
        stage.settle();
        stage.write();
        stage.store
    }

    fn check(&self) -> Result<(), TestCaseError> {
        let difference = difference(&self.plain(), &self.stepped());
        prop_assert!(difference.is_none(), "{self:?}\n{}", difference.unwrap_or_default());
        Ok(())
    }
}

/// The first row that `found` has otherwise than `want`, and in which columns.
pub fn difference(want: &Store, found: &Store) -> Option<String> {
    let by_key = |store: &Store| -> BTreeMap<_, Cells> {
        store.latest().into_iter().map(|(table, key, row)| ((table, key), row)).collect()
    };
    let (want, found) = (by_key(want), by_key(found));
    let keys: BTreeSet<_> = want.keys().chain(found.keys()).collect();
    keys.into_iter().find_map(|key| match (want.get(key), found.get(key)) {
        (Some(want), Some(found)) if want == found => None,
        (Some(want), Some(found)) => {
            let columns = want.iter().filter(|(column, cell)| found.get(*column) != Some(cell));
            let columns =
                columns.map(|(name, cell)| format!("{name}: {cell}, not {}", found[name]));
            Some(format!("{key:?} should have {}", columns.collect::<Vec<_>>().join("; ")))
        }
        (Some(_), None) => Some(format!("{key:?} is missing")),
        (None, _) => Some(format!("{key:?} should not be there")),
    })
}

/// Where the advertisements stand.
#[derive(Clone, Copy, Debug)]
enum Capabilities {
    Anywhere,
    First,
    Last,
}

/// Sessions with more inputs are left out of the pool.
const MOST: usize = 250;

/// Some of a session's inputs, in any order, with anything in between. All of it shrinks: inputs are
/// left out, the order comes nearer to that of arrival, fewer things happen in between.
fn cases() -> impl Strategy<Value = Case> {
    let keep = prop::collection::vec(prop::bool::weighted(0.9), MOST);
    let weights = prop::collection::vec(any::<u16>(), MOST);
    let spread = prop_oneof![Just(0u16), Just(64), Just(u16::MAX)];
    let capabilities = prop_oneof![
        Just(Capabilities::Anywhere),
        Just(Capabilities::First),
        Just(Capabilities::Last)
    ];
    let between = prop::collection::vec((0..6u8, any::<Index>(), any::<Index>()), 0..12);
    (any::<Index>(), keep, weights, spread, capabilities, between)
        .prop_map(|(which, keep, weights, spread, capabilities, between)| {
            let all = which.get(&POOL);
            let kept: Vec<usize> = (0..all.len()).filter(|&place| keep[place]).collect();
            let inputs: Vec<Input> = kept.iter().map(|&place| all[place].clone()).collect();
            let mut order: Vec<usize> = (0..inputs.len()).collect();
            order.sort_by_key(|&place| {
                let is_capability = matches!(inputs[place], Input::Capability(_));
                let group = match capabilities {
                    Capabilities::Anywhere => false,
                    Capabilities::First => !is_capability,
                    Capabilities::Last => is_capability,
                };
                // A weight moves an input back by at most `spread` places.
                (group, kept[place] + usize::from(weights[kept[place]] & spread))
            });
            let mut steps: Vec<Step> = order.into_iter().map(Step::Take).collect();
            for (kind, at, which) in between {
                let place = at.index(steps.len() + 1);
                let step = match kind {
                    0 => Step::Settle,
                    1 => Step::Write,
                    2 => Step::Restart,
                    3 => Step::Move,
                    _ if inputs.is_empty() => continue,
                    4 => Step::Redeliver(which.index(inputs.len())),
                    _ => Step::Repeat(which.index(inputs.len())),
                };
                steps.insert(place, step);
            }
            Case { inputs, steps }
        })
        .boxed()
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 3000,
        max_shrink_iters: 5000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_way_to_hear_of_a_generated_session_ends_alike(case in cases()) {
        case.check()?;
    }
}

#[test]
fn the_cases_reach_what_the_property_is_about() {
    assert!(POOL.len() > 1000, "{} sessions", POOL.len());
    let (mut corrected, mut attributed) = (0, 0);
    for inputs in POOL.iter().take(100) {
        let (events, said): (Vec<_>, Vec<_>) =
            (0..inputs.len()).partition(|&place| matches!(inputs[place], Input::Event(_)));
        let mut stage = play(inputs, &events, None);
        for place in said {
            stage.take(&inputs[place], place as u64);
        }
        stage.settle();
        corrected += u32::from(stage.write().again > 0);
        let rows = stage.table("fact_workflow_sessions");
        attributed += u32::from(rows.iter().any(|row| row["attribution_source"] == "direct"));
    }
    assert!(corrected > 50 && attributed > 50, "{corrected} corrected, {attributed} attributed");
}

/// The vectors that lifecycle 13.12 names.
const VECTORS: [(&str, &str); 6] = [
    ("V16", "REQ@1000 PROC@3000 PLAY@4000"),
    ("V51", "CAP@900{A} CAP@900{B} ST@1000{A} ST@3000{B} ST@2000{A}"),
    ("V63", "CAP@900{A} CAP@900{B} REQ@1000 ST@2000{A} SWAP@3000{A} ST@4000{B} CLOSE@6000"),
    (
        "V67",
        "CAP@47700000{A} REQ@47765640 RSEND@47775590{A} GSEND@47775704{A} ST@47775964{A} \
         PROC@47776417{A} RRECV@47777059{A} PLAY@47778162{A} ST@47785965{A,fps=20.9} \
         SWAP\"orchestrator is slow\"@47802485{A} ERR\"no orchestrators available\"@47803424 \
         NOORCH@47803424 CLOSE@47805140 ERR\"mediamtx ingest disconnected\"@47805140 \
         ERR\"Error publishing\"@47838651 ERR\"Error publishing\"@47838658 \
         ERR\"Error publishing\"@47838660",
    ),
    ("V83", "REQ@1000 ST@2000{a=0xhota,p=m1} CAP@2500{A} CLOSE@3000"),
    ("V90", "CAP@900{A} CAP@901{C} ST@1000{a=0xhota,u=https://a}"),
];

#[test]
fn vectors_end_alike_in_any_order_and_with_any_restart() {
    for (name, text) in VECTORS {
        let inputs = script(text);
        for order in orders(inputs.len()) {
            for restart in 0..order.len() {
                for moves in [Step::Restart, Step::Move] {
                    let mut steps: Vec<Step> = order.iter().map(|&at| Step::Take(at)).collect();
                    steps.splice(restart..restart, [Step::Settle, Step::Write, moves]);
                    let case = Case { inputs: inputs.clone(), steps };
                    case.check().unwrap_or_else(|difference| panic!("{name}: {difference}"));
                }
            }
        }
    }
}

#[test]
fn a_session_is_printed_as_the_script_that_it_is() {
    for inputs in POOL.iter().take(100) {
        let words: Vec<String> = inputs.iter().map(Input::words).collect();
        let read = script(&words.join(" "));
        let again: Vec<String> = read.iter().map(Input::words).collect();
        assert_eq!(again.join(" "), words.join(" "));
    }
}
