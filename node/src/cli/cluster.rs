//! `naap cluster`: how a running node sees the cluster, and what it is asked to do.

use std::fmt::Write as _;

use naap_protocol::cluster::{MemberStatus, Request, Response};
use serde_json::json;

use super::{ClusterCommand, Failure, Global, Output, emit, environment};
use crate::cluster;

/// Runs the command.
pub(super) fn run(command: &ClusterCommand, global: &Global) -> Result<(), Failure> {
    let config = global.load(Vec::new())?.config;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(environment)?;
    let ask = |request| runtime.block_on(cluster::ask(&config, &request)).map_err(environment);
    match command {
        ClusterCommand::Status => {
            let answer = ask(Request::Status)?;
            match (answer.refusal.clone(), global.output) {
                (Some(reason), _) => Err(Failure::check(reason)),
                (None, Output::Text) => emit(&text(&answer)),
                (None, Output::Json) => emit(&format!("{:#}\n", json(&answer))),
            }
        }
        ClusterCommand::Drain { node } => {
            let answer = ask(Request::Drain(node.as_str().to_owned()))?;
            match (answer.refusal, global.output) {
                (Some(reason), _) => Err(Failure::check(reason)),
                (None, Output::Text) => emit(&format!("{node} was asked to drain\n")),
                (None, Output::Json) => emit(&format!("{}\n", json!({ "draining": node }))),
            }
        }
    }
}

fn text(answer: &Response) -> String {
    let width = answer.members.iter().map(|m| m.node.len()).max().unwrap_or(0).max(6);
    // Writing to a string does not fail.
    let mut out = format!("as {} sees it\n", answer.node);
    let _ = writeln!(
        out,
        "  {:<width$}  {:<9}  {:>6}  {:<8}  {:>10}  {:>10}  {:>14}",
        "member", "state", "shards", "link", "heard", "topic", "boot"
    );
    for member in &answer.members {
        let MemberStatus { node, incarnation, state, shards, heard_ms, seen_ms, .. } = member;
        let link = match (member.linked, member.suspect) {
            (true, false) => "open",
            (true, true) => "silent",
            (false, _) => "none",
        };
        let ago = |ms: &Option<u64>| ms.map_or_else(|| "-".to_owned(), |ms| format!("{ms} ms ago"));
        let (heard, seen) = (ago(heard_ms), ago(seen_ms));
        let _ = writeln!(
            out,
            "  {node:<width$}  {state:<9}  {shards:>6}  {link:<8}  {heard:>10}  {seen:>10}  {incarnation:>14}"
        );
    }
    out
}

fn json(answer: &Response) -> serde_json::Value {
    let member = |m: &MemberStatus| {
        json!({
            "node": m.node,
            "incarnation": m.incarnation,
            "state": m.state,
            "suspect": m.suspect,
            "linked": m.linked,
            "heard_ms": m.heard_ms,
            "seen_ms": m.seen_ms,
            "shards": m.shards,
        })
    };
    json!({ "node": answer.node, "members": answer.members.iter().map(member).collect::<Vec<_>>() })
}
