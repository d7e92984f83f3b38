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
        let told = explain(&store, args, &config).await;
        store.close().await.map_err(environment)?;
        told
    })?;
    emit(&match global.output {
        Output::Text => text::text_of(&told, args.all),
        Output::Json => format!("{:#}\n", json::json_of(&told)),
    })
}

async fn explain(
    store: &Store,
    args: &ExplainSessionArgs,
    config: &Config,
) -> Result<Explanation, Failure> {
    let found = find(store, &args.id, args.org.as_deref()).await.map_err(environment)?;
    match found.as_slice() {
        [] => Err(unknown(args)),
        [one] => story(store, one, config).await.map_err(environment),
        several => Err(not_unique(args, several)),
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

fn unknown(args: &ExplainSessionArgs) -> Failure {
    let (id, of) =
        (&args.id, args.org.as_ref().map_or_else(String::new, |org| format!(" of org {org}")));
    Failure::check(format!(
        "no session{of} has an id that is or begins with '{id}'; list some with `naap query ... \"SELECT \
         workflow_session_id FROM naap.fact_workflow_sessions FINAL LIMIT 10\"`"
    ))
}

fn not_unique(args: &ExplainSessionArgs, several: &[Found]) -> Failure {
    let listed = several.iter().take(LISTED);
    let names: Vec<String> = listed.map(|f| format!("{} (org {})", f.id, f.org)).collect();
    let more = if several.len() > LISTED { " and more" } else { "" };
    Failure::check(format!(
        "'{}' is not one session; give a longer id or --org, of: {}{more}",
        args.id,
        names.join(", ")
    ))
}
