//! Frames that cost their sender nothing: so many of them, and the connection is over.
//!
//! The protocol's own code obeys each and keeps no count. Here only the frames' heads are looked at
//! as they pass. The limits are Envoy's defaults (`Http2ProtocolOptions`).

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tandem_transport::rewind::Rewind;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::coop::has_budget_remaining;

use super::Shared;
use super::goodbye::{ANSWER, UNKNOWN};

/// `max_inbound_priority_frames_per_stream`.
const PRIORITIES_PER_STREAM: u64 = 100;
/// `max_inbound_window_update_frames_per_data_frame_sent`.
const WINDOWS_PER_DATA: u64 = 10;
/// `max_consecutive_inbound_frames_with_empty_payload`.
const EMPTY_IN_A_ROW: u32 = 1;
/// `max_outbound_control_frames`: as many as want an answer in one go.
const ANSWERS_IN_A_ROW: u32 = 1000;

/// What a connection that is flooded fails with.
pub(super) const FLOODED: io::ErrorKind = io::ErrorKind::QuotaExceeded;

const PREFACE: u32 = 24;
const HEAD: usize = 9;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const PRIORITY: u8 = 2;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

/// END_STREAM, or ACK.
const END: u8 = 1;
const PADDED: u8 = 8;

/// Reads as what it wraps does, until there was too much of one kind.
#[derive(Debug)]
pub(super) struct Guarded<IO> {
    io: Rewind<IO>,
    frames: Frames,
    shared: Arc<Shared>,
    /// Bytes that are read before those of the client.
    first: &'static [u8],
}

impl<IO> Guarded<IO> {
    pub(super) fn new(io: Rewind<IO>, shared: Arc<Shared>) -> Self {
        let frames = Frames {
            rest: PREFACE,
            ..Frames::default()
        };
        Self {
            io,
            frames,
            shared,
            first: &[],
        }
    }
}

/// What has passed.
#[derive(Debug, Default)]
pub(super) struct Frames {
    /// A frame's head and, if it is padded, by how much; so far.
    head: [u8; HEAD + 1],
    had: usize,
    /// Bytes until the next head.
    rest: u32,
    streams: u64,
    priorities: u64,
    windows: u64,
    empty: u32,
    answers: u32,
    /// Where in what was looked at last the goodbye's PING is answered.
    answer: Option<usize>,
    /// Bytes of ours, each of which might be a frame's.
    written: u64,
}

impl Frames {
    /// Looks at what came; whether it is too much.
    pub(super) fn pass(&mut self, all: &[u8]) -> bool {
        let mut bytes = all;
        self.answer = None;
        loop {
            let skipped = bytes.len().min(self.rest as usize);
            bytes = &bytes[skipped..];
            self.rest -= u32::try_from(skipped).unwrap_or(self.rest);
            if bytes.is_empty() {
                return false;
            }
            let missing = self.wanted() - self.had;
            let taken = bytes.len().min(missing);
            self.head[self.had..self.had + taken].copy_from_slice(&bytes[..taken]);
            self.had += taken;
            bytes = &bytes[taken..];
            if self.had >= HEAD && self.had == self.wanted() {
                self.rest = self.length() - u32::from(self.is_padded());
                self.had = 0;
                // One that comes in pieces, which hardly happens, is not held back.
                if taken == HEAD
                    && self.head[..HEAD] == ANSWER[..HEAD]
                    && bytes.starts_with(&ANSWER[HEAD..])
                {
                    self.answer = Some(all.len() - bytes.len() - HEAD);
                }
                if self.is_too_much() {
                    return true;
                }
            }
        }
    }

    /// How many bytes there are at most until the next frame may begin; none: here.
    fn until_next(&self) -> usize {
        match (self.rest, self.had) {
            (0, 0) => 0,
            (0, had) => self.wanted() - had,
            (rest, _) => rest as usize,
        }
    }

    /// How much of a frame's beginning is looked at.
    fn wanted(&self) -> usize {
        match self.had >= HEAD && self.is_padded() {
            true => HEAD + 1,
            false => HEAD,
        }
    }

    fn length(&self) -> u32 {
        let [a, b, c, ..] = self.head;
        u32::from_be_bytes([0, a, b, c])
    }

    fn is_padded(&self) -> bool {
        let [_, _, _, kind, flags, ..] = self.head;
        matches!(kind, DATA | HEADERS) && flags & PADDED != 0 && self.length() > 0
    }

    fn is_too_much(&mut self) -> bool {
        let [_, _, _, kind, flags, ..] = self.head;
        let ends = flags & END != 0;
        match kind {
            DATA | HEADERS | CONTINUATION => {
                self.streams += u64::from(kind == HEADERS);
                let padding = match self.is_padded() {
                    true => 1 + u32::from(self.head[HEAD]),
                    false => 0,
                };
                let is_empty = self.length() <= padding && (kind == CONTINUATION || !ends);
                self.empty = if is_empty { self.empty + 1 } else { 0 };
                self.empty > EMPTY_IN_A_ROW
            }
            PRIORITY => {
                self.priorities += 1;
                self.priorities > PRIORITIES_PER_STREAM * (1 + self.streams)
            }
            WINDOW_UPDATE => {
                self.windows += 1;
                // How many frames of data were sent is not known, but how many at most.
                let data = self.written / HEAD as u64;
                self.windows > 5 + 2 * (self.streams + WINDOWS_PER_DATA * data)
            }
            SETTINGS | PING if !ends => {
                self.answers += 1;
                self.answers > ANSWERS_IN_A_ROW
            }
            _ => false,
        }
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Guarded<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let mut until = None;
        if self.shared.goodbye.is_due() {
            until = Some(self.frames.until_next()).filter(|until| *until > 0);
            if until.is_none() {
                self.shared.goodbye.is_read();
                self.first = ANSWER;
            }
        }
        if !self.first.is_empty() {
            let (now, later) = self.first.split_at(self.first.len().min(buf.remaining()));
            buf.put_slice(now);
            self.first = later;
            return Poll::Ready(Ok(()));
        }
        let polled = match until {
            None => Pin::new(&mut self.io).poll_read(cx, buf),
            Some(until) => poll_part(&mut self.io, until, cx, buf),
        };
        if polled.is_pending() && has_budget_remaining() {
            // The client has paused, not this task.
            self.frames.answers = 0;
        }
        ready!(polled)?;
        if self.frames.pass(&buf.filled()[before..]) {
            buf.set_filled(before);
            let error = io::Error::new(FLOODED, "too many frames that cost nothing");
            return Poll::Ready(Err(error));
        }
        if let Some(at) = self.frames.answer
            && self.shared.goodbye.answered()
        {
            let (kind, unknown) = UNKNOWN;
            if let Some(kind) = buf.filled_mut().get_mut(before + at + kind) {
                *kind = unknown;
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// Reads no more than `most`.
fn poll_part<IO: AsyncRead + Unpin>(
    io: &mut IO,
    most: usize,
    cx: &mut Context<'_>,
    buf: &mut ReadBuf<'_>,
) -> Poll<io::Result<()>> {
    let mut part = [0; 1024];
    let most = most.min(part.len()).min(buf.remaining());
    let mut part = ReadBuf::new(&mut part[..most]);
    ready!(Pin::new(io).poll_read(cx, &mut part))?;
    buf.put_slice(part.filled());
    Poll::Ready(Ok(()))
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Guarded<IO> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.io).poll_write(cx, buf))?;
        self.frames.written += written as u64;
        Poll::Ready(Ok(written))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.io).poll_write_vectored(cx, bufs))?;
        self.frames.written += written as u64;
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests;
