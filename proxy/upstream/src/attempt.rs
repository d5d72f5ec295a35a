//! One try: a host, a connection, the request on it, the head of the response.

use std::future::{Future as _, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll, Waker};

use http::request::Parts;
use http::{Request, StatusCode, Version, header};
use tandem_core::error::{Kind, LocalReply, ResetReason};
use tandem_core::ext::{Protocol, StreamInfo};
use tandem_core::headers::own_values;
use tandem_core::{Body, Error};
use tandem_model::cluster::UpstreamProtocol;
use tandem_model::matching::strip_port;

use crate::active::Active;
use crate::body::{ResponseBody, Source};
use crate::forward::misbuilt;
use crate::pool::http1::Failure;
use crate::pool::{Apart, HostPool, Place, http2};
use crate::timeout::Alarm;
use crate::transport::ServerName;
use crate::upload::{Outgoing, Upload};
use crate::{convert, outlier, switched, tunnel};

/// A response whose body may still be arriving.
pub(crate) struct Answer {
    pub(crate) head: http::response::Parts,
    pub(crate) body: AnswerBody,
}

/// Its body.
pub(crate) enum AnswerBody {
    /// All of it.
    Complete(Body),
    /// Some of it.
    Arriving(Box<ResponseBody>),
}

impl Answer {
    /// The response to pass on; `alarm` watches over the rest of it.
    pub(crate) fn into_response(self, mut alarm: Option<Alarm>) -> http::Response<Body> {
        let body = match self.body {
            AnswerBody::Complete(body) => body,
            AnswerBody::Arriving(body) => {
                if let Some(alarm) = &mut alarm {
                    alarm.answered();
                }
                body.within(alarm)
            }
        };
        http::Response::from_parts(self.head, body)
    }
}

/// Sends the request to the pool's host; the head is taken out of its slot when it is written,
/// and `connected` is set when there is a connection for it.
pub(crate) async fn send(
    pool: &Arc<HostPool>,
    head: &mut Option<Parts>,
    upload: &Upload,
    high_priority: bool,
    info: &StreamInfo,
    connected: Option<&AtomicBool>,
) -> Result<Answer, Error> {
    let apart = apart(pool, head.as_ref(), info);
    let pool = apart.as_ref().unwrap_or(pool);
    let http = &pool.cluster.config.http;
    let result = match http.protocol {
        UpstreamProtocol::Auto => {
            // Boxed: only these requests have room for it.
            Box::pin(over_either(
                pool,
                head,
                upload,
                high_priority,
                info,
                connected,
            ))
            .await
        }
        protocol if is_http2(protocol, info) => {
            over_http2(pool, head, upload, high_priority, info, connected, None).await
        }
        _ => over_http1(pool, head, upload, high_priority, info, connected, None).await,
    };
    match &result {
        Ok(answer) => outlier::answered(&pool.cluster, &pool.host, answer.head.status),
        Err(error) => failed(pool, error, info),
    }
    // A client that broke off its own body is why the upstream was left, not the upstream.
    result.map_err(|error| upload.take_error().unwrap_or(error))
}

/// The pool of what only some requests may share, if this is one of those.
fn apart(pool: &Arc<HostPool>, head: Option<&Parts>, info: &StreamInfo) -> Option<Arc<HostPool>> {
    let (name, source) = (server_name(pool, head), info.connection.source);
    let is_own = name.is_some() || source.is_some();
    is_own.then(|| pool.apart(Apart { name, source }))
}

