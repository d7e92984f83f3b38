//! Which organisation a topic belongs to (contract events.md 1.1).

use std::collections::BTreeMap;
use std::sync::Arc;

/// The organisation of a topic that nobody configured.
pub const UNKNOWN_ORG: &str = "unknown";

/// The configured map from topic to organisation.
///
/// An organisation is part of every key but never of an event uid.
#[derive(Clone, Debug)]
pub struct OrgMap {
    orgs: BTreeMap<String, Arc<str>>,
    unknown: Arc<str>,
}

impl OrgMap {
    /// A map from `(topic, organisation)` pairs; of two pairs with one topic the last one counts.
    pub fn new<T: Into<String>, O: Into<Arc<str>>>(
        pairs: impl IntoIterator<Item = (T, O)>,
    ) -> Self {
        let orgs = pairs.into_iter().map(|(topic, org)| (topic.into(), org.into())).collect();
        Self { orgs, unknown: Arc::from(UNKNOWN_ORG) }
    }

    /// The organisation of `topic`, `unknown` when unmapped. Never blank unless configured so.
    pub fn org(&self, topic: &str) -> &Arc<str> {
        self.orgs.get(topic).unwrap_or(&self.unknown)
    }
}

impl Default for OrgMap {
    /// The two input topics that exist today.
    fn default() -> Self {
        Self::new([("streaming_events", "cloud_spe"), ("network_events", "daydream")])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_map_to_organisations() {
        let map = OrgMap::default();
        assert_eq!(&**map.org("streaming_events"), "cloud_spe");
        assert_eq!(&**map.org("network_events"), "daydream");
        assert_eq!(&**map.org("Network_Events"), "unknown");
        assert_eq!(&**map.org(""), "unknown");
    }
}
