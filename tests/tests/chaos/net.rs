//! Machines of a test: network namespaces around a router, each with an address of its own. A router
//! that drops packets is what a broken network is: nobody is told, and nothing that is sent is kept.

use std::cell::RefCell;
use std::fs::File;
use std::io::Read as _;
use std::os::fd::AsFd as _;
use std::process::{Child, Command, Stdio};

use naap_tests::stage::{Tables, broker_script};
use rustix::process::geteuid;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tempfile::TempDir;

use crate::wire::Wire;

/// Where Kafka listens; free, as nothing else is in its namespace.
const KAFKA_PORT: &str = "9092";
const FORWARD: &str = "/proc/sys/net/ipv4/ip_forward";

/// A network namespace, which ends with this value and with everything that runs in it.
struct Space {
    holder: Child,
    file: File,
}

impl Space {
    fn new() -> Result<Self, String> {
        let unable = |error: std::io::Error| format!("a network namespace: {error}");
        // Says that it is in its namespace, and ends with the test.
        let mut command = Command::new("unshare");
        command.args(["-n", "sh", "-c", "echo; exec cat"]);
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut holder = command.spawn().map_err(|error| format!("unshare: {error}"))?;
        let said = holder.stdout.take().map(|mut out| out.read_exact(&mut [0]));
        let file = File::open(format!("/proc/{}/ns/net", holder.id()));
        let space = Self { holder, file: file.map_err(unable)? };
        match said {
            Some(Ok(())) => Ok(space),
            _ => Err("unshare makes no network namespace here".to_owned()),
        }
    }

    /// The calling thread, and what it starts, is in this namespace from now on.
    fn enter(&self) {
        enter(&self.file);
    }

    /// Does `work` in this namespace.
    fn within<R>(&self, work: impl FnOnce() -> R) -> R {
        let before = present();
        self.enter();
        let result = work();
        enter(&before);
        result
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        drop(self.holder.kill());
        drop(self.holder.wait());
    }
}

/// The namespace of the calling thread.
fn present() -> File {
    File::open("/proc/thread-self/ns/net").unwrap()
}

