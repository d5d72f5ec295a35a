//! From a head to the service's answer.

use std::future::{Future as _, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::header::{EXPECT, HOST};
use http::{HeaderValue, Method, StatusCode, Version};
use tandem_core::error::LocalReply;
use tandem_core::ext::{Interim, Rejected};
use tandem_core::{Body, BoxFuture, Error, Request, Response, ResponseFlags};
use tandem_transport::h1::Head;
use tandem_transport::h1::encode::{self, Framing};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::unconstrained;

use super::super::Unreadable;
use super::{After, Connection, End};

/// What the response depends on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) version: Version,
    pub(super) is_head: bool,
    pub(super) keep_alive: bool,
    pub(super) upgrade: bool,
}

type Call = BoxFuture<Result<Response, Error>>;

/// A request that the service has, whose answer is not here yet. It has begun when its connection's
/// task waits for it: what a head is made of would be a part of every connection's state.
pub(super) struct Exchange {
    asked: Asked,
    call: Call,
    interim: Option<Arc<Interim>>,
}

impl<IO: AsyncRead + AsyncWrite + Unpin + Send + 'static> Connection<IO> {
    /// Begins to serve a request.
    pub(super) fn begin(&mut self, head: Head) -> Exchange {
        let asked = Asked {
            version: head.request.version(),
            is_head: head.request.method() == Method::HEAD,
            keep_alive: head.keep_alive,
            upgrade: head.upgrade,
        };
        let rejected = self.objection(&head);
        let body = self.begin_body(head.framing);
        let mut request = head.request.map(|()| body);
        // HTTP/1.0 has no interim answers (RFC 9110, 15.2).
        let passes = self.server.manager.proxy_100_continue && asked.version != Version::HTTP_10;
        let interim = passes.then(Arc::<Interim>::default);
        if let Some(interim) = &interim {
            request.extensions_mut().insert(Arc::clone(interim));
        } else if head.expect_continue {
            request.headers_mut().remove(EXPECT);
            let interim = b"HTTP/1.1 100 Continue\r\n\r\n";
            self.output.buffer().extend_from_slice(interim);
        }
        if asked.version == Version::HTTP_10 && !request.headers().contains_key(HOST) {
            let host = &self.server.manager.default_host_for_http_10;
            if let Ok(host) = HeaderValue::from_str(host)
                && !host.is_empty()
            {
                request.headers_mut().insert(HOST, host);
            }
        }
        if let Some(reply) = rejected {
            request.extensions_mut().insert(Rejected(reply));
        }
        self.requests = self.requests.saturating_add(1);
        self.dispatch(request, asked, interim)
    }

    /// Begins to answer bytes that are no request.
    pub(super) fn refuse(&mut self, reply: LocalReply) -> Exchange {
        self.broken = true;
        let mut request = Request::new(Body::empty());
        request.extensions_mut().insert(Rejected(reply));
        request.extensions_mut().insert(Unreadable);
        let asked = Asked {
            version: Version::HTTP_11,
            is_head: false,
            keep_alive: false,
            upgrade: false,
        };
        self.dispatch(request, asked, None)
    }

    fn dispatch(
        &self,
        mut request: Request,
        asked: Asked,
        interim: Option<Arc<Interim>>,
    ) -> Exchange {
        request.extensions_mut().insert(Arc::clone(&self.info));
        Exchange {
            asked,
            call: self.server.service.dispatch(request),
            interim,
        }
    }

    /// Serves a request to its end.
    pub(super) async fn serve(&mut self, exchange: Exchange) -> After {
        let Exchange {
            asked,
            mut call,
            interim,
        } = exchange;
        let answer = poll_fn(|cx| self.poll_call(&mut call, interim.as_deref(), cx)).await;
        let response = match answer {
            Some(Ok(response)) => response,
            // Nobody to answer, or nothing to say.
            Some(Err(_)) => return After::Ended(End::Local),
            None => return After::Ended(End::Remote),
        };
        drop(call);
        if asked.upgrade && response.status() == StatusCode::SWITCHING_PROTOCOLS {
            // Boxed, as it is rare.
            return Box::pin(self.switch(response, asked)).await;
        }
        let download = self.respond(response, asked);
        self.send(download).await
    }

    /// Runs the service; `None` when the client is gone, which ends the call by dropping it.
    fn poll_call(
        &mut self,
        call: &mut Call,
        interim: Option<&Interim>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Response, Error>>> {
        if !self.output.is_empty()
            && let Poll::Ready(Err(_)) = self.output.poll_flush(&mut self.io, cx)
        {
            return Poll::Ready(None);
        }
        let polled = call.as_mut().poll(cx);
        let begun = interim.and_then(Interim::take);
        if let Some((status, headers)) = &begun {
            let version = Version::HTTP_11;
            let out = self.output.buffer();
            encode::head(out, version, *status, headers, Framing::None, false);
        }
        if let Poll::Ready(answer) = polled {
            return Poll::Ready(Some(answer));
        }
        if begun.is_some()
            && let Poll::Ready(Err(_)) = self.output.poll_flush(&mut self.io, cx)
        {
            return Poll::Ready(None);
        }
        // Even if the call has used up the task's budget: that its client has left must be seen.
        let input = unconstrained(poll_fn(|cx| self.poll_input(cx)));
        pin!(input).poll(cx).map(|_lost| None)
    }

    /// What makes a well-formed head unacceptable. The rest of the message was understood, so
    /// the record shows the request.
    fn objection(&self, head: &Head) -> Option<LocalReply> {
        let headers = head.request.headers();
        if head.request.method() == Method::CONNECT {
            return Some(
                LocalReply::new(StatusCode::NOT_FOUND, "", "route_not_found")
                    .flags(ResponseFlags::NO_ROUTE)
                    .close(),
            );
        }
        if head.fragment {
            let status = StatusCode::BAD_REQUEST;
            return Some(LocalReply::new(status, "", "path_normalization_failed").close());
        }
        let default_host = head.request.version() == Version::HTTP_10
            && !self.server.manager.default_host_for_http_10.is_empty();
        if !headers.contains_key(HOST) && !default_host {
            let status = StatusCode::BAD_REQUEST;
            return Some(LocalReply::new(status, "", "missing_host_header").close());
        }
        None
    }
}
