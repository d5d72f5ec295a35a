//! Reading HTTP/1 messages from a socket, byte by byte exact.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::head::{Head, Headers};

/// How a body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// After so many bytes.
    Length(usize),
    /// With the last chunk and trailers.
    Chunked,
    /// With the connection.
    Eof,
}

/// Why no more could be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The peer closed in an orderly way.
    Closed,
    /// The peer reset the connection.
    Reset,
    /// The peer wrote something that is not HTTP/1.
    Malformed(String),
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Closed => f.write_str("closed"),
            Self::Reset => f.write_str("reset"),
            Self::Malformed(what) => write!(f, "malformed: {what}"),
        }
    }
}

/// A connection and what was read ahead on it.
pub struct Wire {
    /// The socket.
    pub stream: TcpStream,
    /// Bytes that arrived and were not taken yet.
    pub ahead: Vec<u8>,
}

impl Wire {
    /// Takes over a connected socket.
    pub fn new(stream: TcpStream) -> Self {
        let _ = stream.set_nodelay(true);
        Self {
            stream,
            ahead: Vec::new(),
        }
    }

    /// Writes all of it.
    ///
    /// # Errors
    /// When the peer is gone.
    pub async fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await
    }

    /// Reads more bytes into `ahead`.
    ///
    /// # Errors
    /// When there are none left.
    pub async fn more(&mut self) -> Result<(), Ended> {
        match self.stream.read_buf(&mut self.ahead).await {
            Ok(0) => Err(Ended::Closed),
            Ok(_) => Ok(()),
            Err(_) => Err(Ended::Reset),
        }
    }

    /// Reads a head.
    ///
    /// # Errors
    /// When the connection ended first, or it is malformed.
    pub async fn head(&mut self) -> Result<Head, Ended> {
        let head = self.until(b"\r\n\r\n").await?;
        Head::parse(&head).map_err(Ended::Malformed)
    }

    /// Reads a body; `data` is given each part as it comes. Returns the trailers.
    ///
    /// # Errors
    /// When the connection ended before the body did.
    pub async fn body(
        &mut self,
        framing: Framing,
        mut data: impl FnMut(&[u8]),
    ) -> Result<Headers, Ended> {
        match framing {
            Framing::Length(length) => self.exactly(length, &mut data).await.map(|()| Vec::new()),
            Framing::Eof => loop {
                data(&std::mem::take(&mut self.ahead));
                match self.more().await {
                    Ok(()) => {}
                    Err(Ended::Closed) => return Ok(Vec::new()),
                    Err(error) => return Err(error),
                }
            },
            Framing::Chunked => self.chunks(&mut data).await,
        }
    }

    async fn chunks(&mut self, data: &mut impl FnMut(&[u8])) -> Result<Headers, Ended> {
        loop {
            let line = self.until(b"\r\n").await?;
            let text = String::from_utf8_lossy(&line).into_owned();
            let size = text.trim_end().split(';').next().unwrap_or_default();
            let size = usize::from_str_radix(size, 16)
                .map_err(|_| Ended::Malformed(format!("chunk size {text:?}")))?;
            if size == 0 {
                break;
            }
            self.exactly(size, data).await?;
            if self.until(b"\r\n").await? != b"\r\n" {
                return Err(Ended::Malformed("no line end after a chunk".into()));
            }
        }
        // Trailers have the form of a head without a start line.
        let mut block = b"trailers".to_vec();
        loop {
            let line = self.until(b"\r\n").await?;
            if line == b"\r\n" {
                break;
            }
            block.extend_from_slice(b"\r\n");
            block.extend_from_slice(&line[..line.len() - 2]);
        }
        block.extend_from_slice(b"\r\n\r\n");
        Head::parse(&block)
            .map(|head| head.headers)
            .map_err(Ended::Malformed)
    }

    async fn exactly(
        &mut self,
        mut left: usize,
        data: &mut impl FnMut(&[u8]),
    ) -> Result<(), Ended> {
        while left > 0 {
            if self.ahead.is_empty() {
                self.more().await?;
            }
            let take = left.min(self.ahead.len());
            data(&self.ahead[..take]);
            self.ahead.drain(..take);
            left -= take;
        }
        Ok(())
    }

    async fn until(&mut self, mark: &[u8]) -> Result<Vec<u8>, Ended> {
        let mut searched = 0;
        loop {
            let found = self.ahead[searched..]
                .windows(mark.len())
                .position(|window| window == mark);
            if let Some(at) = found {
                return Ok(self.ahead.drain(..searched + at + mark.len()).collect());
            }
            searched = self.ahead.len().saturating_sub(mark.len() - 1);
            self.more().await?;
        }
    }
}