fn enter(space: &File) {
    move_into_link_name_space(space.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
}

/// What one host is, for the router.
#[derive(Clone, Copy, Debug)]
pub enum Place {
    Node(usize),
    Kafka,
    Tables,
}

impl Place {
    pub fn address(self) -> String {
        match self {
            Self::Node(number) => format!("10.77.{number}.2"),
            Self::Kafka => "10.77.100.2".to_owned(),
            Self::Tables => "10.77.100.3".to_owned(),
        }
    }
}

/// A router, a host for each node, and one that has Kafka and ClickHouse. The thread that makes it, the
/// test's, is at the router.
pub struct Net {
    nodes: Vec<Space>,
    servers: Space,
    /// What the router drops.
    rules: RefCell<Vec<String>>,
    /// Data and process of Kafka, where it runs.
    kafka: Option<TempDir>,
    /// The way to the tables.
    wire: Option<Wire>,
    _router: Space,
    /// Where the test's thread was before.
    home: File,
}

impl Net {
    /// A network with so many nodes, and Kafka; says so where this machine can not have one.
    pub fn new(test: &str, nodes: usize) -> Option<Self> {
        let home = present();
        let made = possible().and_then(|()| Self::make(nodes, home.try_clone().unwrap()));
        match made {
            Ok(mut net) => {
                net.start_kafka();
                Some(net)
            }
            Err(reason) => {
                enter(&home);
                skip(test, &reason);
                None
            }
        }
    }

    fn make(nodes: usize, home: File) -> Result<Self, String> {
        let router = Space::new()?;
        router.enter();
        ip("link set lo up")?;
        std::fs::write(FORWARD, "1").map_err(|error| format!("{FORWARD}: {error}"))?;
        let link = |net: usize, hosts: &[&str]| {
            let space = Space::new()?;
            let (near, far, holder) = (line(net), format!("far{net}"), space.holder.id());
            ip(&format!("link add {near} type veth peer name {far} netns {holder}"))?;
            ip(&format!("addr add 10.77.{net}.1/24 dev {near}"))?;
            ip(&format!("link set {near} up"))?;
            space.within(|| {
                ip("link set lo up")?;
                for host in hosts {
                    ip(&format!("addr add 10.77.{net}.{host}/24 dev {far}"))?;
                }
                ip(&format!("link set {far} up"))?;
                ip(&format!("route add default via 10.77.{net}.1"))
            })?;
            Ok::<_, String>(space)
        };
        let net = Self {
            nodes: (0..nodes).map(|number| link(number, &["2"])).collect::<Result<_, _>>()?,
            servers: link(100, &["2", "3"])?,
            rules: RefCell::default(),
            kafka: None,
            wire: None,
            _router: router,
            home,
        };
        // Whether this kernel has such rules.
        ip("rule add from 10.77.0.2 blackhole")?;
        ip("rule del from 10.77.0.2 blackhole")?;
        Ok(net)
    }

    fn start_kafka(&mut self) {
        let folder = tempfile::tempdir().unwrap();
        let (path, host) = (folder.path().to_str().unwrap().to_owned(), Place::Kafka.address());
        self.kafka = Some(folder);
        self.servers.within(|| kafka(&["start", &path, KAFKA_PORT, &host])).unwrap();
    }

    /// Address of the broker.
    pub fn bootstrap() -> String {
        format!("{}:{KAFKA_PORT}", Place::Kafka.address())
    }

    /// Tables that every node reaches: they serve the loopback address only, and a line leads there.
    pub fn tables(&mut self) -> Tables {
        let (mut tables, wire) = self.servers.within(|| {
            let tables = Tables::start();
            let port = tables.url.rsplit(':').next().unwrap().parse().unwrap();
            (tables, Wire::from(&Place::Tables.address(), port))
        });
        tables.url = format!("http://{}:{}", Place::Tables.address(), wire.port);
        self.wire = Some(wire);
        tables
    }

    /// Does `work` on the host of a node.
    pub fn on<R>(&self, node: usize, work: impl FnOnce() -> R) -> R {
        self.nodes[node].within(work)
    }

    /// Drops what `from` sends to `to`.
    pub fn drop_between(&self, from: Place, to: Place) {
        self.add_rule(format!("from {} to {}", from.address(), to.address()));
    }

    /// Drops everything that `place` sends and that is sent to it.
    pub fn isolate(&self, place: Place) {
        for way in ["from", "to"] {
            self.add_rule(format!("{way} {}", place.address()));
        }
    }

    fn add_rule(&self, packets: String) {
        ip(&format!("rule add {packets} blackhole")).unwrap();
        self.rules.borrow_mut().push(packets);
    }

    /// Drops nothing any more.
    pub fn heal(&self) {
        for packets in self.rules.take() {
            ip(&format!("rule del {packets} blackhole")).unwrap();
        }
    }

    /// Has the line towards each node delay and lose packets like this, in the words of `tc`.
    pub fn shape(&self, queue: &str) -> Result<(), String> {
        self.queue(|line| format!("qdisc add dev {line} root {queue}"))
    }

    /// Has no line do so any more.
    pub fn unshape(&self) {
        self.queue(|line| format!("qdisc del dev {line} root")).unwrap();
    }

    fn queue(&self, words: impl Fn(&str) -> String) -> Result<(), String> {
        (0..self.nodes.len()).try_for_each(|number| call("tc", &words(&line(number))))
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        if let Some(folder) = &self.kafka {
            // It goes on in its namespace otherwise.
            drop(kafka(&["wipe", folder.path().to_str().unwrap_or_default()]));
        }
        enter(&self.home);
    }
}

/// Says that a test did not happen, and why.
pub fn skip(test: &str, reason: &str) {
    eprintln!("SKIPPED {test}: this machine can not have the network that it needs: {reason}");
}

/// Whether this machine may have such a network, and has what it takes.
fn possible() -> Result<(), String> {
    if !geteuid().is_root() {
        return Err("only root can make them".to_owned());
    }
    call("ip", "-V")?;
    call("java", "-version")?;
    // Inside there is no way to where it comes from.
    kafka(&["fetch"])
}

/// The router's end of the line to a host.
fn line(net: usize) -> String {
    format!("near{net}")
}

fn ip(words: &str) -> Result<(), String> {
    call("ip", words)
}

fn kafka(arguments: &[&str]) -> Result<(), String> {
    run(broker_script().args(arguments), &format!("kafka.sh {}", arguments.join(" ")))
}

fn call(program: &str, words: &str) -> Result<(), String> {
    run(Command::new(program).args(words.split(' ')), &format!("{program} {words}"))
}

fn run(command: &mut Command, name: &str) -> Result<(), String> {
    let output = command.output().map_err(|error| format!("{name}: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let reason = || format!("{name}: {}", said.trim());
    output.status.success().then_some(()).ok_or_else(reason)
}
