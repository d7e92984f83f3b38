//! The orchestrators: who they are, what they offer, and what really became known of it.

use crate::random::{Random, mix};
use crate::text::{address, mixed_case};

/// Start of every plan: 2026-01-01T00:00:00Z.
pub(crate) const BASE_MS: i64 = 1_767_225_600_000;
const HOUR_MS: i64 = 3_600_000;
pub(crate) const LIVE: &str = "live-video-to-video";
pub(crate) const LIVE_CAPABILITY: u8 = 35;
pub(crate) const BYOC_CAPABILITY: u8 = 37;

/// What kind of orchestrator a node is. The first ones of a network take the roles in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Plain,
    /// Hot wallet = canonical address.
    OneWallet,
    MultiGpu,
    TwoModels,
    NoHardware,
    /// Another operator behind the hot wallet of node 0.
    SharedWallet,
    /// Another URL of the operator of node 1.
    SecondUrl,
    /// Advertised only from 40 % of the plan on.
    Late,
    /// Advertised only in the first quarter.
    Gone,
    /// Other GPU in the second half.
    NewGpu,
    /// Other model in the second half.
    NewModel,
    NeverAdvertised,
    Byoc,
    Batch,
    Transcoder,
    /// Missing from every second capability event.
    Flaky,
    /// A model in the constraints that the hardware block does not have.
    PartlyConstrained,
    BlankWallet,
    /// Null capabilities, no URL.
    Ancient,
    /// A hardware element without GPU.
    NoGpuInfo,
}

const FIRST: [Role; 20] = [
    Role::Plain,
    Role::OneWallet,
    Role::MultiGpu,
    Role::TwoModels,
    Role::NoHardware,
    Role::SharedWallet,
    Role::SecondUrl,
    Role::Late,
    Role::Gone,
    Role::NewGpu,
    Role::NewModel,
    Role::NeverAdvertised,
    Role::Byoc,
    Role::Batch,
    Role::Transcoder,
    Role::Flaky,
    Role::PartlyConstrained,
    Role::BlankWallet,
    Role::Ancient,
    Role::NoGpuInfo,
];
const LATER: [Role; 6] = [
    Role::Plain,
    Role::Transcoder,
    Role::MultiGpu,
    Role::Transcoder,
    Role::NoHardware,
    Role::OneWallet,
];

impl Role {
    fn of(index: usize) -> Self {
        FIRST.get(index).copied().unwrap_or(LATER[index % LATER.len()])
    }

    /// Runs live-video sessions.
    fn is_live(self) -> bool {
        !matches!(
            self,
            Self::Byoc | Self::Batch | Self::Transcoder | Self::BlankWallet | Self::Ancient
        )
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Gpu {
    pub(crate) id: u128,
    /// Index into [`GPUS`].
    pub(crate) card: usize,
}

/// Name, compute capability major and minor, memory in bytes.
pub(crate) const GPUS: [(&str, u8, u8, i64); 3] = [
    ("NVIDIA GeForce RTX 5090", 12, 0, 34_190_917_632),
    ("NVIDIA GeForce RTX 4090", 8, 9, 25_757_220_864),
    ("NVIDIA GeForce RTX 3090", 8, 6, 25_769_803_776),
];

/// One model of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Offer {
    pub(crate) capability: u8,
    pub(crate) pipeline: &'static str,
    pub(crate) model: &'static str,
    pub(crate) gpus: Vec<Gpu>,
    pub(crate) in_hardware: bool,
    pub(crate) in_constraints: bool,
}

/// One service endpoint.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) role: Role,
    pub(crate) url: String,
    /// Lower case.
    pub(crate) canonical: String,
    /// Lower case.
    pub(crate) hot: String,
    pub(crate) price: i64,
    /// What it offers before and after the middle of the plan.
    phases: [Vec<Offer>; 2],
}

impl Node {
    /// Canonical address as capability documents and payments write it.
    pub(crate) fn canonical_mixed(&self) -> String {
        mixed_case(&self.canonical)
    }

    /// The wallet that signals carry.
    pub(crate) fn signal_address(&self) -> &str {
        if self.role == Role::Byoc { &self.canonical } else { &self.hot }
    }
}

/// One capability event of one gateway.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Advertisement {
    pub(crate) ts: i64,
    pub(crate) uid: u128,
    pub(crate) lost: bool,
}

/// The network of one plan.
pub(crate) struct Network {
    seed: u64,
    pub(crate) nodes: Vec<Node>,
    /// Indices of nodes that run live video.
    pub(crate) live: Vec<usize>,
    pub(crate) byoc: Option<usize>,
    pub(crate) advertisements: Vec<Advertisement>,
    end: i64,
}

impl Network {
    pub(crate) fn new(seed: u64, count: usize, hours: u32, profile: &crate::Profile) -> Self {
        let mut random = Random::new(seed, u64::MAX);
        let mut nodes: Vec<Node> = Vec::with_capacity(count);
        for index in 0..count {
            let node = build_node(&mut random, index, &nodes);
            nodes.push(node);
        }
        let end = BASE_MS + i64::from(hours) * HOUR_MS;
        let live = (0..count).filter(|i| nodes[*i].role.is_live()).collect();
        let byoc = nodes.iter().position(|n| n.role == Role::Byoc);
        let advertisements = schedule(&mut random, end, profile);
        Self { seed, nodes, live, byoc, advertisements, end }
    }

    /// What `node` offers at `ts`.
    pub(crate) fn offers(&self, node: usize, ts: i64) -> &[Offer] {
        let half = BASE_MS + (self.end - BASE_MS) / 2;
        &self.nodes[node].phases[usize::from(ts >= half)]
    }

