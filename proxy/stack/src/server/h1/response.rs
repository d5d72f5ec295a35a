//! From the service's answer to bytes.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use http::header::CONNECTION;
use http_body::{Body as _, Frame};
use tandem_core::ext::wire::Bytes as Counted;
use tandem_core::{Body, Response};
use tandem_transport::h1::encode::{self, Framing};
use tandem_transport::rewind::Rewind;
use tokio::io::{AsyncRead, AsyncWrite};

use super::super::stats::add;
use super::request::Asked;
use super::{After, Connection, End};
use crate::access_log::Unwritten;

/// A response on its way out: its head is written, or waits to be.
pub(super) struct Download {
    body: Body,
    /// Whether the connection ends with it.
    close: bool,
    unwritten: Option<Unwritten>,
    framing: Framing,
    pass_trailers: bool,
    done: bool,
    /// It ended before its end.
    aborted: bool,
    /// The socket takes nothing more for now.
    stalled: bool,
}

impl<IO: AsyncRead + AsyncWrite + Unpin + Send + 'static> Connection<IO> {
    /// Begins to write a response.
    pub(super) fn respond(&mut self, mut response: Response, asked: Asked) -> Download {
        let close = self.must_close(response.headers_mut(), asked);
        let (parts, body) = response.into_parts();
        let size = body.size_hint().exact();
        let framing = encode::framing(
            asked.version,
            asked.is_head,
            parts.status,
            &parts.headers,
            size,
        );
        let close = close || framing == Framing::Close;
        encode::head(
            self.output.buffer(),
            asked.version,
            parts.status,
            &parts.headers,
            framing,
            close,
        );
        Download {
            body,
            close,
            unwritten: parts.extensions.get::<Unwritten>().cloned(),
            framing,
            pass_trailers: self.server.manager.enable_trailers,
            done: false,
            aborted: false,
            stalled: false,
        }
    }

    /// Writes a response to its end, reading on meanwhile.
    pub(super) async fn send(&mut self, mut download: Download) -> After {
        let sent = poll_fn(|cx| self.poll_respond(&mut download, cx)).await;
        add(&self.info.wire_sent, self.output.take_written());
        let of_request = self.count();
        if let Some(unwritten) = download.unwritten.take() {
            unwritten.written(of_request);
        }
        match sent {
            Some(end) => After::Ended(end),
            None if download.aborted => After::Ended(End::Local),
            None if download.close || self.upload.is_some() || self.broken => After::Close,
            None => After::Continue,
        }
    }

    /// What went over the wire since the last request; what was read ahead is of the next.
    fn count(&mut self) -> Counted {
        let received = self.info.wire_received.load(Relaxed);
        let now = Counted {
            received: received.saturating_sub(self.input.len() as u64),
            sent: self.info.wire_sent.load(Relaxed),
        };
        let before = std::mem::replace(&mut self.counted, now);
        now.since(before)
    }

    /// Whether this response is the connection's last, and why.
    fn must_close(&self, headers: &mut HeaderMap, asked: Asked) -> bool {
        let stats = &self.server.stats;
        let mut close = !asked.keep_alive || asked.upgrade || self.upload.is_some() || self.broken;
        if headers
            .remove(CONNECTION)
            .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"close"))
        {
            close = true;
        }
        if self.server.draining.is_on() {
            stats.drain_close.inc();
            close = true;
        }
        let most = self.server.manager.max_requests_per_connection;
        if most > 0 && self.requests >= most {
            stats.max_requests_reached.inc();
            close = true;
        }
        if self.leaving {
            close = true;
        } else if self.is_expired() {
            stats.max_duration_reached.inc();
            close = true;
        }
        close
    }

    /// Ready with `None` when the response is written, else with who ended the connection.
    fn poll_respond(&mut self, download: &mut Download, cx: &mut Context<'_>) -> Poll<Option<End>> {
        loop {
            while !download.done && !self.output.is_full() {
                let Poll::Ready(frame) = Pin::new(&mut download.body).poll_frame(cx) else {
                    break;
                };
                self.encode(download, frame.map(|frame| frame.ok()));
            }
            let waiting = self.output.is_full();
            match self.poll_flush(cx) {
                Poll::Ready(Err(_)) => return Poll::Ready(Some(End::Remote)),
                Poll::Ready(Ok(())) => {
                    download.stalled = false;
                    if download.done {
                        return Poll::Ready(None);
                    }
                    // There is room again; else the body was the one with nothing to say.
                    if waiting {
                        continue;
                    }
                }
                Poll::Pending => {
                    if let Poll::Ready(end) = self.poll_stalled(download, cx) {
                        return Poll::Ready(Some(end));
                    }
                }
            }
            return self.poll_input(cx).map(|_lost| Some(End::Remote));
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.output.poll_flush(&mut self.io, cx)
    }

    /// A client that does not read is given up after a while.
    fn poll_stalled(&mut self, download: &mut Download, cx: &mut Context<'_>) -> Poll<End> {
        let written = self.output.take_written();
        add(&self.info.wire_sent, written);
        if !download.stalled || written > 0 {
            download.stalled = true;
            self.deadline
                .set_after(self.server.manager.stream_idle_timeout);
        }
        self.deadline.poll(cx).map(|()| End::Local)
    }

    fn encode(&mut self, download: &mut Download, frame: Option<Option<Frame<Bytes>>>) {
        let Some(frame) = frame else {
            return self.finish(download, None);
        };
        let Some(frame) = frame else {
            download.done = true;
            download.aborted = true;
            return;
        };
        match frame.into_data() {
            Ok(data) => {
                self.encode_data(download, data);
                if !download.done && download.body.is_end_stream() {
                    self.finish(download, None);
                }
            }
            Err(frame) => {
                let trailers = frame.into_trailers().ok();
                self.finish(download, trailers.filter(|_| download.pass_trailers));
            }
        }
    }

    fn encode_data(&mut self, download: &mut Download, data: Bytes) {
        match &mut download.framing {
            Framing::None => {}
            _ if data.is_empty() => {}
            Framing::Length(left) => match left.checked_sub(data.len() as u64) {
                Some(rest) => {
                    *left = rest;
                    self.output.data(data, false);
                }
                None => {
                    // More than was announced would be read as the next response.
                    download.done = true;
                    download.aborted = true;
                }
            },
            Framing::Chunked => self.output.data(data, true),
            Framing::Close => self.output.data(data, false),
        }
    }

    fn finish(&mut self, download: &mut Download, trailers: Option<HeaderMap>) {
        download.done = true;
        match download.framing {
            Framing::Length(left) if left > 0 => download.aborted = true,
            Framing::Chunked => self.output.last_chunk(trailers.as_ref()),
            _ => {}
        }
    }

    /// Passes the switch of protocols on, then only bytes.
    pub(super) async fn switch(&mut self, response: Response, asked: Asked) -> After {
        encode::head(
            self.output.buffer(),
            asked.version,
            response.status(),
            response.headers(),
            Framing::None,
            false,
        );
        if poll_fn(|cx| self.poll_flush(cx)).await.is_err() {
            return After::Ended(End::Remote);
        }
        let input = std::mem::take(&mut self.input).freeze();
        let mut io = Rewind::new(input, &mut self.io);
        let end = Box::pin(self.server.tunnel(&mut io, response)).await;
        After::Ended(end)
    }
}
