//! An HTTP/1 client on raw bytes.

use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{Request, Response};
use crate::head::Head;
use crate::wait::within;
use crate::wire::{Ended, Framing, Wire};

/// A connection to a proxy.
pub struct Connection {
    wire: Wire,
}

impl Connection {
    /// Connects to a port on 127.0.0.1.
    ///
    /// # Errors
    /// When nothing listens there.
    pub async fn open(port: u16) -> std::io::Result<Self> {
        Ok(Self {
            wire: Wire::new(TcpStream::connect(("127.0.0.1", port)).await?),
        })
    }

    /// Takes over a connected socket.
    pub fn over(stream: TcpStream) -> Self {
        Self {
            wire: Wire::new(stream),
        }
    }

    /// Writes bytes as they are.
    ///
    /// # Errors
    /// When the peer is gone.
    pub async fn send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.wire.write(bytes).await
    }

    /// Reads the answer to a request with this method, with informational ones before it.
    ///
    /// # Errors
    /// When the connection ended before a whole head came.
    pub async fn response(&mut self, method: &str) -> Result<Response, Ended> {
        let mut interim = Vec::new();
        loop {
            let head = self.wire.head().await?;
            let (version, status, reason) = split(&head)?;
            if (100..200).contains(&status) && status != 101 {
                interim.push((status, head.headers));
                continue;
            }
            let mut response = Response {
                interim,
                version: format!("{version} {reason}").trim().to_owned(),
                status,
                ..Response::default()
            };
            if let Some(framing) = framing(&head, method, status) {
                let body = &mut response.body;
                match self
                    .wire
                    .body(framing, |data| body.extend_from_slice(data))
                    .await
                {
                    Ok(trailers) => response.trailers = trailers,
                    Err(error) => response.end = format!("truncated: {error}"),
                }
            }
            if response.end.is_empty() {
                response.end = "complete".into();
            }
            response.headers = head.headers;
            return Ok(response);
        }
    }

    /// Reads whatever comes until `quiet` passes without a byte, or the end; says which.
    pub async fn drain(&mut self, quiet: Duration) -> (Vec<u8>, Option<Ended>) {
        loop {
            match within(quiet, self.wire.more()).await {
                None => return (std::mem::take(&mut self.wire.ahead), None),
                Some(Err(end)) => return (std::mem::take(&mut self.wire.ahead), Some(end)),
                Some(Ok(())) => {}
            }
        }
    }

    /// Whether another request on this connection is answered; the path is `/__probe`.
    pub async fn is_open(&mut self) -> bool {
        let probe = b"GET /__probe HTTP/1.1\r\nHost: probe.test\r\n\r\n";
        if self.send(probe).await.is_err() {
            return false;
        }
        let answer = within(super::SILENCE, self.response("GET")).await;
        matches!(answer, Some(Ok(_)))
    }

    /// Whether the peer closes within `limit`.
    pub async fn closes_within(&mut self, limit: Duration) -> bool {
        let all = async { while self.wire.more().await.is_ok() {} };
        within(limit, all).await.is_some()
    }
}

/// The bytes of a request.
pub fn encode(request: &Request) -> Vec<u8> {
    let mut out = format!("{} {} HTTP/1.1\r\n", request.method, request.path).into_bytes();
    if !request.authority.is_empty() {
        field(&mut out, "Host", &request.authority);
    }
    for (name, value) in &request.headers {
        field(&mut out, name, value);
    }
    let chunked = request.chunked || !request.trailers.is_empty();
    if chunked {
        field(&mut out, "Transfer-Encoding", "chunked");
    } else if let Some(body) = &request.body {
        field(&mut out, "Content-Length", &body.len().to_string());
    }
    out.extend_from_slice(b"\r\n");
    let body = request.body.as_deref().unwrap_or_default();
    if !chunked {
        out.extend_from_slice(body);
        return out;
    }
    for chunk in body.chunks(1000) {
        out.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        out.extend_from_slice(chunk);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"0\r\n");
    for (name, value) in &request.trailers {
        field(&mut out, name, value);
    }
    out.extend_from_slice(b"\r\n");
    out
}

/// Status and body of a page.
///
/// # Errors
/// When there is no whole answer.
pub async fn get(port: u16, path: &str) -> std::io::Result<(u16, String)> {
    let mut connection = Connection::open(port).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    connection.send(request.as_bytes()).await?;
    let answer = timeout(Duration::from_secs(10), connection.response("GET")).await;
    let answer = answer.map_err(std::io::Error::other)?;
    let answer = answer.map_err(|ended| std::io::Error::other(ended.to_string()))?;
    Ok((
        answer.status,
        String::from_utf8_lossy(&answer.body).into_owned(),
    ))
}

fn field(out: &mut Vec<u8>, name: &str, value: &str) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend(
        value
            .chars()
            .map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')),
    );
    out.extend_from_slice(b"\r\n");
}

fn split(head: &Head) -> Result<(&str, u16, &str), Ended> {
    let mut words = head.line.splitn(3, ' ');
    let version = words.next().unwrap_or_default();
    let status = words.next().and_then(|word| word.parse().ok());
    let status = status.ok_or_else(|| Ended::Malformed(format!("status line {:?}", head.line)))?;
    Ok((version, status, words.next().unwrap_or_default()))
}

fn framing(head: &Head, method: &str, status: u16) -> Option<Framing> {
    if method == "HEAD"
        || matches!(status, 101 | 204 | 304)
        || (method == "CONNECT" && status == 200)
    {
        return None;
    }
    if head.has_token("transfer-encoding", "chunked") {
        return Some(Framing::Chunked);
    }
    let length = head
        .get("content-length")
        .and_then(|text| text.parse().ok());
    Some(length.map_or(Framing::Eof, Framing::Length))
}
