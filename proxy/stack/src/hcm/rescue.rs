//! The rescue of this seam: errors become answers, and say in the record what they were.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{Method, StatusCode};
use http_body::{Body as _, Frame, SizeHint};
use tandem_core::error::{Kind, LocalReply};
use tandem_core::ext::StreamInfo;
use tandem_core::{Body, BodyError, Error, Request, Response, rescue};
use tower::{Layer, Service};

use crate::after::{After, Finally};

/// Wraps services in [`Rescue`].
#[derive(Clone, Copy, Debug)]
pub struct RescueLayer;

impl<S> Layer<S> for RescueLayer {
    type Service = Rescue<S>;

    fn layer(&self, inner: S) -> Rescue<S> {
        Rescue { inner }
    }
}

/// Answers for what fails behind it. Only a client that went away stays an error.
#[derive(Clone, Debug)]
pub struct Rescue<S> {
    inner: S,
}

impl<S> Service<Request> for Rescue<S>
where
    S: Service<Request, Response = Response, Error = Error>,
{
    type Response = Response;
    type Error = Error;
    type Future = After<S::Future, Reply>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let info = request.extensions().get::<Arc<StreamInfo>>().cloned();
        let is_head = request.method() == Method::HEAD;
        let is_grpc = info.as_ref().is_some_and(|info| info.is_grpc);
        let reply = Reply {
            info,
            is_head,
            is_grpc,
        };
        After::new(self.inner.call(request), reply)
    }
}

/// What a reply to the request needs to know of it.
#[derive(Debug)]
pub struct Reply {
    info: Option<Arc<StreamInfo>>,
    is_head: bool,
    is_grpc: bool,
}

impl Finally for Reply {
    fn finally(self, outcome: Result<Response, Error>) -> Result<Response, Error> {
        let error = match outcome {
            // Trailers in place of promised bytes would be a second fault: that is reset.
            Ok(response)
                if self.is_grpc
                    && !response.body().is_end_stream()
                    && !response.headers().contains_key(CONTENT_LENGTH) =>
            {
                let info = self.info;
                return Ok(response.map(|body| {
                    Body::new(Rescued {
                        body,
                        info,
                        failed: false,
                    })
                }));
            }
            Ok(response) => return Ok(response),
            Err(error) => error,
        };
        let Some(mut reply) = rescue::reply(&error) else {
            return Err(error);
        };
        tracing::debug!(%error, "answered locally");
        if let Some(info) = &self.info {
            blame(&mut reply, &error, info);
            info.add_flags(reply.flags);
            info.set_details(match info.has_begun() {
                true => rescue::late_details(&error, &reply),
                false => reply.details.clone(),
            });
        }
        Ok(rescue::respond(reply, self.is_grpc, self.is_head))
    }
}

/// What the record knows and the error does not: whose fault a timeout is, and whether there
/// were tries before.
fn blame(reply: &mut LocalReply, error: &Error, info: &StreamInfo) {
    match error.kind() {
        // The client has sent everything: it is the upstream that took too long.
        Kind::StreamIdleTimeout | Kind::MaxStreamDuration if info.request_duration().is_some() => {
            reply.status = StatusCode::GATEWAY_TIMEOUT;
        }
        Kind::ConnectFailure(_) | Kind::UpstreamReset(_) if info.attempts.load(Relaxed) > 1 => {
            if let Ok(text) = std::str::from_utf8(&reply.body) {
                let text = text.replacen("reset reason", "retried and the latest reset reason", 1);
                reply.body = Bytes::from(text);
            }
        }
        _ => {}
    }
}

/// A gRPC response body whose late failure becomes trailers.
struct Rescued {
    body: Body,
    info: Option<Arc<StreamInfo>>,
    failed: bool,
}

impl http_body::Body for Rescued {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if self.failed {
            return Poll::Ready(None);
        }
        match Pin::new(&mut self.body).poll_frame(task) {
            Poll::Ready(Some(Err(error))) => {
                self.failed = true;
                if let (Some(info), Some(reply)) = (&self.info, rescue::reply(&error)) {
                    info.add_flags(reply.flags);
                    info.set_details(rescue::late_details(&error, &reply));
                }
                Poll::Ready(Some(Ok(Frame::trailers(rescue::late_trailers(&error)))))
            }
            other => other,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.failed || self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
