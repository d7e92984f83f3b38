//! `naap topology --members`: who would have how many shards, and what would move.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use naap_actors::placement::{Member, Placement};
use serde::Serialize;

use super::Failure;

/// Shares of a set of members.
#[derive(Debug, Serialize)]
pub(super) struct Shares {
    /// Shards of the cluster.
    shards: u16,
    /// Shards of the fullest member, divided by what an even split by weight would give it; `None`
    /// when no member takes shards.
    fullest: Option<f64>,
    /// The members, in the order of names.
    members: Vec<Share>,
}

/// The share of one member.
#[derive(Debug, Serialize)]
struct Share {
    name: String,
    weight: u8,
    /// The shards that it has.
    shards: Vec<u16>,
    /// If it leaves: how many shards each other member takes over.
    leave: BTreeMap<String, usize>,
}

impl Shares {
    pub(super) fn new(members: &[Member], shards: u16) -> Result<Self, Failure> {
        let table = Placement::new(members.iter().cloned(), shards);
        if table.members().len() < members.len() {
            return Err(Failure::environment(
                "--members: a name is given twice; give each member once".to_owned(),
            ));
        }
        let weights: u32 = members.iter().map(|member| u32::from(member.weight)).sum();
        let shares: Vec<Share> = table.members().iter().map(|m| share(&table, m)).collect();
        let load = |share: &Share| {
            let fair = f64::from(shards) * f64::from(share.weight) / f64::from(weights);
            (fair > 0.0).then(|| share.shards.len() as f64 / fair)
        };
        let fullest = shares.iter().filter_map(load).max_by(f64::total_cmp);
        Ok(Self { shards, fullest, members: shares })
    }

    pub(super) fn text(&self) -> String {
        let mut out = format!("{} shards\n", self.shards);
        let width = self.members.iter().map(|m| m.name.len()).max().unwrap_or(0).max(6);
        // Writing to a string does not fail.
        let _ = writeln!(out, "  {:<width$}  weight  shards  if it leaves", "member");
        for Share { name, weight, shards, leave } in &self.members {
            let taken: Vec<String> = leave.iter().map(|(to, n)| format!("{n} to {to}")).collect();
            let moves = match (taken.is_empty(), shards.is_empty()) {
                (_, true) => "nothing moves".to_owned(),
                (true, false) => "nobody is left".to_owned(),
                (false, false) => taken.join(", "),
            };
            let _ = writeln!(out, "  {name:<width$}  {weight:>6}  {:>6}  {moves}", shards.len());
        }
        if let Some(fullest) = self.fullest {
            let _ = writeln!(out, "the fullest member has {fullest:.2} times its even share");
        }
        out
    }
}

fn share(table: &Placement, Member { name, weight }: &Member) -> Share {
    let rest = table.without(name);
    let mut leave = BTreeMap::new();
    for to in table.moves(&rest).filter_map(|step| step.to) {
        *leave.entry(to.to_owned()).or_default() += 1;
    }
    Share { name: name.clone(), weight: *weight, shards: table.shards_of(name).collect(), leave }
}
