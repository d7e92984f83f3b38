//! What a process takes of the memory of the machine, as Linux tells.

use naap_tests::stage::Node;

/// Resident memory now, and the most of it since the last [`forget_peak`], bytes.
pub fn resident(node: &Node) -> (u64, u64) {
    let status = std::fs::read_to_string(format!("/proc/{}/status", node.id())).unwrap();
    let value = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().next().unwrap().parse::<u64>().unwrap() << 10
    };
    (value("VmRSS:"), value("VmHWM:"))
}

/// The peak is measured from now on.
pub fn forget_peak(node: &Node) {
    std::fs::write(format!("/proc/{}/clear_refs", node.id()), "5").unwrap();
}

/// Bytes as MiB.
pub fn mib(bytes: u64) -> u64 {
    bytes >> 20
}
