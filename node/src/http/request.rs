//! What a request for a list may ask, checked; and the cursor, which is the key of the last row with the
//! window of the first answer.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use naap_protocol::time::Timestamp;

use super::problem::Problem;
use super::resource::Resource;
use crate::times;

/// Rows of an answer unless it asks otherwise.
const PAGE: u32 = 50;
/// Longest value of a parameter, bytes.
const MAX_VALUE: usize = 2048;
/// The span of an answer unless it asks otherwise.
const SPAN: Duration = Duration::from_hours(24);

/// What the configuration allows.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Most rows of an answer.
    pub max_rows: u32,
    /// Longest span of an answer.
    pub max_span: Duration,
}

/// Begin and end of an answer, half-open.
pub type Window = (Timestamp, Timestamp);

/// A checked request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListRequest {
    /// Organisation; '' for all.
    pub org: String,
    /// The window; `None` for lists without hours.
    pub window: Option<Window>,
    /// Fixed columns.
    pub filters: BTreeMap<&'static str, String>,
    /// Most rows.
    pub limit: u32,
    /// Key of the row that the answer begins after, in the order of [`cursor_columns`].
    pub after: Option<Vec<String>>,
}

/// The columns of the key in a cursor.
pub fn cursor_columns(resource: &Resource) -> Vec<&'static str> {
    let hour = resource.hourly.then_some(super::resource::HOUR);
    hour.into_iter().chain(resource.order()).collect()
}

/// The cursor of a row with these key values, in an answer for `window`. A window up to now would be
/// another one for each page, and lose its first hour when the hour turns in between.
pub fn cursor(resource: &Resource, window: Option<Window>, key: &[String]) -> String {
    let mut parts = vec![resource.path.to_owned()];
    let times = window.into_iter().flat_map(|(start, end)| [start, end]);
    parts.extend(times.map(|time| time.0.to_string()));
    parts.extend_from_slice(key);
    URL_SAFE_NO_PAD.encode(serde_json::Value::from(parts).to_string())
}

impl ListRequest {
    /// Checks the parameters of a request at `now`.
    ///
    /// # Errors
    /// A sentence for the first that is wrong.
    pub fn parse(
        resource: &Resource,
        given: &[(String, String)],
        bounds: Bounds,
        now: Timestamp,
    ) -> Result<Self, Problem> {
        let values = unique(resource, given)?;
        let get = |name: &str| values.get(name).map(String::as_str);
        let place = get("cursor").map(|text| place(resource, text)).transpose()?;
        let (held, after) = place.unzip();
        let held = held.flatten();
        let window = if resource.hourly { Some(window(&get, held, bounds, now)?) } else { None };
        let filters = resource.filters.iter().copied();
        let filters = filters.filter_map(|name| Some((name, get(name)?.to_owned()))).collect();
        Ok(Self {
            org: org(get("org"))?,
            window,
            filters,
            limit: limit(get("limit"), bounds)?,
            after,
        })
    }
}

fn unique(
    resource: &Resource,
    given: &[(String, String)],
) -> Result<BTreeMap<String, String>, Problem> {
    let window: &[&str] = if resource.hourly { &["start", "end"] } else { &[] };
    let mut values = BTreeMap::new();
    for (name, value) in given {
        let common = ["org", "limit", "cursor"].iter().chain(window).chain(&resource.filters);
        if !common.clone().any(|known| known == name) {
            let known: Vec<&str> = common.copied().collect();
            let known = known.join(", ");
            return Err(Problem::bad(format!("unknown parameter; this address knows {known}")));
        }
        if value.len() > MAX_VALUE || value.contains('\0') {
            return Err(Problem::bad(format!("{name} is too long or not a text")));
        }
        if values.insert(name.clone(), value.clone()).is_some() {
            return Err(Problem::bad(format!("{name} is given twice; keep one")));
        }
    }
    Ok(values)
}

fn org(given: Option<&str>) -> Result<String, Problem> {
    let Some(text) = given else { return Ok(String::new()) };
    crate::cli::name(text).map_err(|reason| Problem::bad(format!("org: {reason}")))
}

