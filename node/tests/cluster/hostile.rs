//! Connections that must not become links, and do no harm.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use naap_node::cluster::ask;
use naap_protocol::cluster::{Hello, LINK_VERSIONS, Request, Role, Verdict};
use naap_protocol::codec::{self, Framed, HEADER_LEN, TraceContext};

use crate::authority::{Authority, Files};
use crate::node::{Node, PATIENCE, Settings, configure, encrypted, settings};
use crate::port::free_port;

/// A node, its port, and whether it takes part in a cluster with certificates.
pub fn lonely(files: Option<&Files>, extra: &[(&'static str, &str)]) -> (Node, u16) {
    let port = free_port();
    let mut all = settings("n-0", port, &[]);
    all.extend(files.iter().flat_map(|files| encrypted(files)));
    all.extend(extra.iter().map(|(key, value)| (*key, (*value).to_owned())));
    let mut node = Node::start(1, &all);
    node.until(&["started"]);
    (node, port)
}

/// Settings of `n-1`, which dials the node on `port`.
fn dialler(port: u16, files: Option<&Files>) -> Settings {
    let mut all = settings("n-1", free_port(), &[("n-0", port)]);
    all.extend(files.iter().flat_map(|files| encrypted(files)));
    all
}

pub fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Reads until the other side closes.
fn until_closed(stream: &mut TcpStream) {
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return,
            Err(error) => panic!("still open: {error}"),
        }
    }
}

/// A good node still gets its link.
pub fn still_serves(node: &mut Node, port: u16, files: Option<&Files>) -> Node {
    let mut other = Node::start(7, &dialler(port, files));
    other.sees("n-0", "up/1");
    node.sees("n-1", "up/7");
    other
}

#[test]
fn certificates_decide_who_gets_in() {
    let (authority, foreign) = (Authority::new(), Authority::new());
    let (mut node, port) = lonely(Some(&authority.issue("n-0", "n-0")), &[]);

    let mut plain = Node::start(1, &dialler(port, None));
    plain.until(&["no link; dialling again"]);
    node.until(&["a connection was refused", "no encrypted connection"]);
    drop(plain);

    let mut stranger = Node::start(1, &dialler(port, Some(&foreign.issue("n-1", "n-1"))));
    stranger.until(&["no link; dialling again", "no encrypted connection"]);
    drop(stranger);

    // It has a certificate of the cluster, but says that it is another node.
    let mut liar = dialler(port, Some(&authority.issue("n-5", "n-1")));
    liar[0].1 = "n-5".to_owned();
    let mut own = Node::start(1, &liar);
    own.until(&[
        "not started",
        "does not name n-5; issue one with that DNS name, or change node.name",
    ]);

    still_serves(&mut node, port, Some(&authority.issue("n-1", "n-1")));
}

/// A node that presents the certificate of another one.
#[test]
fn a_certificate_of_the_cluster_is_good_for_its_own_name_only() {
    let authority = Authority::new();
    let (mut node, port) = lonely(Some(&authority.issue("n-0", "n-0")), &[]);
    // Both names are dialled by n-2, but what answers there is n-0.
    let mut other = settings("n-2", free_port(), &[("n-1", port)]);
    other.extend(encrypted(&authority.issue("n-2", "n-2")));
    let mut other = Node::start(1, &other);
    other.until(&["no link; dialling again", "certificate"]);
    // And a command needs the certificate of the node that it is for.
    let mut all = settings("n-0", port, &[]);
    all.extend(encrypted(&authority.issue("again", "n-0")));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let status = runtime.block_on(ask(&configure(&all), &Request::Status)).unwrap();
    assert_eq!(status.node, "n-0");
    still_serves(&mut node, port, Some(&authority.issue("n-1", "n-1")));
}

#[test]
fn nodes_that_do_not_fit_hear_why_on_both_sides() {
    let cases = [
        (
            "cluster.shards",
            "32",
            "it has 32 shards, this node 64",
            "it has 64 shards, this node 32",
        ),
        ("cluster.name", "other", "cluster other, not naap", "cluster naap, not other"),
    ];
    for (key, value, here, there) in cases {
        let (mut node, port) = lonely(None, &[]);
        let mut other = dialler(port, None);
        other.push((key, value.to_owned()));
        let mut other = Node::start(1, &other);
        node.until(&["a connection was refused", here]);
        other.until(&["no link; dialling again", there]);
    }
}

pub fn hello(nonce: u128) -> Hello {
    Hello {
        oldest: LINK_VERSIONS.0,
        newest: LINK_VERSIONS.1,
        role: Role::Peer,
        cluster: "naap".into(),
        node: "n-9".into(),
        incarnation: 3,
        shards: 64,
        routing_version: 1,
        nonce,
    }
}

pub fn send<T: Framed + serde::Serialize>(stream: &mut impl Write, value: &T) {
    stream.write_all(&codec::encode(value, TraceContext::default()).unwrap()).unwrap();
}

pub fn receive<T: Framed + serde::de::DeserializeOwned>(stream: &mut impl Read) -> T {
    let mut frame = vec![0; HEADER_LEN];
    stream.read_exact(&mut frame).unwrap();
    let len = u32::from_le_bytes(frame[4..8].try_into().unwrap()) as usize;
    frame.resize(HEADER_LEN + len, 0);
    stream.read_exact(&mut frame[HEADER_LEN..]).unwrap();
    codec::decode(&frame).unwrap()
}

/// A connection as a peer that has shaken hands.
fn shaken(port: u16) -> TcpStream {
    let mut stream = connect(port);
    send(&mut stream, &hello(5));
    let theirs: Hello = receive(&mut stream);
    send(&mut stream, &Verdict { nonce: theirs.nonce, refusal: None });
    let verdict: Verdict = receive(&mut stream);
    assert_eq!(verdict, Verdict { nonce: 5, refusal: None });
    stream
}

