//! What one capability event says about each node, for attribution (lifecycle 1.6, 7.10;
//! clarifications 2, 19, 22, 25).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::expand::models_without_hardware;
use super::{Document, Entry};
use crate::event::Event;
use crate::identity::norm_url;
use crate::time::Timestamp;

/// An orchestrator endpoint: the unit that is advertised and attributed to.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Node {
    /// Canonical wallet, normalised; not empty in an advertisement.
    pub canonical: String,
    /// Service URI, normalised; can be `""`.
    pub url: String,
}

/// One (pipeline, model) of a node with its GPUs. Texts are trimmed and keep their spelling;
/// comparisons ignore ASCII case.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Offer {
    /// Pipeline slug or BYOC capability name; `""` = unknown.
    pub pipeline: String,
    /// Model; `""` = unknown.
    pub model: String,
    /// Distinct non-blank GPU ids, ascending.
    pub gpus: Vec<String>,
}

impl Offer {
    /// The model runs on GPUs that are known by id (clarification 2).
    pub fn hardware_present(&self) -> bool {
        !self.gpus.is_empty()
    }
}

/// What is advertised: everything but node and time. The lists are ascending and without duplicates.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Content {
    /// At least one; a node without models has one offer with blank pipeline and model.
    pub offers: Vec<Offer>,
    /// Hot wallets other than the canonical address.
    pub aliases: Vec<String>,
}

impl Content {
    /// The union with `other`; GPUs of the same (pipeline, model) come together.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let mut builder = Builder::default();
        builder.add(self);
        builder.add(other);
        builder.build()
    }

    /// Same offers ignoring ASCII case; aliases do not count (clarification 22).
    pub fn same_offers(&self, other: &Self) -> bool {
        self.offers == other.offers || self.folded_offers() == other.folded_offers()
    }

    fn folded_offers(&self) -> BTreeMap<(String, String), BTreeSet<String>> {
        let mut folded: BTreeMap<_, BTreeSet<String>> = BTreeMap::new();
        for offer in &self.offers {
            let key = (offer.pipeline.to_ascii_lowercase(), offer.model.to_ascii_lowercase());
            let gpus = offer.gpus.iter().map(|gpu| gpu.to_ascii_lowercase());
            folded.entry(key).or_default().extend(gpus);
        }
        folded
    }
}

/// How many slots each model of a node has: models in lower case, ascending, each once. Capacities
/// change with the load, so they are no part of [`Content`] and cut no interval. Shared, as most
/// advertisements of a node repeat the ones before.
pub type Capacities = Arc<[(String, i64)]>;

/// The greater capacity of each model.
pub fn greatest(a: &Capacities, b: &Capacities) -> Capacities {
    if b.is_empty() || a == b {
        return a.clone();
    }
    let mut slots: BTreeMap<&str, i64> = BTreeMap::new();
    for (model, capacity) in a.iter().chain(b.iter()) {
        slots
            .entry(model)
            .and_modify(|known| *known = (*known).max(*capacity))
            .or_insert(*capacity);
    }
    slots.into_iter().map(|(model, capacity)| (model.to_owned(), capacity)).collect()
}

/// Everything that one event says about one node.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Advertisement {
    /// The node.
    pub node: Node,
    /// Envelope time of the event.
    pub event_ts: Timestamp,
    /// Uid of the event.
    pub uid: String,
    /// What is advertised.
    pub content: Content,
    /// How much of it; empty in what a build before the field has written.
    #[serde(default)]
    pub capacities: Capacities,
    /// Hash of all that the event says, which tells apart the contents of one uid; 0 in what a build
    /// before the field has written.
    #[serde(default)]
    pub content_hash: u64,
}

impl Advertisement {
    /// The identity keys that must hear of it: url, canonical and alias addresses, ascending,
    /// without blanks and duplicates.
    pub fn routing_keys(&self) -> BTreeSet<&str> {
        let aliases = self.content.aliases.iter().map(String::as_str);
        [self.node.url.as_str(), self.node.canonical.as_str()]
            .into_iter()
            .chain(aliases)
            .filter(|key| !key.is_empty())
            .collect()
    }
}

