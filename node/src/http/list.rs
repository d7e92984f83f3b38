//! From a checked request to rows. Values reach the store as parameters, never as text of a statement.

use clickhouse::Client;
use naap_engine::client;
use serde_json::{Map, Value};

use super::problem::Problem;
use super::request::{ListRequest, cursor, cursor_columns};
use super::resource::{HOUR, Resource, SCORE};
use crate::times::stamp;

/// Rows, and where the next ones begin.
#[derive(Debug)]
pub struct Page {
    /// The rows.
    pub rows: Vec<Value>,
    /// The cursor of the next page; `None` at the end.
    pub next: Option<String>,
}

/// Text of a key column for comparison: NULL is ''.
fn comparable(name: &str) -> String {
    format!("ifNull(toString({name}), '')")
}

/// The statement for a request: one row more than asked tells whether there are more.
fn statement(resource: &Resource, request: &ListRequest) -> String {
    let mut conditions = vec!["({org:String} = '' OR org = {org:String})".to_owned()];
    if resource.hourly {
        conditions.push(format!("{HOUR} >= {{start:DateTime64(3,'UTC')}}"));
        conditions.push(format!("{HOUR} < {{end:DateTime64(3,'UTC')}}"));
    }
    // Ids of wallets, pipelines, models and GPUs are compared without case (quality.md 0.2), which is not the same
    // in every relation.
    let equal = |name: &&str| format!("lower({}) = lower({{{name}:String}})", comparable(name));
    conditions.extend(request.filters.keys().map(equal));
    let order = resource.order();
    if request.after.is_some() {
        let first = usize::from(resource.hourly);
        let mine: Vec<String> = order.iter().map(|name| comparable(name)).collect();
        let last: Vec<String> =
            (first..first + order.len()).map(|place| format!("{{c{place}:String}}")).collect();
        let beyond = format!("tuple({}) > tuple({})", mine.join(", "), last.join(", "));
        conditions.push(if resource.hourly {
            let hour = "{c0:DateTime64(3,'UTC')}";
            format!("({HOUR} < {hour} OR ({HOUR} = {hour} AND {beyond}))")
        } else {
            beyond
        });
    }
    let (score, decimals) = SCORE;
    let told = |name: &str| {
        if name == score { format!("round({name}, {decimals}) AS {name}") } else { name.to_owned() }
    };
    let fields: Vec<String> = resource.fields.iter().map(|field| told(field.name)).collect();
    let hour = if resource.hourly { format!("{HOUR} DESC, ") } else { String::new() };
    let by: Vec<String> = order.iter().map(|name| comparable(name)).collect();
    format!(
        "SELECT {} FROM {} WHERE {} ORDER BY {hour}{} LIMIT {}",
        fields.join(", "),
        resource.view,
        conditions.join(" AND "),
        by.join(", "),
        request.limit + 1,
    )
}

/// Reads one page.
///
/// # Errors
/// When the store does not answer.
pub async fn page(
    client: &Client,
    resource: &Resource,
    request: &ListRequest,
) -> Result<Page, Problem> {
    let mut client = client.clone().with_setting("param_org", request.org.as_str());
    if let Some((start, end)) = request.window {
        client =
            client.with_setting("param_start", stamp(start)).with_setting("param_end", stamp(end));
    }
    for (name, value) in &request.filters {
        client = client.with_setting(format!("param_{name}"), escaped(value));
    }
    for (place, value) in request.after.iter().flatten().enumerate() {
        let value = if place == 0 && resource.hourly { plain_time(value) } else { escaped(value) };
        client = client.with_setting(format!("param_c{place}"), value);
    }
    let mut rows = rows(&client, &statement(resource, request)).await?;
    let more = rows.len() > request.limit as usize;
    rows.truncate(request.limit as usize);
    let after = |row| cursor(resource, request.window, &key_of(resource, row));
    let next = rows.last().filter(|_| more).map(after);
    Ok(Page { rows, next })
}

/// The rows of a statement.
///
/// # Errors
/// When the store does not answer.
pub async fn rows(client: &Client, sql: &str) -> Result<Vec<Value>, Problem> {
    let mut bytes = Vec::new();
    let failed = |reason: String| {
        tracing::warn!(%reason, "the store did not answer a request");
        Problem::unavailable(
            "the store did not answer in time or not at all; the log of the node says why",
        )
    };
    let answer = client::write_answer(client, sql, "JSONEachRow", &mut bytes).await;
    answer.map_err(|e| failed(e.to_string()))?;
    let lines = bytes.split(|&b| b == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).map_err(|e| failed(e.to_string()))).collect()
}

/// Parameters are read as tab-separated text.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('\t', "\\t").replace('\n', "\\n").replace('\r', "\\r")
}

fn plain_time(value: &str) -> String {
    crate::times::parse(value).map_or_else(|_| value.to_owned(), stamp)
}

fn key_of(resource: &Resource, row: &Value) -> Vec<String> {
    let empty = Map::new();
    let row = row.as_object().unwrap_or(&empty);
    let text = |name: &str| match row.get(name) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    };
    cursor_columns(resource).into_iter().map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_rounded_where_they_are_told() {
        let request = ListRequest {
            org: String::new(),
            window: None,
            filters: std::collections::BTreeMap::new(),
            limit: 1,
            after: None,
        };
        let with_score = |resource: &Resource| {
            statement(resource, &request).contains("round(sla_score, 4) AS sla_score")
        };
        let paths: Vec<_> =
            Resource::all().iter().filter(|r| with_score(r)).map(|r| r.path).collect();
        assert_eq!(paths, ["sla"]);
    }
}
