//! The end of a request: whoever drops the last of it, the line is written once.

use std::pin::Pin;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, OnceLock};
use std::task::{Context as Task, Poll};

use http::{HeaderMap, StatusCode};
use http_body::{Body as _, Frame, SizeHint};
use tandem_core::ext::wire::{Bytes, Wire};
use tandem_core::ext::{Protocol, StreamInfo};
use tandem_core::format::Context;
use tandem_core::stats::GaugeGuard;
use tandem_core::{Body, BodyError, Response, ResponseFlags};

use super::{Logs, sinks};
use crate::hcm::Stats;

/// Where the requests of one connection manager are logged and counted.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) logs: Logs,
    pub(crate) stats: Arc<Stats>,
}

/// What is said of a connection that is cut off at the end of a drain.
pub(crate) fn cut_off_here() -> (ResponseFlags, &'static str) {
    let flags = ResponseFlags::DOWNSTREAM_CONNECTION_TERMINATION;
    (flags, "downstream_local_disconnect")
}

/// What is to be done when a request is over. Dropped before the end, it says that the client
/// went away.
#[derive(Debug)]
pub struct Finish {
    info: Arc<StreamInfo>,
    shared: Arc<Shared>,
    response: Option<(StatusCode, HeaderMap)>,
    trailers: Option<HeaderMap>,
    complete: bool,
    /// Where it waits for the server to have written the answer.
    unwritten: Option<Arc<OnceLock<Finish>>>,
    active: Option<GaugeGuard>,
}

/// A request whose answer is still to be written: that it is over, but for that, is noted here.
/// Lines that show bytes on the wire wait for whoever writes them.
#[derive(Clone, Debug)]
pub(crate) struct Unwritten {
    wire: Arc<Wire>,
    finish: Arc<OnceLock<Finish>>,
}

impl Unwritten {
    /// The answer is written, or given up; this is what it all was.
    pub(crate) fn written(self, bytes: Bytes) {
        self.wire.set_downstream(bytes);
        drop(self.finish);
    }
}

impl Finish {
    /// A request that begins.
    pub(crate) fn new(info: Arc<StreamInfo>, shared: Arc<Shared>) -> Self {
        let active = shared.stats.begin(&info);
        Self {
            info,
            shared,
            response: None,
            trailers: None,
            complete: false,
            unwritten: None,
            active: Some(active),
        }
    }

    /// Attaches itself to the response's body.
    pub(crate) fn follow(mut self, response: Response) -> Response {
        let (mut parts, body) = response.into_parts();
        self.shared.stats.answered(parts.status);
        let mut kept = HeaderMap::new();
        for name in &*self.shared.logs.response_headers {
            for value in parts.headers.get_all(name) {
                kept.append(name, value.clone());
            }
        }
        if self.info.is_measured() {
            self.info.mark_answered();
            let size = tandem_core::headers::response_size(&parts.headers);
            self.info.response_header_bytes.store(size, Relaxed);
        }
        self.response = Some((parts.status, kept));
        if let Some(wire) = &self.info.wire
            && self.info.protocol != Protocol::Http2
        {
            let finish = Arc::default();
            self.unwritten = Some(Arc::clone(&finish));
            let wire = Arc::clone(wire);
            parts.extensions.insert(Unwritten { wire, finish });
        }
        if parts.status == StatusCode::SWITCHING_PROTOCOLS {
            // What follows belongs to the request: who relays it counts it.
            parts.extensions.insert(Arc::clone(&self.info));
        } else if body.is_end_stream() {
            self.complete = true;
            drop(self);
            return Response::from_parts(parts, body);
        }
        Response::from_parts(parts, Body::new(Followed { body, finish: self }))
    }
}

impl Finish {
    /// How the client left: with its connection, or by a reset of the stream alone; or that it
    /// was us who closed its connection, at the end of a drain.
    fn cut_off(&self) -> (ResponseFlags, &'static str) {
        if sinks::worker_is_ending() {
            return cut_off_here();
        }
        let has_streams = self.info.protocol == Protocol::Http2;
        if has_streams && !self.info.connection.ended.load(Relaxed) {
            (ResponseFlags::DOWNSTREAM_REMOTE_RESET, "http2.remote_reset")
        } else {
            let flags = ResponseFlags::DOWNSTREAM_CONNECTION_TERMINATION;
            (flags, "downstream_remote_disconnect")
        }
    }
}

impl Drop for Finish {
    fn drop(&mut self) {
        if !self.complete {
            let (flags, details) = self.cut_off();
            self.info.add_flags(flags);
            self.info.set_details(details);
            self.shared.stats.reset();
        }
        if let Some(unwritten) = self.unwritten.take() {
            let _ = unwritten.set(Self {
                info: Arc::clone(&self.info),
                shared: Arc::clone(&self.shared),
                response: self.response.take(),
                trailers: self.trailers.take(),
                complete: true,
                unwritten: None,
                active: self.active.take(),
            });
            return;
        }
        let duration = self.info.start.elapsed();
        let details = self.info.details.get().map(AsRef::as_ref);
        self.shared.stats.ended(duration, details);
        self.shared.logs.write(&Context {
            info: &self.info,
            request: None,
            response: self
                .response
                .as_ref()
                .map(|(status, headers)| (*status, headers)),
            trailers: self.trailers.as_ref(),
            duration: Some(duration),
        });
    }
}

/// A response body that knows when it is over.
struct Followed {
    body: Body,
    finish: Finish,
}

impl http_body::Body for Followed {
    type Data = bytes::Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        task: &mut Task<'_>,
    ) -> Poll<Option<Result<Frame<bytes::Bytes>, BodyError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(task);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(data) = frame.data_ref() {
                    self.finish
                        .info
                        .bytes_sent
                        .fetch_add(data.len() as u64, Relaxed);
                } else if let Some(trailers) = frame.trailers_ref() {
                    if self.finish.shared.logs.wants_trailers {
                        self.finish.trailers = Some(trailers.clone());
                    }
                    self.finish.complete = true;
                }
            }
            Poll::Ready(None) => self.finish.complete = true,
            Poll::Ready(Some(Err(error))) => {
                // The upstream broke off: the client sees a broken body, and did not leave.
                if let Some(reply) = tandem_core::rescue::reply(error) {
                    self.finish.info.add_flags(reply.flags);
                    let details = tandem_core::rescue::late_details(error, &reply);
                    self.finish.info.set_details(details);
                    self.finish.complete = true;
                }
            }
            Poll::Pending => {}
        }
        if self.body.is_end_stream() {
            self.finish.complete = true;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
