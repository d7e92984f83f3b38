//! Every setting of a node, once: name, type, default, range and meaning.
//!
//! The reference (`docs/configuration.md`), the environment names and `naap config print` follow from this file.

use std::path::PathBuf;
use std::time::Duration;

use super::names::{HostPort, Name, PeerAddress, Reset, TopicSource, Url};
use super::secret::{self, Secret, SecretError};
use super::section::section;
use super::value::{ByteSize, choice};

const fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

const fn secs(count: u64) -> Duration {
    Duration::from_secs(count)
}

const fn minutes(count: u64) -> Duration {
    secs(count * 60)
}

const fn hours(count: u64) -> Duration {
    minutes(count * 60)
}

/// A default that is a name by construction (a test reads every default back).
fn name(text: &'static str) -> Name {
    Name::literal(text)
}

choice! {
    /// Where input comes from.
    pub enum InputSource {
        /// Files or standard input; one node, no services.
        Embedded = "embedded",
        /// Kafka topics.
        Kafka = "kafka",
    }
}

choice! {
    /// Where the state of shards is kept.
    pub enum StateStore {
        /// A file in `node.data_dir`; one node.
        Local = "local",
        /// A compacted topic.
        Kafka = "kafka",
    }
}

choice! {
    /// How brokers are reached.
    pub enum SecurityProtocol {
        /// No encryption, no login.
        Plaintext = "plaintext",
        /// Encryption, no login.
        Ssl = "ssl",
        /// Encryption and login.
        SaslSsl = "sasl_ssl",
        /// Login without encryption.
        SaslPlaintext = "sasl_plaintext",
    }
}

impl SecurityProtocol {
    /// A user name, mechanism and password are needed.
    pub const fn needs_login(self) -> bool {
        matches!(self, Self::SaslSsl | Self::SaslPlaintext)
    }
}

choice! {
    /// How a user proves itself to the brokers.
    pub enum SaslMechanism {
        /// Password in clear.
        Plain = "plain",
        /// Salted challenge with SHA-256.
        ScramSha256 = "scram_sha_256",
        /// Salted challenge with SHA-512.
        ScramSha512 = "scram_sha_512",
    }
}

choice! {
    /// Which restart policy applies.
    pub enum RestartType {
        /// Waits that double up to a limit.
        ExponentialBackoff = "exponential_backoff",
        /// Equal waits, a limited number of times.
        FixedDelay = "fixed_delay",
        /// No restart: the node ends.
        None = "none",
    }
}

choice! {
    /// What happens to personal data before a row is built.
    pub enum PrivacyMode {
        /// Stored as it arrives.
        Keep = "keep",
        /// Replaced by SHA-256 prefixes.
        Hash = "hash",
    }
}

choice! {
    /// How log lines are written.
    pub enum LogFormat {
        /// For people.
        Text = "text",
        /// One JSON object a line.
        Json = "json",
    }
}

