//! The services behind the mesh: each answers with its name, and sometimes with 503.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// One endpoint.
pub struct Backend {
    /// Its port on 127.0.0.1.
    pub port: u16,
    served: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Backend {
    /// Answers `name`; every `unwell`th request gets a 503 instead.
    pub async fn start(name: &'static str, unwell: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let served = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&served);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, name, unwell, Arc::clone(&counter)));
            }
        });
        Self { port, served, task }
    }

    /// How many requests came.
    pub fn served(&self) -> usize {
        self.served.load(Relaxed)
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(stream: TcpStream, name: &str, unwell: usize, served: Arc<AtomicUsize>) {
    let _ = stream.set_nodelay(true);
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    let mut length = 0;
    loop {
        line.clear();
        if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
            return;
        }
        let lower = line.to_ascii_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line != "\r\n" {
            continue;
        }
        let mut body = vec![0; std::mem::take(&mut length)];
        if stream.read_exact(&mut body).await.is_err() {
            return;
        }
        let number = 1 + served.fetch_add(1, Relaxed);
        let status = if number.is_multiple_of(unwell) {
            "503 Service Unavailable"
        } else {
            "200 OK"
        };
        let answer = format!(
            "HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{name}",
            name.len()
        );
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}
