//! Value parsers of arguments; each error says what to write.

use std::time::Duration;

use naap_actors::placement::{FULL_WEIGHT, Member};

use crate::config::Setting;

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    Duration::from_text(text)
}

pub(super) fn probability(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("not a probability; give a number from 0 to 1, such as 0.2".to_owned()),
    }
}

pub(super) fn seed(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("not a seed; give a whole number from 0 to {}", u64::MAX))
}

/// A whole number from 1.
pub(super) fn count(text: &str) -> Result<u64, String> {
    match text.parse() {
        Ok(count) if count > 0 => Ok(count),
        _ => Err("not a count; give a whole number from 1".to_owned()),
    }
}

/// As many orchestrators as the generator can make.
pub(super) fn orchestrators(text: &str) -> Result<u64, String> {
    match text.parse() {
        Ok(count @ 4..=10_000) => Ok(count),
        _ => Err("not a number of orchestrators; give a whole number from 4 to 10000".to_owned()),
    }
}

/// Any name that can be an organisation.
pub(crate) fn name(text: &str) -> Result<String, String> {
    crate::config::Name::from_text(text).map(|name| name.as_str().to_owned())
}

/// `name` or `name=weight`
pub(super) fn member(text: &str) -> Result<Member, String> {
    let (text, weight) = match text.split_once('=') {
        None => (text, FULL_WEIGHT),
        Some((text, weight)) => (
            text,
            weight.parse().map_err(|_| {
                format!("'{weight}' is not a weight; give a whole number from 0 to 255")
            })?,
        ),
    };
    Ok(Member { name: name(text)?, weight })
}

pub(super) fn url(text: &str) -> Result<String, String> {
    crate::config::Url::from_text(text).map(|url| url.as_str().to_owned())
}

/// `section.key=value`
pub(super) fn setting(text: &str) -> Result<(String, String), String> {
    text.split_once('=').map(|(path, value)| (path.trim().to_owned(), value.to_owned())).ok_or_else(
        || "no '=' in it; give section.key=value, such as commit.flush_interval=3s".to_owned(),
    )
}

pub(super) fn time(text: &str) -> Result<naap_protocol::time::Timestamp, String> {
    crate::times::parse(text)
}
