//! The HTTP side: ClickHouse's interface, as far as the official client needs it.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::{FromRequest, Multipart, Query, Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bytes::{Bytes, BytesMut};
use hyper::body::Body as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::engine::Engine;
use crate::exception::Exception;
use crate::faults::{Fault, FaultKind, Faults};
use crate::ffi::QueryResult;
use crate::lz4;
use crate::query_log::{Entry, QueryLog, trace_id};
use crate::request::{Access, Credential, Envelope, Limits, Prepared, prepare};

/// How long a request waits for its turn before it is told that the engine is busy.
const QUEUE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a client may take to send a body: a stuck one must not hold a turn for ever.
const BODY_TIMEOUT: Duration = Duration::from_mins(1);

/// What the façade is told at start.
#[derive(Debug)]
pub(crate) struct FacadeConfig {
    pub(crate) owner: Credential,
    pub(crate) reader: Option<Credential>,
    pub(crate) limits: Limits,
    pub(crate) max_body_bytes: usize,
    pub(crate) max_concurrent: usize,
    pub(crate) allow_faults: bool,
}

/// The state behind every request.
pub(crate) struct Facade {
    engine: Arc<Engine>,
    config: FacadeConfig,
    turns: Arc<Semaphore>,
    faults: Faults,
    log: QueryLog,
    next_query: AtomicU64,
}

/// Marks an answer that must not reach the client: the connection is cut instead.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AnswerLost;

impl Facade {
    pub(crate) fn new(engine: Arc<Engine>, config: FacadeConfig) -> Arc<Self> {
        let turns = Arc::new(Semaphore::new(config.max_concurrent));
        Arc::new(Self {
            engine,
            config,
            turns,
            faults: Faults::default(),
            log: QueryLog::default(),
            next_query: AtomicU64::new(1),
        })
    }

    pub(crate) fn router(self: &Arc<Self>) -> Router {
        let mut router = Router::new()
            .route("/", get(query).post(query))
            .route("/ping", get(|| async { "Ok.\n" }))
            .route("/query_log", get(query_log));
        if self.config.allow_faults {
            router = router.route("/faults", post(add_fault).get(list_faults).delete(clear_faults));
        }
        router.with_state(self.clone())
    }

    /// Waits until no call runs; no new one gets a turn afterwards.
    pub(crate) async fn drain(&self) {
        // All turns at once; the semaphore is never closed.
        if let Ok(turns) = self.turns.acquire_many(self.config.max_concurrent as u32).await {
            turns.forget();
        }
    }

    async fn turn(&self) -> Result<OwnedSemaphorePermit, Exception> {
        let turn = tokio::time::timeout(QUEUE_TIMEOUT, self.turns.clone().acquire_owned()).await;
        turn.ok().and_then(Result::ok).ok_or_else(|| {
            let message = "the engine is busy, repeat the request later";
            Exception::new(202, "TOO_MANY_SIMULTANEOUS_QUERIES", message)
        })
    }

    /// Who asks, and what it may do.
    fn authenticate(
        &self,
        envelope: &Envelope,
        headers: &HeaderMap,
        method: &Method,
    ) -> Result<(String, Access), Exception> {
        let header = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        let user = header("x-clickhouse-user").or(envelope.user.as_deref());
        if user.is_none() && headers.contains_key(AUTHORIZATION) {
            let message = "send the user in X-ClickHouse-User and X-ClickHouse-Key";
            return Err(Exception::new(516, "AUTHENTICATION_FAILED", message));
        }
        let password = header("x-clickhouse-key").or(envelope.password.as_deref());
        let given = Credential {
            user: user.unwrap_or("default").to_owned(),
            password: password.unwrap_or_default().to_owned(),
        };
        if self.config.reader.as_ref() == Some(&given) {
            Ok((given.user, Access::Reader))
        } else if self.config.owner == given {
            let read_only = envelope.readonly || method == Method::GET;
            Ok((given.user, if read_only { Access::ReadOnly } else { Access::Full }))
        } else {
            let message = format!("user '{}' is unknown or its password is wrong", given.user);
            Err(Exception::new(516, "AUTHENTICATION_FAILED", message))
        }
    }

