//! Capability documents (contract events.md 4): protobuf-like, zero values are left out.

use crate::network::{BYOC_CAPABILITY, GPUS, Network, Node, Offer, Role};
use crate::random::{Filler, mix};
use crate::text::{Put, mixed_case};

/// Number of odd but valid documents.
pub(crate) const ODD: u64 = 4;

/// What all gateways' polls say about every listed orchestrator at `ts`.
pub(crate) fn document(line: &mut Vec<u8>, number: u32, ts: i64, network: &Network) {
    line.push(b'[');
    let before = line.len();
    for (index, node) in network.nodes.iter().enumerate() {
        if !network.lists(number as usize, index) {
            continue;
        }
        let offers = network.offers(index, ts);
        // One gateway's list holds the multi-GPU host twice, as real ones do.
        for _ in 0..=usize::from(node.role == Role::MultiGpu && index == 2) {
            if line.len() > before {
                line.push(b',');
            }
            entry(line, node, offers, ts, index);
        }
    }
    line.push(b']');
}

fn entry(line: &mut Vec<u8>, node: &Node, offers: &[Offer], ts: i64, index: usize) {
    line.text("{\"address\":\"").text(&node.canonical_mixed());
    line.text("\",\"local_address\":\"").text(&mixed_case(&node.hot));
    line.text("\",\"orch_uri\":\"").text(&node.url).text("\",\"capabilities\":");
    if node.role == Role::Ancient {
        line.text("null,\"capabilities_prices\":null,\"hardware\":null}");
        return;
    }
    bits(line, offers);
    constraints(line, offers, ts ^ index as i64);
    line.text("},\"price_info\":{");
    if !index.is_multiple_of(8) {
        line.text("\"pricePerUnit\":").int(node.price / 4).text(",");
    }
    line.text("\"pixelsPerUnit\":1},\"capabilities_prices\":");
    prices(line, node, offers);
    line.text(",\"hardware\":");
    hardware(line, offers, ts);
    capability_options(line, offers);
    line.push(b'}');
}

/// BYOC models per capability, as the newest builds add them.
fn capability_options(line: &mut Vec<u8>, offers: &[Offer]) {
    let mut before = ",\"capability_options\":{\"";
    for offer in offers.iter().filter(|o| o.capability == BYOC_CAPABILITY) {
        line.text(before)
            .text(offer.pipeline)
            .text("\":[{\"model\":\"")
            .text(offer.model)
            .text("\"}]");
        before = ",\"";
    }
    if before == ",\"" {
        line.push(b'}');
    }
}

/// Bit string, capacities and version; leaves the object open.
fn bits(line: &mut Vec<u8>, offers: &[Offer]) {
    let base = (0..=12).chain([14, 26]);
    let own = offers.iter().map(|o| u64::from(o.capability)).filter(|id| *id < 37);
    let mut all: Vec<u64> = base.chain(own).collect();
    all.sort_unstable();
    all.dedup();
    let word: i64 = all.iter().map(|id| 1 << id).sum();
    line.text("{\"bitstring\":[").int(word).text("],\"capacities\":{");
    for (at, id) in all.iter().enumerate() {
        line.text(if at == 0 { "\"" } else { ",\"" }).int(*id as i64).text("\":1");
    }
    line.text("},\"version\":\"0.8.9\"");
}

fn constraints(line: &mut Vec<u8>, offers: &[Offer], volatile: i64) {
    let mut ids: Vec<u8> =
        offers.iter().filter(|o| o.in_constraints).map(|o| o.capability).collect();
    ids.sort_unstable();
    ids.dedup();
    if ids.is_empty() {
        return;
    }
    line.text(",\"constraints\":{\"minVersion\":\"0.8.8\",\"PerCapability\":{");
    for (at, id) in ids.iter().enumerate() {
        line.text(if at == 0 { "\"" } else { ",\"" }).int(i64::from(*id)).text("\":{\"models\":{");
        let models = offers.iter().filter(|o| o.in_constraints && o.capability == *id);
        for (position, offer) in models.enumerate() {
            line.text(if position == 0 { "\"" } else { ",\"" }).text(offer.model).text("\":");
            model(line, mix(7, volatile as u64, position as u64));
        }
        line.text("}}");
    }
    line.text("}}");
}