/// The advertisements of one event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Advertisements {
    /// One per node, ascending by node.
    pub nodes: Vec<Advertisement>,
    /// Entries with a blank canonical address: counted, not indexed (clarification 25).
    pub blank_addresses: usize,
}

impl Advertisements {
    /// What `event` advertises, of which `document` is the body.
    pub fn of(event: &Event<'_>, document: &Document<'_>) -> Self {
        advertisements(document, event.event_ts, &event.uid, event.content_hash)
    }
}

/// Collects what one event says about each node; entries of the same node are united. `content_hash` is
/// that of the event.
pub fn advertisements(
    document: &Document<'_>,
    event_ts: Timestamp,
    uid: &str,
    content_hash: u64,
) -> Advertisements {
    let mut builders: BTreeMap<Node, Builder> = BTreeMap::new();
    let mut blank_addresses = 0;
    for entry in &document.entries {
        if entry.address.is_empty() {
            blank_addresses += 1;
            continue;
        }
        let url = norm_url(&entry.orch_uri).into_owned();
        let node = Node { canonical: entry.address.clone().into_owned(), url };
        builders.entry(node).or_default().add_entry(entry);
    }
    let nodes = builders
        .into_iter()
        .map(|(node, builder)| Advertisement {
            node,
            event_ts,
            uid: uid.to_owned(),
            capacities: builder.capacities(),
            content: builder.build(),
            content_hash,
        })
        .collect();
    Advertisements { nodes, blank_addresses }
}

/// Collects content without duplicates.
#[derive(Default)]
struct Builder {
    offers: BTreeMap<(String, String), BTreeSet<String>>,
    aliases: BTreeSet<String>,
    slots: BTreeMap<String, i64>,
}

impl Builder {
    fn offer(&mut self, pipeline: &str, model: &str) -> &mut BTreeSet<String> {
        self.offers.entry((pipeline.trim().to_owned(), model.trim().to_owned())).or_default()
    }

    fn add(&mut self, content: &Content) {
        for offer in &content.offers {
            self.offer(&offer.pipeline, &offer.model).extend(offer.gpus.iter().cloned());
        }
        self.aliases.extend(content.aliases.iter().cloned());
    }

    fn add_entry(&mut self, entry: &Entry<'_>) {
        for hardware in &entry.hardware {
            let gpus = hardware.gpus.iter().map(|gpu| gpu.id.trim()).filter(|id| !id.is_empty());
            self.offer(&hardware.pipeline, &hardware.model_id).extend(gpus.map(str::to_owned));
        }
        for (pipeline, model) in models_without_hardware(entry) {
            self.offer(pipeline, &model.model_id);
        }
        for (model, settings) in entry.models.iter().filter_map(|m| Some((m, m.settings.as_ref()?)))
        {
            let slots = self.slots.entry(model.model_id.trim().to_ascii_lowercase());
            slots
                .and_modify(|known| *known = (*known).max(settings.capacity))
                .or_insert(settings.capacity);
        }
        if !entry.local_address.is_empty() && entry.local_address != entry.address {
            self.aliases.insert(entry.local_address.clone().into_owned());
        }
    }

    fn capacities(&self) -> Capacities {
        self.slots.iter().map(|(model, slots)| (model.clone(), *slots)).collect()
    }

    /// A node without any model still exists: it has the blank offer, and only then (lifecycle 1.6).
    fn build(mut self) -> Content {
        let blank = (String::new(), String::new());
        if self.offers.is_empty() {
            self.offers.insert(blank, BTreeSet::new());
        } else if self.offers.len() > 1 && self.offers.get(&blank).is_some_and(BTreeSet::is_empty) {
            self.offers.remove(&blank);
        }
        let offers = self.offers.into_iter();
        Content {
            offers: offers
                .map(|((pipeline, model), gpus)| Offer {
                    pipeline,
                    model,
                    gpus: gpus.into_iter().collect(),
                })
                .collect(),
            aliases: self.aliases.into_iter().collect(),
        }
    }
}

#[cfg(test)]
mod tests;
