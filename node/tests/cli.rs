//! The program from outside: exit codes, messages, help and the generated reference.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed expectation is a failed test"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Runs the program with exactly this environment.
fn naap(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_naap"))
        .args(arguments)
        .current_dir(root())
        .env_clear()
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .output()
        .expect("the program starts")
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("ended by itself")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Compares with a committed file, or rewrites it with `NAAP_UPDATE=1`.
fn assert_same(file: &Path, actual: &str) {
    if std::env::var_os("NAAP_UPDATE").is_some() {
        std::fs::write(file, actual).unwrap();
    }
    let expected = std::fs::read_to_string(file).unwrap_or_default();
    let differs = expected.lines().zip(actual.lines()).find(|(known, now)| known != now);
    assert!(
        expected == actual,
        "{} is out of date; run the tests with NAAP_UPDATE=1; first line that differs, as committed and \
         as it is now: {differs:#?}",
        file.display()
    );
}

#[test]
fn shipped_examples_are_good() {
    let folder = root().join("deploy/config");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let file = entry.unwrap().path();
        // The secrets that they name are where the node runs.
        let output = naap(&["config", "check", "--no-files", file.to_str().unwrap()], &[]);
        assert_eq!(code(&output), 0, "{}: {}", file.display(), stderr(&output));
        count += 1;
    }
    assert!(count >= 2);
}

#[test]
fn reference_is_up_to_date() {
    let output = naap(&["config", "reference"], &[]);
    assert_same(&root().join("docs/configuration.md"), &stdout(&output));
}

