//! The checks, by what they are about.

mod archive;
mod attribution;
mod feeds;
mod lineage;
mod rollups;
mod scenarios;
mod schema;
mod sessions;
mod signals;
mod typed;
mod views;

use super::Check;

/// Every check, in the order of the contract.
pub fn all() -> impl Iterator<Item = &'static Check> {
    [
        archive::CHECKS,
        typed::CHECKS,
        sessions::CHECKS,
        lineage::CHECKS,
        attribution::CHECKS,
        signals::CHECKS,
        rollups::CHECKS,
        views::CHECKS,
        views::gpu::CHECKS,
        views::sla::CHECKS,
        views::demand::CHECKS,
        feeds::CHECKS,
        scenarios::CHECKS,
        schema::CHECKS,
    ]
    .into_iter()
    .flatten()
}

/// The check with this name, ignoring case.
pub fn find(id: &str) -> Option<&'static Check> {
    all().find(|check| check.id.eq_ignore_ascii_case(id))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use naap_protocol::time::Timestamp;

    use super::*;
    use crate::quality::How;
    use crate::quality::gates::Gates;

    /// Names of the contract (quality.md 1 to 9) that another check answers.
    const ANSWERED_BY: &[(&str, &str)] = &[
        ("Q-69", "Q-68"),
        ("Q-72", "Q-70"),
        ("Q-73", "Q-71"),
        ("Q-75", "Q-46"),
        ("Q-81", "Q-71"),
        ("Q-83", "Q-57"),
        ("Q-85", "Q-47"),
        ("Q-91", "J1"),
        ("Q-92", "L1"),
        ("Q-93", "F3"),
        ("N-04", "F1"),
        ("U1", "N-02"),
        ("A1", "N-19"),
        ("A1r", "N-19"),
        ("A3", "Q-66"),
        ("A4", "Q-38"),
        ("E2", "N-29"),
    ];
    const THRESHOLDS: &str =
        "F1 F2 F3 F4 F5 U1 U2 T1 T2 T3 R1 R2 A1 A1r A2 A3 A4 A5 E1 E2 E3 H1 D1 S1 M1 J1 L1";
    /// Checks there are: whoever takes one out says so here (backlog 013).
    const COUNT: usize = 155;

    /// Backlog 013: the self-test seeds a fault for whatever can fail.
    #[test]
    fn every_check_that_can_fail_has_a_fault() {
        let gates = Gates::load(None, Timestamp(0)).expect("the built-in file");
        let can_fail = |check: &Check| match check.how {
            How::Figure(name, _) => gates.can_fail(name),
            // Over this build, which has tests of its own.
            How::Build(..) => false,
            _ => check.can_fail(),
        };
        let bare = all().filter(|check| can_fail(check) && !check.can_be_seeded());
        assert_eq!(bare.map(|check| check.id).collect::<Vec<_>>(), [""; 0]);
    }

    #[test]
    fn every_assertion_of_the_contract_has_a_check() {
        let numbered = (1..=100).map(|n| format!("Q-{n:02}"));
        let wanted = numbered.chain((1..=31).map(|n| format!("N-{n:02}")));
        let wanted = wanted.chain(THRESHOLDS.split(' ').map(str::to_owned));
        for name in wanted {
            let by = ANSWERED_BY.iter().find(|(asked, _)| *asked == name);
            let id = by.map_or(name.as_str(), |(_, id)| id);
            assert!(find(id).is_some(), "{name} of the contract has no check {id}");
        }
        let ids: BTreeSet<&str> = all().map(|check| check.id).collect();
        assert_eq!(
            (ids.len(), all().count()),
            (COUNT, COUNT),
            "checks, each with a name of its own"
        );
    }
}
