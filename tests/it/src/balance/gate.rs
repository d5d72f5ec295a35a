//! A backend that keeps what it is asked to keep until the test lets it go.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use tandem_harness::wait;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

/// Keeps `/held` and every second attempt; answers a first attempt of `/retried` with 503 and
/// anything else with 200.
pub struct Gate {
    /// Its port on 127.0.0.1.
    pub port: u16,
    counts: Arc<Counts>,
    task: JoinHandle<()>,
}

struct Counts {
    served: AtomicUsize,
    kept: AtomicUsize,
    door: Semaphore,
}

impl Gate {
    /// With its door shut.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let counts = Arc::new(Counts {
            served: AtomicUsize::new(0),
            kept: AtomicUsize::new(0),
            door: Semaphore::new(0),
        });
        let shared = Arc::clone(&counts);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&shared)));
            }
        });
        Self { port, counts, task }
    }

    /// How many requests came, kept ones included.
    pub fn served(&self) -> usize {
        self.counts.served.load(Relaxed)
    }

    /// How many requests were kept.
    pub fn kept(&self) -> usize {
        self.counts.kept.load(Relaxed)
    }

    /// Waits until so many were kept.
    pub async fn until_kept(&self, count: usize) {
        let kept = wait::until(wait::PATIENCE, || self.kept() >= count).await;
        assert!(kept, "expected {count} kept, got {}", self.kept());
    }

    /// Lets everything go, from now on.
    pub fn open(&self) {
        self.counts.door.close();
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(stream: TcpStream, counts: Arc<Counts>) {
    let _ = stream.set_nodelay(true);
    let mut stream = BufReader::new(stream);
    while let Some(head) = head(&mut stream).await {
        counts.served.fetch_add(1, Relaxed);
        let again = head.contains("\r\nx-envoy-attempt-count: 2\r\n");
        if again || head.starts_with("get /held ") {
            counts.kept.fetch_add(1, Relaxed);
            // A closed semaphore is an open door.
            let _ = counts.door.acquire().await;
        }
        let status = if head.starts_with("get /retried ") && !again {
            "503 Service Unavailable"
        } else {
            "200 OK"
        };
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// The request's head in lower case, up to and with its empty line.
async fn head(stream: &mut BufReader<TcpStream>) -> Option<String> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head).await.unwrap_or(0) == 0 {
            return None;
        }
    }
    head.make_ascii_lowercase();
    Some(head)
}
