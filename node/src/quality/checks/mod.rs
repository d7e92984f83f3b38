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
