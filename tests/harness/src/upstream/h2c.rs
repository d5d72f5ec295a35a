//! The HTTP/2 side of the upstream.

use std::sync::Arc;

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::{Request, Response};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::log::Entry;
use super::{End, Log, Seen, script_for};
use crate::head;
use crate::script::{Break, Script};

pub(super) async fn serve(stream: TcpStream, server: &'static str, connection: u64, log: Arc<Log>) {
    let mut builder = h2::server::Builder::new();
    builder
        .initial_window_size(1 << 20)
        .initial_connection_window_size(16 << 20);
    builder.max_concurrent_streams(1000);
    builder.enable_connect_protocol();
    let Ok(mut conn) = builder.handshake::<_, Bytes>(stream).await else {
        return;
    };
    let mut streams = JoinSet::new();
    loop {
        tokio::select! {
            accepted = conn.accept() => match accepted {
                Some(Ok((request, respond))) => {
                    let log = Arc::clone(&log);
                    streams.spawn(exchange(request, respond, server, connection, log));
                }
                Some(Err(_)) | None => break,
            },
            Some(done) = streams.join_next() => {
                // `close` and `hangup` say goodbye, and the streams that run may finish.
                if matches!(done, Ok(Some(Close))) {
                    conn.graceful_shutdown();
                }
            }
        }
    }
}

struct Close;

async fn exchange(
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    server: &'static str,
    connection: u64,
    log: Arc<Log>,
) -> Option<Close> {
    let (parts, body) = request.into_parts();
    let mut headers = head::from_map(&parts.headers);
    if let Some(authority) = parts.uri.authority() {
        headers.insert(0, (":authority".into(), authority.to_string()));
    }
    let protocol = parts.extensions.get::<h2::ext::Protocol>();
    if let Some(protocol) = protocol {
        headers.insert(0, (":protocol".into(), protocol.as_str().to_owned()));
    }
    let tunnel = protocol.is_some();
    let path = parts.uri.path_and_query().map_or("", |path| path.as_str());
    let scheme = parts.uri.scheme_str().unwrap_or("-");
    let script = script_for(&headers, &log);
    let entry = log.begin(Seen {
        server,
        connection,
        protocol: "HTTP/2",
        line: format!("{} {path} HTTP/2 {scheme}", parts.method),
        headers,
        ..Seen::default()
    });
    if script.broken == Some(Break::AtOnce) {
        log.update(entry, |seen| seen.end = End::Ignored);
        respond.send_reset(Reason::REFUSED_STREAM);
        return None;
    }
    if script.upgrade && tunnel {
        switch(body, respond, &script, &log, entry).await;
        return None;
    }
    for status in &script.interim {
        let mut interim = Response::builder().status(*status);
        if *status == 103 {
            interim = interim.header("link", "</style.css>");
        }
        let _ = respond.send_informational(interim.body(()).unwrap());
    }
    if script.early {
        log.update(entry, |seen| seen.end = End::Ignored);
    } else {
        read(body, &log, entry).await;
        tokio::time::sleep(script.delay).await;
    }
    let data = if script.echo {
        log.body_of(entry)
    } else {
        script.body.clone()
    };
    answer(respond, &script, parts.method.as_str(), data).await;
    (script.close || script.hangup).then_some(Close)
}

/// Answers an extended CONNECT (RFC 8441); then every byte comes back.
async fn switch(
    mut body: RecvStream,
    mut respond: SendResponse<Bytes>,
    script: &Script,
    log: &Log,
    entry: Entry,
) {
    let mut response = Response::new(());
    *response.headers_mut() = head::to_map(&script.headers);
    let Ok(mut stream) = respond.send_response(response, false) else {
        return;
    };
    while let Some(data) = body.data().await {
        if script.broken.is_some() {
            log.update(entry, |seen| seen.end = End::Ignored);
            return stream.send_reset(Reason::INTERNAL_ERROR);
        }
        match data {
            Ok(data) => {
                let _ = body.flow_control().release_capacity(data.len());
                log.update(entry, |seen| seen.body.extend_from_slice(&data));
                send(&mut stream, &data).await;
            }
            Err(error) => return log.update(entry, |seen| seen.end = aborted(&error)),
        }
    }
    log.update(entry, |seen| seen.end = End::Complete);
    let _ = stream.send_data(Bytes::new(), true);
}

async fn read(mut body: RecvStream, log: &Log, entry: Entry) {
    while let Some(data) = body.data().await {
        match data {
            Ok(data) => {
                let _ = body.flow_control().release_capacity(data.len());
                log.update(entry, |seen| seen.body.extend_from_slice(&data));
            }
            Err(error) => return log.update(entry, |seen| seen.end = aborted(&error)),
        }
    }
    match body.trailers().await {
        Ok(trailers) => log.update(entry, |seen| {
            seen.trailers = trailers.as_ref().map(head::from_map).unwrap_or_default();
            seen.end = End::Complete;
        }),
        Err(error) => log.update(entry, |seen| seen.end = aborted(&error)),
    }
}

fn aborted(error: &h2::Error) -> End {
    End::Aborted(
        error
            .reason()
            .map_or("closed".into(), |reason| format!("{reason:?}")),
    )
}

async fn answer(mut respond: SendResponse<Bytes>, script: &Script, method: &str, body: Vec<u8>) {
    if script.broken == Some(Break::BeforeHead) {
        respond.send_reset(Reason::INTERNAL_ERROR);
        return;
    }
    let mut response = Response::new(());
    *response.status_mut() = http::StatusCode::from_u16(script.status).unwrap();
    let mut headers = script.headers.clone();
    if !script.in_chunks() && !script.eof && !script.bare && script.status != 204 {
        headers.push(("content-length".into(), body.len().to_string()));
    }
    *response.headers_mut() = head::to_map(&headers);
    let has_body = script.has_body(method);
    let empty = !has_body || (body.is_empty() && script.trailers.is_empty());
    let only_head = empty && script.broken.is_none();
    let Ok(mut stream) = respond.send_response(response, only_head) else {
        return;
    };
    if only_head {
        return;
    }
    if script.broken == Some(Break::AfterHead) {
        return stream.send_reset(Reason::INTERNAL_ERROR);
    }
    let (first, second) = body.split_at(body.len() / 2);
    send(&mut stream, first).await;
    if script.broken == Some(Break::MidBody) {
        // The half of the body has to be on its way before the reset overtakes it.
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        return stream.send_reset(Reason::INTERNAL_ERROR);
    }
    tokio::time::sleep(script.pause).await;
    send(&mut stream, second).await;
    if script.trailers.is_empty() {
        let _ = stream.send_data(Bytes::new(), true);
    } else {
        let _ = stream.send_trailers(head::to_map(&script.trailers));
    }
}

async fn send(stream: &mut SendStream<Bytes>, mut data: &[u8]) {
    while !data.is_empty() {
        stream.reserve_capacity(data.len());
        let granted = std::future::poll_fn(|context| stream.poll_capacity(context)).await;
        let Some(Ok(granted)) = granted else { return };
        let (now, later) = data.split_at(granted.min(data.len()));
        if stream
            .send_data(Bytes::copy_from_slice(now), false)
            .is_err()
        {
            return;
        }
        data = later;
    }
}
