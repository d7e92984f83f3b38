//! Commands on stored facts: `query`, `schema` and `engine`.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use naap_engine::client;
use serde_json::json;

use super::{
    EngineArgs, Failure, Global, Output, QueryArgs, SchemaCommand, ServeArgs, StoreArgs, emit,
    environment, make_data_folder,
};
use crate::config::{Config, FlagValue};
use crate::http::{self, Api};
use crate::logging;
use crate::stop::StopSignals;
use crate::store::{Store, schema};
use crate::telemetry;

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Runtime::new().map_err(environment)
}

/// Opens what the arguments name. A server that does not answer is named once, and not as the failure of some
/// statement.
pub(crate) async fn open(
    args: &StoreArgs,
    config: &Config,
    create: bool,
) -> Result<Store, Failure> {
    let store = open_unasked(args, config, create).await?;
    if let Some(url) = &args.url {
        store.ask(url).await.map_err(environment)?;
    }
    Ok(store)
}

/// The same without a word to a server: it may be back before it is needed.
async fn open_unasked(args: &StoreArgs, config: &Config, create: bool) -> Result<Store, Failure> {
    logging::start(&config.telemetry).map_err(Failure::environment)?;
    let settings = &config.clickhouse;
    let database = settings.database.as_str();
    if let Some(url) = &args.url {
        return Store::server(url, settings).map_err(environment);
    }
    let Some(dir) = &args.data_dir else {
        return Err(Failure::environment("name a store with --data-dir DIR or --url URL"));
    };
    if !create && !dir.join("clickhouse").is_dir() {
        let dir = dir.display();
        return Err(Failure::environment(format!(
            "{dir} is no data folder of naap; fill one with `naap replay --data-dir {dir} FILE`"
        )));
    }
    make_data_folder(dir)?;
    let lib = settings.engine_lib.as_deref();
    Store::embedded(dir, database, lib, settings.engine_memory.0).await.map_err(environment)
}

/// `naap query`
pub(super) fn query(args: &QueryArgs, global: &Global) -> Result<(), Failure> {
    let config = global.load(Vec::new())?.config;
    let default = match global.output {
        Output::Text => "PrettyCompactMonoBlock",
        Output::Json => "JSON",
    };
    let format = args.format.as_deref().unwrap_or(default);
    runtime()?.block_on(async {
        let store = open(&args.store, &config, false).await?;
        let mut out = tokio::io::stdout();
        let answered = client::write_answer(store.client(), &args.sql, format, &mut out).await;
        store.close().await.map_err(environment)?;
        match answered {
            Err(client::QueryError::Output(e)) if e.kind() == std::io::ErrorKind::BrokenPipe => {
                Ok(())
            }
            other => other.map(drop).map_err(environment),
        }
    })
}

/// `naap schema`
pub(super) fn schema(command: &SchemaCommand, global: &Global) -> Result<(), Failure> {
    let config = global.load(Vec::new())?.config;
    runtime()?.block_on(async {
        match command {
            SchemaCommand::Apply(args) => {
                let store = open(args, &config, true).await?;
                let applied = schema::apply(&store).await.map_err(environment)?;
                store.close().await.map_err(environment)?;
                emit(&applied_text(&applied, global.output))
            }
            SchemaCommand::Check(args) => {
                let store = open(args, &config, false).await?;
                let differences = schema::check(&store).await.map_err(environment)?;
                store.close().await.map_err(environment)?;
                report_differences(&differences, global.output)
            }
        }
    })
}

fn applied_text(applied: &[&str], output: Output) -> String {
    match output {
        Output::Json => format!("{}\n", json!({ "applied": applied })),
        Output::Text if applied.is_empty() => "nothing to apply\n".to_owned(),
        Output::Text => format!("applied {}\n", applied.join("\napplied ")),
    }
}

fn report_differences(differences: &[String], output: Output) -> Result<(), Failure> {
    emit(&match output {
        Output::Json => format!("{}\n", json!({ "differences": differences })),
        Output::Text if differences.is_empty() => {
            "the tables are as this build writes them\n".to_owned()
        }
        Output::Text => format!("{}\n", differences.join("\n")),
    })?;
    match differences.len() {
        0 => Ok(()),
        n => Err(Failure::check(format!("the schema differs in {n} places"))),
    }
}

/// `naap serve`
pub(super) fn serve(args: &ServeArgs, global: &Global) -> Result<(), Failure> {
    let listen = args.listen.iter().map(|listen| FlagValue {
        flag: "--listen".to_owned(),
        path: "http.listen".to_owned(),
        text: listen.clone(),
    });
    let config = global.load(listen.collect())?.config;
    runtime()?.block_on(async {
        let stop = StopSignals::listen().map_err(environment)?;
        let metrics = telemetry::metrics();
        let store = open_unasked(&args.store, &config, false).await?;
        store.check_reader(config.http.request_timeout).await.map_err(environment)?;
        let api = Api::new(&store, &config, Arc::new(AtomicBool::new(true)), metrics);
        let listen = config.http.listen.as_str();
        let stopped = async move {
            stop.first().await;
        };
        let work = Box::pin(async {
            http::serve(api, listen, stopped).await.map_err(|e| {
                Failure::environment(format!(
                    "can not serve on {listen}: {e}; choose another --listen"
                ))
            })
        });
        let served = store.while_open(work).await;
        store.close().await.map_err(environment)?;
        served
    })
}

/// `naap engine`
pub(super) fn engine(args: &EngineArgs) -> Result<(), Failure> {
    naap_engine::serve(&args.options).map_err(environment)
}