    async fn handle(&self, request: Request, entry: &mut Entry) -> Result<Response, Exception> {
        let (parts, body) = request.into_parts();
        let mut envelope = Envelope::default();
        let pairs = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri)
            .map_err(|error| Exception::new(36, "BAD_ARGUMENTS", error))?;
        for (name, value) in pairs.0 {
            envelope.put(name, value);
        }
        if let Some(id) = envelope.query_id.take() {
            entry.query_id = id;
        }
        let (user, access) = self.authenticate(&envelope, &parts.headers, &parts.method)?;
        entry.user = user;
        let turn = self.turn().await?;
        let mut body = read_body(body, self.config.max_body_bytes).await?;
        let content_type = parts.headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
        if content_type.is_some_and(|kind| kind.starts_with(b"multipart/form-data")) {
            let form = Request::from_parts(parts, Body::from(std::mem::take(&mut body)));
            read_form(form, &mut envelope).await?;
        }
        let statement = envelope.query.as_ref().map_or(&body[..], |query| query.as_bytes());
        let fault = if self.config.allow_faults { self.faults.take(statement) } else { None };
        if let Some(cut) = before_call(fault.as_ref()).await? {
            return Ok(cut);
        }
        let answer = self.call(envelope, body, access, turn, entry).await?;
        if fault.is_some_and(|fault| fault.kind == FaultKind::LoseAnswer) {
            return Ok(lost_answer());
        }
        Ok(answer)
    }

    /// Runs the call on a thread that may block.
    async fn call(
        &self,
        envelope: Envelope,
        body: Bytes,
        access: Access,
        turn: OwnedSemaphorePermit,
        entry: &mut Entry,
    ) -> Result<Response, Exception> {
        let (engine, limits) = (self.engine.clone(), self.config.limits);
        let max_body = self.config.max_body_bytes;
        let compress = envelope.compress;
        let work = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            let body = if envelope.decompress {
                Bytes::from(lz4::decompress(&body, max_body)?)
            } else {
                body
            };
            let Prepared { call, format, table } = prepare(envelope, body, access, limits)?;
            Ok((engine.run(&call), format, table))
        });
        let (result, format, table) =
            work.await.map_err(|error| Exception::new(49, "LOGICAL_ERROR", error))??;
        entry.table = table;
        let result = result?;
        entry.read_rows = result.read_rows();
        entry.written_rows = result.written_rows();
        entry.result_rows = result.result_rows();
        Ok(success(result, &format, compress))
    }
}

async fn query(State(facade): State<Arc<Facade>>, request: Request) -> Response {
    if request.method() == Method::GET && request.uri().query().is_none() {
        return "Ok.\n".into_response();
    }
    let start = Instant::now();
    let trace = request.headers().get("traceparent").and_then(|value| value.to_str().ok());
    let number = facade.next_query.fetch_add(1, Ordering::Relaxed);
    let mut entry = Entry {
        query_id: format!("{}-{number}", std::process::id()),
        trace_id: trace.map(trace_id).unwrap_or_default(),
        user: String::new(),
        table: String::new(),
        read_rows: 0,
        written_rows: 0,
        result_rows: 0,
        ms: 0,
        code: 0,
    };
    let mut response = match facade.handle(request, &mut entry).await {
        Ok(response) => response,
        Err(exception) => {
            entry.code = exception.code;
            failure(&exception)
        }
    };
    if let Ok(id) = HeaderValue::from_str(&entry.query_id) {
        response.headers_mut().insert("x-clickhouse-query-id", id);
    }
    entry.ms = start.elapsed().as_millis() as u64;
    facade.log.add(entry);
    response
}

/// The log is for the owner only: it shows what everybody asks.
async fn query_log(State(facade): State<Arc<Facade>>, request: Request) -> Response {
    let envelope = Envelope::default();
    match facade.authenticate(&envelope, request.headers(), request.method()) {
        Ok((_, Access::Reader)) => {
            failure(&Exception::new(497, "ACCESS_DENIED", "the query log is for the owner"))
        }
        Ok(_) => facade.log.to_json_lines().into_response(),
        Err(exception) => failure(&exception),
    }
}

async fn add_fault(State(facade): State<Arc<Facade>>, body: Bytes) -> Response {
    match serde_json::from_slice::<Fault>(&body) {
        Ok(fault) => {
            facade.faults.add(fault);
            StatusCode::NO_CONTENT.into_response()
        }
        Err(error) => (StatusCode::BAD_REQUEST, format!("no fault: {error}\n")).into_response(),
    }
}