/// Idle, busy, cold and empty settings.
fn model(line: &mut Vec<u8>, draw: u64) {
    line.text(match draw % 5 {
        0 => r#"{"warm":true,"capacity":1,"runnerVersion":"0.14.1"}"#,
        1 => r#"{"warm":true,"capacityInUse":1,"runnerVersion":"0.14.1"}"#,
        2 => r#"{"capacity":1}"#,
        3 => "{}",
        _ => r#"{"warm":true,"capacity":1,"capacityInUse":1,"runnerVersion":"0.14.0"}"#,
    });
}

fn prices(line: &mut Vec<u8>, node: &Node, offers: &[Offer]) {
    if offers.is_empty() {
        line.text("null");
        return;
    }
    for (at, offer) in offers.iter().enumerate() {
        let named = if offer.in_constraints { offer.model } else { offer.pipeline };
        line.push(if at == 0 { b'[' } else { b',' });
        line.text("{\"pricePerUnit\":")
            .int(node.price)
            .text(",\"pixelsPerUnit\":1,\"capability\":");
        line.int(i64::from(offer.capability)).text(",\"constraint\":\"").text(named).text("\"}");
    }
    line.push(b']');
}

fn hardware(line: &mut Vec<u8>, offers: &[Offer], ts: i64) {
    let mut first = true;
    for offer in offers.iter().filter(|o| o.in_hardware) {
        line.push(if first { b'[' } else { b',' });
        first = false;
        line.text("{\"pipeline\":\"")
            .text(offer.pipeline)
            .text("\",\"model_id\":\"")
            .text(offer.model);
        line.text("\"");
        for (index, gpu) in offer.gpus.iter().enumerate() {
            let (name, major, minor, total) = GPUS[gpu.card];
            line.text(if index == 0 { ",\"gpu_info\":{\"" } else { ",\"" }).int(index as i64);
            line.text("\":{\"id\":\"GPU-").uuid(gpu.id).text("\",\"name\":\"").text(name);
            line.text("\",\"major\":").int(i64::from(major));
            if minor != 0 {
                line.text(",\"minor\":").int(i64::from(minor));
            }
            let free = (mix(3, ts as u64, gpu.id as u64) % total as u64) as i64;
            line.text(",\"memory_free\":")
                .int(free)
                .text(",\"memory_total\":")
                .int(total)
                .text("}");
        }
        line.text(if offer.gpus.is_empty() { "}" } else { "}}" });
    }
    line.text(if first { "null" } else { "]" });
}

/// Valid documents of odd shape, about nobody that serves a session.
pub(crate) fn odd(line: &mut Vec<u8>, variant: u8, filler: &mut Filler) {
    match variant {
        0 => {
            line.text("[]");
        }
        1 => {
            stranger(line, "0.8.10", filler);
            // A software version beside the entry is not a schema version.
            line.pop();
            line.text(",\"version\":\"0.8.10\"}");
        }
        2 => {
            line.text("[{},5,\"text\",null,");
            stranger(line, "0.7.8-1.2.4-2e3fae7a", filler);
            line.push(b']');
        }
        _ => {
            line.push(b'[');
            stranger(line, "0.8.9-", filler);
            // Invalid UTF-8 inside a text is replaced, not rejected.
            if let Some(at) = line.windows(6).rposition(|w| w == b"0.8.9-") {
                line.insert(at + 6, 0xff);
            }
            line.push(b']');
        }
    }
}

fn stranger(line: &mut Vec<u8>, version: &str, filler: &mut Filler) {
    line.text("{\"address\":\"0x")
        .hex(filler.bits(), 16)
        .hex(filler.bits(), 16)
        .hex(filler.bits(), 8);
    line.text("\",\"local_address\":\"\",\"orch_uri\":\"https://stray-").hex(filler.bits(), 6);
    line.text(".example:8935\",\"capabilities\":{\"bitstring\":[0],\"version\":\"").text(version);
    line.text("\"},\"capabilities_prices\":null,\"hardware\":null}");
}