    /// Whether capability event number `ad` lists `node`.
    pub(crate) fn lists(&self, ad: usize, node: usize) -> bool {
        let done = (self.advertisements[ad].ts - BASE_MS) * 100 / (self.end - BASE_MS);
        match self.nodes[node].role {
            Role::NeverAdvertised => false,
            Role::Late => done >= 40,
            Role::Gone => done < 25,
            Role::Flaky => mix(self.seed, ad as u64, node as u64).is_multiple_of(2),
            _ => !mix(self.seed, ad as u64, node as u64).is_multiple_of(50),
        }
    }
}

/// Polls from the start of the plan to ten minutes after its end, never two in one millisecond.
fn schedule(random: &mut Random, end: i64, profile: &crate::Profile) -> Vec<Advertisement> {
    let interval = i64::from(profile.capability_interval_s.max(10)) * 1000;
    let mut all = Vec::new();
    for gateway in 0..i64::from(profile.gateways.max(1)) {
        let mut ts = BASE_MS + 1 + gateway * interval / 3;
        while ts < end + 600_000 {
            let lost = random.chance(profile.event_loss);
            all.push(Advertisement { ts, uid: random.uuid(), lost });
            ts += interval + random.between(-500, 500);
        }
    }
    all.sort_by_key(|ad| (ad.ts, ad.uid));
    all.dedup_by_key(|ad| ad.ts);
    all
}

fn build_node(random: &mut Random, index: usize, earlier: &[Node]) -> Node {
    let role = Role::of(index);
    let canonical = address(&random.bytes20());
    let own_hot = address(&random.bytes20());
    let host = mix(random.bits(), 1, index as u64);
    let url = match role {
        Role::Ancient => String::new(),
        _ if index.is_multiple_of(2) => {
            format!("https://orch-{index}.example:{}", 8935 + index % 3 * 1000)
        }
        _ => format!("https://10.{}.{}.{}:8935", host % 200, host >> 8 & 0x7f, index % 250),
    };
    let (canonical, hot) = match role {
        Role::OneWallet => (canonical.clone(), canonical),
        Role::SharedWallet => (canonical, earlier[0].hot.clone()),
        Role::SecondUrl => (earlier[1].canonical.clone(), earlier[1].hot.clone()),
        Role::BlankWallet => (address(&[0; 20]), "0x".to_owned()),
        _ => (canonical, own_hot),
    };
    let phases = phases(random, role, index);
    Node { role, url, canonical, hot, price: random.between(1588, 3000), phases }
}

fn phases(random: &mut Random, role: Role, index: usize) -> [Vec<Offer>; 2] {
    const SDXL: &str = "streamdiffusion-sdxl";
    const FACE: &str = "streamdiffusion-sdxl-faceid";
    const V2V: &str = "streamdiffusion-sdxl-v2v";
    let sdxl = index.is_multiple_of(3) || matches!(role, Role::MultiGpu | Role::SharedWallet);
    let usual = if sdxl { SDXL } else { FACE };
    let mut live = |model, gpus: usize| Offer {
        capability: LIVE_CAPABILITY,
        pipeline: LIVE,
        model,
        gpus: (0..gpus).map(|_| Gpu { id: random.uuid(), card: random.below(3) }).collect(),
        in_hardware: true,
        in_constraints: true,
    };
    let first = match role {
        Role::MultiGpu => vec![live(SDXL, 3)],
        Role::TwoModels => vec![live(SDXL, 1), live(V2V, 1)],
        Role::NoHardware => vec![Offer { in_hardware: false, ..live(usual, 0) }],
        Role::NoGpuInfo => vec![live(usual, 0)],
        Role::PartlyConstrained => {
            vec![live(FACE, 1), Offer { in_hardware: false, ..live(V2V, 0) }]
        }
        Role::Byoc => byoc_offers(&live(usual, 1)),
        Role::Batch => vec![Offer {
            capability: 27,
            pipeline: "text-to-image",
            model: "SG161222/RealVisXL_V4.0_Lightning",
            ..live(usual, 1)
        }],
        Role::Transcoder | Role::BlankWallet | Role::Ancient => Vec::new(),
        _ => vec![live(usual, 1)],
    };
    let second = match role {
        Role::NewGpu => vec![live(usual, 1)],
        Role::NewModel => vec![live(V2V, 1)],
        _ => first.clone(),
    };
    [first, second]
}

/// Two BYOC pipelines on one GPU, in the hardware block only.
fn byoc_offers(template: &Offer) -> Vec<Offer> {
    let named = |pipeline, model| Offer {
        capability: BYOC_CAPABILITY,
        pipeline,
        model,
        in_constraints: false,
        ..template.clone()
    };
    vec![
        named("openai-chat-completions", "Qwen/Qwen2.5-14B-Instruct-AWQ"),
        named("openai-text-embeddings", "nomic-embed-text:latest"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wallets_are_shared_and_urls_are_not() {
        let network = Network::new(1, 40, 24, &crate::Profile::default());
        let nodes = &network.nodes;
        assert_eq!(nodes[5].hot, nodes[0].hot);
        assert_ne!(nodes[5].canonical, nodes[0].canonical);
        assert_eq!(nodes[6].canonical, nodes[1].canonical);
        let mut urls: Vec<_> = nodes.iter().map(|n| &n.url).collect();
        urls.sort();
        urls.dedup();
        assert_eq!(urls.len(), 40);
    }

    #[test]
    fn late_and_gone_nodes_are_listed_in_their_part_only() {
        let network = Network::new(1, 40, 24, &crate::Profile::default());
        let last = network.advertisements.len() - 1;
        assert!(!network.lists(0, 7) && network.lists(0, 8));
        assert!((last - 9..=last).any(|ad| network.lists(ad, 7)));
        assert!((last - 9..=last).all(|ad| !network.lists(ad, 8) && !network.lists(ad, 11)));
    }
}
