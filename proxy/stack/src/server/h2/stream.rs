//! One HTTP/2 stream: a request, its response.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::header::{CONNECTION, EXPECT, HOST, HeaderName, TRANSFER_ENCODING, UPGRADE};
use http::request::Parts;
use http::uri::Authority;
use http::{HeaderMap, Method, StatusCode};
use http_body::Body as _;
use tandem_core::error::LocalReply;
use tandem_core::ext::{ConnectionInfo, Interim, Rejected};
use tandem_core::headers::has_connection_fields;
use tandem_core::{Body, Response, ResponseFlags};
use tandem_transport::deadline::Deadline;

use super::super::Server;
use super::{Shared, body};

/// A stream that is counted as open on its connection.
pub(super) struct Active(Arc<Shared>);

impl Active {
    pub(super) fn new(shared: &Arc<Shared>) -> Self {
        shared.active.fetch_add(1, Relaxed);
        Self(Arc::clone(shared))
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        self.0.active.fetch_sub(1, Relaxed);
    }
}

/// Serves one request. Dropping the service's future is how it learns of a cancellation.
pub(super) async fn serve(
    server: Arc<Server>,
    info: Arc<ConnectionInfo>,
    request: http::Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    active: Active,
) {
    let (mut parts, receive) = request.into_parts();
    if is_ambiguous(&parts) {
        respond.send_reset(Reason::PROTOCOL_ERROR);
        return;
    }
    let is_head = parts.method == Method::HEAD;
    if parts.uri.authority().is_some() {
        // `:authority` is what counts; another `host` would be a second opinion.
        parts.headers.remove(HOST);
    }
    if parts.method == Method::CONNECT {
        let reply = LocalReply::new(StatusCode::NOT_FOUND, "", "route_not_found");
        parts
            .extensions
            .insert(Rejected(reply.flags(ResponseFlags::NO_ROUTE)));
    }
    parts.extensions.insert(info);
    let passes = server.manager.proxy_100_continue;
    let interim = passes.then(Arc::<Interim>::default);
    if let Some(interim) = &interim {
        parts.extensions.insert(Arc::clone(interim));
    } else if expects_continue(&parts.headers) {
        parts.headers.remove(EXPECT);
        let mut go_on = http::Response::new(());
        *go_on.status_mut() = StatusCode::CONTINUE;
        let _ = respond.send_informational(go_on);
    }
    let mut receive = Some(receive);
    let body = poll_fn(|cx| {
        Poll::Ready(
            receive
                .take()
                .map_or_else(Body::empty, |receive| body::begin(receive, cx)),
        )
    })
    .await;
    let mut call = server
        .service
        .dispatch(http::Request::from_parts(parts, body));
    let answer = poll_fn(|cx| {
        let polled = call.as_mut().poll(cx);
        if let Some((status, headers)) = interim.as_deref().and_then(Interim::take) {
            let mut begun = http::Response::new(());
            (*begun.status_mut(), *begun.headers_mut()) = (status, headers);
            let _ = respond.send_informational(begun);
        }
        if let Poll::Ready(answer) = polled {
            return Poll::Ready(Some(answer));
        }
        respond.poll_reset(cx).map(|_| None)
    })
    .await;
    drop(call);
    match answer {
        Some(Ok(response)) => send(&server, response, is_head, &mut respond).await,
        Some(Err(_)) => respond.send_reset(Reason::CANCEL),
        None => {
            active.0.premature_resets.fetch_add(1, Relaxed);
        }
    }
}

async fn send(
    server: &Server,
    response: Response,
    is_head: bool,
    respond: &mut SendResponse<Bytes>,
) {
    let (mut parts, mut body) = response.into_parts();
    if has_connection_fields(&parts.headers) {
        strip(&mut parts.headers);
    }
    let end = is_head || body.is_end_stream();
    let head = http::Response::from_parts(parts, ());
    let Ok(mut stream) = respond.send_response(head, end) else {
        return;
    };
    if end {
        return;
    }
    let mut deadline = Deadline::new();
    let mut stalled = false;
    let outcome = poll_fn(|cx| {
        loop {
            if stream.capacity() == 0 {
                match poll_capacity(&mut stream, cx) {
                    Poll::Ready(true) => stalled = false,
                    Poll::Ready(false) => return Poll::Ready(None),
                    Poll::Pending => {
                        if !stalled {
                            stalled = true;
                            deadline.set_after(server.manager.stream_idle_timeout);
                        }
                        return deadline.poll(cx).map(|()| Some(Reason::NO_ERROR));
                    }
                }
            }
            if stream.poll_reset(cx).is_ready() {
                return Poll::Ready(None);
            }
            match ready!(Pin::new(&mut body).poll_frame(cx)) {
                None => {
                    let _ = stream.send_data(Bytes::new(), true);
                    return Poll::Ready(None);
                }
                Some(Err(_)) => return Poll::Ready(Some(Reason::INTERNAL_ERROR)),
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => {
                        let end = body.is_end_stream();
                        if stream.send_data(data, end).is_err() || end {
                            return Poll::Ready(None);
                        }
                    }
                    Err(frame) => {
                        if let Ok(trailers) = frame.into_trailers() {
                            let _ = stream.send_trailers(trailers);
                        }
                        return Poll::Ready(None);
                    }
                },
            }
        }
    })
    .await;
    if let Some(reason) = outcome {
        // A reset discards what is still queued: let the connection send it first.
        tokio::task::yield_now().await;
        stream.send_reset(reason);
    }
}

/// Whether there is room to send; `false` when the stream is gone.
fn poll_capacity(stream: &mut SendStream<Bytes>, cx: &mut Context<'_>) -> Poll<bool> {
    stream.reserve_capacity(1);
    while stream.capacity() == 0 {
        match ready!(stream.poll_capacity(cx)) {
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return Poll::Ready(false),
        }
    }
    Poll::Ready(true)
}

/// Whether one reader could take it to be for another host than the next: of two `host` fields one
/// reads the first and another the last, and not all know where user information ends. Envoy
/// refuses both too.
fn is_ambiguous(parts: &Parts) -> bool {
    let authority = parts.uri.authority().map_or("", Authority::as_str);
    authority.contains('@') || parts.headers.get_all(HOST).iter().nth(1).is_some()
}

fn expects_continue(headers: &HeaderMap) -> bool {
    let expects = headers.get(EXPECT);
    expects.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

/// Fields that HTTP/2 does not have (RFC 9113, 8.2.2).
fn strip(headers: &mut HeaderMap) {
    for name in [
        CONNECTION,
        TRANSFER_ENCODING,
        UPGRADE,
        HeaderName::from_static("keep-alive"),
        HeaderName::from_static("proxy-connection"),
    ] {
        headers.remove(name);
    }
}
