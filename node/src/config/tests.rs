//! The rules of the configuration as tables.

use std::ffi::OsString;
use std::time::Duration;

use proptest::prelude::*;

use super::*;

fn variables(pairs: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
    pairs.iter().map(|(name, value)| (name.into(), value.into())).collect()
}

fn set(path: &str, text: &str) -> FlagValue {
    FlagValue { flag: format!("--set {path}"), path: path.to_owned(), text: text.to_owned() }
}

fn file(text: &str) -> Result<Loaded, Vec<String>> {
    full(text, &[], &[])
}

fn full(text: &str, pairs: &[(&str, &str)], flags: &[FlagValue]) -> Result<Loaded, Vec<String>> {
    load_text(Some((text, "n.toml")), &variables(pairs), flags)
        .map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

/// The only sentence of a refusal.
fn sentence(result: Result<Loaded, Vec<String>>) -> String {
    let mut sentences = result.expect_err("must be refused");
    assert_eq!(sentences.len(), 1, "{sentences:#?}");
    sentences.remove(0)
}

const BAD_FILES: &[(&str, &str)] = &[
    (
        "[kafka]\nboostrap = [\"a:1\"]",
        "n.toml:2: kafka.boostrap: unknown key; did you mean kafka.bootstrap?",
    ),
    (
        "flush_interval = \"1s\"",
        "n.toml:1: flush_interval: unknown key; did you mean commit.flush_interval?",
    ),
    ("[comit]\nflush_interval = \"1s\"", "n.toml:1: comit: unknown key; did you mean commit?"),
    ("zzzzzzzz = 1", "n.toml:1: zzzzzzzz: unknown key"),
    (
        "[cluster]\nshards = \"64\"",
        "n.toml:2: cluster.shards = \"64\": wrong type: found a text, expected a whole number",
    ),
    (
        "[cluster]\nshards = 6.5",
        "n.toml:2: cluster.shards = 6.5: wrong type: found a decimal number, expected a whole number",
    ),
    ("[cluster]\nshards = 5000", "n.toml:2: cluster.shards = 5000: out of range; give 1 to 4096"),
    ("[cluster]\nshards = -1", "n.toml:2: cluster.shards = -1: out of range; give 1 to 4096"),
    (
        "[cluster]\nshards = 99999999999999999999",
        "n.toml:2: cluster.shards = 99999999999999999999: wrong type: found a date or an oversized number, expected a whole number",
    ),
    (
        "[commit]\nflush_interval = 1",
        "n.toml:2: commit.flush_interval = 1: wrong type: found a whole number, expected a duration such as \"500ms\" or \"1h30m\"",
    ),
    (
        "[commit]\nflush_interval = \"1 sec\"",
        "n.toml:2: commit.flush_interval = \"1 sec\": not a duration; give whole numbers with the units d, h, m, s or ms, such as 500ms or 1h30m",
    ),
    (
        "[commit]\nflush_interval = \"2m\"",
        "n.toml:2: commit.flush_interval = \"2m\": out of range; give 10ms to 1m",
    ),
    (
        "[memory]\nsinks = \"64MB\"",
        "n.toml:2: memory.sinks = \"64MB\": not a size; give whole numbers with the units TiB, GiB, MiB, KiB or B, such as 64MiB",
    ),
    (
        "[kafka.rejects]\nenabled = 1",
        "n.toml:2: kafka.rejects.enabled = 1: wrong type: found a whole number, expected true or false",
    ),
    (
        "[privacy]\nmode = \"drop\"",
        "n.toml:2: privacy.mode = \"drop\": unknown choice; give one of keep, hash",
    ),
    (
        "[node]\nname = \"\"",
        "n.toml:2: node.name = \"\": not a name (letters, digits, '-', '_', '.'; not a sign first)",
    ),
    (
        "[kafka]\nbootstrap = [\n  \"a:1\",\n  \"b\",\n]",
        "n.toml:4: kafka.bootstrap[1] = \"b\": not a host with a port, such as \"kafka-0.kafka:9092\"",
    ),
    (
        "[kafka]\nbootstrap = \"a:1\"",
        "n.toml:2: kafka.bootstrap = \"a:1\": wrong type: found a text, expected a list, each element a host with a port, such as \"kafka-0.kafka:9092\"",
    ),
    (
        "[[ingest.topics]]\nname = \"t\"\norg = \"o\"\nreset = \"newest\"",
        "n.toml:4: ingest.topics[0].reset = \"newest\": unknown choice; give one of earliest, latest",
    ),
    (
        "[[ingest.topics]]\nname = \"t\"\norg = \"o\"\nreset = \"latest\"\norgs = \"p\"",
        "n.toml:5: ingest.topics[0].orgs: unknown key; a topic has name, org, reset; did you mean org?",
    ),
    (
        "[[ingest.topics]]\nname = \"t\"\nreset = \"latest\"",
        "n.toml:1: ingest.topics[0].org: missing; give a name (letters, digits, '-', '_', '.'; not a sign first)",
    ),
    (
        "\"node.name\" = \"x\"",
        "n.toml:1: node.name: unknown key; write a nested key without quotes",
    ),
    ("node = 1", "n.toml:1: node: a section, not a setting; give its keys, such as node.name"),
    (
        "[clickhouse]\nurl = \"http://u:hunter2@h:1\"",
        "n.toml:2: clickhouse.url = \"http://***@h:1\": a URL must not carry credentials; use the settings user and password_file",
    ),
    (
        "[clickhouse]\nurl = \"clickhouse:8123\"",
        "n.toml:2: clickhouse.url = \"clickhouse:8123\": not a URL that begins with http:// or https://",
    ),
    (
        "[telemetry]\nlog_level = \"inof\"",
        "n.toml:2: telemetry.log_level: \"inof\" is no log level; give one of off, error, warn, info, debug, trace, or pairs of target and level such as info,naap_node=debug",
    ),
    (
        "[clickhouse]\nurl = \"http://h:1/?user=u&password=hunter2\"",
        "n.toml:2: clickhouse.url = \"http://h:1/?***\": a URL must not carry parameters; give only the address, and use the settings user, password_file and database",
    ),
    (
        "[clickhouse]\nurl = \"http://h:1#hunter2\"",
        "n.toml:2: clickhouse.url = \"http://h:1#***\": a URL must not carry parameters; give only the address, and use the settings user, password_file and database",
    ),
    ("[node]\nname = \"a\"\nname = \"b\"", "n.toml:3: not valid TOML: duplicate key"),
    ("[node]\n[node]", "n.toml:2: not valid TOML: duplicate key"),
];
#[test]
fn bad_files_are_refused_with_one_sentence() {
    for (text, expected) in BAD_FILES {
        assert_eq!(sentence(file(text)), *expected, "{text}");
    }
}

#[test]
fn numbers_of_variables_and_flags_are_told_their_range() {
    for (text, reason) in
        [("-1", "out of range"), ("9999999999", "out of range"), ("x", "not a whole number")]
    {
        let expected = format!(
            "flag --set cluster.shards: cluster.shards = \"{text}\": {reason}; give 1 to 4096"
        );
        assert_eq!(sentence(full("", &[], &[set("cluster.shards", text)])), expected);
    }
}

#[test]
fn rules_about_several_settings_name_the_place() {
    let table = [
        (
            "[ingest]\nsource = \"kafka\"",
            "configuration: kafka.bootstrap: missing; ingest.source = \"kafka\" needs at least one broker",
        ),
        (
            "[kafka]\nheartbeat = \"2s\"",
            "n.toml:2: kafka.heartbeat: more than a third of kafka.session_timeout; lower it or raise the timeout",
        ),
        (
            "[kafka]\nusername = \"me\"",
            "n.toml:2: kafka.username: only used with kafka.security_protocol = \"sasl_ssl\" or \"sasl_plaintext\"; remove it or choose one",
        ),
        (
            "[clickhouse]\npassword = \"a\"\npassword_file = \"b\"",
            "n.toml:2: clickhouse.password: contradicts password_file beside it; remove one of them",
        ),
        (
            "[clickhouse.reader]\nuser = \"dash\"\npassword = \"a\"\npassword_file = \"b\"",
            "n.toml:3: clickhouse.reader.password: contradicts password_file beside it; remove one of them",
        ),
        (
            "[clickhouse.reader]\npassword_file = \"b\"",
            "n.toml:2: clickhouse.reader.password_file: belongs to clickhouse.reader.user, which is not set; set it or remove this",
        ),
        (
            "[ingest]\nmax_record_bytes = \"2MiB\"\n[memory]\ningest_buffer = \"1MiB\"",
            "n.toml:2: ingest.max_record_bytes: more than memory.ingest_buffer; lower it or raise memory.ingest_buffer",
        ),
        (
            "[supervision.restart]\ntype = \"none\"\n[supervision.restart.fixed_delay]\ndelay = \"1s\"",
            "n.toml:4: supervision.restart.fixed_delay.delay: not used with supervision.restart.type = \"none\"; remove it or change the type",
        ),
        (
            "[ingest]\ntopics = [{ name = \"naap.state.v1\", org = \"o\", reset = \"latest\" }]",
            "n.toml:2: ingest.topics: topic \"naap.state.v1\" is one of naap's own; name an input topic",
        ),
        (
            "[kafka.rejects]\nquarantine_topic = \"naap.dlq.v1\"",
            "n.toml:2: kafka.rejects.quarantine_topic: the topic of dead letters; give each its own",
        ),
        (
            "[cluster]\nlisten = \"10.0.0.1:9700\"",
            "n.toml:2: cluster.listen: not a loopback address, and links are plain; give cluster.cert_file, cluster.key_file and cluster.ca_file, or say cluster.insecure = true",
        ),
        (
            "[cluster]\npeers = [\"a=h:1\"]",
            "configuration: cluster.listen: missing; the nodes of the cluster must reach this one",
        ),
        (
            "[cluster]\nlisten = \"127.0.0.1:1\"\npeers = [\"a=h:1\"]\nservice = \"s:1\"",
            "n.toml:4: cluster.service: contradicts cluster.peers; remove one of them",
        ),
        (
            "[cluster]\nlisten = \"[::1]:1\"\npeers = [\"a=h:1\", \"a=h:2\"]",
            "n.toml:3: cluster.peers: node \"a\" is listed twice; keep one",
        ),
        (
            "[cluster]\nheartbeat = \"3s\"",
            "n.toml:2: cluster.heartbeat: more than half of cluster.suspect_after; lower it or raise the other",
        ),
        (
            "[cluster]\nsuspect_after = \"5s\"",
            "n.toml:2: cluster.suspect_after: more than cluster.down_after; lower it or raise the other",
        ),
        (
            "[cluster]\nca_file = \"a\"\ncert_file = \"b\"\nkey_file = \"c\"\ninsecure = true",
            "n.toml:5: cluster.insecure: contradicts cluster.cert_file; remove one of them",
        ),
        (
            "[kafka.rejects]\ndead_letter_topic = \"network_events\"",
            "n.toml:2: kafka.rejects.dead_letter_topic: an input topic; rejects would be read again for ever",
        ),
        (
            "[ingest]\nsource = \"kafka\"\n[kafka]\nbootstrap = [\"b:1\"]\n[cluster]\nlisten = \"127.0.0.1:1\"",
            "n.toml:6: cluster.listen: contradicts state_log.store = \"local\", which keeps the state of shards where no other node can read it; set state_log.store = \"kafka\", or remove cluster.listen",
        ),
        (
            "[state_log]\nstore = \"kafka\"",
            "configuration: kafka.bootstrap: missing; state_log.store = \"kafka\" needs at least one broker: give it, or set state_log.store = \"local\"",
        ),
        (
            "[state_log]\nstore = \"kafka\"\n[ingest]\nsource = \"kafka\"",
            "configuration: kafka.bootstrap: missing; ingest.source = \"kafka\" needs at least one broker",
        ),
    ];
    for (text, expected) in table {
        assert_eq!(sentence(file(text)), expected, "{text}");
    }
    let login = "[kafka]\nsecurity_protocol = \"sasl_ssl\"";
    assert_eq!(file(login).unwrap_err().len(), 3, "mechanism, user and password");
    let key = "[cluster]\nlisten = \"10.0.0.1:9700\"\nkey_file = \"k\"";
    assert_eq!(file(key).unwrap_err().len(), 2, "certificate and authority");
}

#[test]
fn topics_that_are_used_differ() {
    let clustered = |more: &[(&str, &str)]| {
        let all = [
            ("ingest.source", "kafka"),
            ("kafka.bootstrap", "b:1"),
            ("state_log.store", "kafka"),
            ("cluster.listen", "127.0.0.1:1"),
        ];
        let flags: Vec<_> = all.iter().chain(more).map(|(path, text)| set(path, text)).collect();
        full("", &[], &flags)
    };
    assert!(clustered(&[]).is_ok());
    let (state, members) = ("state_log.topic", "cluster.members_topic");
    let dead = "kafka.rejects.dead_letter_topic";
    let quarantine = "kafka.rejects.quarantine_topic";
    // What is given, where it is refused, and what stands there too.
    let table = [
        (vec![(dead, "naap.state.v1")], dead, state),
        (vec![(quarantine, "naap.state.v1")], quarantine, state),
        (vec![(dead, "naap.members.v1")], dead, members),
        (vec![(quarantine, "naap.members.v1")], quarantine, members),
        (vec![(members, "naap.state.v1")], members, state),
        (vec![(state, "naap.dlq.v1")], state, dead),
        (vec![(state, "x"), (members, "x")], members, state),
        (vec![(state, "network_events")], state, "ingest.topics"),
        (vec![("ingest.topics", "x=o:latest"), (members, "x")], members, "ingest.topics"),
    ];
    for (given, path, beside) in table {
        let name = given.last().map(|(_, name)| *name).unwrap();
        let expected = format!(
            "flag --set {path}: {path}: topic \"{name}\" also stands in {beside}, and what one of them keeps would break the other; give each its own"
        );
        assert_eq!(sentence(clustered(&given)), expected, "{given:?}");
    }
    // What is not used may have any name.
    assert!(clustered(&[(dead, "naap.state.v1"), ("kafka.rejects.enabled", "false")]).is_ok());
    assert!(full("", &[], &[set(dead, "naap.state.v1")]).is_ok());
    assert!(full("", &[], &[set(members, "network_events")]).is_ok());
}

#[test]
fn old_names_are_refused_with_the_new_one() {
    let environment = [
        (
            "QUALITY_INPUT_TOPIC",
            "removed; use NAAP_INGEST__TOPICS instead (write topic=org:reset for each topic)",
        ),
        (
            "QUALITY_DEDUP_TTL_MINUTES",
            "removed; there is no successor yet: duplicates are recognised for as long as state is kept; remove it",
        ),
        (
            "QUALITY_SUPPORTED_VERSIONS",
            "removed; use NAAP_INGEST__SUPPORTED_VERSIONS instead (the same list)",
        ),
        (
            "CLICKHOUSE_SINK_MAX_RECORD_BYTES",
            "removed; there is no successor yet: rows of more than 1,000,000 bytes are not written; remove it",
        ),
        (
            "LIFECYCLE_PIPELINE_MODEL_MODE",
            "removed; pipeline and model are always told apart by the capability catalogue; remove it",
        ),
        (
            "REPLAY_START_EPOCH_MS",
            "removed; use NAAP_INGEST__TOPICS instead (choose reset = \"earliest\" for a topic, or run naap replay on files)",
        ),
        (
            "NAAP_SUPERVISION__RESTART",
            "removed; use NAAP_SUPERVISION__RESTART__TYPE instead (the keys of each type stand in a section of their own)",
        ),
        (
            "NAAP_QUALITY_INPUT_TOPIC",
            "removed; use NAAP_INGEST__TOPICS instead (write topic=org:reset for each topic)",
        ),
    ];
    for (name, reason) in environment {
        let expected = format!("environment {name}: {reason}");
        assert_eq!(sentence(full("", &[(name, "x")], &[])), expected);
    }
    let bare = "supervision.restart: removed; use supervision.restart.type instead (the keys of each type stand in a section of their own)";
    let in_file = "[supervision]\nrestart = \"none\"";
    assert_eq!(sentence(file(in_file)), format!("n.toml:2: {bare}"));
    let flag = set("supervision.restart", "none");
    assert_eq!(sentence(full("", &[], &[flag])), format!("flag --set supervision.restart: {bare}"));
    for key in ["QUALITY_SUPPORTED_VERSIONS", "quality-supported-versions"] {
        let found = sentence(file(&format!("{key} = [\"1\"]")));
        assert!(found.contains("removed; use ingest.supported_versions instead"), "{found}");
    }
}

#[test]
fn every_tombstone_points_to_a_setting() {
    let keys = keys();
    for tombstone in tombstones::TOMBSTONES {
        let exists = |path| keys.iter().any(|key| key.path == path);
        assert!(tombstone.new.is_none_or(exists), "{}", tombstone.old);
        assert!(!exists(tombstone.old), "{}", tombstone.old);
    }
}

#[test]
fn all_problems_come_together() {
    let text = "[node]\nnme = 1\n[commit]\nflush_interval = 5\n[cluster]\nshards = 0";
    let flags = [set("privacy.mode", "x"), set("kafka.password", "hunter2")];
    let found = full(text, &[("NAAP_NOD__NAME", "x"), ("NAAP_MEMORY__SINKS", "1")], &flags);
    let found = found.unwrap_err();
    assert_eq!(found.len(), 7, "{found:#?}");
    assert!(!found.join("\n").contains("hunter2"));
}

#[test]
fn later_layers_win_and_weaker_ones_are_still_checked() {
    let text = "[commit]\nflush_interval = \"2s\"";
    let variable = [("NAAP_COMMIT__FLUSH_INTERVAL", "3s")];
    let flag = [set("commit.flush_interval", "4s")];
    let seconds = |result: Result<Loaded, Vec<String>>| {
        result.unwrap().config.commit.flush_interval.as_secs()
    };
    assert_eq!(seconds(full("", &[], &[])), 1);
    assert_eq!(seconds(full(text, &[], &[])), 2);
    assert_eq!(seconds(full(text, &variable, &[])), 3);
    assert_eq!(seconds(full(text, &variable, &flag)), 4);
    assert_eq!(seconds(full("", &variable, &[])), 3);
    let origins = full(text, &variable, &[]).unwrap().origins;
    let origin = Origin::Environment("NAAP_COMMIT__FLUSH_INTERVAL".to_owned());
    assert_eq!(origins.get("commit.flush_interval"), Some(&origin));
    assert_eq!(origins.len(), 1);
    let hidden = full("[commit]\nflush_interval = \"9h\"", &variable, &flag);
    assert!(sentence(hidden).starts_with("n.toml:2: "));
    let twice = [set("node.name", "a"), set("node.name", "b")];
    let expected =
        "flag --set node.name: node.name: given twice, also by flag --set node.name; keep one";
    assert_eq!(sentence(full("", &[], &twice)), expected);
}

#[test]
fn every_setting_has_a_variable_that_takes_its_default() {
    let restart = Config::default().supervision.restart;
    let plain =
        |key: &&Key| !key.secret && key.path != "ingest.topics" && !restart.unused(&key.path);
    for key in keys().iter().filter(plain) {
        let text = match &key.default {
            toml::Value::String(text) => text.clone(),
            toml::Value::Array(list) => {
                list.iter().filter_map(toml::Value::as_str).collect::<Vec<_>>().join(",")
            }
            other => other.to_string(),
        };
        let name = environment::name_of(&key.path);
        let loaded = full("", &[(&name, &text)], &[]);
        assert_eq!(loaded.unwrap().config, Config::default(), "{name}={text}");
    }
}

#[test]
fn environment_forms() {
    let config = full(
        "",
        &[
            ("NAAP_INGEST__TOPICS", "a=org1:earliest, b=org2:latest"),
            ("NAAP_KAFKA__BOOTSTRAP", "k1:9092,[::1]:9093"),
            ("NAAP_SUPERVISION__RESTART__TYPE", "fixed_delay"),
            ("NAAP_SUPERVISION__RESTART__FIXED_DELAY__DELAY", "7s"),
            ("NAAP_CLICKHOUSE__URL", ""),
            ("NAAP_CACHE_DIR", "/tmp"),
            ("NAAP_ENGINE_LIB", "/tmp/x"),
            ("NAAP_KAFKA_BOOTSTRAP", "x"),
            ("NAAP_UPDATE", "1"),
            ("NAAP_LOG", "debug"),
            ("PATH", "/bin"),
        ],
        &[],
    )
    .unwrap()
    .config;
    let topics = [
        TopicSource::new("a", "org1", Reset::Earliest),
        TopicSource::new("b", "org2", Reset::Latest),
    ];
    assert_eq!(config.ingest.topics, topics);
    assert_eq!(config.kafka.bootstrap.len(), 2);
    assert_eq!(config.supervision.restart.fixed_delay.delay, Duration::from_secs(7));
    assert_eq!(config.clickhouse.url, None);
    let table = [
        (
            "NAAP_COMMIT_FLUSH_INTERVAL",
            "unknown variable; did you mean NAAP_COMMIT__FLUSH_INTERVAL?",
        ),
        ("NAAP_LOGS", "unknown variable; did you mean NAAP_LOG?"),
        ("NAAP_", "unknown variable"),
        (
            "NAAP_PORT_9600_TCP",
            "unknown variable, made by Kubernetes for a service; set enableServiceLinks: false in the pod",
        ),
    ];
    for (name, reason) in table {
        let expected = format!("environment {name}: {reason}");
        assert_eq!(sentence(full("", &[(name, "x")], &[])), expected);
    }
    let bad = full("", &[("NAAP_INGEST__TOPICS", "a=o:latest,b")], &[]);
    let expected = "environment NAAP_INGEST__TOPICS: ingest.topics = \"a=o:latest,b\": element 2: no '=' in the topic; give topic=org:reset, such as streaming_events=cloud_spe:earliest";
    assert_eq!(sentence(bad), expected);
}

#[test]
fn secrets_are_never_shown() {
    let text = "[kafka]\nsecurity_protocol = \"sasl_ssl\"\nsasl_mechanism = \"plain\"\nusername = \"me\"\n";
    let variable = [
        ("NAAP_KAFKA__PASSWORD", "hunter2"),
        ("NAAP_CLICKHOUSE__PASSWORD", "hunter2"),
        ("NAAP_CLICKHOUSE__READER__USER", "dash"),
        ("NAAP_CLICKHOUSE__READER__PASSWORD", "hunter2"),
    ];
    let loaded = full(text, &variable, &[]).unwrap();
    assert_eq!(loaded.config.kafka.resolve_password().unwrap().unwrap().expose(), "hunter2");
    let printed = [
        loaded.to_toml(),
        loaded.to_json().to_string(),
        format!("{loaded:?}"),
        format!("{:#?}", loaded.config),
    ];
    for text in &printed {
        assert!(!text.contains("hunter2"), "{text}");
        assert!(text.contains("***"), "{text}");
    }
    let refused = vec![
        full("[kafka]\npassword = [\"hunter2\"]", &[], &[]),
        full("[kafka]\npasword = \"hunter2\"", &[], &[]),
        full("[kafka]\npassword = \"hunter2", &[], &[]),
        full("[kafka]\npassword = hunter2", &[], &[]),
        full("", &[("NAAP_KAFKA_PASSWORD", "hunter2")], &[]),
        full("", &[], &[set("kafka.password", "hunter2")]),
        full("", &[], &[set("kafka.pasword", "hunter2")]),
        full("", &[], &[set("clickhouse.url", "https://me:hunter2@host")]),
        full("", &[("NAAP_CLICKHOUSE__URL", "me:hunter2@host")], &[]),
        full("", &[], &[set("clickhouse.url", "https://me:hunter2?@host")]),
        full("", &[], &[set("clickhouse.url", "https://host/?user=me@here&password=hunter2")]),
        full("", &[("NAAP_CLICKHOUSE__URL", "https://host#hunter2")], &[]),
    ];
    for (at, result) in refused.into_iter().enumerate() {
        let found = result.expect_err("must be refused").join("\n");
        assert!(!found.contains("hunter2"), "{at}: {found}");
    }
}

#[test]
fn the_printed_configuration_reads_back() {
    assert_eq!(file(&file("").unwrap().to_toml()).unwrap().config, Config::default());
    let text = "[commit]\nflush_interval = \"1500ms\"\n[clickhouse]\nurl = \"http://h:1/\"\n[node]\ndata_dir = 'a \"b\" # c'";
    let loaded = file(text).unwrap();
    let printed = loaded.to_toml();
    assert!(printed.contains("flush_interval = \"1500ms\" # n.toml:2\n"), "{printed}");
    assert_eq!(file(&printed).unwrap().config, loaded.config);
}

#[test]
fn deep_nesting_is_refused() {
    let depth = 100_000;
    let texts = [
        format!("a = {}", "[".repeat(depth)),
        format!("a = {}", "{a=".repeat(depth)),
        format!("a{} = 1", ".a".repeat(depth)),
        format!("node{} = 1", ".node".repeat(depth)),
        format!("[a{}]", ".a".repeat(depth)),
        format!("{}\n", "[a]\n".repeat(1_000)),
    ];
    for text in texts {
        assert!(!file(&text).unwrap_err().is_empty());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn arbitrary_text_never_panics(text in any::<String>(), name in "NAAP_[A-Z_]{0,20}", value in any::<String>()) {
        let _ = full(&text, &[(&name, value.as_str())], &[set(&text, &value)]);
    }

    #[test]
    fn text_made_of_config_parts_never_panics(
        parts in prop::collection::vec(
            prop::sample::select(vec![
                "[", "]", "{", "}", "=", "\n", ".", ",", "\"", "'", "#", "node", "name", "kafka", "bootstrap", "ingest",
                "topics", "supervision", "restart", "type", "1", "-1", "0x", "1e999", "nan", "true", "2020-01-01", "é", "\r\n", "\0",
            ]),
            0..60,
        )
    ) {
        let _ = file(&parts.concat());
    }

    #[test]
    fn any_value_of_any_setting_is_taken_or_refused_by_name(at in any::<prop::sample::Index>(), text in any::<String>()) {
        let keys = keys();
        let key = &keys[at.index(keys.len())];
        let name = environment::name_of(&key.path);
        if let Err(found) = full("", &[(&name, &text)], &[]) {
            prop_assert!(found.iter().all(|sentence| sentence.contains(&key.path) || sentence.starts_with("configuration: ")));
        }
    }
}
