//! HTTP/2 frames by hand, for what no proper client would send.

use std::time::Duration;

use tokio::net::TcpStream;

use crate::wait::within;
use crate::wire::Wire;

/// The connection preface.
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Frame types.
#[allow(missing_docs, reason = "the names are RFC 9113's")]
pub mod kind {
    pub const DATA: u8 = 0;
    pub const HEADERS: u8 = 1;
    pub const PRIORITY: u8 = 2;
    pub const RST_STREAM: u8 = 3;
    pub const SETTINGS: u8 = 4;
    pub const PUSH_PROMISE: u8 = 5;
    pub const PING: u8 = 6;
    pub const GOAWAY: u8 = 7;
    pub const WINDOW_UPDATE: u8 = 8;
    pub const CONTINUATION: u8 = 9;
}

/// Flag END_STREAM (and ACK).
pub const END_STREAM: u8 = 1;
/// Flag END_HEADERS.
pub const END_HEADERS: u8 = 4;

/// A frame that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Its type.
    pub kind: u8,
    /// Its flags.
    pub flags: u8,
    /// Its stream.
    pub stream: u32,
    /// Its payload.
    pub payload: Vec<u8>,
}

/// The bytes of a frame.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut out = length[1..].to_vec();
    out.extend_from_slice(&[kind, flags]);
    out.extend_from_slice(&stream.to_be_bytes());
    out.extend_from_slice(payload);
    out
}

/// A SETTINGS frame.
pub fn settings(values: &[(u16, u32)]) -> Vec<u8> {
    let mut payload = Vec::new();
    for (key, value) in values {
        payload.extend_from_slice(&key.to_be_bytes());
        payload.extend_from_slice(&value.to_be_bytes());
    }
    frame(kind::SETTINGS, 0, 0, &payload)
}

/// A header block of literals, never indexed, no Huffman; names and values are any bytes.
pub fn block(fields: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in fields {
        out.push(0);
        string(&mut out, name.as_bytes());
        string(&mut out, value);
    }
    out
}

/// The header block of an ordinary request, and more fields.
pub fn request(method: &str, path: &str, more: &[(&str, &[u8])]) -> Vec<u8> {
    let mut fields: Vec<(&str, &[u8])> = vec![
        (":method", method.as_bytes()),
        (":scheme", b"http"),
        (":path", path.as_bytes()),
        (":authority", b"any.test"),
    ];
    fields.extend_from_slice(more);
    block(&fields)
}

fn string(out: &mut Vec<u8>, text: &[u8]) {
    if text.len() < 127 {
        out.push(u8::try_from(text.len()).unwrap());
    } else {
        out.push(127);
        let mut left = text.len() - 127;
        while left >= 128 {
            out.push(u8::try_from(left % 128).unwrap() | 128);
            left /= 128;
        }
        out.push(u8::try_from(left).unwrap());
    }
    out.extend_from_slice(text);
}

/// A connection on which nothing is sent but what the test sends.
pub struct Raw {
    wire: Wire,
}

impl Raw {
    /// Connects without a word.
    ///
    /// # Errors
    /// When nothing listens there.
    pub async fn silent(port: u16) -> std::io::Result<Self> {
        Ok(Self {
            wire: Wire::new(TcpStream::connect(("127.0.0.1", port)).await?),
        })
    }

    /// Connects and sends the preface with empty SETTINGS.
    ///
    /// # Errors
    /// When nothing listens there.
    pub async fn open(port: u16) -> std::io::Result<Self> {
        let mut raw = Self::silent(port).await?;
        raw.send(PREFACE).await?;
        raw.send(&settings(&[])).await?;
        raw.send(&frame(kind::SETTINGS, 1, 0, &[])).await?;
        Ok(raw)
    }

    /// Writes bytes as they are.
    ///
    /// # Errors
    /// When the peer is gone.
    pub async fn send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.wire.write(bytes).await
    }

    /// The next frame; `None` when the peer closed, or sent none within `limit`.
    pub async fn next(&mut self, limit: Duration) -> Option<Frame> {
        within(limit, self.read()).await.flatten()
    }

    /// All frames until the peer closes or `quiet` passes without one; and whether it closed.
    pub async fn rest(&mut self, quiet: Duration) -> (Vec<Frame>, bool) {
        let mut frames = Vec::new();
        loop {
            match within(quiet, self.read()).await {
                None => return (frames, false),
                Some(None) => return (frames, true),
                Some(Some(frame)) => frames.push(frame),
            }
        }
    }

    async fn read(&mut self) -> Option<Frame> {
        while self.wire.ahead.len() < 9 {
            self.wire.more().await.ok()?;
        }
        let head = self.wire.ahead[..9].to_vec();
        let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        while self.wire.ahead.len() < 9 + length {
            self.wire.more().await.ok()?;
        }
        let payload = self.wire.ahead[9..9 + length].to_vec();
        self.wire.ahead.drain(..9 + length);
        let stream = u32::from_be_bytes([head[5] & 0x7f, head[6], head[7], head[8]]);
        Some(Frame {
            kind: head[3],
            flags: head[4],
            stream,
            payload,
        })
    }
}
