//! What orchestrators advertised comes when they no longer look back so far: a backfill beside the
//! running nodes makes it good.

use std::process::Command;

use naap_tests::stage::{SHARDS, Team, assert_same, bootstrap, data_dir, fingerprints};
use naap_tests::{DataDir, json, program, run};
use serde_json::Value;

const DAY: i64 = 24 * 3_600_000;

/// The generated events without what was advertised, but with what will be four days later; and what was
/// advertised.
fn apart(lines: &[Vec<u8>]) -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
    let event = |line: &Vec<u8>| serde_json::from_slice::<Value>(line).ok();
    let advertises =
        |line: &&Vec<u8>| event(line).is_some_and(|event| event["type"] == "network_capabilities");
    let (advertised, mut first): (Vec<_>, Vec<_>) =
        lines.iter().cloned().partition(|line| advertises(&line));
    let later = |(number, line): (usize, &Vec<u8>)| {
        let mut event = event(line)?;
        let ts: i64 = event["timestamp"].as_str()?.parse().ok()?;
        event["timestamp"] = (ts + 4 * DAY).to_string().into();
        event["id"] = format!("later-{number}").into();
        Some(event.to_string().into_bytes())
    };
    first.extend(advertised.iter().enumerate().filter_map(later));
    (first, advertised)
}

/// What `naap backfill attribution` of the day reports, with these further arguments.
fn backfill(arguments: &[String]) -> Value {
    let mut command = Command::new(program());
    command.args(["backfill", "attribution", "--from", "2026-01-01", "--to", "2026-01-02"]);
    command.args(["--output", "json", "--set"]).arg(format!("cluster.shards={SHARDS}"));
    json(&run(command.args(arguments)))
}

#[test]
#[ignore = "needs a real Kafka: make test-cluster"]
fn a_backfill_beside_running_nodes_changes_what_came_too_late_once() {
    let bootstrap = bootstrap();
    let team = Team::new(bootstrap, "late", 3, 300);
    let nodes: Vec<_> = (0..3).map(|number| team.start(number)).collect();
    let dir = data_dir();
    let alone = team.stage.node("alone", "alone", &dir.data(), &[]);
    let (first, advertised) = apart(team.stage.lines());
    for part in [&first, &advertised] {
        team.stage.send(part.iter().enumerate());
        team.until_caught_up(&nodes.iter().collect::<Vec<_>>());
        team.stage.until_caught_up(&team.stage.group("alone"), &[&alone]);
    }
    alone.stop();

    // Beside the second node, whose links it uses.
    let folder = DataDir::new();
    let beside = [
        "node.name=naap-1".to_owned(),
        format!("node.data_dir={}", folder.data().display()),
        format!("cluster.listen=127.0.0.1:{}", team.ports()[1]),
        "state_log.store=kafka".to_owned(),
        format!("state_log.topic=state-{}", team.stage.topic),
        format!("kafka.bootstrap={}", team.stage.bootstrap),
    ];
    let with = |flag: &str| {
        let sets = beside.iter().flat_map(|setting| ["--set".to_owned(), setting.clone()]);
        let rest = ["--url".to_owned(), team.tables.url.clone(), flag.to_owned()];
        backfill(&sets.chain(rest).collect::<Vec<_>>())
    };
    let unattributed = || {
        let sql = "SELECT count() FROM naap.fact_workflow_sessions FINAL \
                   WHERE attribution_source = 'unattributed'";
        team.tables.query(sql)[0][0].parse::<u64>().unwrap()
    };
    let (before, dry) = (unattributed(), with("--dry-run"));
    assert!(dry["sessions"]["changed"].as_u64().unwrap() > 100, "{dry}");
    assert_eq!(unattributed(), before, "nothing is written");
    let wet = with("--allow-old");
    assert_eq!((&wet["rows"], &wet["run_id"]), (&dry["rows"], &dry["run_id"]));
    let after = unattributed();
    assert!(after + 100 < before, "{after} of {before} are unattributed");
    let again = with("--allow-old");
    assert_eq!(
        (&again["sessions"]["changed"], &again["rows"]),
        (&0.into(), &Value::Array(Vec::new()))
    );

    let local =
        ["--data-dir".to_owned(), dir.data().display().to_string(), "--allow-old".to_owned()];
    let expected = backfill(&local);
    assert_eq!((&wet["sessions"], &wet["rows"]), (&expected["sessions"], &expected["rows"]));
    let (found, _) = team.stop(nodes);
    assert_same(&found, &fingerprints(&dir));
}