fn limit(given: Option<&str>, bounds: Bounds) -> Result<u32, Problem> {
    let most = bounds.max_rows;
    match given.map(str::parse::<u32>) {
        None => Ok(PAGE.min(most)),
        Some(Ok(rows)) if (1..=most).contains(&rows) => Ok(rows),
        Some(_) => Err(Problem::bad(format!("limit: give a whole number from 1 to {most}"))),
    }
}

/// What is given counts, then what the cursor holds, and then the time of the request.
fn window<'a>(
    get: &impl Fn(&str) -> Option<&'a str>,
    held: Option<Window>,
    bounds: Bounds,
    now: Timestamp,
) -> Result<Window, Problem> {
    let time = |name: &str| {
        let read = |text: &str| {
            times::parse(text).map_err(|reason| Problem::bad(format!("{name}: {reason}")))
        };
        get(name).map(read).transpose()
    };
    let (held_start, held_end) = held.unzip();
    let end = time("end")?.or(held_end).unwrap_or(now);
    let day_before = Timestamp(end.0.saturating_sub(SPAN.as_millis() as i64));
    let start = time("start")?.or(held_start).unwrap_or(day_before);
    // Anybody can write a cursor, so its times are checked like others.
    let span = end.millis_since(start);
    if span <= 0 {
        return Err(Problem::bad("the window is empty; give a start before end"));
    }
    if span > bounds.max_span.as_millis() as i64 {
        let most = crate::config::duration_text(bounds.max_span);
        return Err(Problem::bad(format!("the window is too long; ask for at most {most}")));
    }
    Ok((start, end))
}

