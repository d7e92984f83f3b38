//! What really became known of each orchestrator: the intervals of lifecycle 7.10.

use super::signal::norm_url;
use crate::network::{BYOC_CAPABILITY, Network, Offer};

/// One (pipeline, model) of a node with its GPUs; none = no usable hardware.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Surface {
    pub(crate) pipeline: &'static str,
    pub(crate) model: &'static str,
    pub(crate) gpus: Vec<u128>,
}

/// A stretch of unchanged advertisements.
#[derive(Clone, Debug)]
pub(crate) struct Interval {
    pub(crate) first: i64,
    pub(crate) last: i64,
    pub(crate) surfaces: Vec<Surface>,
}

/// One (canonical, url) pair.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) canonical: String,
    pub(crate) hot: String,
    pub(crate) url: String,
    pub(crate) intervals: Vec<Interval>,
}

/// Every indexed node.
pub(crate) struct History(pub(crate) Vec<Known>);

impl History {
    /// Reads the advertisements that reached the broker.
    pub(crate) fn of(network: &Network) -> Self {
        let mut nodes = Vec::new();
        for (index, node) in network.nodes.iter().enumerate() {
            // Entries with a blank canonical address are not indexed.
            if node.canonical.bytes().skip(2).all(|b| b == b'0') {
                continue;
            }
            let mut intervals: Vec<Interval> = Vec::new();
            for (number, ad) in network.advertisements.iter().enumerate() {
                if ad.lost || !network.lists(number, index) {
                    continue;
                }
                let surfaces = surfaces(network.offers(index, ad.ts));
                match intervals.last_mut() {
                    Some(open) if open.surfaces == surfaces => open.last = ad.ts,
                    _ => intervals.push(Interval { first: ad.ts, last: ad.ts, surfaces }),
                }
            }
            nodes.push(Known {
                canonical: node.canonical.clone(),
                hot: node.hot.clone(),
                url: norm_url(&node.url),
                intervals,
            });
        }
        Self(nodes)
    }
}

/// Hardware elements, plus constraint models that the hardware lacks; a placeholder for neither.
fn surfaces(offers: &[Offer]) -> Vec<Surface> {
    let visible = |o: &&Offer| o.in_hardware || o.capability != BYOC_CAPABILITY;
    let mut all: Vec<Surface> = offers
        .iter()
        .filter(visible)
        .map(|o| {
            let mut gpus: Vec<u128> = o.gpus.iter().map(|g| g.id).collect();
            gpus.sort_unstable();
            Surface { pipeline: o.pipeline, model: o.model, gpus }
        })
        .collect();
    if all.is_empty() {
        all.push(Surface { pipeline: "", model: "", gpus: Vec::new() });
    }
    all.sort();
    all
}
