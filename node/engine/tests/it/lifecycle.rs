//! Start, end and everything that can go wrong with them.

use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use std::time::Duration;

use naap_engine::client::connect;
use naap_engine::{EngineOptions, EngineProcess};
use rustix::process::{Pid, Signal, getpgid, kill_process};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use crate::fixture::{Fixture, spawn};

fn id(pid: u32) -> Pid {
    Pid::from_raw(pid.cast_signed()).expect("a process id")
}

fn signal(pid: u32, signal: Signal) {
    kill_process(id(pid), signal).expect("a living process");
}

async fn sentence(options: &EngineOptions) -> String {
    spawn(options).await.expect_err("no engine may start").to_string()
}

async fn rows(engine: &EngineProcess) -> u64 {
    connect(engine.url(), None, None).query("SELECT count() FROM t").fetch_one().await.unwrap()
}

#[tokio::test]
async fn rows_survive_a_kill_and_an_orderly_end() {
    let fixture = Fixture::start().await;
    let options = EngineOptions::new(fixture.data_dir());
    fixture.execute("CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a").await;
    fixture.execute("INSERT INTO t SELECT number FROM numbers(5000)").await;
    signal(fixture.engine.pid(), Signal::KILL);
    let status = fixture.engine.wait().await.unwrap();
    assert!(!status.success(), "{status}");
    assert_eq!(fixture.engine.wait().await.unwrap(), status, "whoever asks again is told again");
    assert_eq!(fixture.engine.rss_bytes(), None);

    let engine = spawn(&options).await.unwrap();
    assert_eq!(rows(&engine).await, 5000);
    assert!(engine.stop().await.unwrap().success());

    let engine = spawn(&options).await.unwrap();
    assert_eq!(rows(&engine).await, 5000);
    assert!(engine.stop().await.unwrap().success());
}

#[tokio::test]
async fn signals_are_for_the_parent_of_an_engine() {
    let mut fixture = Fixture::start().await;
    let pid = fixture.engine.pid();
    // A terminal signals a whole group, and this is another one.
    assert_eq!(getpgid(Some(id(pid))).unwrap(), id(pid));
    for kind in [Signal::INT, Signal::TERM] {
        signal(pid, kind);
    }
    let ended = tokio::time::timeout(Duration::from_secs(1), fixture.engine.wait()).await;
    assert!(ended.is_err(), "{ended:?}");
    assert!(!fixture.engine.has_ended());
    assert_eq!(fixture.number("SELECT 1").await, 1);
    assert!(fixture.stop().await.success());
}

#[tokio::test]
async fn signals_end_an_engine_that_follows_nobody() {
    for kind in [Signal::INT, Signal::TERM] {
        let dir = tempfile::tempdir().unwrap();
        let mut engine = Command::new(env!("CARGO_BIN_EXE_naap-engine"))
            .arg("--data-dir")
            .arg(dir.path().join("data"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(engine.stdout.take().unwrap()).lines();
        lines.next_line().await.unwrap().expect("it gets ready");
        signal(engine.id().unwrap(), kind);
        let ended = tokio::time::timeout(Duration::from_secs(20), engine.wait()).await;
        assert!(ended.expect("it ends").unwrap().success());
    }
}

#[tokio::test]
async fn a_statement_that_never_ends_does_not_keep_the_engine_alive() {
    let fixture = Fixture::start().await;
    let client = fixture.client();
    let endless = "SELECT count() FROM system.numbers WHERE number % 7 = 8";
    let running = tokio::spawn(async move { client.query(endless).execute().await });
    let seen = "SELECT count() FROM system.processes WHERE query LIKE '%% 7 = 8' AND query NOT LIKE '%LIKE%'";
    while fixture.number(seen).await == 0 {}
    let status = fixture.stop().await;
    assert!(status.success(), "{status}");
    assert!(running.await.unwrap().is_err());
}

#[tokio::test]
async fn a_second_engine_on_the_same_folder_is_told_so() {
    let fixture = Fixture::start().await;
    let text = sentence(&EngineOptions::new(fixture.data_dir())).await;
    assert!(text.contains("exit status: 2") && text.contains("in use by another engine"), "{text}");
    assert_eq!(fixture.number("SELECT 1").await, 1);
}

#[tokio::test]
async fn a_start_that_can_not_work_ends_with_a_sentence() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "no library").unwrap();
    let text = sentence(&EngineOptions::new(file.join("data"))).await;
    assert!(text.contains("exit status: 2") && text.contains("can not be used"), "{text}");
    // Root writes everywhere, so the folder's own permission says nothing here.
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let text = sentence(&EngineOptions::new("/proc/self/nope")).await;
    assert!(text.contains("can not be used"), "{text}");

    let with_lib = |lib: &str| {
        let lib = Some(dir.path().join(lib));
        EngineOptions { lib, ..EngineOptions::new(dir.path().join("data")) }
    };
    let text = sentence(&with_lib("missing.so")).await;
    assert!(text.contains("make setup"), "{text}");
    let text = sentence(&with_lib("file")).await;
    assert!(text.contains("can not be loaded") && text.contains("make setup"), "{text}");
    let listen = "192.0.2.1:0".parse().unwrap();
    let text =
        sentence(&EngineOptions { listen, ..EngineOptions::new(dir.path().join("d")) }).await;
    assert!(text.contains("only loopback"), "{text}");
}

#[tokio::test]
async fn the_port_file_names_the_port() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("port");
    let data = EngineOptions::new(dir.path().join("data"));
    let engine = spawn(&EngineOptions { port_file: Some(file.clone()), ..data }).await.unwrap();
    let port = std::fs::read_to_string(file).unwrap();
    assert_eq!(engine.url(), format!("http://127.0.0.1:{port}"));
}

/// Not a test: the parent for the test below, which starts it and kills it.
#[tokio::test]
#[ignore = "plays the parent of another test"]
async fn parent_role() {
    let Some(dir) = std::env::var_os("NAAP_TEST_PARENT_DIR") else { return };
    let engine = spawn(&EngineOptions::new(dir)).await.unwrap();
    println!("\nengine {}", engine.pid());
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn the_engine_dies_with_its_parent() {
    let dir = tempfile::tempdir().unwrap();
    let mut parent = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "lifecycle::parent_role", "--nocapture"])
        .env("NAAP_TEST_PARENT_DIR", dir.path().join("data"))
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(parent.stdout.take().unwrap()).lines();
    let pid: u32 = loop {
        let line = lines.next_line().await.unwrap().expect("the parent names its engine");
        if let Some(pid) = line.strip_prefix("engine ") {
            break pid.parse().unwrap();
        }
    };
    // The engine's lock on its folder ends with its process.
    let lock = std::fs::File::open(dir.path().join("data/naap-engine.lock")).unwrap();
    assert!(lock.try_lock().is_err(), "the engine holds its lock");
    parent.kill().await.unwrap();
    let mut freed = tokio::task::spawn_blocking(move || lock.lock());
    let ended = tokio::time::timeout(Duration::from_secs(20), &mut freed).await.is_ok();
    if !ended {
        signal(pid, Signal::KILL);
    }
    assert!(ended, "the engine lives on without its parent");
}
