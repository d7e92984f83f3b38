//! `naap topology`: the actors, their channels and what bounds them; or where members have their
//! shards.

use std::fmt::Write as _;

use indicatif::BinaryBytes;
use naap_actors::topology::{Bound, Count, Sizes, Topology, topology};
use naap_protocol::rows;

use super::placement::Shares;
use super::{Failure, Global, Output, TopologyArgs, emit};

/// Runs the command.
pub(super) fn run(args: &TopologyArgs, global: &Global) -> Result<(), Failure> {
    let config = global.load(Vec::new())?.config;
    if !args.members.is_empty() {
        let shares = Shares::new(&args.members, config.cluster.shards as u16)?;
        return match global.output {
            Output::Json => json(&shares),
            Output::Text => emit(&shares.text()),
        };
    }
    let topology = topology(Sizes {
        shards: config.cluster.shards as u16,
        tables: rows::ALL.len(),
        ingest_buffer: config.memory.ingest_buffer.0,
        shard_window: config.memory.shard_window.0,
        sinks: config.memory.sinks.0,
        linked: config.cluster.listen.is_some(),
    });
    match global.output {
        Output::Json => json(&topology),
        Output::Text => emit(&text(&topology)),
    }
}

fn json(value: &impl serde::Serialize) -> Result<(), Failure> {
    // Plain data always serialises.
    let json = serde_json::to_string_pretty(value).unwrap_or_default();
    emit(&format!("{json}\n"))
}

fn text(topology: &Topology) -> String {
    let mut out = String::from("actors\n");
    for actor in &topology.actors {
        let count = match actor.count {
            Count::Fixed(n) => n.to_string(),
            Count::Per(what) => format!("one per {what}"),
        };
        let under = if actor.supervisor.is_empty() { "-" } else { actor.supervisor };
        // Writing to a string does not fail.
        let _ = writeln!(out, "  {:<18} {:<16} {:<38} {}", actor.name, under, actor.state, count);
    }
    out.push_str("\nchannels\n");
    for channel in &topology.channels {
        let bound = match channel.bound {
            Bound::Bytes(n) => format!("{} in all", BinaryBytes(n)),
            Bound::BytesEach(n) => format!("{} each", BinaryBytes(n)),
            Bound::OnePer(what) => format!("one per {what}"),
        };
        let way = format!("{} -> {}", channel.from, channel.to);
        let _ = writeln!(out, "  {way:<34} {:<34} {bound}", channel.carries);
    }
    out
}
