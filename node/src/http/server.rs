//! Addresses, limits and the life of the server.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use axum::Router;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{MatchedPath, Path, Query, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use clickhouse::Client;
use metrics::{counter, histogram};
use metrics_exporter_prometheus::PrometheusHandle;
use naap_actors::ports::Clock;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

use super::list;
use super::openapi;
use super::problem::Problem;
use super::request::{Bounds, ListRequest};
use super::resource::Resource;
use crate::clock::SystemClock;
use crate::config::{Config, Http};
use crate::explain;
use crate::quality::report;
use crate::store::Store;

/// Longest wait of `/readyz` for the store.
const READY_TIMEOUT: Duration = Duration::from_secs(2);
/// Requests answered, by `path` and `status`.
const REQUESTS: &str = "naap_http_requests_total";
/// Time to the answer in seconds, by `path`.
const SECONDS: &str = "naap_http_seconds";

/// The store as requests read it: shared, since passwords and certificates may change while the interface
/// serves.
#[derive(Clone, Debug)]
pub struct Reading {
    source: Arc<watch::Sender<Source>>,
    longest: Duration,
}

#[derive(Clone, Debug)]
struct Source {
    store: Arc<Store>,
    client: Client,
}

impl Reading {
    fn new(store: &Store, longest: Duration) -> Self {
        Self { source: Arc::new(watch::Sender::new(Source::new(store, longest))), longest }
    }

    /// From now on requests read from `store`.
    pub fn replace(&self, store: &Store) {
        self.source.send_replace(Source::new(store, self.longest));
    }

    fn store(&self) -> Arc<Store> {
        self.source.borrow().store.clone()
    }

    fn client(&self) -> Client {
        self.source.borrow().client.clone()
    }
}

impl Source {
    fn new(store: &Store, longest: Duration) -> Self {
        let store = Arc::new(store.reading(longest));
        let client = store
            .tables()
            .with_setting("output_format_json_quote_64bit_integers", "0")
            .with_setting("date_time_output_format", "iso");
        Self { store, client }
    }
}

/// Everything that requests need.
#[derive(Debug)]
pub struct Api {
    reading: Reading,
    config: Config,
    bounds: Bounds,
    resources: Vec<Resource>,
    places: Semaphore,
    requests: AtomicU64,
    /// Whether the node takes input; always, where there is none.
    node_is_up: Arc<AtomicBool>,
    metrics: Option<PrometheusHandle>,
}

impl Api {
    /// The interface to `store` with the limits of `config`.
    pub fn new(
        store: &Store,
        config: &Config,
        node_is_up: Arc<AtomicBool>,
        metrics: Option<PrometheusHandle>,
    ) -> Self {
        let Http { max_rows, max_span, max_concurrent, request_timeout, .. } = config.http.clone();
        Self {
            reading: Reading::new(store, request_timeout),
            config: config.clone(),
            bounds: Bounds { max_rows, max_span },
            resources: Resource::all(),
            places: Semaphore::new(max_concurrent as usize),
            requests: AtomicU64::new(0),
            node_is_up,
            metrics,
        }
    }

    /// What the interface reads from, to be replaced when the store is opened again.
    pub fn reading(&self) -> Reading {
        self.reading.clone()
    }

    fn router(self) -> Router {
        let api = Arc::new(self);
        let facts = Router::new()
            .route("/v1/streaming/sessions/{id}", get(session))
            .route("/v1/streaming/{list}", get(lists))
            .route("/v1/quality/checks", get(checks))
            .route_layer(middleware::from_fn_with_state(api.clone(), one_place));
        Router::new()
            .merge(facts)
            .route("/openapi.json", get(document))
            .route("/healthz", get(|| async { "ok\n" }))
            .route("/readyz", get(ready))
            .route("/metrics", get(scrape))
            .fallback(|| async {
                Problem::missing(
                    "there is no such address; /openapi.json has those of the interface",
                )
            })
            .method_not_allowed_fallback(|| async { Problem::method() })
            .layer(middleware::from_fn(counted))
            .with_state(api)
    }

    fn meta(&self) -> Value {
        let id = self.requests.fetch_add(1, Ordering::Relaxed);
        let now = humantime::format_rfc3339_millis(SystemTime::now()).to_string();
        json!({ "generated_at": now, "request_id": format!("{:x}-{id}", std::process::id()) })
    }
}

/// Serves on `listen` until `stop` is over.
///
/// # Errors
/// When the address can not be used.
pub async fn serve(
    api: Api,
    listen: &str,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let listener = TcpListener::bind(listen).await?;
    let address: SocketAddr = listener.local_addr()?;
    tracing::info!(%address, "serving the HTTP interface");
    axum::serve(listener, api.router()).with_graceful_shutdown(stop).await
}

/// Serves in the background for as long as the process lives. The data path does not depend on it, so
/// an address that is taken is told and the node goes on.
pub fn start(api: Api, listen: String) {
    tokio::spawn(async move {
        if let Err(error) = serve(api, &listen, std::future::pending()).await {
            tracing::error!(%error, %listen, "the HTTP interface is not served; set http.listen to a free address, or http.enabled = false");
        }
    });
}