/// What a cursor holds: the window of the first answer, and the key of the last row.
fn place(resource: &Resource, text: &str) -> Result<(Option<Window>, Vec<String>), Problem> {
    let wrong =
        || Problem::bad("cursor: not one of this address; take next_cursor of its last answer");
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| wrong())?;
    let parts: Vec<String> = serde_json::from_slice(&bytes).map_err(|_| wrong())?;
    let Some((path, held)) = parts.split_first() else { return Err(wrong()) };
    let time = |ms: &str| ms.parse::<i64>().map(Timestamp).map_err(|_| wrong());
    let (window, key) = match held {
        [start, end, key @ ..] if resource.hourly => (Some((time(start)?, time(end)?)), key),
        key => (None, key),
    };
    if path != resource.path || key.len() != cursor_columns(resource).len() {
        return Err(wrong());
    }
    if resource.hourly && key.first().is_none_or(|hour| times::parse(hour).is_err()) {
        return Err(wrong());
    }
    Ok((window, key.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-01-08 22:00 UTC.
    const NOW: Timestamp = Timestamp(1_767_909_600_000);
    const HOUR_MS: i64 = 3_600_000;

    fn list(path: &str) -> Resource {
        Resource::all().into_iter().find(|one| one.path == path).expect("a list")
    }

    fn parse(path: &str, given: &[(&str, &str)]) -> Result<ListRequest, Problem> {
        parse_at(path, given, NOW)
    }

    fn parse_at(
        path: &str,
        given: &[(&str, &str)],
        now: Timestamp,
    ) -> Result<ListRequest, Problem> {
        let given: Vec<_> = given.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        let bounds = Bounds { max_rows: 1000, max_span: Duration::from_hours(24 * 31) };
        ListRequest::parse(&list(path), &given, bounds, now)
    }

    /// The key of a row of the list.
    fn key(resource: &Resource) -> Vec<String> {
        let mut key: Vec<String> =
            cursor_columns(resource).iter().map(|name| (*name).to_owned()).collect();
        if resource.hourly {
            key[0] = "2026-01-08T21:00:00.000Z".to_owned();
        }
        key
    }

    #[test]
    fn what_is_not_said_has_a_default() {
        let asked = parse("sla", &[]).expect("nothing is needed");
        let day = 86_400_000;
        assert_eq!((asked.limit, asked.window), (50, Some((Timestamp(NOW.0 - day), NOW))));
        assert_eq!(parse("inventory", &[]).expect("nothing is needed").window, None);
    }

    #[test]
    fn wrong_requests_are_told_what_to_write() {
        for (path, given, told) in [
            ("sla", vec![("page", "2")], "knows org, limit"),
            ("sla", vec![("gateway", "x")], "unknown parameter"),
            ("inventory", vec![("start", "2026-01-01")], "unknown parameter"),
            ("sla", vec![("limit", "0")], "from 1 to 1000"),
            ("sla", vec![("limit", "5"), ("limit", "5")], "twice"),
            ("sla", vec![("start", "yesterday")], "start: not a time"),
            ("sla", vec![("start", "2026-01-08"), ("end", "2026-01-08")], "before end"),
            ("sla", vec![("start", "2025-01-08"), ("end", "2026-01-08")], "at most"),
            ("sla", vec![("cursor", "x")], "next_cursor"),
            ("sla", vec![("org", "a b")], "org:"),
        ] {
            let problem = parse(path, &given).expect_err(told);
            assert!(problem.detail().contains(told), "{given:?}: {}", problem.detail());
        }
    }

    #[test]
    fn a_cursor_holds_the_whole_key_and_fits_its_list_only() {
        for (path, window) in [("sla", Some((Timestamp(NOW.0 - 1), NOW))), ("inventory", None)] {
            let resource = list(path);
            let key = key(&resource);
            assert!(key.contains(&"org".to_owned()));
            let text = cursor(&resource, window, &key);
            let asked = parse(path, &[("cursor", &text)]).expect("its own");
            assert_eq!((asked.window, asked.after), (window, Some(key)));
            assert!(parse("gpu-metrics", &[("cursor", &text)]).is_err());
        }
    }

    #[test]
    fn pages_have_one_window_while_the_hour_turns() {
        let sla = list("sla");
        let [before, after] = [-1_000, 1_000].map(|ms| Timestamp(NOW.0 + ms));
        let first = parse_at("sla", &[], before).expect("nothing is needed").window;
        let text = cursor(&sla, first, &key(&sla));
        let next = parse_at("sla", &[("cursor", &text)], after).expect("its own").window;
        assert_eq!(next, first);
        // Without the cursor, the hour from yesterday 22:00 on is no longer asked for.
        let other = parse_at("sla", &[], after).expect("nothing is needed").window;
        assert_eq!(other, Some((Timestamp(after.0 - 24 * HOUR_MS), after)));
    }

    #[test]
    fn what_is_given_beside_a_cursor_counts() {
        let sla = list("sla");
        let held = (Timestamp(NOW.0 - 2 * HOUR_MS), NOW);
        let text = cursor(&sla, Some(held), &key(&sla));
        let (same, later) = ("2026-01-08T20:00:00Z", "2026-01-08T21:00:00Z");
        for (given, start) in [
            (vec![], held.0),
            (vec![("start", same)], held.0),
            (vec![("start", same), ("end", "2026-01-08T22:00:00Z")], held.0),
            (vec![("start", later)], Timestamp(NOW.0 - HOUR_MS)),
        ] {
            let given = [given, vec![("cursor", text.as_str())]].concat();
            let asked = parse_at("sla", &given, Timestamp(NOW.0 + 5 * HOUR_MS));
            assert_eq!(asked.expect("a window").window, Some((start, NOW)), "{given:?}");
        }
    }

    #[test]
    fn a_cursor_that_nobody_was_given_is_refused() {
        let sla = list("sla");
        let ends = [Timestamp(i64::MIN), Timestamp(i64::MAX)];
        for (window, told) in [
            ((ends[0], ends[1]), "at most"),
            ((ends[1], ends[0]), "before end"),
            ((NOW, NOW), "before end"),
        ] {
            let text = cursor(&sla, Some(window), &key(&sla));
            let problem = parse("sla", &[("cursor", &text)]).expect_err(told);
            assert!(problem.detail().contains(told), "{window:?}: {}", problem.detail());
        }
        // The cursors of old had no window.
        let old = cursor(&sla, None, &key(&sla));
        let problem = parse("sla", &[("cursor", &old)]).expect_err("of old");
        assert!(problem.detail().contains("next_cursor"), "{}", problem.detail());
    }
}
