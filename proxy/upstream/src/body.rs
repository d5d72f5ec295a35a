//! The response body on its way down: it polls its HTTP/1 connection, gives back what it used,
//! and obeys the limits that go on until the response is complete.

use std::pin::Pin;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;
use tandem_core::error::Kind;
use tandem_core::{Body, Error};
use tokio::task::AbortHandle;

use crate::active::Active;
use crate::outlier;
use crate::pool::{http1, http2};
use crate::timeout::Alarm;

/// A response body that is still arriving.
pub(crate) struct ResponseBody {
    source: Source,
    /// What was read ahead: chunks, or why there are no more.
    first: Option<Result<Bytes, Error>>,
    second: Option<Result<Bytes, Error>>,
    active: Active,
    alarm: Option<Alarm>,
    /// Sends the rest of the request meanwhile.
    upload: Option<AbortHandle>,
    done: bool,
}

/// Where it comes from.
pub(crate) enum Source {
    Http1 {
        incoming: Incoming,
        /// `None`: it runs on its own.
        connection: Option<Box<http1::Connection>>,
    },
    Http2 {
        stream: h2::RecvStream,
        _slot: http2::Slot,
        data_done: bool,
    },
}

impl ResponseBody {
    pub(crate) fn new(source: Source, active: Active, upload: Option<AbortHandle>) -> Self {
        Self {
            source,
            first: None,
            second: None,
            active,
            alarm: None,
            upload,
            done: false,
        }
    }

    /// If the whole body has arrived already, that; nothing is left to wait for then.
    pub(crate) fn take_if_complete(&mut self, cx: &mut Context<'_>) -> Option<Body> {
        if self.is_end_stream() {
            self.finish();
            return Some(Body::empty());
        }
        let mut data = None;
        loop {
            match self.poll_source(cx) {
                Poll::Ready(None) => {
                    self.finish();
                    return Some(data.map_or_else(Body::empty, Body::from));
                }
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(chunk) if data.is_some() => {
                        self.second = Some(Ok(chunk));
                        break;
                    }
                    Ok(chunk) if self.source.is_end_stream() => {
                        self.finish();
                        return Some(Body::from(chunk));
                    }
                    Ok(chunk) => data = Some(chunk),
                    Err(frame) => {
                        self.finish();
                        let trailers = frame.into_trailers().ok();
                        return Some(Body::new(Last { data, trailers }));
                    }
                },
                Poll::Ready(Some(Err(error))) if data.is_some() => {
                    self.second = Some(Err(error));
                    break;
                }
                Poll::Ready(Some(Err(error))) => {
                    self.first = Some(Err(error));
                    return None;
                }
                Poll::Pending => break,
            }
            if let Source::Http1 { .. } = self.source {
                // Its end would have come with the chunk; HTTP/2 may have trailers waiting.
                break;
            }
        }
        self.first = data.map(Ok);
        None
    }

    /// With the limits that the rest of the response has to meet.
    pub(crate) fn within(mut self, alarm: Option<Alarm>) -> Body {
        self.alarm = alarm;
        Body::new(self)
    }

    fn poll_source(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match &mut self.source {
            Source::Http1 {
                incoming,
                connection,
            } => {
                let mut polled = Pin::new(&mut *incoming).poll_frame(cx);
                if polled.is_pending()
                    && let Some(connection) = connection
                {
                    connection.drive(cx);
                    polled = Pin::new(incoming).poll_frame(cx);
                }
                match polled {
                    Poll::Pending => Poll::Pending,
                    Poll::Ready(Some(Ok(frame))) if frame.is_trailers() => {
                        // As Envoy without `enable_trailers`: HTTP/1 trailers end here.
                        Poll::Ready(None)
                    }
                    Poll::Ready(frame) => {
                        Poll::Ready(frame.map(|frame| frame.map_err(http1::no_body)))
                    }
                }
            }
            Source::Http2 {
                stream, data_done, ..
            } => {
                if !*data_done {
                    match stream.poll_data(cx) {
                        Poll::Pending => return Poll::Pending,
                        Poll::Ready(Some(Ok(data))) => {
                            let _ = stream.flow_control().release_capacity(data.len());
                            return Poll::Ready(Some(Ok(Frame::data(data))));
                        }
                        // Whatever the reason: a reset after the end of the stream, by which
                        // a peer that has said all wants no more of the request, is not seen here.
                        Poll::Ready(Some(Err(error))) => {
                            return Poll::Ready(Some(Err(http2::broken(error, true))));
                        }
                        Poll::Ready(None) => *data_done = true,
                    }
                }
                stream.poll_trailers(cx).map(|trailers| match trailers {
                    Ok(trailers) => trailers.map(|trailers| Ok(Frame::trailers(trailers))),
                    Err(error) => Some(Err(http2::broken(error, true))),
                })
            }
        }
    }

    fn finish(&mut self) {
        if std::mem::replace(&mut self.done, true) {
            return;
        }
        self.active.complete();
        self.alarm = None;
        if let Some(upload) = self.upload.take() {
            upload.abort();
        }
        if let Source::Http1 { connection, .. } = &mut self.source
            && let Some(connection) = connection.take()
        {
            self.active.pool.give_back_http1(connection);
        }
    }

    /// Counts a limit that passed in the middle of the answer.
    fn timed_out(&self, kind: &Kind) {
        let pool = &self.active.pool;
        let stats = &pool.cluster.stats;
        match kind {
            // Headers came in time: that does not speak against the host.
            Kind::RequestTimeout => {
                stats.upstream_rq_timeout.inc();
                pool.host.state.timeouts.fetch_add(1, Relaxed);
            }
            Kind::PerTryIdleTimeout => {
                stats.upstream_rq_per_try_idle_timeout.inc();
                outlier::timed_out(&pool.cluster, &pool.host);
            }
            _ => {}
        }
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if self.done {
            return Poll::Ready(None);
        }
        if let Some(ahead) = self.first.take().or_else(|| self.second.take()) {
            if ahead.is_err() {
                self.active.broken();
                self.done = true;
            }
            return Poll::Ready(Some(ahead.map(Frame::data)));
        }
        let polled = self.poll_source(cx);
        match &polled {
            Poll::Pending => {
                if let Some(alarm) = &mut self.alarm
                    && let Poll::Ready(error) = alarm.poll(cx)
                {
                    self.done = true;
                    self.timed_out(error.kind());
                    return Poll::Ready(Some(Err(error)));
                }
            }
            Poll::Ready(None) => self.finish(),
            Poll::Ready(Some(Err(_))) => {
                self.active.broken();
                self.done = true;
            }
            Poll::Ready(Some(Ok(frame))) => {
                if frame.is_trailers() || self.source.is_end_stream() {
                    self.finish();
                }
            }
        }
        polled
    }
}

