//! A node whose actors fail and fail again: others have its work meanwhile.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use naap_tests::stage::{Team, bootstrap, until};

/// The way of one node to the tables, which can be told to refuse whatever comes.
struct Door {
    url: String,
    refuses: Arc<AtomicBool>,
    /// Sockets of requests that were let through.
    open: Arc<Mutex<Vec<TcpStream>>>,
}

impl Door {
    fn to(tables: &str) -> Self {
        let target = tables.trim_start_matches("http://").trim_end_matches('/').to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (refuses, open) = (Arc::new(AtomicBool::new(false)), Arc::default());
        let door = Self { url, refuses: Arc::clone(&refuses), open: Arc::clone(&open) };
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if refuses.load(Ordering::Relaxed) {
                    std::thread::spawn(move || refuse(stream));
                } else if let Ok(there) = TcpStream::connect(&target) {
                    let mut known = open.lock().unwrap_or_else(PoisonError::into_inner);
                    known.extend(stream.try_clone());
                    drop(known);
                    let back = (there.try_clone().unwrap(), stream.try_clone().unwrap());
                    std::thread::spawn(move || copy(stream, there));
                    std::thread::spawn(move || copy(back.0, back.1));
                }
            }
        });
        door
    }

    fn set(&self, refuses: bool) {
        self.refuses.store(refuses, Ordering::Relaxed);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        // Closed already, or closed now.
        open.drain(..).for_each(|stream| drop(stream.shutdown(Shutdown::Both)));
    }
}

fn copy(mut from: TcpStream, mut to: TcpStream) {
    let _ = std::io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Both);
}

/// Answers as a server does that does not know a table.
fn refuse(mut stream: TcpStream) {
    let mut bytes = [0; 4096];
    let _ = stream.read(&mut bytes);
    let body = "Code: 60. DB::Exception: Table naap.gone does not exist. (UNKNOWN_TABLE)";
    let answer = format!(
        "HTTP/1.1 404 Not Found\r\nX-ClickHouse-Exception-Code: 60\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    );
    let _ = stream.write_all(answer.as_bytes());
    let _ = stream.shutdown(Shutdown::Write);
    // What comes still is taken, so that the answer is not lost with it.
    while stream.read(&mut bytes).is_ok_and(|len| len > 0) {}
}

#[test]
#[ignore = "needs a real Kafka: make test-cluster"]
fn a_node_that_fails_again_and_again_keeps_no_shard_and_comes_back() {
    let bootstrap = bootstrap();
    let team = Team::new(bootstrap, "refused", 3, 600);
    let door = Door::to(&team.tables.url);
    let url = format!("clickhouse.url={}", door.url);
    team.stage.write(0, 4);
    let nodes = vec![team.start(0), team.start_by(1, team.ports(), &[url.as_str()]), team.start(2)];
    let all: Vec<_> = nodes.iter().collect();
    team.until(10, &all);
    door.set(true);
    team.stage.write(1, 4);
    let failed = || nodes[1].lines("the node failed and starts again").len();
    // In its last life, which may have begun before the door opened.
    let has_shards = || {
        let said = nodes[1].lines("");
        let last = |what| said.iter().rposition(|line| line.contains(what));
        last("shards of this node") > last("the node failed and starts again")
            && nodes[1].shards().is_some_and(|(open, pending)| open > 0 && pending == 0)
    };
    until("the node fails", &all, || failed() >= 1);
    // Others may have written all its rows before it is back: then more have to come for it to fail by.
    until("it is back, or fails again", &all, || has_shards() || failed() >= 2);
    team.stage.write(2, 4);
    until("the node fails twice", &all, || failed() >= 2);
    // What it had is with the others, which it can not hold up.
    team.until(70, &all);
    door.set(false);
    until("it has shards again", &all, has_shards);
    team.stage.write(3, 4);
    team.until(100, &all);
    team.end(nodes);
}
