//! Nodes that want each other.

use naap_node::cluster::ask;
use naap_protocol::cluster::Request;
use rustix::process::Signal;

use crate::authority::Authority;
use crate::node::{Node, Settings, configure, encrypted, settings};
use crate::port::free_port;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

#[test]
fn three_nodes_meet_and_one_drains_and_leaves() {
    let authority = Authority::new();
    let ports = [free_port(), free_port(), free_port()];
    let names = ["n-0", "n-1", "n-2"];
    let peers: Vec<_> = names.into_iter().zip(ports).collect();
    let all: Vec<_> = peers
        .iter()
        .map(|&(name, port)| {
            let mut all = settings(name, port, &peers);
            all.extend(encrypted(&authority.issue(name, name)));
            all
        })
        .collect();
    let mut nodes: Vec<_> = (1..).zip(&all).map(|(boot, all)| Node::start(boot, all)).collect();
    for node in &mut nodes {
        node.until(&["members n-0=up/1 n-1=up/2 n-2=up/3"]);
    }
    let status = runtime().block_on(ask(&configure(&all[0]), &Request::Status)).unwrap();
    assert_eq!((status.refusal, status.node.as_str()), (None, "n-0"));
    let shards: u16 = status.members.iter().map(|member| member.shards).sum();
    let fit = |m: &&naap_protocol::cluster::MemberStatus| m.linked && !m.suspect && m.state == "up";
    assert_eq!((status.members.iter().filter(fit).count(), shards), (3, 64));

    // Any node passes it on.
    let drain = Request::Drain("n-2".to_owned());
    let answer = runtime().block_on(ask(&configure(&all[0]), &drain)).unwrap();
    assert_eq!(answer.refusal, None);
    for node in &mut nodes {
        node.sees("n-2", "draining/3");
    }
    let nobody = Request::Drain("n-7".to_owned());
    let answer = runtime().block_on(ask(&configure(&all[1]), &nobody)).unwrap();
    assert_eq!(answer.refusal.unwrap(), "there is no link to n-7; ask that node itself");
    // These nodes have links and no shards.
    let backfill = Request::Backfill { shard: 0, evidence: Vec::new() };
    let answer = runtime().block_on(ask(&configure(&all[0]), &backfill)).unwrap();
    assert_eq!(answer.refusal.unwrap(), "the node has no shards yet; try again when it is up");
    let before = [0, 1].map(|at| nodes[at].said().len());
    nodes[2].command("leave");
    for (node, before) in nodes[..2].iter_mut().zip(before) {
        node.sees("n-2", "down/3");
        assert!(!node.said()[before..].contains("suspect=true"), "it said goodbye");
    }
}

/// Two nodes of which the second dials.
fn pair() -> (Settings, Settings) {
    let ports = [free_port(), free_port()];
    let peers = [("n-0", ports[0]), ("n-1", ports[1])];
    (settings("n-0", ports[0], &peers), settings("n-1", ports[1], &peers))
}

/// The same with certificates, whose files last as long as their authority.
fn encrypted_pair() -> (Authority, Settings, Settings) {
    let authority = Authority::new();
    let (mut low, mut high) = pair();
    low.extend(encrypted(&authority.issue("n-0", "n-0")));
    high.extend(encrypted(&authority.issue("n-1", "n-1")));
    (authority, low, high)
}

#[test]
fn a_killed_node_is_down_and_its_next_boot_takes_its_place() {
    let (low, high) = pair();
    for killed in [0, 1] {
        let all = [&low, &high];
        let mut nodes = [Node::start(1, all[0]), Node::start(1, all[1])];
        for node in &mut nodes {
            node.until(&["n-0=up/1 n-1=up/1"]);
        }
        let name = ["n-0", "n-1"][killed];
        nodes[killed].signal(Signal::KILL);
        nodes[1 - killed].sees(name, "down/1");
        // An earlier boot is refused, a later one is taken.
        let mut early = Node::start(0, all[killed]);
        early.until(&["boot 0 of", "is over, boot 1 is known; a later boot needs a later clock"]);
        drop(early);
        let _next = Node::start(2, all[killed]);
        nodes[1 - killed].sees(name, "up/2");
    }
}