#[test]
fn another_release_is_refused_with_a_sentence() {
    let (mut node, port) = lonely(None, &[]);
    let mut stream = connect(port);
    send(&mut stream, &Hello { oldest: 1, newest: 1, ..hello(5) });
    let theirs: Hello = receive(&mut stream);
    send(&mut stream, &Verdict { nonce: theirs.nonce, refusal: None });
    let (oldest, newest) = LINK_VERSIONS;
    let sentence = format!(
        "it speaks link versions 1 to 1, this node {oldest} to {newest}; bring both nodes to the same release"
    );
    let verdict: Verdict = receive(&mut stream);
    assert_eq!(verdict.refusal.as_deref(), Some(&*sentence));
    node.until(&["n-9 is refused", &sentence]);
    until_closed(&mut stream);
}

#[test]
fn garbage_closes_its_own_connection_only() {
    let authority = Authority::new();
    let files = authority.issue("n-0", "n-0");
    for files in [None, Some(&files)] {
        let (mut node, port) = lonely(files, &[]);
        let mut noise: Vec<u8> =
            (0..100_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        for _ in 0..20 {
            noise.rotate_left(1);
            let mut stream = connect(port);
            // The other side may close before it has read all of it.
            let _ = stream.write_all(&noise);
            until_closed(&mut stream);
        }
        node.until(&["a connection was refused"]);
        let other = files.map(|_| authority.issue("n-1", "n-1"));
        still_serves(&mut node, port, other.as_ref());
    }
}

#[test]
fn a_huge_frame_takes_no_memory() {
    let (mut node, port) = lonely(None, &[]);
    let before = node.resident();
    for length in [1_u64 << 40, u64::MAX, 17 << 20] {
        let mut stream = shaken(port);
        stream.write_all(&length.to_be_bytes()).unwrap();
        // The other side may close before it has read all of it.
        let _ = stream.write_all(&vec![7; 1 << 16]);
        until_closed(&mut stream);
    }
    // And before the handshake.
    let mut frame = codec::encode(&hello(5), TraceContext::default()).unwrap();
    frame[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
    let mut stream = connect(port);
    stream.write_all(&frame).unwrap();
    until_closed(&mut stream);
    let grown = node.resident().saturating_sub(before);
    assert!(grown < 16 << 20, "{grown} bytes");
    still_serves(&mut node, port, None);
}

#[test]
fn a_crowd_of_idle_connections_keeps_nobody_out() {
    let authority = Authority::new();
    let (mut node, port) = lonely(Some(&authority.issue("n-0", "n-0")), &[]);
    let before = node.resident();
    let mut idle: Vec<_> = (0..500).map(|_| connect(port)).collect();
    let crowded = Instant::now();
    let _other = still_serves(&mut node, port, Some(&authority.issue("n-1", "n-1")));
    // A process starts, and waits for the deadline of no other's handshake more than a few times.
    assert!(crowded.elapsed() < Duration::from_secs(20), "{:?}", crowded.elapsed());
    let grown = node.resident().saturating_sub(before);
    assert!(grown < 48 << 20, "{grown} bytes");
    idle.iter_mut().for_each(until_closed);
}

/// Passes bytes on to `port` and keeps those of the first connection.
fn recorder(port: u16) -> (u16, Arc<Mutex<Vec<u8>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let here = listener.local_addr().unwrap().port();
    let kept = Arc::new(Mutex::new(Vec::new()));
    let keep = kept.clone();
    std::thread::spawn(move || {
        let (from, _) = listener.accept().unwrap();
        let to = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let (mut back_from, mut back_to) = (to.try_clone().unwrap(), from.try_clone().unwrap());
        std::thread::spawn(move || std::io::copy(&mut back_from, &mut back_to));
        let (mut from, mut to) = (from, to);
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            keep.lock().unwrap().extend(&buffer[..count]);
            to.write_all(&buffer[..count]).unwrap();
        }
    });
    (here, kept)
}

#[test]
fn a_recorded_handshake_is_worth_nothing() {
    let authority = Authority::new();
    let (low, high) = (authority.issue("n-0", "n-0"), authority.issue("n-1", "n-1"));
    for files in [None, Some((&low, &high))] {
        let (mut node, port) = lonely(files.map(|files| files.0), &[]);
        let (through, kept) = recorder(port);
        let mut other = Node::start(7, &dialler(through, files.map(|files| files.1)));
        node.sees("n-1", "up/7");
        other.sees("n-0", "up/1");
        let recording = kept.lock().unwrap().clone();
        for _ in 0..3 {
            let mut stream = connect(port);
            // The other side may close before it has read all of it.
            let _ = stream.write_all(&recording);
            until_closed(&mut stream);
        }
        node.until(&["a connection was refused"]);
        std::thread::sleep(Duration::from_millis(500));
        let said = node.said();
        assert!(!said.contains("a link has ended"), "{said}");
    }
}

#[test]
fn an_address_in_use_is_a_sentence() {
    let (_node, port) = lonely(None, &[]);
    let mut second = Node::start(1, &settings("n-3", port, &[]));
    second
        .until(&["not started: cannot listen on cluster.listen = 127.0.0.1", "choose an address"]);
}

#[test]
fn plain_links_beyond_this_machine_are_said_loudly() {
    let port = free_port();
    let mut all = settings("n-0", port, &[]);
    all[1].1 = format!("0.0.0.0:{port}");
    all.push(("cluster.insecure", "true".to_owned()));
    let mut node = Node::start(1, &all);
    node.until(&["CLUSTER LINKS ARE PLAIN"]);
    still_serves(&mut node, port, None);
}
