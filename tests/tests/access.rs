//! Who may read what, on a ClickHouse server: the user that the HTTP interface asks as, and the role
//! that `deploy/clickhouse/server/reader.sql` gives it.
//!
//! The engine knows users from a configuration file only, so the statements of `reader.sql` are turned
//! into one, and the engine itself holds its user to them.
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test ends with what went wrong")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use naap_tests::engine::Engine;
use naap_tests::served::Served;
use naap_tests::{DataDir, fixture, program, run};
use serde_json::Value;

const SESSION: &str = "/v1/streaming/sessions/stream-o5s73x-mk5zc8fy%7Cdb936fab";
const DAY: &str = "start=2026-01-08&end=2026-01-09";

fn replayed() -> DataDir {
    let dir = DataDir::new();
    dir.replay(&[fixture("events-2026-01-08.jsonl")]);
    dir
}

/// Asks for everything that the interface has.
fn ask_for_all(served: &Served) {
    let document = served.get("/openapi.json");
    let paths = document["paths"].as_object().unwrap().keys();
    let lists: Vec<_> = paths.filter_map(|path| path.strip_prefix("/v1/streaming/")).collect();
    let lists: Vec<_> = lists.into_iter().filter(|list| !list.contains('{')).collect();
    assert!(lists.len() >= 4, "{lists:?}");
    for list in lists {
        let window = if list == "inventory" { "" } else { DAY };
        let rows = served.get(&format!("/v1/streaming/{list}?{window}"));
        // The capture has sessions and no GPU.
        assert!(list != "demand" || rows["data"] != Value::Array(vec![]), "{list}: {rows}");
    }
    assert_eq!(served.get(SESSION)["data"]["findings"], Value::Array(vec![]));
    assert!(!served.get("/v1/quality/checks")["data"].as_array().unwrap().is_empty());
    assert_eq!(served.request("GET", "/readyz").0, 200);
}

fn serve(command: &mut Command, engine: &Engine, settings: &[&str]) {
    command.args(["--url", &engine.url]);
    command.args(settings.iter().flat_map(|setting| ["--set", setting]));
}

#[test]
fn the_interface_asks_a_server_as_the_user_that_only_reads() {
    let dir = replayed();
    let engine = Engine::start(&dir, |command| {
        command.args(["--reader", "dashboards"]).env("NAAP_ENGINE_READER_PASSWORD", "to read");
        command.env("NAAP_ENGINE_PASSWORD", "to write");
    });
    let password = dir.path().join("password");
    std::fs::write(&password, "to read\n").unwrap();
    let file = format!("clickhouse.reader.password_file={}", password.display());
    let reader = ["clickhouse.reader.user=dashboards", &file];
    ask_for_all(&Served::start(|command| serve(command, &engine, &reader)));

    std::fs::write(&password, "to wreak havoc\n").unwrap();
    let mut wrong = Command::new(program());
    serve(wrong.arg("serve"), &engine, &reader);
    let refused = wrong.output().unwrap();
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(said.contains("clickhouse.reader.user = \"dashboards\" can not read"), "{said}");
    assert!(!said.contains("havoc"), "{said}");
}

/// The user `default` of the engine with the rights that `reader.sql` gives a reader.
fn configuration(dir: &Path) -> PathBuf {
    let script =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/clickhouse/server/reader.sql");
    let script = std::fs::read_to_string(script).unwrap();
    let lines = script.lines().filter(|line| !line.starts_with("--")).collect::<Vec<_>>().join(" ");
    let (mut grants, mut settings, mut constraints) = Default::default();
    for statement in lines.split(';').map(str::trim).filter(|statement| !statement.is_empty()) {
        if let Some(grant) =
            statement.strip_suffix(" TO naap_reader").filter(|s| s.starts_with("GRANT "))
        {
            write!(&mut grants as &mut String, "<query>{grant}</query>").unwrap();
        } else if let Some((_, profile)) = statement.rsplit_once(" SETTINGS ") {
            let profile = profile.strip_suffix("TO naap_reader").unwrap();
            for setting in profile.split(',') {
                add_setting(setting.trim(), &mut settings, &mut constraints);
            }
        } else {
            assert_eq!(statement, "CREATE ROLE IF NOT EXISTS naap_reader");
        }
    }
    let users = format!(
        "<clickhouse><profiles><default>{settings}<constraints>{constraints}</constraints></default></profiles>\
         <quotas><default/></quotas><users><default><password/><profile>default</profile><quota>default</quota>\
         <networks><ip>::/0</ip></networks><grants>{grants}</grants></default></users></clickhouse>"
    );
    std::fs::write(dir.join("users.xml"), users).unwrap();
    let users = dir.join("users.xml");
    let server =
        format!("<clickhouse><users_config>{}</users_config></clickhouse>", users.display());
    std::fs::write(dir.join("config.xml"), server).unwrap();
    dir.join("config.xml")
}

