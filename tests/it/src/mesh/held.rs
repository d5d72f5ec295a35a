//! A backend that answers when it is told to.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use tandem_harness::wait;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Its first answer is a 503, all others are 200.
pub(super) struct Held {
    pub(super) port: u16,
    came: Arc<AtomicUsize>,
    released: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Held {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let came: Arc<AtomicUsize> = Arc::default();
        let (released, release) = watch::channel(false);
        let count = Arc::clone(&came);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&count), release.clone()));
            }
        });
        Self {
            port,
            came,
            released,
            task,
        }
    }

    /// Waits until so many requests have come.
    pub(super) async fn has(&self, requests: usize) {
        let came = wait::until(wait::PATIENCE, || self.came.load(Relaxed) >= requests);
        assert!(came.await);
    }

    /// Answers from now on.
    pub(super) fn release(&self) {
        self.released.send_replace(true);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    stream: TcpStream,
    came: Arc<AtomicUsize>,
    mut release: watch::Receiver<bool>,
) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut line = String::new();
        while line != "\r\n" {
            line.clear();
            if stream.read_line(&mut line).await? == 0 {
                return Ok(());
            }
        }
        let status = match came.fetch_add(1, Relaxed) {
            0 => "503 Service Unavailable",
            _ => "200 OK",
        };
        if release.wait_for(|released| *released).await.is_err() {
            return Ok(());
        }
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 4\r\n\r\nheld");
        stream.write_all(answer.as_bytes()).await?;
    }
}
