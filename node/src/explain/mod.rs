//! `naap explain`: the story of a session, and the evidence for each decision in it.

mod json;
mod load;
mod tell;
mod text;

use naap_protocol::time::Timestamp;

use crate::archive::{self, Advertised};
use crate::cli::{ExplainSessionArgs, Failure, Global, Output, emit, environment, open};
use crate::config::Config;
use crate::node::direct_window;
use crate::store::{Store, StoreError};

use load::{Found, LISTED, TABLES, find};
use tell::{Evidence, Explanation, Tables, corrections, subjects, tell};

/// Runs `naap explain session`.
///
/// # Errors
/// When the store can not be used, or the id is not that of one session.
pub fn session(args: &ExplainSessionArgs, global: &Global) -> Result<(), Failure> {
    let config = global.load(Vec::new())?.config;
    let runtime = tokio::runtime::Runtime::new().map_err(environment)?;
    let told = runtime.block_on(async {
        let store = open(&args.store, &config, false).await?;
        let told = explain(&store, &args.id, args.org.as_deref(), &config).await;
        store.close().await.map_err(environment)?;
        told.map_err(|untold| match untold {
            Untold::Store(error) => environment(error),
            other => Failure::check(other.to_string()),
        })
    })?;
    emit(&match global.output {
        Output::Text => text::text_of(&told, args.all),
        Output::Json => format!("{:#}\n", json::json_of(&told)),
    })
}

/// Why a session is not told.
#[derive(Debug, thiserror::Error)]
pub enum Untold {
    /// No session has the id.
    #[error("{0}")]
    Unknown(String),
    /// Several sessions have it.
    #[error("{0}")]
    Several(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The story of the session that `id` names, for programs.
///
/// # Errors
/// When the id is not that of one session, or the store fails.
pub async fn told(
    store: &Store,
    id: &str,
    org: Option<&str>,
    config: &Config,
) -> Result<serde_json::Value, Untold> {
    explain(store, id, org, config).await.map(|told| json::json_of(&told))
}

async fn explain(
    store: &Store,
    id: &str,
    org: Option<&str>,
    config: &Config,
) -> Result<Explanation, Untold> {
    let found = find(store, id, org).await?;
    match found.as_slice() {
        [] => Err(Untold::Unknown(unknown(id, org))),
        [one] => Ok(story(store, one, config).await?),
        several => Err(Untold::Several(not_unique(id, several))),
    }
}

async fn story(store: &Store, found: &Found, config: &Config) -> Result<Explanation, StoreError> {
    let records = found.records(store).await?;
    let subjects = subjects(found, &records);
    let times = || subjects.iter().map(|subject| subject.ts);
    let start = Timestamp(found.start_ms);
    let span = (times().min().unwrap_or(start), times().max().unwrap_or(start));
    let keys = archive::keys(subjects.iter());
    let advertised = Advertised::read(store, &found.org, &keys, span).await?;
    let mut stored = Tables::new();
    let mut versions = Vec::new();
    for (place, table) in TABLES.iter().enumerate() {
        stored.insert(table.name, found.latest(store, table).await?);
        // The rows of single signals change with these.
        if place < 4 {
            versions.extend(corrections(table, &found.versions(store, table).await?));
        }
    }
    versions.sort_by_key(|correction| correction.version);
    let mut told = tell(&Evidence {
        found,
        records: &records,
        advertised: &advertised,
        stored: &stored,
        window: direct_window(config),
        retention_ms: config.retention.state.as_millis() as i64,
    });
    told.corrections = versions;
    Ok(told)
}

fn unknown(id: &str, org: Option<&str>) -> String {
    let of = org.map_or_else(String::new, |org| format!(" of org {org}"));
    format!(
        "no session{of} has an id that is or begins with '{id}'; list some with `naap query ... \"SELECT \
         workflow_session_id FROM naap.fact_workflow_sessions FINAL LIMIT 10\"`"
    )
}

fn not_unique(id: &str, several: &[Found]) -> String {
    let listed = several.iter().take(LISTED);
    let names: Vec<String> = listed.map(|f| format!("{} (org {})", f.id, f.org)).collect();
    let more = if several.len() > LISTED { " and more" } else { "" };
    format!(
        "'{id}' is not one session; give a longer id or the organisation (`--org`, in HTTP `org`), of: {}{more}",
        names.join(", ")
    )
}
