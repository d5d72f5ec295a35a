//! The reading side: bytes into the connection, and from there into the request's body.

use std::io;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use tandem_core::{Body, Error};
use tandem_transport::h1::body::{self, Demand};
use tandem_transport::h1::chunked::Step;
use tandem_transport::h1::head::Framing;
use tandem_transport::h1::{ChunkedDecoder, Limits, Refusal};
use tandem_transport::scratch;
use tokio::io::{AsyncRead, AsyncWrite};

use super::super::stats::add;
use super::Connection;

/// Bodies with at least so much to come are read into memory of their own.
const LARGE: u64 = 16 * 1024;
/// Most bytes kept of requests that a client sends ahead.
const MAX_AHEAD: usize = 64 * 1024;

/// A request body that has not been read to its end.
#[derive(Debug)]
pub(super) struct Upload {
    sender: body::Sender,
    framing: Left,
    pass_trailers: bool,
}

#[derive(Debug)]
enum Left {
    Length(u64),
    Chunked(Box<ChunkedDecoder>),
}

/// What decoding found in the bytes that are there.
struct Decoded {
    data: Bytes,
    /// The body is complete.
    end: Option<Option<HeaderMap>>,
}

/// The client is gone.
pub(super) struct Lost;

impl<IO: AsyncRead + AsyncWrite + Unpin + Send + 'static> Connection<IO> {
    /// Reads once into `input`.
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let input = &mut self.input;
        let n = ready!(scratch::poll_read(
            &mut self.io,
            cx,
            scratch::SIZE,
            |_, _, data| {
                input.extend_from_slice(data);
                data.len()
            }
        ))?;
        add(&self.info.wire_received, n);
        Poll::Ready(Ok(n))
    }

    /// The body of the request whose head was just read. One that is already there as a whole
    /// needs no upload; it can be sent again without being copied.
    pub(super) fn begin_body(&mut self, framing: Framing) -> Body {
        let (mut left, length) = match framing {
            Framing::Length(0) => return Body::empty(),
            Framing::Length(length) => (Left::Length(length), Some(length)),
            Framing::Chunked => (Left::Chunked(Box::default()), None),
        };
        let pass_trailers = self.server.manager.enable_trailers;
        let decoded = left.decode(&mut self.input, &self.server.limits);
        if let Ok(Decoded {
            data,
            end: Some(trailers),
        }) = &decoded
            && (!pass_trailers || trailers.is_none())
        {
            return Body::from(data.clone());
        }
        let (sender, receiver) = body::channel(length);
        let upload = Upload {
            sender,
            framing: left,
            pass_trailers,
        };
        self.deliver(upload, decoded);
        Body::new(receiver)
    }

    /// Reads the request's body as far as its reader wants it, and behind it watches for the
    /// client's end. Ready only when the client is gone.
    pub(super) fn poll_input(&mut self, cx: &mut Context<'_>) -> Poll<Lost> {
        loop {
            if let Some(mut upload) = self.upload.take() {
                let Poll::Ready(demand) = upload.sender.poll_demand(cx) else {
                    self.upload = Some(upload);
                    return Poll::Pending;
                };
                if self.input.is_empty() {
                    match self.poll_large(&mut upload, demand, cx) {
                        Some(Poll::Ready(Ok(()))) => {
                            self.upload = upload.unless_complete();
                            continue;
                        }
                        Some(Poll::Ready(Err(lost))) => return Poll::Ready(lost),
                        Some(Poll::Pending) => {
                            self.upload = Some(upload);
                            return Poll::Pending;
                        }
                        None => {}
                    }
                    match self.poll_read(cx) {
                        Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Lost),
                        Poll::Ready(Ok(_)) => {}
                        Poll::Pending => {
                            self.upload = Some(upload);
                            return Poll::Pending;
                        }
                    }
                }
                let decoded = upload.framing.decode(&mut self.input, &self.server.limits);
                self.deliver(upload, decoded);
            } else {
                if self.broken || self.input.len() >= MAX_AHEAD {
                    return Poll::Pending;
                }
                match ready!(self.poll_read(cx)) {
                    Ok(0) | Err(_) => return Poll::Ready(Lost),
                    Ok(_) => {}
                }
            }
        }
    }

    /// Reads a large body of known length without a copy; `None` where that does not fit.
    fn poll_large(
        &mut self,
        upload: &mut Upload,
        demand: Demand,
        cx: &mut Context<'_>,
    ) -> Option<Poll<Result<(), Lost>>> {
        let Left::Length(left) = &mut upload.framing else {
            return None;
        };
        if *left < LARGE || demand == Demand::Abandoned {
            return None;
        }
        let limit = usize::try_from(*left).unwrap_or(usize::MAX);
        let data = match scratch::poll_read_owned(&mut self.io, cx, limit) {
            Poll::Pending => return Some(Poll::Pending),
            Poll::Ready(Err(_)) => return Some(Poll::Ready(Err(Lost))),
            Poll::Ready(Ok(data)) if data.is_empty() => return Some(Poll::Ready(Err(Lost))),
            Poll::Ready(Ok(data)) => data,
        };
        add(&self.info.wire_received, data.len());
        *left -= data.len() as u64;
        upload.sender.send(data);
        Some(Poll::Ready(Ok(())))
    }

    /// Hands on what was decoded; keeps the upload unless that was its end.
    fn deliver(&mut self, mut upload: Upload, decoded: Result<Decoded, Refusal>) {
        match decoded {
            Ok(Decoded { data, end }) => {
                upload.sender.send(data);
                match end {
                    Some(trailers) => {
                        let trailers = trailers.filter(|_| upload.pass_trailers);
                        upload.sender.finish(trailers);
                    }
                    None => self.upload = Some(upload),
                }
            }
            Err(refusal) => {
                // The upstream must never see a complete request.
                self.server.stats.protocol_error.inc();
                self.broken = true;
                upload.sender.fail(Error::reply(refusal.reply()));
            }
        }
    }
}

impl Upload {
    fn unless_complete(self) -> Option<Self> {
        if matches!(self.framing, Left::Length(0)) {
            self.sender.finish(None);
            return None;
        }
        Some(self)
    }
}

impl Left {
    /// Takes what belongs to the body from `input`.
    fn decode(&mut self, input: &mut BytesMut, limits: &Limits) -> Result<Decoded, Refusal> {
        match self {
            Self::Length(left) => {
                let n = usize::try_from(*left)
                    .unwrap_or(usize::MAX)
                    .min(input.len());
                *left -= n as u64;
                let data = if n == input.len() {
                    std::mem::take(input).freeze()
                } else {
                    input.split_to(n).freeze()
                };
                Ok(Decoded {
                    data,
                    end: (*left == 0).then_some(None),
                })
            }
            Self::Chunked(decoder) => {
                let mut data = BytesMut::new();
                while !input.is_empty() {
                    match decoder.step(input, limits)? {
                        Step::Framing(n) => drop(input.split_to(n)),
                        Step::Data(n) => {
                            let piece = input.split_to(n);
                            if data.is_empty() {
                                data = piece;
                            } else {
                                data.extend_from_slice(&piece);
                            }
                        }
                        Step::End(n, trailers) => {
                            drop(input.split_to(n));
                            return Ok(Decoded {
                                data: data.freeze(),
                                end: Some((!trailers.is_empty()).then_some(trailers)),
                            });
                        }
                    }
                }
                Ok(Decoded {
                    data: data.freeze(),
                    end: None,
                })
            }
        }
    }
}
