//! Which session a payment was for (decisions, "payments"; feeds, "Payments").

use std::cmp::Reverse;
use std::collections::BTreeMap;

use naap_tests::DataDir;
use naap_tests::script::MINUTE;
use serde_json::Value;

use crate::Rows;
use crate::facts::{Facts, HOUR, Session, number, text};

/// The session with the request id of a ticket that ran then or a minute from it: first one that ran then,
/// then the last that started.
fn own<'a>(facts: &'a Facts, ticket: &Value) -> Option<(&'a str, &'a Session)> {
    let (org, request) = (text(ticket, "org"), text(ticket, "request_id"));
    let ts = number(ticket, "ts");
    let runs = |session: &Session, grace: i64| {
        (session.start - grace..=session.end.unwrap_or(session.start) + grace).contains(&ts)
    };
    let named = facts.sessions.iter().filter(|((of, _), session)| {
        *of == org
            && !request.is_empty()
            && session.row["request_id"] == request
            && runs(session, MINUTE)
    });
    let named = named.map(|((_, id), session)| (id.as_str(), session));
    named.max_by_key(|(id, session)| (runs(session, 0), session.start, Reverse(*id)))
}

/// Every ticket with what it was for; all but the number of tickets is key.
pub(crate) fn links(dir: &DataDir, facts: &Facts) -> Rows {
    let sql = "SELECT *, toUnixTimestamp64Milli(payment_ts) AS ts
               FROM naap.fact_payment_tickets FINAL";
    let tickets = dir.query(sql);
    let owned: Vec<_> = tickets.iter().map(|ticket| own(facts, ticket)).collect();
    let row = |(ticket, own): (&Value, &Option<(&str, &Session)>)| {
        let ts = number(ticket, "ts");
        // The last one of the same orchestrator session that has a session of its own.
        let same = |other: &&(&Value, &Option<(&str, &Session)>)| {
            ["org", "session_id", "recipient"]
                .iter()
                .all(|column| other.0[*column] == ticket[*column])
                && (ts - 24 * HOUR..=ts).contains(&number(other.0, "ts"))
                && other.1.is_some()
        };
        let is_anonymous = ticket["request_id"] == "" && ticket["session_id"] != "";
        let others: Vec<_> = tickets.iter().zip(&owned).collect();
        let last = others.iter().filter(|_| is_anonymous).filter(same);
        let last = last.max_by_key(|(ticket, _)| {
            (number(ticket, "ts"), Reverse(text(ticket, "source_event_uid")))
        });
        let (session, method) = match (own, last) {
            (Some(own), _) => (Some(own), "request_id"),
            (None, Some((_, other))) => (other.as_ref(), "session_id_heuristic"),
            (None, None) => (None, "none"),
        };
        // What the session is called, if it is called anything.
        let named = |column: &str| {
            let of_session = session.map(|(_, session)| text(&session.row, column));
            of_session.filter(|name| !name.is_empty()).unwrap_or_else(|| text(ticket, column))
        };
        let key = vec![
            text(ticket, "org"),
            ts.div_euclid(1000).to_string(),
            text(ticket, "source_event_uid"),
            session.map_or("", |(id, _)| *id).to_owned(),
            method.to_owned(),
            named("pipeline"),
            named("model_id"),
        ];
        (key, BTreeMap::from([("num_tickets", number(ticket, "num_tickets") as f64)]))
    };
    tickets.iter().zip(&owned).map(row).collect()
}
