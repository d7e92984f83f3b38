//! What stored advertisements say about a session, against what it knows (backlog 023, backfill).
//!
//! A live session is told of every advertisement within 24 h of its end. For any other time its
//! history is read again: the same questions go to indexes made of the archive, and what differs is
//! evidence like any other.

use crate::session::tally::Cause;
use std::collections::{BTreeMap, BTreeSet};

use naap_protocol::capability::decide::Decision;
use naap_protocol::capability::evidence::{Evidence, Role, Subject};
use naap_protocol::identity::EntityId;
use naap_protocol::rows::TableSpec;
use naap_protocol::rows::cells::{self, Cell, Cells};
use naap_protocol::time::Timestamp;

use crate::outbox::Outbox;
use crate::session::SessionActor;
use crate::session::pen::Pen;

/// What an orchestrator would say: the decision, and whether every advertisement that can matter is
/// at hand. `None` leaves the session with what it knows.
pub type Say<'s> = dyn FnMut(Role, &Subject) -> Option<(Decision, bool)> + 's;

/// How many rows of a table go from one attribution label to another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Relabel {
    /// The table.
    pub table: &'static str,
    /// `attribution_source` of the row as it stands; `""` where the table has no such column, `new`
    /// where there is no such row.
    pub before: String,
    /// The same of the row that replaces it; `retracted` where none does.
    pub after: String,
}

/// What a backfill changes of a session.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changes {
    /// What the session does not know yet.
    pub evidence: Vec<Evidence>,
    /// Rows that are written because of it.
    pub rows: BTreeMap<Relabel, u64>,
}

/// Lets `session` ask `say` until it has nothing more to ask. Returns what was news to it.
pub fn consult(
    session: &mut SessionActor,
    me: EntityId,
    retention_ms: Option<i64>,
    say: &mut Say<'_>,
) -> Vec<Evidence> {
    let mut asked: BTreeSet<(Role, Subject)> = BTreeSet::new();
    let mut news = Vec::new();
    session.questions((me.0, 0), retention_ms);
    loop {
        // An answer can make the session ask another orchestrator.
        let open: Vec<(Role, Subject)> = session
            .state()
            .answers
            .iter()
            .flat_map(|answer| answer.roles().map(|role| (role, answer.subject.clone())))
            .filter(|question| !asked.contains(question))
            .collect();
        if open.is_empty() {
            return news;
        }
        for (role, subject) in open {
            // The answer before may have made this question needless.
            if !is_wanted(session, role, &subject) {
                continue;
            }
            if let Some((decision, complete)) = say(role, &subject) {
                let (session_id, subject) = (me.0, subject.clone());
                let evidence = Evidence { session: session_id, role, subject, decision, complete };
                if session.learn(evidence.clone(), Cause::Backfill) {
                    news.push(evidence);
                }
            }
            asked.insert((role, subject));
        }
    }
}

fn is_wanted(session: &SessionActor, role: Role, subject: &Subject) -> bool {
    let answer = session.state().answers.iter().find(|answer| answer.subject == *subject);
    answer.is_some_and(|answer| answer.roles().any(|wanted| wanted == role))
}

/// What changes of `session` by what `say` says. The session is left as it would be afterwards.
pub fn backfill(
    session: &mut SessionActor,
    me: EntityId,
    retention_ms: Option<i64>,
    say: &mut Say<'_>,
) -> Changes {
    // As if nothing was written, so that the rows that stand are at hand.
    session.enter(u64::MAX);
    let before = by_key(rows(session, retention_ms));
    let evidence = consult(session, me, retention_ms, say);
    let mut changes = Changes { evidence, rows: BTreeMap::new() };
    for (table, row) in rows(session, retention_ms) {
        let old = before.get(&(table.name, key(table, &row)));
        let relabel = Relabel {
            table: table.name,
            before: old.map_or_else(|| "new".to_owned(), |old| label(table, old)),
            after: label(table, &row),
        };
        *changes.rows.entry(relabel).or_default() += 1;
    }
    changes
}

/// The rows of `session` that differ from what it has written.
pub fn rows(
    session: &mut SessionActor,
    retention_ms: Option<i64>,
) -> Vec<(&'static TableSpec, Cells)> {
    let (mut outbox, mut version) = (Outbox::default(), 0);
    session.write(&mut Pen::new(&mut outbox, &mut version, Timestamp(0)), retention_ms);
    let batches = outbox.take().into_iter();
    let read = batches.flat_map(|batch| {
        // Rows that were just encoded can be read.
        let rows = cells::read(batch.table, &batch.rows).unwrap_or_default();
        rows.into_iter().map(move |row| (batch.table, row))
    });
    read.collect()
}

/// The sort key of a row as text.
pub fn key(table: &TableSpec, row: &Cells) -> Vec<String> {
    table
        .order_by
        .iter()
        .map(|column| row.get(column).map(Cell::to_string).unwrap_or_default())
        .collect()
}

/// True for a row that removes its key.
pub fn is_gone(table: &TableSpec, row: &Cells) -> bool {
    table.deleted.and_then(|flag| row.get(flag)).is_some_and(|flag| flag.number() == Some(1))
}

fn by_key(rows: Vec<(&'static TableSpec, Cells)>) -> BTreeMap<(&'static str, Vec<String>), Cells> {
    rows.into_iter().map(|(table, row)| ((table.name, key(table, &row)), row)).collect()
}

fn label(table: &TableSpec, row: &Cells) -> String {
    if is_gone(table, row) {
        return "retracted".to_owned();
    }
    row.get("attribution_source").map(Cell::to_string).unwrap_or_default()
}
