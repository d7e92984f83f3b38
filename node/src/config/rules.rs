//! Rules about several settings at once.

use super::names::{HostPort, Name, show_name};
use super::problem::{Origin, Problem};
use super::schema::{Cluster, Config, InputSource, Kafka, Restart, StateStore};
use super::section::Reader;

/// Why a node can not run with others, though each rule holds: its state is where they can not read it. No
/// rule for all commands, as `naap cluster` may be given the address of a node and nothing else.
pub(crate) fn hidden_state(config: &Config) -> Option<&'static str> {
    let hidden = config.cluster.listen.is_some() && config.state_log.store == StateStore::Local;
    hidden.then_some(
        "cluster.listen is set, but state_log.store = \"local\" keeps the state of shards where no other node can \
         read it; set state_log.store = \"kafka\", or remove cluster.listen",
    )
}

/// Every broken rule. Called only when each setting is good by itself.
pub(crate) fn check(config: &Config, reader: &Reader) -> Vec<Problem> {
    let mut rules = Rules { reader, problems: Vec::new() };
    rules.input(config);
    rules.cluster(&config.cluster);
    rules.state_log(config);
    rules.topics(config);
    rules.login(&config.kafka);
    rules.passwords(config);
    rules.order(config);
    rules.restart(&config.supervision.restart);
    let filter = crate::logging::filter(&config.telemetry.log_level);
    rules.hold(filter.is_ok(), "telemetry.log_level", filter.err().unwrap_or_default());
    rules.problems
}

struct Rules<'a> {
    reader: &'a Reader,
    problems: Vec<Problem>,
}