#[test]
fn topology_is_up_to_date() {
    let output = naap(&["topology", "--output", "json"], &[]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_same(&root().join("node/tests/topology.json"), &stdout(&output));
}

#[test]
fn help_is_up_to_date() {
    let commands = [
        "",
        "run",
        "replay",
        "query",
        "explain",
        "explain session",
        "backfill",
        "backfill attribution",
        "verify",
        "serve",
        "generate",
        "schema",
        "schema apply",
        "schema check",
        "config",
        "config check",
        "config print",
        "config reference",
        "cluster",
        "cluster status",
        "cluster drain",
        "topology",
        "engine",
    ];
    for command in commands {
        let mut arguments: Vec<&str> = command.split_whitespace().collect();
        arguments.push("--help");
        let output = naap(&arguments, &[]);
        assert_eq!(code(&output), 0, "{command}");
        let name = if command.is_empty() { "naap".to_owned() } else { command.replace(' ', "-") };
        let file = root().join("node/tests/help").join(format!("{name}.txt"));
        assert_same(&file, &stdout(&output));
    }
}

#[test]
fn config_check_tells_bad_from_unreadable() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &[u8]| {
        let file = folder.path().join(name);
        std::fs::write(&file, text).unwrap();
        file.to_str().unwrap().to_owned()
    };
    let good = write("good.toml", b"");
    let typo = write("typo.toml", b"[commit]\nflush_intervall = \"1s\"\n[node]\nname = 5\n");
    let binary = write("binary.toml", b"[node]\nname = \"\xff\"\n");
    let missing = format!("{good}.missing");

    let output = naap(&["config", "check", &good], &[]);
    assert_eq!((code(&output), stdout(&output)), (0, format!("{good}: ok\n")));

    let output = naap(&["config", "check", &typo], &[]);
    assert_eq!(code(&output), 1);
    let first = format!(
        "error: {typo}:2: commit.flush_intervall: unknown key; did you mean commit.flush_interval?"
    );
    assert_eq!(stderr(&output).lines().next(), Some(first.as_str()));
    assert_eq!(stderr(&output).lines().count(), 2);

    let output = naap(&["config", "check", &typo, "--output", "json"], &[]);
    let value: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!(value["code"], 1);
    assert_eq!(value["problems"][0]["line"], 2);
    assert_eq!(value["problems"][0]["suggestion"], "commit.flush_interval");
    assert_eq!(value["problems"][1]["path"], "node.name");

    let names = "[kafka]\nca_file = \"/nowhere/ca\"\n[clickhouse]\npassword_file = \"/\"\n";
    let names = write("names.toml", names.as_bytes());
    let output = naap(&["config", "check", &names], &[]);
    assert_eq!(code(&output), 1);
    let said = stderr(&output);
    for file in
        ["kafka.ca_file: can not read /nowhere/ca", "clickhouse.password_file: can not read /:"]
    {
        assert!(said.contains(file), "{said}");
    }
    assert_eq!(code(&naap(&["config", "check", "--no-files", &names], &[])), 0);
    let text = write("text", b"no PEM, no TOML");
    let names = format!(
        "[ingest]\nsource = \"kafka\"\ntopics = [{{ name = \"t\", org = \"o\", reset = \"latest\" }}]\n\
         [kafka]\nbootstrap = [\"localhost:1\"]\nca_file = {text:?}\n\
         [clickhouse]\nurl = \"https://localhost:1\"\nca_file = {text:?}\n[quality]\ngates_file = {text:?}\n"
    );
    let names = write("contents.toml", names.as_bytes());
    let expected = [
        format!("kafka.ca_file = {text} is not usable: it holds no certificate in PEM; correct"),
        format!(
            "clickhouse.ca_file = {text} is not usable: it holds no certificate in PEM; correct"
        ),
        format!("quality.gates_file: the file of gates {text} is wrong: line 1: "),
    ];
    for (arguments, expected_code) in
        [(&["config", "check", &names][..], 1), (&["run", "--config", &names], 2)]
    {
        let output = naap(arguments, &[]);
        assert_eq!(code(&output), expected_code, "{arguments:?}");
        let said = stderr(&output);
        assert!(expected.iter().all(|sentence| said.contains(sentence)), "{said}");
    }
    let builtin = include_str!("../../deploy/quality/gates.toml");
    let gates = write("gates.toml", builtin.replace("gates.probe", "gates.probes").as_bytes());
    let names = write("probe.toml", format!("[quality]\ngates_file = {gates:?}\n").as_bytes());
    let output = naap(&["config", "check", &names], &[]);
    assert_eq!(code(&output), 1);
    let sentence = format!("quality.gates_file: {gates} has no gate 'probe', which a node runs");
    assert!(stderr(&output).contains(&sentence), "{}", stderr(&output));

    let filter = write("filter.toml", b"[telemetry]\nlog_level = \"bad=bad=bad\"\n");
    let output = naap(&["config", "check", &filter], &[]);
    assert_eq!(code(&output), 1);
    assert!(
        stderr(&output)
            .contains("filter.toml:2: telemetry.log_level: \"bad=bad=bad\" is no log filter")
    );

    let output = naap(&["config", "check", &binary], &[]);
    assert_eq!(code(&output), 1);
    assert_eq!(stderr(&output), format!("error: {binary}:2: not UTF-8; save the file as UTF-8\n"));

    for unreadable in [missing.as_str(), folder.path().to_str().unwrap()] {
        let output = naap(&["config", "check", unreadable], &[]);
        assert_eq!(code(&output), 2, "{unreadable}");
        assert!(stderr(&output).starts_with("error: cannot read the configuration file "));
        assert_eq!(stderr(&output).lines().count(), 1);
    }
}

#[test]
fn config_print_shows_the_strongest_layer_and_no_secret() {
    let variables = [("NAAP_CLICKHOUSE__PASSWORD", "hunter2"), ("NAAP_LOG", "debug")];
    let print = ["config", "print", "--set", "commit.flush_interval=3s"];
    let output = naap(&print, &variables);
    let text = stdout(&output);
    assert_eq!(code(&output), 0);
    assert!(
        text.contains("flush_interval = \"3s\" # flag --set commit.flush_interval\n"),
        "{text}"
    );
    assert!(text.contains("log_level = \"debug\" # flag --log or NAAP_LOG\n"), "{text}");
    assert!(
        text.contains("password = \"***\" # environment NAAP_CLICKHOUSE__PASSWORD\n"),
        "{text}"
    );
    assert!(!text.contains("hunter2"));

    let output = naap(&[&print[..], &["--output", "json"]].concat(), &variables);
    let value: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(value["config"]["commit"]["flush_interval"], "3s");
    assert_eq!(value["config"]["clickhouse"]["password"], "***");
    assert_eq!(value["origins"]["telemetry.log_level"], "flag --log or NAAP_LOG");

    let output = naap(&["config", "print"], &[("QUALITY_INPUT_TOPIC", "x")]);
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("use NAAP_INGEST__TOPICS instead"));
}

