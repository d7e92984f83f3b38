//! What a backfill finds, against what a session learns while it lives.

use naap_actors::backfill::{Changes, Relabel, backfill};
use naap_actors::session::SessionActor;
use naap_actors::session::tally::Cause;
use naap_protocol::capability::decide::{Decision, DirectWindow};
use naap_protocol::capability::evidence::{Role, Subject};
use naap_protocol::capability::index::Index;
use naap_protocol::identity::EntityId;

use crate::stage::{Input, Stage, play, script};

const ME: EntityId = EntityId(1);

/// The session of a stage, as the state log has it.
fn stored(stage: &mut Stage) -> SessionActor {
    let frame = stage.session.snapshot(1, false).expect("a snapshot");
    SessionActor::restore(&frame).expect("what was just written")
}

/// What all of `inputs` advertise under a key.
fn say(inputs: &[Input], role: Role, subject: &Subject) -> Decision {
    let mut index = Index::unbounded();
    for input in inputs {
        if let Input::Capability(advertisement) = input
            && advertisement.routing_keys().contains(subject.key(role))
        {
            index.insert(advertisement);
        }
    }
    subject.decide(&index, DirectWindow::default())
}

fn run(session: &mut SessionActor, inputs: &[Input], complete: bool) -> Changes {
    backfill(session, ME, None, &mut |role, subject| Some((say(inputs, role, subject), complete)))
}

/// What a session rests on.
fn decisions(session: &SessionActor) -> Vec<(&Subject, Option<&Decision>)> {
    session.state().answers.iter().map(|answer| (&answer.subject, answer.decision())).collect()
}

/// Rows of `table` that go from one label to another.
fn moved(changes: &Changes, table: &'static str, before: &str, after: &str) -> u64 {
    let relabel = Relabel { table, before: before.to_owned(), after: after.to_owned() };
    changes.rows.get(&relabel).copied().unwrap_or_default()
}

const SESSIONS: &str = "fact_workflow_sessions";

#[test]
fn a_backfill_ends_where_the_live_session_would_and_then_has_nothing_to_do() {
    let scripts = [
        "REQ@1000 ST@2000{A} CLOSE@3000 CAP@900{A}",
        "REQ@1000 ST@2000{A} SWAP@2500{A} ST@4000{B} CLOSE@5000 CAP@900{A} CAP@900{B}",
        // Only the wallet tells why the URI is not known.
        "REQ@1000 ST@2000{A,u=https://x} CLOSE@3000 CAP@900{A}",
    ];
    for text in scripts {
        let inputs = script(text);
        let signals: Vec<usize> =
            (0..inputs.len()).filter(|&n| matches!(inputs[n], Input::Event(_))).collect();
        let mut ignorant = play(&inputs, &signals, None);
        let all: Vec<usize> = (0..inputs.len()).collect();
        let live = play(&inputs, &all, None);
        let mut session = stored(&mut ignorant);
        let changes = run(&mut session, &inputs, true);
        assert!(!changes.evidence.is_empty(), "{text}");
        assert_eq!(decisions(&session), decisions(&live.session), "{text}");
        // The evidence makes a session that goes on living the same.
        let mut taught = stored(&mut ignorant);
        for evidence in changes.evidence {
            assert!(taught.learn(evidence, Cause::Backfill), "{text}");
            taught.questions((1, 0), None);
        }
        assert_eq!(decisions(&taught), decisions(&live.session), "{text}");
        let again = run(&mut taught, &inputs, true);
        assert_eq!(again, Changes::default(), "{text}");
    }
}

#[test]
fn rows_are_counted_by_old_and_new_label() {
    let inputs = script("REQ@1000 ST@2000{A} CLOSE@3000 CAP@900{A}");
    let mut ignorant = play(&inputs, &[0, 1, 2], None);
    let changes = run(&mut stored(&mut ignorant), &inputs, true);
    assert_eq!(moved(&changes, SESSIONS, "unattributed", "direct"), 1, "{:?}", changes.rows);
    let far = script("REQ@1000 ST@2000{A} CLOSE@3000 CAP@3600000{A}");
    let changes = run(&mut stored(&mut ignorant), &far, true);
    assert_eq!(moved(&changes, SESSIONS, "unattributed", "mapped_window"), 1);
}

#[test]
fn an_archive_with_gaps_takes_nothing_back() {
    let inputs = script("REQ@1000 ST@2000{A} CLOSE@3000 CAP@900{A}");
    let mut live = play(&inputs, &[0, 1, 2, 3], None);
    let nothing: [Input; 0] = [];
    assert_eq!(run(&mut stored(&mut live), &nothing, false), Changes::default());
    let changes = run(&mut stored(&mut live), &nothing, true);
    assert_eq!(moved(&changes, SESSIONS, "direct", "unattributed"), 1);
    // Nor does a window that leaves the selection out.
    let outside = backfill(&mut stored(&mut live), ME, None, &mut |_, _| None);
    assert_eq!(outside, Changes::default());
}
