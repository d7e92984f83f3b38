//! Deliveries as the text of Kafka values (contract events.md 2, 3).

pub(crate) mod capabilities;
pub(crate) mod garbage;
pub(crate) mod noise;
mod stream;

use crate::delivery::Delivery;
use crate::network::Network;
use crate::random::Filler;
use crate::session::{Body, Event, Quirk};
use crate::text::Put;

/// Writes one value without the line end.
pub(crate) fn write(line: &mut Vec<u8>, delivery: &Delivery, network: &Network) {
    let event = &delivery.event;
    if let Body::Garbage(kind) = event.body {
        return garbage::write(line, kind, event);
    }
    open(line, event);
    data(line, event, network);
    if let Quirk::Version(version) = event.quirk {
        line.text(",\"version\":").text(version);
    }
    if matches!(event.body, Body::ClientNoise(n) if noise::client(n).from_app) {
        line.text(r#","sender":{"type":"app","id":"daydream"}"#);
    }
    if let Some(at) = delivery.replayed {
        line.text(r#","__replay":true,"__replay_ts":"#).int(at);
        line.text(r#","__replay_source":"dlq","__replay_failure_class":"PARSING_FAILED""#);
    }
    line.push(b'}');
}

/// Envelope up to and including the `data` key.
fn open(line: &mut Vec<u8>, event: &Event) {
    line.push(b'{');
    if event.quirk != Quirk::NoId {
        line.text("\"id\":\"").uuid(event.uid).text("\",");
    }
    line.text("\"type\":\"").text(event.family());
    if event.quirk == Quirk::NumberTime {
        line.text("\",\"timestamp\":").int(event.ts);
    } else {
        line.text("\",\"timestamp\":\"").int(event.ts).text("\"");
    }
    let gateway = match (&event.session, event.quirk) {
        (_, Quirk::NoGateway) | (None, _) => "",
        (Some(session), _) => session.gateway,
    };
    line.text(",\"gateway\":\"").text(gateway).text("\",\"data\":");
}

fn data(line: &mut Vec<u8>, event: &Event, network: &Network) {
    let filler = &mut Filler::of(event.uid);
    match event.body {
        Body::Capabilities(number) => capabilities::document(line, number, event.ts, network),
        Body::OddCapabilities(variant) => capabilities::odd(line, variant, filler),
        Body::ClientNoise(n) => noise::write_client(line, n, event.ts, filler),
        Body::Unsupported(n) => noise::write_body(line, noise::unsupported(n).1, event.ts, filler),
        Body::Later(n) => noise::write_body(line, noise::later(n).1, event.ts, filler),
        Body::Oversized => garbage::oversized(line),
        Body::Discovery { found } => stream::discovery(line, event, found, network, filler),
        _ => stream::write(line, event, filler),
    }
}
