//! Ports for servers of tests.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};

/// Below those that the system gives to outgoing connections, one of which could take a port between the look
/// and the server's start.
const FIRST: u16 = 15_000;
const COUNT: u16 = 15_000;

/// A port of the loopback address that nobody uses; in one process another one each time.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Processes that run at the same time begin far apart.
    let start = (std::process::id() % 300) as u16 * 50;
    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    let ports = std::iter::repeat_with(|| {
        FIRST + start.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % COUNT
    });
    ports.take(usize::from(COUNT)).find(is_free).unwrap()
}
