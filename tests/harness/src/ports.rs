//! Free ports, handed out once per process.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};

/// Below the range from which Linux takes the ports of outgoing connections (32768 and up), so
/// that no client of a neighbouring test grabs a port between our look and the server's bind.
const FIRST: u16 = 10_240;
const LAST: u16 = 32_000;

static NEXT: AtomicU16 = AtomicU16::new(0);

/// A port on 127.0.0.1 that nothing listens on, and that this process has not handed out before.
///
/// # Panics
/// When no port of the range can be bound.
pub fn free() -> u16 {
    let span = LAST - FIRST;
    let start = u16::try_from(std::process::id() * 97 % u32::from(span)).unwrap();
    for _ in 0..span {
        let step = NEXT.fetch_add(1, Ordering::Relaxed) % span;
        let port = FIRST + (start + step) % span;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("expected a free port between {FIRST} and {LAST}");
}
