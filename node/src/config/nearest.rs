//! The existing name that a mistyped one most likely meant.

/// Below this similarity (0 to 1) a suggestion would only mislead.
const SIMILAR: f64 = 0.6;

/// The nearest of `names`, if any is near.
pub(crate) fn nearest<'a>(
    wanted: &str,
    names: impl IntoIterator<Item = &'a str>,
) -> Option<String> {
    names
        .into_iter()
        .map(|name| (similarity(wanted, name), name))
        .filter(|(score, _)| *score >= SIMILAR)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name.to_owned())
}

/// The likeness of the whole names, or of the last parts when only the section is wrong; the whole decides between those.
fn similarity(wanted: &str, name: &str) -> f64 {
    let last = |path: &str| path.rsplit('.').next().unwrap_or_default().to_owned();
    let whole = strsim::normalized_damerau_levenshtein(wanted, name);
    let part = strsim::normalized_damerau_levenshtein(&last(wanted), &last(name));
    whole.max(0.65 * part + 0.1 * whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggests_the_closest_and_nothing_wild() {
        let names = ["commit.flush_interval", "kafka.bootstrap", "node.name", "cluster.name"];
        let cases = [
            ("commit.flush_intervall", Some("commit.flush_interval")),
            ("comit.flush-interval", Some("commit.flush_interval")),
            ("flush_interval", Some("commit.flush_interval")),
            ("kafka.boostrap", Some("kafka.bootstrap")),
            ("nod.name", Some("node.name")),
            ("x", None),
            ("", None),
        ];
        for (wanted, expected) in cases {
            assert_eq!(nearest(wanted, names).as_deref(), expected, "{wanted}");
        }
    }
}