/// The name to ask the endpoint for, where the request decides about that.
fn server_name(pool: &HostPool, head: Option<&Parts>) -> Option<ServerName> {
    let http = &pool.cluster.config.http;
    if !(http.auto_sni || http.auto_san_validation) || !pool.is_secure() {
        return None;
    }
    let head = head?;
    let other = http.override_auto_sni_header.as_ref();
    let value = other.and_then(|name| head.headers.get(name));
    let value = value.or_else(|| head.headers.get(header::HOST));
    let host = match (value.and_then(|value| value.to_str().ok()), head.uri.host()) {
        (Some(host), _) => strip_port(host),
        (None, host) => host?,
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    Some(ServerName {
        sni: Some(host.into()),
        check: http.auto_san_validation,
    })
}

fn failed(pool: &HostPool, error: &Error, info: &StreamInfo) {
    match error.kind() {
        Kind::UpstreamReset(_) => outlier::local_failure(&pool.cluster, &pool.host),
        Kind::ConnectFailure(_) => {
            // Counted where the connection was opened; here is who hears the reason.
            if let Some(cause) = error.cause() {
                let _ = info.transport_failure.set(cause.to_string().into());
            }
            info.upstream
                .store(Some(Arc::new(tandem_core::ext::UpstreamFacts {
                    host: Arc::clone(pool.target().text()),
                    cluster: Arc::clone(&pool.cluster.config.name),
                    hostname: Arc::clone(&pool.host.hostname),
                    connection: 0,
                    local: None,
                    protocol: None,
                    tls: None,
                })));
        }
        _ => {}
    }
}

fn is_http2(protocol: UpstreamProtocol, info: &StreamInfo) -> bool {
    match protocol {
        UpstreamProtocol::Downstream => info.protocol == Protocol::Http2,
        protocol => protocol == UpstreamProtocol::Http2,
    }
}

/// Where the host decides: a place that was found already, and the request, if it is counted.
type Given = Box<(Place, Option<Active>)>;

/// Over what the host has agreed to.
async fn over_either(
    pool: &Arc<HostPool>,
    head: &mut Option<Parts>,
    upload: &Upload,
    high_priority: bool,
    info: &StreamInfo,
    connected: Option<&AtomicBool>,
) -> Result<Answer, Error> {
    let given = Box::new((pool.place(high_priority).await?, None));
    if let Place::Http2(_) = given.0 {
        over_http2(
            pool,
            head,
            upload,
            high_priority,
            info,
            connected,
            Some(given),
        )
        .await
    } else {
        over_http1(
            pool,
            head,
            upload,
            high_priority,
            info,
            connected,
            Some(given),
        )
        .await
    }
}

async fn over_http1(
    pool: &Arc<HostPool>,
    head: &mut Option<Parts>,
    upload: &Upload,
    high_priority: bool,
    info: &StreamInfo,
    connected: Option<&AtomicBool>,
    mut given: Option<Given>,
) -> Result<Answer, Error> {
    let body = upload.outgoing();
    let mut converted = head.take().ok_or_else(misbuilt)?;
    convert::to_http1(&mut converted, &body);
    let upgrading = converted.headers.contains_key(header::UPGRADE);
    let mut request = Some(http1_request(converted, body, info));
    let mut counted = None;
    loop {
        // Boxed, what is rare: its future is large.
        let place = match given.take() {
            Some(given) => given.0,
            None if pool.is_auto() => Box::pin(pool.place(high_priority)).await?,
            None => match pool.idle_http1() {
                Some(connection) => Place::Http1(connection, false),
                None => Place::Http1(Box::pin(pool.wait_http1(high_priority)).await?, true),
            },
        };
        let (mut connection, fresh) = match place {
            Place::Http1(connection, fresh) => (connection, fresh),
            place @ Place::Http2(_) => {
                // Nothing was written, and the host speaks another version by now.
                *head = request.take().map(|unsent| unsent.into_parts().0);
                let given = Some(Box::new((place, counted)));
                return Box::pin(over_http2(
                    pool,
                    head,
                    upload,
                    high_priority,
                    info,
                    connected,
                    given,
                ))
                .await;
            }
        };
        info.upstream.store(Some(Arc::clone(&connection.facts)));
        if let Some(connected) = connected {
            connected.store(true, Relaxed);
        }
        let mut active = match counted.take() {
            Some(active) => active,
            None => match Active::begin(pool, high_priority) {
                Ok(active) => active,
                Err(error) => {
                    pool.give_back_http1(connection);
                    return Err(error);
                }
            },
        };
        info.mark_upstream_sent();
        connection.carry(info.wire.as_ref());
        match connection.send(&mut request).await {
            Ok(mut response) => {
                info.mark_upstream_first_byte();
                if response.status() == StatusCode::SWITCHING_PROTOCOLS {
                    if !upgrading {
                        return Err(Error::upstream_reset(ResetReason::Protocol, true));
                    }
                    // Both directions are the caller's from here.
                    if let Some(wire) = &info.wire {
                        wire.lose_upstream();
                    }
                    let tunnel = switched::tunnel(&mut response, connection, active);
                    let mut head = response.into_parts().0;
                    head.extensions.insert(tunnel);
                    return Ok(Answer {
                        head,
                        body: AnswerBody::Complete(Body::empty()),
                    });
                }
                let (mut head, incoming) = response.into_parts();
                if info.protocol == Protocol::Http2 {
                    own_values(&mut head.headers);
                }
                head.version = Version::HTTP_11;
                if !convert::is_framed_once(&head) {
                    pool.cluster.stats.upstream_cx_protocol_error.inc();
                    active.broken();
                    return Err(Error::upstream_reset(ResetReason::Protocol, true));
                }
                let detached = upload.unfinished().is_some();
                let (connection, running) = if detached {
                    // The rest of the request must go on even while the response is not read.
                    (None, Some(connection.detach()))
                } else {
                    (Some(connection), None)
                };
                let source = Source::Http1 {
                    incoming,
                    connection,
                };
                let body = ResponseBody::new(source, active, running);
                return Ok(answer(head, body));
            }
            Err(Failure::Unsent(unsent)) if !fresh => {
                // The peer had closed it while it was idle: not a try, the next connection.
                counted = Some(active);
                drop(connection);
                request = Some(*unsent);
            }
            Err(Failure::Unsent(_)) => {
                active.broken();
                return Err(Error::upstream_reset(
                    ResetReason::ConnectionTermination,
                    false,
                ));
            }
            Err(Failure::Broken(error)) => {
                active.broken();
                if let Kind::UpstreamReset(reset) = error.kind()
                    && reset.reason == ResetReason::Protocol
                {
                    pool.cluster.stats.upstream_cx_protocol_error.inc();
                }
                return Err(error);
            }
        }
    }
}

fn http1_request(head: Parts, body: Outgoing, info: &StreamInfo) -> Request<Outgoing> {
    let mut request = Request::from_parts(head, body);
    if let Some(interim) = &info.interim {
        let interim = Arc::clone(interim);
        hyper::ext::on_informational(&mut request, move |answer| {
            interim.leave(answer.status(), answer.headers());
        });
    }
    request
}

async fn over_http2(
    pool: &Arc<HostPool>,
    head: &mut Option<Parts>,
    upload: &Upload,
    high_priority: bool,
    info: &StreamInfo,
    connected: Option<&AtomicBool>,
    given: Option<Given>,
) -> Result<Answer, Error> {
    let mut upgrade = None;
    if let Some(head) = head {
        convert::to_http2(head)?;
        upgrade = head.extensions.get::<h2::ext::Protocol>().cloned();
    }
    if upgrade.is_some() && !matches!(upload, Upload::Empty) {
        return Err(Error::reply(LocalReply::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "an upgrade with a body cannot go to an HTTP/2 upstream",
            "upgrade_with_a_body",
        )));
    }
    let (slot, counted) = match given.map(|given| *given) {
        Some((Place::Http2(slot), counted)) => (slot, counted),
        _ => match pool.open_http2() {
            Some(slot) => (slot, None),
            None => (Box::pin(pool.wait_http2(high_priority)).await?, None),
        },
    };
    info.upstream.store(Some(Arc::clone(slot.facts())));
    if let Some(wire) = &info.wire {
        wire.lose_upstream();
    }
    if let Some(connected) = connected {
        connected.store(true, Relaxed);
    }
    let active = counted.map_or_else(|| Active::begin(pool, high_priority), Ok)?;
    let mut active = active.stream();
    let mut sender = slot.sender();
    let broken = |mut active: Active, error: h2::Error, sent: bool| {
        active.broken();
        Err(http2::broken(error, sent))
    };
    if let Err(error) = poll_fn(|cx| sender.poll_ready(cx)).await {
        return broken(active, error, false);
    }
    let body = upload.outgoing();
    let head = head.take().ok_or_else(misbuilt)?;
    let empty = matches!(body, Outgoing::Empty);
    // gRPC ends a request by a DATA frame: servers of grpc-go wait for one for ever.
    let at_once = empty && upgrade.is_none() && !tandem_core::grpc::is_grpc(&head.headers);
    info.mark_upstream_sent();
    let sent = sender.send_request(Request::from_parts(head, ()), at_once);
    let (mut response, mut stream) = match sent {
        Ok(sent) => sent,
        Err(error) => return broken(active, error, false),
    };
    if let Some(protocol) = upgrade {
        // Boxed: it is rare.
        return Box::pin(tunnel::open(
            protocol,
            (response, stream),
            slot,
            active,
            info,
        ))
        .await;
    }
    let mut rest = None;
    match body {
        Outgoing::Empty if at_once => {}
        Outgoing::Empty => {
            if let Err(error) = stream.send_data(bytes::Bytes::new(), true) {
                return broken(active, error, true);
            }
        }
        Outgoing::Full(bytes) => {
            if let Err(error) = stream.send_data(bytes.unwrap_or_default(), true) {
                return broken(active, error, true);
            }
        }
        body @ Outgoing::Stream { .. } => {
            rest = Some(tokio::spawn(http2::pump(body, stream)).abort_handle());
        }
    }
    let rest = AbortOnDrop(rest);
    let answered = poll_fn(|cx| {
        while let Poll::Ready(Some(Ok(begun))) = response.poll_informational(cx) {
            if begun.status() == StatusCode::SWITCHING_PROTOCOLS {
                return Poll::Ready(None);
            }
            if let Some(interim) = &info.interim {
                interim.leave(begun.status(), begun.headers());
            }
        }
        Pin::new(&mut response).poll(cx).map(Some)
    });
    match answered.await {
        // HTTP/2 has no switch to another protocol (RFC 9113, 8.6), and no answer follows it.
        None => {
            pool.cluster.stats.upstream_cx_protocol_error.inc();
            active.broken();
            Err(Error::upstream_reset(ResetReason::Protocol, true))
        }
        Some(Ok(response)) => {
            info.mark_upstream_first_byte();
            let (mut head, stream) = response.into_parts();
            head.version = Version::HTTP_11;
            // The status is one of them. As in Envoy, what ends the stream is told as a reset.
            let most = pool.cluster.config.http.max_headers_count as usize;
            if head.headers.len() >= most {
                active.broken();
                return Err(Error::upstream_reset(ResetReason::Remote, true));
            }
            let source = Source::Http2 {
                stream,
                _slot: slot,
                data_done: false,
            };
            let body = ResponseBody::new(source, active, rest.keep());
            Ok(answer(head, body))
        }
        Some(Err(error)) => {
            active.broken();
            Err(http2::broken(error, true))
        }
    }
}

/// Looks whether the whole body is here already. Nobody is to be woken yet: whoever reads on
/// polls again, and so this needs no await, whose locals every request's future would carry.
pub(crate) fn answer(head: http::response::Parts, mut body: ResponseBody) -> Answer {
    let complete = body.take_if_complete(&mut Context::from_waker(Waker::noop()));
    Answer {
        head,
        body: match complete {
            Some(body) => AnswerBody::Complete(body),
            None => AnswerBody::Arriving(Box::new(body)),
        },
    }
}

struct AbortOnDrop(Option<tokio::task::AbortHandle>);

impl AbortOnDrop {
    fn keep(mut self) -> Option<tokio::task::AbortHandle> {
        self.0.take()
    }
}

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        if let Some(task) = self.0.take() {
            task.abort();
        }
    }
}