impl Rules<'_> {
    /// Reports `path`, at the place where it was given, unless the rule holds.
    fn hold(&mut self, holds: bool, path: &str, reason: impl Into<String>) {
        if !holds {
            let given = self.reader.given.get(path).and_then(|layers| layers.last());
            let origin = given.map_or(Origin::Rules, |(origin, _)| origin.clone());
            self.problems.push(Problem::new(origin, path, reason));
        }
    }

    fn input(&mut self, config: &Config) {
        if config.ingest.source == InputSource::Kafka {
            self.hold(
                !config.kafka.bootstrap.is_empty(),
                "kafka.bootstrap",
                "missing; ingest.source = \"kafka\" needs at least one broker",
            );
            self.hold(
                !config.ingest.topics.is_empty(),
                "ingest.topics",
                "empty; give at least one topic",
            );
        }
        let topics = &config.ingest.topics;
        for (at, topic) in topics.iter().enumerate() {
            let path = "ingest.topics";
            let name = show_name(&topic.name);
            let first = topics.iter().position(|other| other.name == topic.name) == Some(at);
            self.hold(first, path, format!("topic {name} is listed twice; keep one"));
            let foreign = !topic.name.as_str().starts_with("naap.");
            let own = format!("topic {name} is one of naap's own; name an input topic");
            self.hold(foreign || topic.name.as_str() == "naap.replay.v1", path, own);
        }
        let rejects = &config.kafka.rejects;
        let places = [
            ("kafka.rejects.dead_letter_topic", &rejects.dead_letter_topic),
            ("kafka.rejects.quarantine_topic", &rejects.quarantine_topic),
        ];
        for (path, place) in places {
            let is_input = topics.iter().any(|topic| topic.name == *place);
            self.hold(!is_input, path, "an input topic; rejects would be read again for ever");
        }
        self.hold(
            rejects.dead_letter_topic != rejects.quarantine_topic,
            "kafka.rejects.quarantine_topic",
            "the topic of dead letters; give each its own",
        );
        self.hold(
            !config.ingest.supported_versions.is_empty(),
            "ingest.supported_versions",
            "empty; give at least one version, such as \"1\"",
        );
    }

    fn cluster(&mut self, cluster: &Cluster) {
        let files = [
            ("cluster.ca_file", cluster.ca_file.is_some()),
            ("cluster.cert_file", cluster.cert_file.is_some()),
            ("cluster.key_file", cluster.key_file.is_some()),
        ];
        let encrypted = files.iter().any(|(_, given)| *given);
        for (path, given) in files {
            let reason =
                "missing; cluster.ca_file, cluster.cert_file and cluster.key_file belong together";
            self.hold(given || !encrypted, path, reason);
        }
        let local = |address: Option<&HostPort>| address.is_none_or(HostPort::is_loopback);
        self.hold(
            encrypted || cluster.insecure || local(cluster.listen.as_ref()),
            "cluster.listen",
            "not a loopback address, and links are plain; give cluster.cert_file, cluster.key_file and \
             cluster.ca_file, or say cluster.insecure = true",
        );
        self.hold(
            !(encrypted && cluster.insecure),
            "cluster.insecure",
            "contradicts cluster.cert_file; remove one of them",
        );
        let found =
            cluster.listen.is_some() || (cluster.peers.is_empty() && cluster.service.is_none());
        self.hold(found, "cluster.listen", "missing; the nodes of the cluster must reach this one");
        self.hold(
            cluster.peers.is_empty() || cluster.service.is_none(),
            "cluster.service",
            "contradicts cluster.peers; remove one of them",
        );
        for (at, peer) in cluster.peers.iter().enumerate() {
            let first = cluster.peers.iter().position(|other| other.name == peer.name) == Some(at);
            let reason = format!("node {} is listed twice; keep one", show_name(&peer.name));
            self.hold(first, "cluster.peers", reason);
        }
        self.hold(
            cluster.heartbeat * 2 <= cluster.suspect_after,
            "cluster.heartbeat",
            "more than half of cluster.suspect_after; lower it or raise the other",
        );
        self.hold(
            cluster.suspect_after <= cluster.down_after,
            "cluster.suspect_after",
            "more than cluster.down_after; lower it or raise the other",
        );
    }

    /// The state of shards must be where those who need it can read it.
    fn state_log(&mut self, config: &Config) {
        let reads = config.ingest.source == InputSource::Kafka;
        match config.state_log.store {
            // Where nothing is read from Kafka the start says so: `naap cluster` may be given the address of
            // a node and nothing else.
            StateStore::Local => self.hold(
                !reads || config.cluster.listen.is_none(),
                "cluster.listen",
                "contradicts state_log.store = \"local\", which keeps the state of shards where no other node can \
                 read it; set state_log.store = \"kafka\", or remove cluster.listen",
            ),
            // Input from Kafka needs brokers by itself.
            StateStore::Kafka => self.hold(
                reads || !config.kafka.bootstrap.is_empty(),
                "kafka.bootstrap",
                "missing; state_log.store = \"kafka\" needs at least one broker: give it, or set \
                 state_log.store = \"local\"",
            ),
        }
    }

    /// What two ends keep in one topic breaks both. A topic that is not used may have any name.
    fn topics(&mut self, config: &Config) {
        let (cluster, rejects) = (&config.cluster, &config.kafka.rejects);
        let reads = config.ingest.source == InputSource::Kafka;
        let state = config.state_log.store == StateStore::Kafka;
        let beats = reads && cluster.listen.is_some();
        let copies = reads && rejects.enabled;
        let own = [
            ("state_log.topic", &config.state_log.topic, state),
            ("cluster.members_topic", &cluster.members_topic, beats),
            ("kafka.rejects.dead_letter_topic", &rejects.dead_letter_topic, copies),
            ("kafka.rejects.quarantine_topic", &rejects.quarantine_topic, copies),
        ];
        // The two for rejects are compared with each other and with the input anyway.
        for (at, &(path, name, used)) in own.iter().enumerate().take(2) {
            for &(other, other_name, other_used) in &own[at + 1..] {
                let same = used && other_used && name == other_name;
                self.apart(!same, path, other, name);
            }
            let is_input = config.ingest.topics.iter().any(|topic| topic.name == *name);
            self.apart(!(used && reads && is_input), "ingest.topics", path, name);
        }
    }

    /// Reports that `one` and `other` both name the topic `name`, at the one that was given, unless the rule
    /// holds.
    fn apart(&mut self, holds: bool, one: &str, other: &str, name: &Name) {
        let is_given = self.reader.given.contains_key(other);
        let (path, beside) = if is_given { (other, one) } else { (one, other) };
        let name = show_name(name);
        let reason = format!(
            "topic {name} also stands in {beside}, and what one of them keeps would break the other; give each its own"
        );
        self.hold(holds, path, reason);
    }

    fn login(&mut self, kafka: &Kafka) {
        let protocol = kafka.security_protocol;
        if protocol.needs_login() {
            let needs = |what| {
                format!("missing; kafka.security_protocol = \"{}\" needs {what}", protocol.name())
            };
            self.hold(kafka.sasl_mechanism.is_some(), "kafka.sasl_mechanism", needs("a mechanism"));
            self.hold(kafka.username.is_some(), "kafka.username", needs("a user"));
            let password = kafka.password.is_some() || kafka.password_file.is_some();
            self.hold(password, "kafka.password_file", needs("a password"));
        } else {
            let unused = "only used with kafka.security_protocol = \"sasl_ssl\" or \"sasl_plaintext\"; remove it or choose one";
            self.hold(kafka.sasl_mechanism.is_none(), "kafka.sasl_mechanism", unused);
            self.hold(kafka.username.is_none(), "kafka.username", unused);
            self.hold(kafka.password.is_none(), "kafka.password", unused);
            self.hold(kafka.password_file.is_none(), "kafka.password_file", unused);
        }
        self.hold(
            kafka.cert_file.is_some() == kafka.key_file.is_some(),
            if kafka.cert_file.is_some() { "kafka.key_file" } else { "kafka.cert_file" },
            "missing; kafka.cert_file and kafka.key_file belong together",
        );
        self.hold(
            kafka.heartbeat * 3 <= kafka.session_timeout,
            "kafka.heartbeat",
            "more than a third of kafka.session_timeout; lower it or raise the timeout",
        );
    }

    fn passwords(&mut self, config: &Config) {
        let (kafka, clickhouse) = (&config.kafka, &config.clickhouse);
        let reader = &clickhouse.reader;
        for (path, password, file) in [
            ("kafka.password", &kafka.password, &kafka.password_file),
            ("clickhouse.password", &clickhouse.password, &clickhouse.password_file),
            ("clickhouse.reader.password", &reader.password, &reader.password_file),
        ] {
            let twice = "contradicts password_file beside it; remove one of them";
            self.hold(password.is_none() || file.is_none(), path, twice);
        }
        let nobody = "belongs to clickhouse.reader.user, which is not set; set it or remove this";
        self.hold(
            reader.password.is_none() || reader.user.is_some(),
            "clickhouse.reader.password",
            nobody,
        );
        self.hold(
            reader.password_file.is_none() || reader.user.is_some(),
            "clickhouse.reader.password_file",
            nobody,
        );
    }

    /// Settings of which one bounds another.
    fn order(&mut self, config: &Config) {
        let memory = &config.memory;
        let backoff = &config.supervision.restart.exponential_backoff;
        let mut at_most = |holds: bool, small: &str, large: &str| {
            self.hold(holds, small, format!("more than {large}; lower it or raise {large}"));
        };
        at_most(
            config.ingest.max_record_bytes <= memory.ingest_buffer,
            "ingest.max_record_bytes",
            "memory.ingest_buffer",
        );
        at_most(
            memory.shard_window <= memory.ingest_buffer,
            "memory.shard_window",
            "memory.ingest_buffer",
        );
        at_most(
            config.clickhouse.insert_bytes <= memory.sinks,
            "clickhouse.insert_bytes",
            "memory.sinks",
        );
        at_most(
            backoff.initial <= backoff.max,
            "supervision.restart.exponential_backoff.initial",
            "supervision.restart.exponential_backoff.max",
        );
    }

    /// Keys of a restart policy that is not chosen.
    fn restart(&mut self, restart: &Restart) {
        let given = &self.reader.given;
        let unused: Vec<_> = given.keys().filter(|path| restart.unused(path)).collect();
        for path in unused {
            let chosen = restart.r#type.name();
            let reason = format!(
                "not used with supervision.restart.type = \"{chosen}\"; remove it or change the type"
            );
            self.hold(false, path, reason);
        }
    }
}
