//! The laws of slices: replaced whole, by the newest owner, with a revision for every late change.

use std::slice::from_ref;

use naap_node::times::stamp;
use naap_protocol::rows::sessions::StatusHour;
use naap_protocol::time::Timestamp;
use naap_protocol::views::service::SLA_COMPLIANCE_1D;
use serde_json::json;

use crate::bench::{Bench, at, at_minute, has};
use crate::world::{evidence, put_served, session};

#[test]
fn a_key_that_a_recomputation_no_longer_has_is_gone() {
    let (bench, org) = (Bench::get(), "slice-gone");
    let one = session(org, "s", 5);
    put_served(bench, from_ref(&one), 5, 4);
    bench.publish(org, &[5]);
    let before = bench.one(&format!("SELECT * FROM v_api_gpu_metrics WHERE org = '{org}'"));
    has(&before, &json!({ "gpu_id": "GPU-1", "revision": 0 }));
    let found = evidence(&one, 5, 4, 20.0);
    bench.put(&[StatusHour { gpu_id: "GPU-2", version: 2, ..found.row() }]);
    bench.publish(org, &[5]);
    let after = bench.one(&format!("SELECT * FROM v_api_gpu_metrics WHERE org = '{org}'"));
    has(&after, &json!({ "gpu_id": "GPU-2", "revision": 1 }));
    bench.put(&[StatusHour { is_retracted: true, version: 3, ..found.row() }]);
    bench.publish(org, &[5]);
    let none = bench.ask(&format!("SELECT * FROM v_api_sla_compliance WHERE org = '{org}'"));
    assert!(none.is_empty(), "{none:?}");
    let demand = bench.one(&format!("SELECT * FROM v_api_network_demand WHERE org = '{org}'"));
    has(
        &demand,
        &json!({ "sessions_count": 0, "known_sessions_count": 1, "avg_output_fps": null }),
    );
}

#[test]
fn only_a_changed_content_makes_a_revision_and_only_after_settling() {
    let (bench, org) = (Bench::get(), "slice-revision");
    let mut one = session(org, "s", 5);
    put_served(bench, from_ref(&one), 5, 4);
    let revision = || {
        let sql = format!("SELECT revision FROM v_agg_orchestrator_1h WHERE org = '{org}'");
        bench.one(&sql)["revision"].as_u64().unwrap()
    };
    bench.publish_at(org, &[5], at_minute(5, 30));
    one.version = 2;
    one.error_count = 1;
    bench.put(from_ref(&one));
    bench.publish_at(org, &[5], at_minute(6, 9));
    assert_eq!(revision(), 0, "provisional until ten minutes after the hour");
    bench.publish_at(org, &[5], at(8));
    assert_eq!(revision(), 0, "nothing has changed");
    one.version = 3;
    one.confirmed_swap_count = 1;
    bench.put(&[one]);
    bench.publish_at(org, &[5], at_minute(6, 11));
    assert_eq!(revision(), 1);
}

#[test]
fn the_day_of_all_waits_for_the_sessions_of_each() {
    let bench = Bench::get();
    let (first, later) = (24 * 26 + 5, 24 * 26 + 7);
    let mut open = session("slice-open", "s", first);
    open.is_closed = false;
    let until = open.session_end_ts.unwrap().0 + 48 * 3_600_000;
    put_served(bench, &[open], first, 4);
    put_served(bench, &[session("slice-closed", "s", later)], later, 4);
    let day = at(24 * 26).0;
    for (org, hour) in [("slice-open", first), ("slice-closed", later)] {
        bench.publish(org, &[hour]);
        let found = bench.one(&format!(
            "SELECT toUnixTimestamp64Milli(open_until) AS until FROM rollup_slices FINAL
            WHERE relation = 'agg_quality_benchmark_1d' AND toUnixTimestamp64Milli(window_start) = {day}"
        ));
        assert_eq!(found["until"].to_string().trim_matches('"'), until.to_string(), "{org}");
    }
}

#[test]
fn a_slice_of_a_day_settles_when_the_day_is_over() {
    let (bench, org) = (Bench::get(), "slice-day");
    let (first, next_day) = (24 * 20 + 5, 24 * 21);
    let one = session(org, "s", first);
    put_served(bench, from_ref(&one), first, 4);
    let day = at(24 * 20).0;
    let known = |column: &str| {
        bench.one(&format!(
            "SELECT toString({column}) AS known FROM rollup_slices FINAL
            WHERE relation = 'agg_quality_benchmark_1d' AND toUnixTimestamp64Milli(window_start) = {day}"
        ))["known"]
            .clone()
    };
    let put = |version, fps| {
        let hour = evidence(&one, first, 4, fps);
        bench.put(&[StatusHour { version, ..hour.row() }]);
    };
    bench.publish_at(org, &[first], at(first + 1));
    put(2, 21.0);
    bench.publish_at(org, &[first], at_minute(next_day, 9));
    assert_eq!(known("revision"), "0", "the day has ended nine minutes ago");
    put(3, 22.0);
    bench.publish_at(org, &[first], at_minute(next_day, 11));
    assert_eq!(known("revision"), "1");
    assert_eq!(known("window_state"), "final", "by the store's clock");
}