#[test]
fn the_next_boot_of_a_process_takes_the_place_of_the_one_before() {
    let (low, high) = pair();
    for again in [0, 1] {
        let mut nodes = [Node::start(1, &low), Node::start(1, &high)];
        for node in &mut nodes {
            node.until(&["n-0=up/1 n-1=up/1"]);
        }
        let name = ["n-0", "n-1"][again];
        for boot in 2..5 {
            nodes[again].command("again");
            nodes[1 - again].sees(name, &format!("down/{}", boot - 1));
            nodes[1 - again].sees(name, &format!("up/{boot}"));
            nodes[again].until(&["linked"]);
        }
        nodes[1].command("say");
        nodes[0].until(&["heard all of n-1"]);
    }
}

#[test]
fn a_new_boot_replaces_an_old_one_that_hangs() {
    let (low, high) = pair();
    let (mut survivor, mut old) = (Node::start(1, &low), Node::start(1, &high));
    survivor.sees("n-1", "up/1");
    old.sees("n-0", "up/1");
    // The old one holds its link and says nothing, as behind a cut network.
    old.signal(Signal::STOP);
    let elsewhere: Vec<_> = high
        .iter()
        .map(|(key, value)| match *key {
            "cluster.listen" => (*key, format!("127.0.0.1:{}", free_port())),
            _ => (*key, value.clone()),
        })
        .collect();
    let mut next = Node::start(2, &elsewhere);
    survivor.sees("n-1", "up/2");
    next.sees("n-0", "up/1");
    old.signal(Signal::CONT);
    old.until(&["n-0 refuses this node: boot 1 of n-1 is over, boot 2 is known"]);
}

#[test]
fn a_paused_node_is_down_and_comes_back() {
    let (low, high) = pair();
    let (mut one, mut two) = (Node::start(1, &low), Node::start(1, &high));
    one.sees("n-1", "up/1");
    two.sees("n-0", "up/1");
    two.signal(Signal::STOP);
    one.until(&["suspect=true", "node=\"n-1\""]);
    one.sees("n-1", "down/1");
    two.signal(Signal::CONT);
    one.sees("n-1", "up/1");
}

#[test]
fn messages_arrive_in_order_and_the_inbox_hears_of_new_links() {
    let (_authority, low, high) = encrypted_pair();
    let (mut one, mut two) = (Node::start(1, &low), Node::start(1, &high));
    // As soon as the sender has a link, whether or not the other side has said so.
    two.until(&["linked n-0"]);
    two.command("say");
    one.until(&["heard all of n-1"]);
    drop(two);
    let mut two = Node::start(2, &high);
    one.until(&["linked n-1"]);
    two.until(&["linked n-0"]);
    two.command("say");
    one.until(&["heard all of n-1"]);
}

#[test]
fn a_long_message_arrives_and_one_that_is_too_long_costs_no_link() {
    let (_authority, low, high) = encrypted_pair();
    let (mut one, mut two) = (Node::start(1, &low), Node::start(1, &high));
    two.until(&["linked n-0"]);
    two.command("long");
    two.until(&["a message does not fit into a link and is left out"]);
    one.until(&["heard all of n-1 and 4 envelopes"]);
    two.command("ask");
    one.until(&["heard all questions of n-1"]);
    two.command("say");
    one.until(&["heard all of n-1"]);
    assert!(!one.said().contains("a link has ended") && !two.said().contains("a link has ended"));
}

#[test]
fn a_stalled_peer_costs_bounded_memory_and_its_link() {
    let (low, high) = pair();
    let (mut one, mut two) = (Node::start(1, &low), Node::start(1, &high));
    one.until(&["linked n-1"]);
    two.until(&["linked n-0"]);
    let before = two.resident();
    one.signal(Signal::STOP);
    // Half a gigabyte, which nobody takes.
    two.command("flood");
    two.until(&["flooded"]);
    let grown = two.resident().saturating_sub(before);
    assert!(grown < 192 << 20, "{grown} bytes");
    two.has_said("a link has ended");
    one.signal(Signal::CONT);
    two.until(&["linked n-0"]);
    two.command("say");
    one.until(&["heard all of n-1"]);
}
