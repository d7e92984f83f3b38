//! The engine process: takes the data folder, starts the engine, serves until it is told to end.

use std::fs::{self, File, TryLockError};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};

use crate::engine::Engine;
use crate::facade::{AnswerLost, Facade, FacadeConfig};
use crate::request::Limits;
use crate::{EngineError, EngineOptions, library};

/// How long running statements may take to finish once the end was ordered; then they are cancelled
/// and have as long again to stop.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(5);
/// Largest part of a memory bound that one answer may take: answers are built in memory.
const RESULT_SHARE: u64 = 8;
/// Part of it that one statement of a reader may take.
const READER_SHARE: u64 = 4;
/// Time limit of a reader's statement.
const READER_SECONDS: u64 = 30;

/// Runs the engine until SIGTERM or SIGINT or, with `follow_stdin`, until the end of standard input and
/// nothing else.
///
/// Writes `{"ready":true,"url":...,"version":...}` as one line to standard output when it accepts
/// requests. Brings its own runtime: do not call it from inside one.
///
/// # Errors
/// Everything that keeps it from starting; [`EngineError::exit_code`] is for the process.
pub fn serve(options: &EngineOptions) -> Result<(), EngineError> {
    let path = library::locate(options.lib.as_deref())?;
    let _lock = lock_data_dir(&options.data_dir)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(usize::from(options.max_concurrent) + 2)
        .enable_all()
        .build()
        .map_err(EngineError::system("starting the runtime"))?;
    // Before the engine starts, which takes its time: an order that comes meanwhile is not lost.
    let ended = {
        let _context = runtime.enter();
        end_of_service(options.follow_stdin)?
    };
    let library = library::load(&path)?;
    let engine = Arc::new(Engine::open(library, options)?);
    let drained = runtime.block_on(run(options, engine.clone(), ended))?;
    runtime.shutdown_background();
    if drained {
        engine.close();
    }
    Ok(())
}

/// Creates the folder and takes a lock that ends with the process.
fn lock_data_dir(dir: &Path) -> Result<File, EngineError> {
    let unusable = |error: std::io::Error| EngineError::DataDir {
        path: dir.to_owned(),
        reason: error.to_string(),
    };
    fs::create_dir_all(dir).map_err(unusable)?;
    let file = File::create(dir.join("naap-engine.lock")).map_err(unusable)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(EngineError::Locked { path: dir.to_owned() }),
        Err(TryLockError::Error(error)) => Err(unusable(error)),
    }
}

/// Serves until `ended` says why it shall end; answers whether every call had ended when the time was up.
async fn run(
    options: &EngineOptions,
    engine: Arc<Engine>,
    ended: impl Future<Output = &'static str>,
) -> Result<bool, EngineError> {
    let refused = |error: std::io::Error| EngineError::Listen {
        address: options.listen.to_string(),
        reason: error.to_string(),
    };
    if !options.listen.ip().is_loopback() {
        return Err(refused(std::io::Error::other("only loopback addresses are served")));
    }
    let listener = TcpListener::bind(options.listen).await.map_err(refused)?;
    let address = listener.local_addr().map_err(refused)?;
    let facade = Facade::new(engine.clone(), facade_config(options));
    tokio::pin!(ended);
    announce(address, options.port_file.as_deref())?;
    let connections = GracefulShutdown::new();
    loop {
        tokio::select! {
            reason = &mut ended => {
                tracing::info!(reason, "engine ends");
                break;
            }
            Ok((stream, _)) = listener.accept() => accept(stream, &facade, &connections),
            else => {}
        }
    }
    drop(listener);
    let finish = async {
        connections.shutdown().await;
        facade.drain().await;
    };
    tokio::pin!(finish);
    if tokio::time::timeout(SHUTDOWN_GRACE, &mut finish).await.is_ok() {
        return Ok(true);
    }
    tracing::warn!("cancelling the statements that still run");
    tokio::task::spawn_blocking(move || engine.cancel_all());
    Ok(tokio::time::timeout(SHUTDOWN_GRACE, &mut finish).await.is_ok())
}

fn facade_config(options: &EngineOptions) -> FacadeConfig {
    FacadeConfig {
        owner: options.owner(),
        reader: options.reader(),
        limits: Limits {
            max_result_bytes: options.max_memory_bytes / RESULT_SHARE,
            reader_memory: options.max_memory_bytes / READER_SHARE,
            reader_seconds: READER_SECONDS,
        },
        max_body_bytes: options.max_body_bytes,
        max_concurrent: usize::from(options.max_concurrent.max(1)),
        allow_faults: options.allow_faults,
    }
}

/// Serves one connection in its own task.
///
/// An answer marked [`AnswerLost`] becomes an error of the service, upon which hyper cuts the
/// connection without a byte: this is why the loop is ours.
fn accept(stream: TcpStream, facade: &Arc<Facade>, connections: &GracefulShutdown) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "connection without TCP_NODELAY");
    }
    let router = TowerToHyperService::new(facade.router());
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let answer = router.call(Request::from(request.map(Body::new)));
        async move {
            let Ok(response) = answer.await;
            if response.extensions().get::<AnswerLost>().is_some() {
                return Err(std::io::Error::other("answer lost by order"));
            }
            Ok(response)
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service);
    let connection = connections.watch(connection);
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "connection ended");
        }
    });
}

/// Resolves to the reason when the process shall end: a signal or, with `follow_stdin`, the end of standard
/// input alone. Whoever signals a parent often signals its child too (a terminal, a service manager), but
/// only the parent knows when it no longer needs the engine.
fn end_of_service(follow_stdin: bool) -> Result<impl Future<Output = &'static str>, EngineError> {
    let install = |kind| signal(kind).map_err(EngineError::system("installing a signal handler"));
    let mut terminate = install(SignalKind::terminate())?;
    let mut interrupt = install(SignalKind::interrupt())?;
    let stdin_closed = follow_stdin.then(|| {
        let (closed, heard) = tokio::sync::oneshot::channel::<()>();
        // A plain thread: a blocking read of standard input would hold up the runtime's end.
        std::thread::spawn(move || {
            // A standard input that can not be read has ended too.
            let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
            let _ = closed.send(());
        });
        heard
    });
    Ok(async move {
        if let Some(closed) = stdin_closed {
            // The signals are caught still, and mean nothing.
            let _ = closed.await;
            return "standard input ended";
        }
        tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        }
    })
}

/// Says that the engine accepts requests: port file first, then the line on standard output.
fn announce(address: std::net::SocketAddr, port_file: Option<&Path>) -> Result<(), EngineError> {
    if let Some(path) = port_file {
        let fresh = path.with_extension("new");
        fs::write(&fresh, address.port().to_string())
            .and_then(|()| fs::rename(&fresh, path))
            .map_err(EngineError::system("writing the port file"))?;
    }
    let line = serde_json::json!({
        "ready": true,
        "url": format!("http://{address}"),
        "version": env!("CARGO_PKG_VERSION"),
    });
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{line}")
        .and_then(|()| stdout.flush())
        .map_err(EngineError::system("writing the ready line"))
}
