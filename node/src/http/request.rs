//! What a request for a list may ask, checked; and the cursor, which is the key of the last row.

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

/// A checked request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListRequest {
    /// Organisation; '' for all.
    pub org: String,
    /// Begin and end of the window; `None` for lists without hours.
    pub window: Option<(Timestamp, Timestamp)>,
    /// Fixed columns.
    pub filters: BTreeMap<&'static str, String>,
    /// Most rows.
    pub limit: u32,
    /// Key of the row that the answer begins after, in the order of [`cursor_columns`].
    pub after: Option<Vec<String>>,
}

/// The columns of a cursor.
pub fn cursor_columns(resource: &Resource) -> Vec<&'static str> {
    let hour = resource.hourly.then_some(super::resource::HOUR);
    hour.into_iter().chain(resource.order()).collect()
}

/// The cursor of a row with these key values.
pub fn cursor(resource: &Resource, key: &[String]) -> String {
    let mut parts = vec![resource.path.to_owned()];
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
        let window = if resource.hourly { Some(window(&get, bounds, now)?) } else { None };
        let filters = resource.filters.iter().copied();
        let filters = filters.filter_map(|name| Some((name, get(name)?.to_owned()))).collect();
        Ok(Self {
            org: org(get("org"))?,
            window,
            filters,
            limit: limit(get("limit"), bounds)?,
            after: get("cursor").map(|text| after(resource, text)).transpose()?,
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

fn window<'a>(
    get: &impl Fn(&str) -> Option<&'a str>,
    bounds: Bounds,
    now: Timestamp,
) -> Result<(Timestamp, Timestamp), Problem> {
    let time = |name: &str| {
        let read = |text: &str| {
            times::parse(text).map_err(|reason| Problem::bad(format!("{name}: {reason}")))
        };
        get(name).map(read).transpose()
    };
    let end = time("end")?.unwrap_or(now);
    let start = time("start")?.unwrap_or(Timestamp(end.0 - SPAN.as_millis() as i64));
    let span = end.0 - start.0;
    if span <= 0 {
        return Err(Problem::bad("the window is empty; give a start before end"));
    }
    if span > bounds.max_span.as_millis() as i64 {
        let most = crate::config::duration_text(bounds.max_span);
        return Err(Problem::bad(format!("the window is too long; ask for at most {most}")));
    }
    Ok((start, end))
}

fn after(resource: &Resource, text: &str) -> Result<Vec<String>, Problem> {
    let wrong =
        || Problem::bad("cursor: not one of this address; take next_cursor of its last answer");
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| wrong())?;
    let parts: Vec<String> = serde_json::from_slice(&bytes).map_err(|_| wrong())?;
    let Some((path, key)) = parts.split_first() else { return Err(wrong()) };
    if path != resource.path || key.len() != cursor_columns(resource).len() {
        return Err(wrong());
    }
    if resource.hourly && key.first().is_none_or(|hour| times::parse(hour).is_err()) {
        return Err(wrong());
    }
    Ok(key.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_767_909_600_000);

    fn parse(path: &str, given: &[(&str, &str)]) -> Result<ListRequest, Problem> {
        let resource = Resource::all().into_iter().find(|one| one.path == path).expect("a list");
        let given: Vec<_> = given.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        let bounds = Bounds { max_rows: 1000, max_span: Duration::from_hours(24 * 31) };
        ListRequest::parse(&resource, &given, bounds, NOW)
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
        let resource =
            |path| Resource::all().into_iter().find(|one| one.path == path).expect("a list");
        let sla = resource("sla");
        let mut key: Vec<String> =
            cursor_columns(&sla).iter().map(|name| (*name).to_owned()).collect();
        assert!(key.contains(&"org".to_owned()) && key[0] == "window_start");
        key[0] = "2026-01-08T21:00:00Z".to_owned();
        let text = cursor(&sla, &key);
        assert_eq!(parse("sla", &[("cursor", &text)]).expect("its own").after, Some(key));
        assert!(parse("gpu-metrics", &[("cursor", &text)]).is_err());
    }
}