impl Source {
    fn is_end_stream(&self) -> bool {
        match self {
            Self::Http1 { incoming, .. } => incoming.is_end_stream(),
            Self::Http2 { stream, .. } => stream.is_end_stream(),
        }
    }
}

impl http_body::Body for ResponseBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = self.get_mut();
        let polled = this.poll_next(cx);
        if polled.is_ready()
            && let Some(alarm) = &mut this.alarm
        {
            alarm.moved();
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        let ahead = self.first.is_some() || self.second.is_some();
        self.done || (!ahead && self.source.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        let rest = match &self.source {
            Source::Http1 { incoming, .. } => incoming.size_hint(),
            Source::Http2 { .. } => SizeHint::default(),
        };
        match (&self.first, rest.exact()) {
            (None, _) => rest,
            (Some(Ok(first)), Some(exact)) => SizeHint::with_exact(exact + first.len() as u64),
            (Some(_), _) => SizeHint::default(),
        }
    }
}

impl Drop for ResponseBody {
    fn drop(&mut self) {
        if let Some(upload) = self.upload.take() {
            upload.abort();
        }
    }
}

/// What was left of a response, all of it here: a gRPC answer, for instance.
struct Last {
    data: Option<Bytes>,
    trailers: Option<http::HeaderMap>,
}

impl http_body::Body for Last {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let data = self.data.take().map(Frame::data);
        let next = data.or_else(|| self.trailers.take().map(Frame::trailers));
        Poll::Ready(next.map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.data.is_none() && self.trailers.is_none()
    }
}
