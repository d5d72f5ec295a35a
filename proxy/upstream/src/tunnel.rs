//! A switch of protocols within an HTTP/2 stream: extended CONNECT (RFC 8441).
//!
//! Like Envoy, this does not wait for the upstream to say that it knows the method: it is sent,
//! and one that does not know it refuses the stream.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use h2::client::ResponseFuture;
use h2::ext::Protocol;
use h2::{Reason, RecvStream, SendStream};
use http::header::{CONNECTION, CONTENT_LENGTH, UPGRADE};
use http::{HeaderValue, StatusCode, Version};
use tandem_core::ext::{StreamInfo, Tunnel};
use tandem_core::{Body, Error};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::active::Active;
use crate::attempt::{Answer, AnswerBody, answer};
use crate::body::{ResponseBody, Source};
use crate::pool::http2::{self, Slot};

/// Waits for the answer to an extended CONNECT. What agrees becomes the 101 that the client
/// waits for, with a [`Tunnel`]; anything else is a response like any other.
pub(crate) async fn open(
    protocol: Protocol,
    (response, upload): (ResponseFuture, SendStream<Bytes>),
    slot: Slot,
    mut active: Active,
    info: &StreamInfo,
) -> Result<Answer, Error> {
    let response = match response.await {
        Ok(response) => response,
        Err(error) => {
            active.broken();
            return Err(http2::broken(error, true));
        }
    };
    info.mark_upstream_first_byte();
    let (mut head, stream) = response.into_parts();
    head.version = Version::HTTP_11;
    if head.status != StatusCode::OK {
        let source = Source::Http2 {
            stream,
            _slot: slot,
            data_done: false,
        };
        return Ok(answer(head, ResponseBody::new(source, active, None)));
    }
    head.status = StatusCode::SWITCHING_PROTOCOLS;
    head.headers.remove(CONTENT_LENGTH);
    head.headers
        .insert(CONNECTION, HeaderValue::from_static("upgrade"));
    if let Ok(protocol) = HeaderValue::from_str(protocol.as_str()) {
        head.headers.insert(UPGRADE, protocol);
    }
    head.extensions.insert(Tunnel::new(Stream {
        upload,
        download: stream,
        chunk: Bytes::new(),
        sent_all: false,
        read_all: false,
        active,
        _slot: slot,
    }));
    Ok(Answer {
        head,
        body: AnswerBody::Complete(Body::empty()),
    })
}

/// The bytes of one stream.
struct Stream {
    upload: SendStream<Bytes>,
    download: RecvStream,
    /// Read, and not yet taken.
    chunk: Bytes,
    sent_all: bool,
    read_all: bool,
    active: Active,
    _slot: Slot,
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.chunk.is_empty() {
            match ready!(self.download.poll_data(cx)) {
                Some(Ok(chunk)) => self.chunk = chunk,
                Some(Err(error)) => {
                    self.active.broken();
                    return Poll::Ready(Err(failed(error)));
                }
                None => {
                    self.read_all = true;
                    return Poll::Ready(Ok(()));
                }
            }
        }
        let taken = self.chunk.len().min(buf.remaining());
        buf.put_slice(&self.chunk[..taken]);
        self.chunk.advance(taken);
        // Only what was taken lets the peer send more.
        let _ = self.download.flow_control().release_capacity(taken);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        self.upload.reserve_capacity(buf.len());
        let mut room = self.upload.capacity();
        while room == 0 {
            room = match ready!(self.upload.poll_capacity(cx)) {
                Some(room) => room.map_err(failed)?,
                None => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            };
        }
        let part = Bytes::copy_from_slice(&buf[..room.min(buf.len())]);
        let written = part.len();
        self.upload.send_data(part, false).map_err(failed)?;
        Poll::Ready(Ok(written))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.sent_all {
            self.sent_all = true;
            let sent = self.upload.send_data(Bytes::new(), true);
            // An upstream that has said all need not care what else there is.
            if !self.read_all {
                sent.map_err(failed)?;
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if self.sent_all && self.read_all {
            self.active.complete();
        } else {
            // Which reason Envoy gives for a client that went away.
            self.upload.send_reset(Reason::INTERNAL_ERROR);
        }
    }
}

fn failed(error: h2::Error) -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionReset, error)
}