async fn list_faults(State(facade): State<Arc<Facade>>) -> Response {
    serde_json::to_string(&facade.faults.pending()).unwrap_or_default().into_response()
}

async fn clear_faults(State(facade): State<Arc<Facade>>) -> StatusCode {
    facade.faults.clear();
    StatusCode::NO_CONTENT
}

/// What a fault does before the call: waits, fails or cuts.
async fn before_call(fault: Option<&Fault>) -> Result<Option<Response>, Exception> {
    let Some(fault) = fault else { return Ok(None) };
    tokio::time::sleep(Duration::from_millis(fault.delay_ms)).await;
    match fault.kind {
        FaultKind::Slow | FaultKind::LoseAnswer => Ok(None),
        FaultKind::Refuse => Ok(Some(lost_answer())),
        FaultKind::Fail => Err(Exception::new(fault.code, "INJECTED_FAULT", "ordered by a test")),
    }
}

fn lost_answer() -> Response {
    let mut response = Response::new(Body::empty());
    response.extensions_mut().insert(AnswerLost);
    response
}

async fn read_body(body: Body, limit: usize) -> Result<Bytes, Exception> {
    let read = tokio::time::timeout(BODY_TIMEOUT, read_frames(body, limit));
    read.await.unwrap_or_else(|_| {
        Err(Exception::new(209, "SOCKET_TIMEOUT", "the request body did not arrive in time"))
    })
}

async fn read_frames(mut body: Body, limit: usize) -> Result<Bytes, Exception> {
    let mut read = BytesMut::new();
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let frame = frame.map_err(|error| Exception::new(210, "NETWORK_ERROR", error))?;
        let Ok(data) = frame.into_data() else { continue };
        if read.len() + data.len() > limit {
            return Err(lz4::too_large(limit));
        }
        read.extend_from_slice(&data);
    }
    Ok(read.freeze())
}

async fn read_form(request: Request, envelope: &mut Envelope) -> Result<(), Exception> {
    let broken = |error: &dyn std::fmt::Display| {
        Exception::new(36, "BAD_ARGUMENTS", format!("the form can not be read: {error}"))
    };
    // The body is already within its limit, so the extractor's own one must not apply.
    let mut request = request;
    axum::extract::DefaultBodyLimit::apply(
        axum::extract::DefaultBodyLimit::disable(),
        &mut request,
    );
    let mut form = Multipart::from_request(request, &()).await.map_err(|e| broken(&e))?;
    while let Some(field) = form.next_field().await.map_err(|e| broken(&e))? {
        let name = field.name().unwrap_or_default().to_owned();
        envelope.put(name, field.text().await.map_err(|e| broken(&e))?);
    }
    Ok(())
}

fn success(result: QueryResult, format: &str, compress: bool) -> Response {
    // ClickHouse writes these numbers as text.
    let summary = serde_json::json!({
        "read_rows": result.read_rows().to_string(),
        "read_bytes": result.read_bytes().to_string(),
        "written_rows": result.written_rows().to_string(),
        "written_bytes": result.written_bytes().to_string(),
        "result_rows": result.result_rows().to_string(),
        "result_bytes": result.as_ref().len().to_string(),
    });
    let kind = if format.starts_with("JSON") {
        "application/json; charset=UTF-8"
    } else if format.starts_with("RowBinary") || format == "Native" || format == "Parquet" {
        "application/octet-stream"
    } else {
        "text/plain; charset=UTF-8"
    };
    let body = if compress {
        Bytes::from(lz4::compress(result.as_ref()))
    } else {
        // No copy: the engine's buffer lives until the answer is sent.
        Bytes::from_owner(result)
    };
    let mut response = Response::new(Body::from(body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    for (name, value) in
        [("x-clickhouse-summary", summary.to_string()), ("x-clickhouse-format", format.to_owned())]
    {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    response
}

fn failure(exception: &Exception) -> Response {
    let mut response = (exception.status(), format!("{}\n", exception.text)).into_response();
    response.headers_mut().insert("x-clickhouse-exception-code", exception.code.into());
    response
}