type Parameters = Result<Query<Vec<(String, String)>>, QueryRejection>;

fn parameters(given: Parameters) -> Result<Vec<(String, String)>, Problem> {
    let wrong = |_| Problem::bad("the parameters can not be read; encode them as UTF-8");
    given.map(|Query(given)| given).map_err(wrong)
}

fn answer(body: &Value) -> Response {
    let kind = (header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    ([kind], body.to_string()).into_response()
}

async fn lists(
    State(api): State<Arc<Api>>,
    path: Result<Path<String>, PathRejection>,
    given: Parameters,
) -> Result<Response, Problem> {
    let Path(path) = path.map_err(|_| Problem::missing("there is no such list"))?;
    let resource = api.resources.iter().find(|resource| resource.path == path);
    let resource = resource
        .ok_or_else(|| Problem::missing("there is no such list; /openapi.json has all lists"))?;
    let now = SystemClock.now();
    let request = ListRequest::parse(resource, &parameters(given)?, api.bounds, now)?;
    let page = list::page(&api.reading.client(), resource, &request).await?;
    Ok(answer(&json!({
        "data": page.rows,
        "pagination": {
            "next_cursor": page.next,
            "has_more": page.next.is_some(),
            "page_size": request.limit,
        },
        "meta": api.meta(),
    })))
}

async fn session(
    State(api): State<Arc<Api>>,
    id: Result<Path<String>, PathRejection>,
    given: Parameters,
) -> Result<Response, Problem> {
    let Path(id) = id.map_err(|_| Problem::bad("the id can not be read; encode it as UTF-8"))?;
    let mut org = None;
    for (name, value) in parameters(given)? {
        if name != "org" || org.is_some() {
            return Err(Problem::bad("unknown or repeated parameter; this address knows org"));
        }
        let read = crate::cli::name(&value);
        org = Some(read.map_err(|reason| Problem::bad(format!("org: {reason}")))?);
    }
    if id.is_empty() || id.len() > 2048 || id.contains('\0') {
        return Err(Problem::bad("the id is empty, too long or not a text"));
    }
    let told = explain::told(&api.reading.store(), &id, org.as_deref(), &api.config).await;
    let told = told.map_err(|error| match error {
        explain::Untold::Unknown(reason) => Problem::missing(reason),
        explain::Untold::Several(reason) => Problem::ambiguous(reason),
        explain::Untold::Store(error) => {
            tracing::warn!(%error, "the store did not answer a request");
            Problem::unavailable("the store did not answer; the log of the node says why")
        }
    })?;
    Ok(answer(&json!({ "data": told, "meta": api.meta() })))
}

async fn checks(State(api): State<Arc<Api>>, given: Parameters) -> Result<Response, Problem> {
    if !parameters(given)?.is_empty() {
        return Err(Problem::bad("unknown parameter; this address knows none"));
    }
    let sql = "SELECT check_id, checked_at, window_start, window_end, verdict, failed_rows, value, threshold, \
               examples, note FROM dq_check_results FINAL ORDER BY checked_at DESC LIMIT 1 BY check_id";
    let results = list::rows(&api.reading.client(), sql).await?;
    let Value::Array(mut all) = report::list_json() else {
        return Err(Problem::unavailable("the checks are not a list"));
    };
    for check in &mut all {
        let last = results.iter().find(|result| result["check_id"] == check["id"]);
        check["last"] = last.cloned().unwrap_or_default();
    }
    Ok(answer(&json!({ "data": all, "meta": api.meta() })))
}

async fn document(State(api): State<Arc<Api>>) -> Response {
    answer(&openapi::document(&api.resources, api.bounds))
}

async fn ready(State(api): State<Arc<Api>>) -> Response {
    let client = api.reading.client();
    let asked = list::rows(&client, "SELECT 1 AS one");
    let answers = tokio::time::timeout(READY_TIMEOUT, asked).await;
    if !api.node_is_up.load(Ordering::Relaxed) {
        return (StatusCode::SERVICE_UNAVAILABLE, "the node is not up\n").into_response();
    }
    match answers {
        Ok(Ok(_)) => "ready\n".into_response(),
        _ => (StatusCode::SERVICE_UNAVAILABLE, "the store does not answer\n").into_response(),
    }
}

async fn scrape(State(api): State<Arc<Api>>) -> Response {
    match &api.metrics {
        Some(metrics) => {
            metrics.run_upkeep();
            let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
            ([(header::CONTENT_TYPE, kind)], metrics.render()).into_response()
        }
        None => Problem::missing("this process counts nothing").into_response(),
    }
}

/// Lets as many requests for facts through as are allowed at a time.
async fn one_place(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    match api.places.try_acquire() {
        Ok(_place) => next.run(request).await,
        Err(_) => Problem::busy().into_response(),
    }
}

async fn counted(request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>();
    let path = path.map_or_else(|| "none".to_owned(), |path| path.as_str().to_owned());
    let started = Instant::now();
    let response = next.run(request).await;
    let status = response.status().as_u16().to_string();
    counter!(REQUESTS, "path" => path.clone(), "status" => status).increment(1);
    histogram!(SECONDS, "path" => path).record(started.elapsed().as_secs_f64());
    response
}
