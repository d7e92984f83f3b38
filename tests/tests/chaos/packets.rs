//! Nodes on hosts of their own, and a router between them that drops what they send: to each other, to
//! Kafka, to the tables.

use std::rc::Rc;
use std::time::{Duration, Instant};

use naap_tests::stage::{Team, until};

use crate::authority::Authority;
use crate::crew::{Crew, row};
use crate::net::{Net, Place, skip};
use crate::openings;
use crate::pulse::now_ms;

/// Longer than it takes to miss beats, and than a connection without answers lasts.
const CUT: Duration = Duration::from_secs(12);

/// Three nodes under load, each on its own host; links between them are encrypted.
fn crew(mut net: Net, name: &str) -> (Rc<Net>, Crew) {
    let hosts = (0..3).map(|number| Place::Node(number).address()).collect();
    let tables = net.tables();
    let team = Team::apart(Net::bootstrap(), name, 100, tables, hosts);
    let (net, authority) = (Rc::new(net), Authority::new());
    let router = net.clone();
    let start = move |team: &Team, number: usize| {
        let name = format!("naap-{number}");
        let files = authority.issue(&name, &name);
        let file = |key, path: &std::path::Path| format!("cluster.{key}={}", path.display());
        let settings = [
            file("ca_file", &files.ca),
            file("cert_file", &files.cert),
            file("key_file", &files.key),
        ];
        let settings: Vec<_> = settings.iter().map(String::as_str).collect();
        router.on(number, || team.start_by(number, team.ports(), &settings))
    };
    let crew = Crew::of(team, 3, Box::new(start));
    (net, crew)
}

/// Waits, heals, and says how long it took until everything of that moment was taken.
fn heal(net: &Net, crew: &Crew, since: Instant, cut: Duration) -> f64 {
    std::thread::sleep(cut.saturating_sub(since.elapsed()));
    net.heal();
    let healed = Instant::now();
    crew.until_caught_up();
    healed.elapsed().as_secs_f64()
}

#[test]
#[ignore = "minutes: make chaos"]
fn packets_between_two_nodes_are_dropped() {
    let Some(net) = Net::new("packets_between_two_nodes_are_dropped", 3) else { return };
    let (net, mut crew) = crew(net, "packets");
    let (mut found, opened) = (Vec::new(), openings(&crew));
    let ways = [(Place::Node(1), Place::Node(0)), (Place::Node(0), Place::Node(1))];
    for (name, dropped) in
        [("from the dialling node", &ways[..1]), ("towards it", &ways[1..]), ("both ways", &ways)]
    {
        let since = Instant::now();
        for &(from, to) in dropped {
            net.drop_between(from, to);
        }
        found.push(format!("{name} {:.1} s", heal(&net, &crew, since, CUT)));
    }
    let moved = openings(&crew) - opened;
    drop(crew.folds());
    row(
        "packets between two of three nodes dropped for 12 s, Kafka reachable: until all input is taken after it is whole",
        "nothing moves, rows equal",
        &format!("{}; {moved} shards moved", found.join(", ")),
    );
    assert_eq!(moved, 0, "both nodes could be seen in Kafka");
    crew.end();
}

#[test]
#[ignore = "minutes: make chaos"]
fn a_node_reaches_nobody() {
    let Some(net) = Net::new("a_node_reaches_nobody", 3) else { return };
    let (net, mut crew) = crew(net, "alone");
    let (lost, opened) = (crew.shards_of(2), openings(&crew));
    let (since, begin) = (Instant::now(), now_ms());
    net.isolate(Place::Node(2));
    // Its shards are those of others before it is back.
    let taken_over = || openings(&crew) - opened >= lost.len();
    until("its shards are taken over", &crew.running(), taken_over);
    let taken = since.elapsed().as_secs_f64();
    let caught_up = heal(&net, &crew, since, CUT);
    let healed = Instant::now();
    crew.until_settled();
    let settled = caught_up + healed.elapsed().as_secs_f64();
    let folds = crew.folds();
    let gap = folds.longest((begin, begin + CUT.as_millis() as i64), false);
    row(
        "one of three nodes cut off from all for 12 s: until others have opened its shards; longest time in which a shard folds nothing; after it is whole until all input is taken, until it has its shards again",
        "rows equal, no restart",
        &format!("{taken:.1} s; {gap} ms; {caught_up:.1} s, {settled:.1} s"),
    );
    crew.end();
}

#[test]
#[ignore = "minutes: make chaos"]
fn a_node_does_not_reach_the_tables() {
    let Some(net) = Net::new("a_node_does_not_reach_the_tables", 3) else { return };
    let (net, mut crew) = crew(net, "tables");
    let (shards, opened) = (crew.shards_of(1), openings(&crew));
    let cut = Duration::from_secs(15);
    let (since, begin) = (Instant::now(), now_ms());
    net.drop_between(Place::Node(1), Place::Tables);
    net.drop_between(Place::Tables, Place::Node(1));
    let caught_up = heal(&net, &crew, since, cut);
    let moved = openings(&crew) - opened;
    let folds = crew.folds();
    let span = (begin, begin + cut.as_millis() as i64);
    let gap = folds.longest_of(span, false, |fold| !shards.contains(&fold.shard));
    row(
        "one of three nodes cut off from ClickHouse for 15 s: longest time in which a shard of the others folds nothing; after it is whole until all input is taken",
        "nothing moves, rows equal",
        &format!("{gap} ms; {caught_up:.1} s; {moved} shards moved"),
    );
    assert_eq!(moved, 0, "the node lives");
    crew.end();
}

#[test]
#[ignore = "minutes: make chaos"]
fn every_line_is_narrow() {
    shaped(
        "every_line_is_narrow",
        "1 Mbit/s, what would wait above 50 ms dropped",
        "tbf rate 1mbit burst 16kb latency 50ms",
    );
}

#[test]
#[ignore = "minutes: make chaos"]
fn every_line_is_slow_and_loses_packets() {
    let test = "every_line_is_slow_and_loses_packets";
    shaped(test, "40 ms ± 10 ms late, 1 % of packets lost", "netem delay 40ms 10ms loss 1%");
}

/// What comes of lines to the nodes that are like this for 20 s.
fn shaped(test: &str, name: &str, queue: &str) {
    let Some(net) = Net::new(test, 3) else { return };
    // Tried before the nodes are there, which takes longer.
    if let Err(reason) = net.shape(queue) {
        return skip(test, &reason);
    }
    net.unshape();
    let (net, mut crew) = crew(net, "shaped");
    let (opened, begin) = (openings(&crew), now_ms());
    net.shape(queue).unwrap();
    std::thread::sleep(Duration::from_secs(20));
    let end = now_ms();
    net.unshape();
    let healed = Instant::now();
    crew.until_caught_up();
    let caught_up = healed.elapsed().as_secs_f64();
    let moved = openings(&crew) - opened;
    let gap = crew.folds().longest((begin, end), false);
    row(
        &format!(
            "every line towards a node for 20 s: {name}; longest time in which a shard folds nothing; then until all input is taken"
        ),
        "rows equal, no restart",
        &format!("{gap} ms; {caught_up:.1} s; {moved} shards moved"),
    );
    crew.end();
}