/// Each of the commands ends with 2 and says the text.
fn assert_refused(table: &[(&[&str], &str)]) {
    for (arguments, expected) in table {
        let output = naap(arguments, &[]);
        assert_eq!(code(&output), 2, "{arguments:?}");
        assert!(stderr(&output).contains(expected), "{arguments:?}: {}", stderr(&output));
        assert!(output.stdout.is_empty(), "{arguments:?}");
        let is_help = !stderr(&output).starts_with("error: ");
        assert!(is_help || stderr(&output).lines().count() == 1, "{arguments:?}");
    }
}

#[test]
fn explain_and_backfill_say_what_they_need() {
    let table: &[(&[&str], &str)] = &[
        (&["explain", "session", "x"], "<--data-dir <DIR>|--url <URL>>"),
        (&["explain", "session", "--data-dir", "d", ""], "a value is required"),
        (&["explain", "session", "--data-dir", "d", "x"], "d is no data folder of naap"),
        (&["backfill", "attribution", "--data-dir", "d", "--to", "2026-01-08"], "--from <TIME>"),
        (
            &["backfill", "attribution", "--data-dir", "d", "--from", "x", "--to", "2026-01-08"],
            "not a time; give a UTC day or time, such as 2026-01-08",
        ),
        (
            &[
                "backfill",
                "attribution",
                "--data-dir",
                "d",
                "--from",
                "2026-01-08",
                "--to",
                "2026-01-08",
            ],
            "the window is empty",
        ),
        (
            &[
                "backfill",
                "attribution",
                "--url",
                "http://h",
                "--from",
                "2026-01-08",
                "--to",
                "2026-01-09",
            ],
            "which a server alone is not; stop the node",
        ),
        (
            &[
                "backfill",
                "attribution",
                "--data-dir",
                "d",
                "--from",
                "2026-01-08",
                "--to",
                "2026-01-09",
            ],
            "add --allow-old",
        ),
        (
            &[
                "backfill",
                "attribution",
                "--data-dir",
                "d",
                "--from",
                "2026-01-08",
                "--to",
                "2026-01-09",
                "--allow-old",
            ],
            "d holds no state of naap",
        ),
    ];
    assert_refused(table);
}