/// `name = value`, with `READONLY` or `MAX limit` behind it.
fn add_setting(setting: &str, settings: &mut String, constraints: &mut String) {
    let words: Vec<_> = setting.split_whitespace().collect();
    let [name, "=", value, bound @ ..] = words.as_slice() else { panic!("{setting}") };
    write!(settings, "<{name}>{}</{name}>", value.trim_matches('\'')).unwrap();
    let bound = match bound {
        ["READONLY"] => "<readonly/>".to_owned(),
        ["MAX", limit] => format!("<max>{limit}</max>"),
        other => panic!("{setting}: {other:?}"),
    };
    write!(constraints, "<{name}>{bound}</{name}>").unwrap();
}

#[test]
fn the_role_of_readers_is_enough_for_the_interface_and_for_nothing_else() {
    let dir = replayed();
    let file = configuration(dir.path());
    let engine = Engine::start(&dir, |command| {
        command.arg("--config-file").arg(file);
    });
    // Whatever is asked as the user that writes fails: the engine does not know it.
    let users = ["clickhouse.user=writer", "clickhouse.reader.user=default"];
    ask_for_all(&Served::start(|command| serve(command, &engine, &users)));

    let asked = |sql: &str| {
        let mut command = Command::new(program());
        command.args(["query", "--url", &engine.url, sql]);
        command
    };
    for sql in [
        "SELECT count() FROM naap.v_api_sla_compliance",
        "SELECT count() FROM naap.fact_workflow_sessions FINAL",
        "SELECT 1 SETTINGS max_execution_time = 60, max_threads = 1",
        "SELECT name FROM system.columns WHERE database = 'naap'",
        "SHOW TABLES FROM naap",
    ] {
        run(&mut asked(sql));
    }
    for (sql, reason) in [
        ("INSERT INTO naap.dq_check_results SELECT * FROM naap.dq_check_results", "ACCESS_DENIED"),
        ("CREATE TABLE naap.t (x UInt8) ENGINE = Memory", "ACCESS_DENIED"),
        ("CREATE VIEW naap.v AS SELECT 1", "ACCESS_DENIED"),
        ("DROP TABLE naap.fact_workflow_sessions", "ACCESS_DENIED"),
        ("ALTER TABLE naap.dq_check_results DELETE WHERE 1", "ACCESS_DENIED"),
        ("SYSTEM FLUSH LOGS", "ACCESS_DENIED"),
        ("SELECT * FROM file('/etc/passwd', 'LineAsString')", "ACCESS_DENIED"),
        ("SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString')", "ACCESS_DENIED"),
        ("SELECT 1 SETTINGS max_execution_time = 61", "SETTING_CONSTRAINT_VIOLATION"),
        ("SELECT 1 SETTINGS max_memory_usage = 5000000000", "SETTING_CONSTRAINT_VIOLATION"),
        ("SELECT 1 SETTINGS max_threads = 8", "SETTING_CONSTRAINT_VIOLATION"),
        ("SELECT 1 SETTINGS readonly = 0", "READONLY"),
        ("SELECT 1 SETTINGS result_overflow_mode = 'break'", "SETTING_CONSTRAINT_VIOLATION"),
    ] {
        let refused = asked(sql).output().unwrap();
        let said = String::from_utf8_lossy(&refused.stderr);
        assert!(!refused.status.success() && said.contains(reason), "{sql}: {said}");
    }
}