#[test]
fn an_earlier_owner_never_wins() {
    let (bench, org) = (Bench::get(), "slice-owner");
    let one = session(org, "s", 5);
    put_served(bench, from_ref(&one), 5, 4);
    bench.publish_version(org, &[5], at(9), 7 << 48);
    let more = evidence(&one, 5, 9, 20.0);
    bench.put(&[StatusHour { version: 2, ..more.row() }]);
    bench.publish_version(org, &[5], at(9), (6 << 48) + 99);
    let sql = format!("SELECT status_samples FROM v_agg_orchestrator_1h WHERE org = '{org}'");
    has(&bench.one(&sql), &json!({ "status_samples": 4 }));
    bench.publish_version(org, &[5], at(9), (7 << 48) + 1);
    has(&bench.one(&sql), &json!({ "status_samples": 9 }));
}

#[test]
fn rows_of_an_owner_that_died_before_it_published_do_not_last() {
    let bench = Bench::get();
    let served = |org| {
        let sql = format!(
            "SELECT gpu_id, status_samples, session_starts, revision FROM v_api_gpu_metrics WHERE org = '{org}' ORDER BY gpu_id"
        );
        bench.ask(&sql)
    };
    // Two organisations with the same facts; the owner of the second one dies on the way.
    for (org, dies) in [("slice-lives", false), ("slice-dies", true)] {
        let one = session(org, "s", 5);
        let found = evidence(&one, 5, 4, 20.0);
        let on = |gpu_id, version| StatusHour { gpu_id, version, ..found.row() };
        put_served(bench, from_ref(&one), 5, 4);
        bench.publish_version(org, &[5], at(9), 7 << 48);
        bench.put(&[on("GPU-2", 2)]);
        if dies {
            bench.write_only(org, &[5], (7 << 48) + 1);
            assert_eq!(served(org).len(), 2, "what was and what is to be: no gap, not yet a swap");
        }
        // What it has written is outdated when the next owner comes.
        bench.put(&[on("GPU-3", 3)]);
        bench.publish_version(org, &[5], at(9), 8 << 48);
    }
    let want =
        json!({ "gpu_id": "GPU-3", "status_samples": 4, "session_starts": 1, "revision": 1 });
    assert_eq!(served("slice-dies"), [want]);
    assert_eq!(served("slice-dies"), served("slice-lives"));
}

#[test]
fn an_open_session_keeps_its_slice_from_being_final() {
    let (bench, org) = (Bench::get(), "slice-open");
    let mut open = session(org, "s", 5);
    (open.is_closed, open.closed_ts) = (false, None);
    open.session_end_ts = Some(Timestamp(4_000_000_000_000));
    put_served(bench, &[open, session(org, "closed", 7)], 5, 4);
    bench.publish(org, &[5, 7]);
    let sql = format!(
        "SELECT window_start, window_state FROM v_agg_startup_1h WHERE org = '{org}' ORDER BY window_start"
    );
    let rows = bench.ask(&sql);
    has(&rows[0], &json!({ "window_state": "settled" }));
    has(&rows[1], &json!({ "window_state": "final" }));
}

/// The hours of these days are long over by the store's clock; the view is asked as if it was another moment.
#[test]
fn a_day_of_compliance_has_a_clock_of_its_own_and_waits_for_its_hours() {
    let bench = Bench::get();
    let state = |org, now| {
        let sql = SLA_COMPLIANCE_1D.sql;
        assert!(sql.contains("now64(3)"), "{sql}");
        let sql = sql.replace("now64(3)", &format!("toDateTime64('{}', 3, 'UTC')", stamp(now)));
        let sql = format!("SELECT window_state FROM ({sql}) WHERE org = '{org}'");
        bench.one(&sql)["window_state"].clone()
    };
    let org = "compliance-day";
    put_served(bench, from_ref(&session(org, "s", 5)), 5, 4);
    bench.publish(org, &[5]);
    for (now, expected) in [
        (at(12), "provisional"),
        (at_minute(24, 9), "provisional"),
        (at_minute(24, 10), "settled"),
        (at_minute(71, 59), "settled"),
        (at(72), "final"),
    ] {
        assert_eq!(state(org, now), expected, "{}", stamp(now));
    }
    let org = "compliance-day-open";
    let mut open = session(org, "s", 5);
    (open.is_closed, open.closed_ts) = (false, None);
    open.session_end_ts = Some(Timestamp(4_000_000_000_000));
    put_served(bench, from_ref(&open), 5, 4);
    bench.publish(org, &[5]);
    assert_eq!(state(org, at(72)), "settled", "as its hour is");
}

#[test]
fn slices_without_anything_leave_no_trace() {
    let (bench, org) = (Bench::get(), "slice-empty");
    bench.publish(org, &[1, 2, 3]);
    let rows = bench.ask(&format!("SELECT * FROM rollup_slices FINAL WHERE org = '{org}'"));
    assert!(rows.is_empty(), "{rows:?}");
}
