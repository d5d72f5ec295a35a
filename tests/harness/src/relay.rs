//! A relay of TCP connections that can be slow, silent, broken, or gone.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What it does with connections, from the moment it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Passes everything on.
    Pass,
    /// Passes everything on, so much later in each direction.
    Late(Duration),
    /// Accepts, and passes nothing on.
    Silent,
    /// Answers connections with bytes that are no protocol.
    Noise,
    /// Ends connections after so long.
    Short(Duration),
    /// Ends connections at once.
    Closed,
}

/// The relay; it ends with its guard.
pub struct Relay {
    /// Where it listens on 127.0.0.1.
    pub port: u16,
    mode: watch::Sender<Mode>,
    accepted: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Relay {
    /// Relays to this address.
    ///
    /// # Panics
    /// When it cannot listen.
    pub async fn start(target: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (mode, modes) = watch::channel(Mode::Pass);
        let accepted = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&accepted);
        let task = tokio::spawn(async move {
            let mut all = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Relaxed);
                all.spawn(serve(stream, target, modes.clone()));
                while all.try_join_next().is_some() {}
            }
        });
        Self {
            port,
            mode,
            accepted,
            task,
        }
    }

    /// Changes what it does. Connections that there are end, unless they are only later.
    pub fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    /// How many connections it has accepted.
    pub fn accepted(&self) -> usize {
        self.accepted.load(Relaxed)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(client: TcpStream, target: SocketAddr, mut modes: watch::Receiver<Mode>) {
    let mode = *modes.borrow_and_update();
    let changed = async {
        while modes.changed().await.is_ok() {
            if !passes(*modes.borrow_and_update()) || !passes(mode) {
                return;
            }
        }
    };
    tokio::select! {
        () = changed => {}
        () = act(mode, client, target) => {}
    }
}

/// Whether what a client says arrives.
fn passes(mode: Mode) -> bool {
    matches!(mode, Mode::Pass | Mode::Late(_))
}

async fn act(mode: Mode, mut client: TcpStream, target: SocketAddr) {
    match mode {
        Mode::Pass => pass(client, target, Duration::ZERO).await,
        Mode::Late(time) => pass(client, target, time).await,
        Mode::Short(time) => {
            let passing = pass(client, target, Duration::ZERO);
            let _ = tokio::time::timeout(time, passing).await;
        }
        Mode::Silent => {
            let mut heard = [0; 1024];
            while client.read(&mut heard).await.is_ok_and(|length| length > 0) {}
        }
        Mode::Noise => {
            let noise: Vec<u8> = (0..=255).cycle().take(4096).collect();
            let _ = client.write_all(&noise).await;
            let _ = client.read(&mut [0; 1024]).await;
        }
        Mode::Closed => {}
    }
}

async fn pass(client: TcpStream, target: SocketAddr, late: Duration) {
    let Ok(server) = TcpStream::connect(target).await else {
        return;
    };
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    tokio::join!(
        copy(from_client, to_server, late),
        copy(from_server, to_client, late)
    );
}

/// What is read is written so much later; reading does not wait for that.
async fn copy(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, late: Duration) {
    let (send, mut receive) = tokio::sync::mpsc::channel(64);
    let read = async move {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(length @ 1..) = from.read(&mut buffer).await {
            let due = tokio::time::Instant::now() + late;
            if send.send((due, buffer[..length].to_vec())).await.is_err() {
                return;
            }
        }
    };
    let write = async move {
        while let Some((due, bytes)) = receive.recv().await {
            if !late.is_zero() {
                tokio::time::sleep_until(due).await;
            }
            if to.write_all(&bytes).await.is_err() {
                return;
            }
        }
        let _ = to.shutdown().await;
    };
    tokio::join!(read, write);
}
