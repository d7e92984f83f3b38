//! A line between two nodes that can be cut, each way by itself. While it is cut nothing passes and
//! nothing is lost, as with a network that is away: what was under way arrives when it is back.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How often a cut or idle line is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// A line to a port; its own port takes connections for it. Its threads end with the test.
pub struct Wire {
    pub port: u16,
    /// Cut from whoever dials, and towards it.
    cut: [Arc<AtomicBool>; 2],
}

impl Wire {
    /// A line to `target` on the loopback address.
    pub fn to(target: u16) -> Self {
        Self::from("127.0.0.1", target)
    }

    /// A line from a port of `host`, an address of this machine, to `target` on the loopback address.
    pub fn from(host: &str, target: u16) -> Self {
        let listener = TcpListener::bind((host, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let cut: [Arc<AtomicBool>; 2] = Default::default();
        let [out, back] = cut.clone();
        std::thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                // Nobody listens there now: the connection is closed, as it would be.
                let Ok(far) = TcpStream::connect(("127.0.0.1", target)) else { continue };
                pass(near.try_clone().unwrap(), far.try_clone().unwrap(), out.clone());
                pass(far, near, back.clone());
            }
        });
        Self { port, cut }
    }

    /// Cuts the line from whoever dials, towards it, or both; heals the rest.
    pub fn cut(&self, out: bool, back: bool) {
        self.cut[0].store(out, Ordering::Relaxed);
        self.cut[1].store(back, Ordering::Relaxed);
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, cut: Arc<AtomicBool>) {
    from.set_read_timeout(Some(LOOK)).unwrap();
    from.set_nodelay(true).unwrap();
    to.set_nodelay(true).unwrap();
    std::thread::spawn(move || {
        let mut buffer = vec![0; 64 << 10];
        loop {
            if cut.load(Ordering::Relaxed) {
                std::thread::sleep(LOOK);
                continue;
            }
            match from.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => {
                    // What was read as the line was cut waits, too.
                    while cut.load(Ordering::Relaxed) {
                        std::thread::sleep(LOOK);
                    }
                    if to.write_all(&buffer[..read]).is_err() {
                        break;
                    }
                }
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(_) => break,
            }
        }
        // The other end hears of it the same way.
        drop(to.shutdown(std::net::Shutdown::Both));
        drop(from.shutdown(std::net::Shutdown::Both));
    });
}
