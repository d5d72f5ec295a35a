//! The least that a TCP proxy can do: one thread that waits, reads and writes.
//!
//! It has no routes, no limits, no timeouts, and drops what a full socket does not take, so it is no
//! proxy. What it costs is what the kernel asks of any program that passes bytes on by
//! `epoll_wait`, `recv` and `send`, and so a floor for those that are measured.

use std::collections::HashMap;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::Arc;

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};

use crate::Error;
use crate::args::Args;

/// Bytes read at once.
const CHUNK: usize = 64 * 1024;

/// Passes on what arrives at `--listen` to `--to`, and what comes back.
pub(crate) fn run(args: &Args) -> Result<(), Error> {
    let to: SocketAddr = args.need("to")?;
    let listener = TcpListener::bind(args.need::<SocketAddr>("listen")?)?;
    let poll = epoll::create(CreateFlags::CLOEXEC)?;
    epoll::add(&poll, &listener, key(&listener), EventFlags::IN)?;
    // By the descriptor of the one that becomes readable: that one and its counterpart.
    let mut ends: HashMap<u64, (Arc<TcpStream>, Arc<TcpStream>)> = HashMap::new();
    let mut events = Vec::with_capacity(64);
    let mut chunk = vec![0; CHUNK];
    loop {
        events.clear();
        epoll::wait(&poll, spare_capacity(&mut events), None)?;
        for event in &events {
            let at = { event.data }.u64();
            if at == key(&listener).u64() {
                let client = Arc::new(listener.accept()?.0);
                let server = Arc::new(TcpStream::connect(to)?);
                for (from, into) in [(&client, &server), (&server, &client)] {
                    from.set_nodelay(true)?;
                    from.set_nonblocking(true)?;
                    epoll::add(&poll, from, key(&**from), EventFlags::IN | EventFlags::ET)?;
                    ends.insert(key(&**from).u64(), (Arc::clone(from), Arc::clone(into)));
                }
            } else if let Some((from, into)) = ends.get(&at)
                && !pass(from, into, &mut chunk)
            {
                let _ = into.shutdown(Shutdown::Both);
                ends.remove(&at);
            }
        }
    }
}

fn key(of: &impl AsRawFd) -> EventData {
    EventData::new_u64(of.as_raw_fd().unsigned_abs().into())
}

/// One read, one write; whether there may be more to come.
fn pass(mut from: &TcpStream, mut into: &TcpStream, chunk: &mut [u8]) -> bool {
    match from.read(chunk) {
        Ok(0) => false,
        Ok(read) => into.write(&chunk[..read]).is_ok(),
        Err(error) => error.kind() == ErrorKind::WouldBlock,
    }
}