#[test]
fn wrong_usage_ends_with_2_and_a_helpful_sentence() {
    let table: &[(&[&str], &str)] = &[
        (&[], "Usage: naap"),
        (&["replya"], "similar subcommands exist: 'explain', 'replay'"),
        (&["replay", "x"], "--data-dir <DIR>"),
        (&["replay", "--data-dir", "d"], "<FILE>..."),
        (&["replay", "--data-dir", "d", "--shuffle", "x", "f"], "not a seed; give a whole number"),
        (
            &["replay", "--data-dir", "d", "--duplicate", "1.5", "f"],
            "not a probability; give a number from 0 to 1",
        ),
        (&["replay", "--data-dir", "d", "--duplicate", "nan", "f"], "not a probability"),
        (
            &["replay", "--data-dir", "d", "--capability-delay", "10", "f"],
            "not a duration; give whole numbers with the units",
        ),
        (
            &[
                "replay",
                "--data-dir",
                "d",
                "--capability-delay",
                "1m",
                "--capability-precede-session",
                "f",
            ],
            "cannot be used with",
        ),
        (&["query", "SELECT 1"], "<--data-dir <DIR>|--url <URL>>"),
        (&["query", "--data-dir", "d", "--url", "http://h", "SELECT 1"], "cannot be used with"),
        (&["query", "--url", "h", "SELECT 1"], "not a URL that begins with http:// or https://"),
        (
            &["query", "--url", "http://h/?password=hunter2", "SELECT 1"],
            "invalid value 'http://h/?***' for '--url <URL>': a URL must not carry parameters; give only",
        ),
        (
            &["verify", "--url", "http://u:hunter2@h", "--gate", "pr"],
            "invalid value 'http://***@h' for '--url <URL>': a URL must not carry credentials; use",
        ),
        (
            &["query", "--url", "http://127.0.0.1:1", "SELECT 1"],
            "error: can not ask http://127.0.0.1:1: ",
        ),
        (
            &["schema", "check", "--url", "http://127.0.0.1:1"],
            "see that a ClickHouse server is up there, and that the URL, clickhouse.user and",
        ),
        (&["query", "--data-dir", "d", ""], "a value is required"),
        (&["generate", "--sessions", "0"], "not a count; give a whole number from 1"),
        (&["generate", "--sessions", "-5"], "not a count; give a whole number from 1"),
        (&["replay", "--data-dir", "d", "--duplicate", "-0.1", "f"], "invalid value '-0.1'"),
        (&["replay", "--data-dir", "d", "--shuffle", "-1", "f"], "invalid value '-1'"),
        (
            &[
                "run",
                "--source",
                "kafka",
                "--set",
                "kafka.bootstrap=h:1",
                "--set",
                "kafka.ca_file=/nowhere/ca",
            ],
            "kafka.ca_file: can not read /nowhere/ca",
        ),
        (&["config", "check", "a", "--config", "b"], "cannot be used with"),
        (&["config", "print", "--set", "x"], "no '=' in it; give section.key=value"),
        (&["config", "print", "--output", "yaml"], "[possible values: text, json]"),
        (&["schema"], "Usage: naap schema"),
        (&["generate", "--orchestrators", "3"], "give a whole number from 4 to 10000"),
        (&["run", "--source", "kafka"], "kafka.bootstrap: missing"),
    ];
    assert_refused(table);
}

#[test]
fn errors_are_json_when_asked() {
    for arguments in [
        &["--output", "json", "replya"][..],
        &["--output", "json"],
        &["replay", "--output", "json"],
        &["config", "print", "--output=json", "--set", "x"],
        &["run", "--source", "kafka", "--output", "json"],
    ] {
        let output = naap(arguments, &[]);
        let value: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
        assert_eq!(value["code"], 2);
        let message = value["error"].as_str().unwrap();
        assert!(!message.is_empty() && !message.contains('\n'), "{message}");
    }
}

#[test]
fn version_goes_to_stdout() {
    let output = naap(&["--version"], &[]);
    assert_eq!(code(&output), 0);
    assert_eq!(stdout(&output), format!("naap {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn shares_of_members_are_told() {
    let output = naap(&["topology", "--members", "b,a,c=0"], &[]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let expected = "\
64 shards
  member  weight  shards  if it leaves
  a            8      32  32 to b
  b            8      32  32 to a
  c            0       0  nothing moves
the fullest member has 1.00 times its even share
";
    assert_eq!(stdout(&output), expected);

    let output = naap(&["topology", "--members", "b,a,c=0", "--output", "json"], &[]);
    let value: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let shards = |n: usize| value["members"][n]["shards"].as_array().unwrap().len();
    assert_eq!((shards(0) + shards(1), shards(2)), (64, 0));
    assert_eq!(value["members"][0]["leave"]["b"], shards(0), "all that a had goes to b");

    let output = naap(&["topology", "--members", "a,a"], &[]);
    assert_eq!(code(&output), 2);
    assert_eq!(stderr(&output), "error: --members: a name is given twice; give each member once\n");
    let output = naap(&["topology", "--members", "a=900"], &[]);
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("'900' is not a weight"), "{}", stderr(&output));
}
