//! Sessions of a generated network, with everything that orchestrators advertised and the truth.

use std::collections::{BTreeMap, BTreeSet};

use naap_generator::Plan;
use naap_protocol::capability::advertise::{Advertisement, Advertisements};
use naap_protocol::event::{Body, Event};
use naap_protocol::gate::{Gate, Outcome, Record};
use naap_protocol::identity::{norm_url, session_key};
use naap_protocol::signal::signal;
use serde_json::{Map, Value};

use crate::stage::Input;

/// The event of a line; `None` when the gate does not let it in.
pub fn accepted(line: &'static str) -> Option<Event<'static>> {
    let value = Some(line.as_bytes());
    let record = Record { topic: "t", partition: 0, offset: 0, record_ts: None, value };
    let outcome = Gate::default().admit(record, Box::leak(Box::default()));
    if let Outcome::Accepted(event) = outcome { Some(event) } else { None }
}

/// A generated network.
#[derive(Debug, Default)]
pub struct Generated {
    pub sessions: Vec<Generation>,
    pub advertisements: Vec<Advertisement>,
}

/// One session of it.
#[derive(Debug)]
pub struct Generation {
    pub id: String,
    /// Its events in order of arrival, some of them several times.
    pub events: Vec<Event<'static>>,
    /// What the generator says about it.
    pub truth: Map<String, Value>,
}

impl Generated {
    /// What `plan` sends. Its text lives as long as the test program.
    pub fn of(plan: &Plan) -> Self {
        let (mut lines, mut told) = (Vec::new(), Vec::new());
        plan.write(&mut lines, Some(&mut told), &mut |_| ()).expect("a plan");
        let mut events: BTreeMap<String, Vec<Event<'static>>> = BTreeMap::new();
        let mut generated = Self::default();
        let text: &'static str = String::from_utf8_lossy(&lines).into_owned().leak();
        for (event, offset) in text.lines().filter_map(accepted).zip(0..) {
            if let Body::Capabilities(document) = &event.body {
                let said = Advertisements::of(&event, document);
                generated.advertisements.extend(said.nodes);
            } else if let Some(signal) = signal(&event) {
                let id = session_key(signal.stream_id, signal.request_id, signal.uid);
                events.entry(id).or_default().push(Event { offset, ..event.clone() });
            }
        }
        let told = String::from_utf8(told).expect("JSON is UTF-8");
        for line in told.lines().skip(1) {
            let truth: Map<String, Value> = serde_json::from_str(line).expect("an object");
            let id = truth["workflow_session_id"].as_str().expect("an id").to_owned();
            let events = events.remove(&id).unwrap_or_default();
            generated.sessions.push(Generation { id, events, truth });
        }
        assert!(events.is_empty(), "sessions without truth: {:?}", events.keys());
        generated
    }

    /// The session's events and whatever was advertised under a name that they mention.
    pub fn inputs(&self, session: &Generation) -> Vec<Input> {
        let signals = session.events.iter().filter_map(signal);
        let names: BTreeSet<String> = signals
            .flat_map(|signal| [norm_url(signal.url).into_owned(), signal.address.to_owned()])
            .collect();
        let about = |ad: &&Advertisement| ad.routing_keys().iter().any(|key| names.contains(*key));
        let said = self.advertisements.iter().filter(about).cloned();
        let heard = session.events.iter().cloned().map(|event| Input::Event(Box::new(event)));
        heard.chain(said.map(|ad| Input::Capability(Box::new(ad)))).collect()
    }
}