section! {
    /// The whole configuration of a node.
    pub struct Config {}
    sections {
        node: Node,
        cluster: Cluster,
        state_log: StateLog,
        ingest: Ingest,
        kafka: Kafka,
        clickhouse: ClickHouse,
        commit: Commit,
        memory: Memory,
        passivation: Passivation,
        retention: Retention,
        attribution: Attribution,
        gold: Gold,
        rollup: Rollup,
        supervision: Supervision,
        privacy: Privacy,
        quality: Quality,
        http: Http,
        telemetry: Telemetry,
    }

    /// Who this node is and where it keeps its files.
    pub struct Node {
        /// Stable name of this node, the pod name in Kubernetes; unique in its consumer group.
        name: Name = name("naap-0");
        /// Folder for everything that the node stores itself (state log, embedded engine).
        data_dir: PathBuf = PathBuf::from("naap-data");
    }

    /// The key space and who serves it. Links are encrypted and both ends show a certificate; plain ones need loopback addresses or `insecure`.
    pub struct Cluster {
        /// Name of the cluster; nodes of another one are refused.
        name: Name = name("naap");
        /// Address on which other nodes reach this one; not set means one node without links.
        listen: Option<HostPort> = None;
        /// All nodes, so that the list can be the same on each: `name=host:port`. A node dials those whose name sorts below its own, numbers at the end by value.
        peers: Vec<PeerAddress> = Vec::new();
        /// Headless service with the port of its pods, instead of `peers`: node `x-2` dials `x-0` and `x-1` in this domain.
        service: Option<HostPort> = None;
        /// Authorities that certificates of nodes must be signed by (PEM).
        ca_file: Option<PathBuf> = None;
        /// Certificate of this node (PEM); one of its DNS names is `node.name`. A changed file counts within 10 s.
        cert_file: Option<PathBuf> = None;
        /// Private key of that certificate (PEM).
        key_file: Option<PathBuf> = None;
        /// Plain links also beyond loopback: whoever reaches the port is a member and can write facts.
        insecure: bool = false;
        /// Topic in which nodes give signs of life, compacted and with one partition; made at the start where it is missing. Used with `ingest.source = "kafka"`.
        members_topic: Name = name("naap.members.v1");
        /// Pause between two signs of life; equal on all nodes.
        heartbeat: Duration = millis(500), millis(50)..=secs(10);
        /// Silence on a link after which a node is suspect, which moves nothing.
        suspect_after: Duration = secs(2), millis(100)..=minutes(1);
        /// Silence on link and topic after which a node is down and its shards move.
        down_after: Duration = secs(4), millis(200)..=minutes(10);
        /// Number of shards of the key space; fixed for the life of a data folder.
        shards: u32 = 64, 1..=4096;
        /// Longest ordered stop, from the signal on; then the node says what is not durable and ends. Half of it is the longest wait for what was read from Kafka to be durably applied before its partitions are given back.
        drain_timeout: Duration = secs(60), secs(1)..=hours(1);
    }

    /// Where the state of shards is kept, and who has which is decided.
    pub struct StateLog {
        /// `local` is a file in `node.data_dir`; `kafka` is a topic, with which a node can lose its folder. Changing it starts with an empty state log.
        store: StateStore = StateStore::Local;
        /// Compacted topic with `cluster.shards` partitions and nothing else in it; made at the start where it is missing.
        topic: Name = name("naap.state.v1");
        /// Most bytes per second that are read to restore shards.
        restore_rate: ByteSize = ByteSize::mib(64), ByteSize::mib(1)..=ByteSize::gib(16);
    }

    /// What is read and what is accepted.
    pub struct Ingest {
        /// `embedded` reads files or standard input, `kafka` reads topics.
        source: InputSource = InputSource::Embedded;
        /// Input topics with their organisation and their start without a committed offset.
        topics: Vec<TopicSource> = vec![
            TopicSource::new("streaming_events", "cloud_spe", Reset::Earliest),
            TopicSource::new("network_events", "daydream", Reset::Latest),
        ];
        /// Consumer group, named `naap.<environment>.<role>`.
        group: Name = name("naap.local.ingest");
        /// Longest record of a known family that is accepted; a longer one becomes a dead letter, as does one that between nodes would be more than 16 MiB. A row holds 1,000,000 bytes at most, whatever this is.
        max_record_bytes: ByteSize = ByteSize(1_000_000), ByteSize::kib(1)..=ByteSize::mib(8);
        /// Most record headers that are kept.
        max_headers: u32 = 64, 0..=1024;
        /// Most bytes of record headers that are kept.
        max_header_bytes: ByteSize = ByteSize::kib(16), ByteSize(0)..=ByteSize::mib(1);
        /// Event versions that the gate accepts.
        supported_versions: Vec<String> = vec!["1".to_owned(), "v1".to_owned()];
    }

    /// How brokers are reached. Used with `ingest.source = "kafka"` and with `state_log.store = "kafka"`.
    pub struct Kafka {
        /// Brokers to ask first.
        bootstrap: Vec<HostPort> = Vec::new();
        /// Encryption and login of the connections.
        security_protocol: SecurityProtocol = SecurityProtocol::Plaintext;
        /// Kind of login; required with `sasl_ssl` and `sasl_plaintext`.
        sasl_mechanism: Option<SaslMechanism> = None;
        /// User of the login.
        username: Option<String> = None;
        /// Password of the login. Never a flag; better a file named in `password_file`.
        password: Option<Secret> = None;
        /// File that holds the password; a line end at its end is ignored.
        password_file: Option<PathBuf> = None;
        /// Authorities that brokers must be signed by (PEM); not set means those of the system.
        ca_file: Option<PathBuf> = None;
        /// Certificate that this node shows to brokers (PEM).
        cert_file: Option<PathBuf> = None;
        /// Private key of that certificate (PEM).
        key_file: Option<PathBuf> = None;
        /// Silence after which the group gives this node's partitions away; the broker must allow it (`group.min.session.timeout.ms`).
        session_timeout: Duration = secs(3), secs(1)..=minutes(30);
        /// Pause between two heartbeats to the group; at most a third of the session timeout.
        heartbeat: Duration = millis(500), millis(100)..=minutes(10);
    }
    sections { rejects: Rejects }

    /// Copies of the reject rows as messages. Used with `ingest.source = "kafka"`; both topics must exist.
    pub struct Rejects {
        /// Publish rejects; offsets then wait for the topics as they wait for the tables.
        enabled: bool = true;
        /// Topic of the dead letters.
        dead_letter_topic: Name = name("naap.dlq.v1");
        /// Topic of quarantined records: duplicates, conflicts, times in the future.
        quarantine_topic: Name = name("naap.quarantine.v1");
    }

    /// Where rows go.
    pub struct ClickHouse {
        /// HTTP address of a server; not set means the embedded engine in `node.data_dir`. With `https://` all that is sent is encrypted.
        url: Option<Url> = None;
        /// Authorities that an `https` server must be signed by (PEM); not set means those of the system.
        ca_file: Option<PathBuf> = None;
        /// Database of all tables.
        database: Name = name("naap");
        /// User that writes.
        user: Name = name("default");
        /// Password of the user. Never a flag; better a file named in `password_file`.
        password: Option<Secret> = None;
        /// File that holds the password; a line end at its end is ignored.
        password_file: Option<PathBuf> = None;
        /// Library of the embedded engine; not set means the one in the cache folder.
        engine_lib: Option<PathBuf> = None;
        /// Memory limit of the embedded engine.
        engine_memory: ByteSize = ByteSize::gib(1), ByteSize::mib(256)..=ByteSize::gib(256);
        /// Most rows of one insert.
        insert_rows: u32 = 50_000, 1..=1_000_000;
        /// Most bytes of one insert.
        insert_bytes: ByteSize = ByteSize::mib(4), ByteSize::kib(64)..=ByteSize::mib(256);
        /// Most inserts of one table under way at once.
        inserts_in_flight: u32 = 2, 1..=16;
        /// Longest wait for the answer to one request.
        request_timeout: Duration = secs(30), secs(1)..=minutes(30);
    }
    sections { reader: ReadingUser }

    /// Who the HTTP interface asks a server as. Used with `clickhouse.url`; the embedded engine has a reader of its own.
    pub struct ReadingUser {
        /// User that only reads, with the role of `deploy/clickhouse/server/reader.sql`; not set means `clickhouse.user`, each statement read-only.
        user: Option<Name> = None;
        /// Password of the user. Never a flag; better a file named in `password_file`.
        password: Option<Secret> = None;
        /// File that holds the password; a line end at its end is ignored.
        password_file: Option<PathBuf> = None;
    }

    /// When effects become durable.
    pub struct Commit {
        /// Time from the start of one commit cycle to the next; longer where a cycle takes more than half of it.
        flush_interval: Duration = secs(1), millis(10)..=minutes(1);
    }

    /// Budgets in bytes; at a limit intake pauses, nothing is dropped.
    pub struct Memory {
        /// Records that wait for the ingest, for room in the sinks or for the window of their shard; with the Kafka source half as much is kept beside them to send again.
        ingest_buffer: ByteSize = ByteSize::mib(8), ByteSize::mib(1)..=ByteSize::gib(64);
        /// Bytes on the way to one shard that it has not applied yet.
        shard_window: ByteSize = ByteSize::kib(128), ByteSize::kib(64)..=ByteSize::gib(1);
        /// Envelopes with the shards whose rows and state are not durable yet; a commit cycle starts early at half of it.
        uncommitted: ByteSize = ByteSize::mib(8), ByteSize::mib(1)..=ByteSize::gib(64);
        /// Rows waiting for an insert, over all tables.
        sinks: ByteSize = ByteSize::mib(24), ByteSize::mib(1)..=ByteSize::gib(64);
        /// Sessions in memory, estimated; each shard has an equal share and puts all that is durable to sleep beyond it.
        active_entities: ByteSize = ByteSize::mib(24), ByteSize::mib(1)..=ByteSize::gib(256);
    }

    /// When a session leaves the active set; its next event brings it back.
    pub struct Passivation {
        /// After this time without an event.
        idle: Duration = minutes(30), secs(1)..=hours(24);
        /// After this time without an event, once the session is closed.
        after_close: Duration = minutes(5), secs(1)..=hours(24);
    }

    /// How long a session counts, in event time; without limit in `naap replay`.
    pub struct Retention {
        /// Longest silence inside a session; later events leave raw and typed rows, but do not change its facts.
        state: Duration = hours(48), hours(1)..=hours(720);
        /// How long a session is kept after its last event, if that is longer, so that a backfill can change it; a day later only its mark is left.
        kept: Duration = hours(192), hours(1)..=hours(8760);
    }

    /// How a session is attributed to an orchestrator. The windows decide about rows: change them on all nodes at once.
    pub struct Attribution {
        /// A selection up to this long after an advertisement is direct; at most three polls of 25 minutes.
        direct_prior: Duration = minutes(10), secs(1)..=minutes(75);
        /// A selection up to this long before an advertisement is direct.
        direct_future: Duration = secs(30), secs(0)..=minutes(10);
        /// How long rows without an orchestrator wait for an advertisement before they are written; no wait in `naap replay`.
        hold: Duration = secs(15), secs(0)..=minutes(10);
        /// Rows that corrections may write per second on this node, so that a storm does not crowd out new input; no limit in `naap replay`.
        correction_rows_per_second: u32 = 5_000, 1..=1_000_000;
    }

    /// Which status evidence the figures of orchestrators and GPUs rest on. It decides about rows: give all nodes and `naap verify` the same.
    pub struct Gold {
        /// Besides direct attributions also those by an advertisement outside the direct window. Hours are computed by the value of their time: it changes no hour that stays as it is.
        include_mapped_window: bool = false;
    }

    /// When published figures are computed again.
    pub struct Rollup {
        /// From the first change of an hour to the computation of its figures; more changes in the meantime cost nothing. A replay computes at its end.
        debounce: Duration = secs(15), millis(100)..=minutes(10);
    }

    /// What happens when a part of the node fails: all its actors stop and start again together.
    pub struct Supervision {}
    sections { restart: Restart }

    /// When the actors start again.
    pub struct Restart {
        /// The policy; only its own keys may be given.
        r#type: RestartType = RestartType::ExponentialBackoff;
    }
    sections { exponential_backoff: ExponentialBackoff, fixed_delay: FixedDelay }

    /// Keys of `supervision.restart.type = "exponential_backoff"`.
    pub struct ExponentialBackoff {
        /// First wait, also before an insert is tried again.
        initial: Duration = millis(200), millis(1)..=minutes(10);
        /// Longest wait, also between tries of an insert; each wait is twice the one before.
        max: Duration = secs(30), millis(1)..=hours(1);
        /// Time without a failure after which the wait begins at `initial` again.
        reset_after: Duration = minutes(5), secs(1)..=hours(24);
    }

    /// Keys of `supervision.restart.type = "fixed_delay"`.
    pub struct FixedDelay {
        /// Wait before each restart.
        delay: Duration = secs(10), millis(1)..=hours(1);
        /// Restarts after which the node ends.
        attempts: u32 = 10, 1..=1_000_000;
    }

    /// Personal data.
    pub struct Privacy {
        /// `hash` replaces prompts, images, client addresses and auth ids by SHA-256 prefixes before a row is built.
        mode: PrivacyMode = PrivacyMode::Keep;
    }

    /// The scheduled check of stored data.
    pub struct Quality {
        /// Check the last settled hour again and again; the results are metrics and rows of `dq_check_results`.
        enabled: bool = true;
        /// Time from one run to the next.
        interval: Duration = minutes(10), secs(10)..=hours(24);
        /// Gates, thresholds and waivers; not set means those that are built in (`deploy/quality/gates.toml`).
        gates_file: Option<PathBuf> = None;
    }

    /// The read-only HTTP interface: facts, health and metrics. It knows no login: publish it behind something that does.
    pub struct Http {
        /// Serve it.
        enabled: bool = true;
        /// Address to serve on; only this machine reaches the default.
        listen: HostPort = HostPort::literal("127.0.0.1:9600");
        /// Most rows of one answer.
        max_rows: u32 = 1000, 1..=10_000;
        /// Longest span of time of one answer.
        max_span: Duration = hours(744), hours(1)..=hours(8784);
        /// Requests for facts that are answered at a time; more are refused.
        max_concurrent: u32 = 8, 1..=1024;
        /// Longest run of one statement.
        request_timeout: Duration = secs(10), secs(1)..=minutes(5);
    }

    /// Logs.
    pub struct Telemetry {
        /// Form of log lines.
        log_format: LogFormat = LogFormat::Text;
        /// Log filter: a level (off, error, warn, info, debug, trace), or `target=level` pairs such as `info,naap_node=debug`. `--log` and `NAAP_LOG` win over it.
        log_level: String = "info".to_owned();
    }
}

impl Restart {
    /// Whether the setting at `path` belongs to a policy that is not chosen.
    pub(crate) fn unused(&self, path: &str) -> bool {
        let rest = path.strip_prefix("supervision.restart.").and_then(|rest| rest.split_once('.'));
        rest.is_some_and(|(policy, _)| policy != self.r#type.name())
    }
}

/// Sections with a user have `password` and `password_file` beside it.
macro_rules! with_password {
    ($($section:ident),+) => {$(
        impl $section {
            /// The password, from its setting or its file.
            ///
            /// # Errors
            /// The file can not be read or is empty.
            pub fn resolve_password(&self) -> Result<Option<Secret>, SecretError> {
                secret::resolve(self.password.as_ref(), self.password_file.as_ref())
            }
        }
    )+};
}

with_password!(Kafka, ClickHouse, ReadingUser);
