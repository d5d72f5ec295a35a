//! The HTTP/1.1 side of the upstream, by hand, so that it can misbehave.

use std::sync::Arc;

use tokio::net::TcpStream;

use super::log::Entry;
use super::{End, Log, Seen, script_for};
use crate::Headers;
use crate::head::Head;
use crate::script::{Break, Script};
use crate::wire::{Ended, Framing, Wire};

pub(super) async fn serve(stream: TcpStream, server: &'static str, connection: u64, log: Arc<Log>) {
    let mut wire = Wire::new(stream);
    loop {
        let head = match wire.head().await {
            Ok(head) => head,
            Err(Ended::Malformed(what)) => {
                // A proxy that passed this on has let something through: it must show.
                let end = End::Aborted(format!("malformed: {what}"));
                log.begin(Seen {
                    server,
                    connection,
                    end,
                    ..Seen::default()
                });
                return;
            }
            Err(_) => return,
        };
        let entry = log.begin(Seen {
            server,
            connection,
            protocol: "HTTP/1.1",
            line: head.line.clone(),
            headers: head.headers.clone(),
            ..Seen::default()
        });
        let script = script_for(&head.headers, &log);
        if exchange(&mut wire, &head, &script, &log, entry)
            .await
            .is_none()
        {
            return;
        }
    }
}

/// One request and its answer; `None` closes the connection.
async fn exchange(
    wire: &mut Wire,
    head: &Head,
    script: &Script,
    log: &Log,
    entry: Entry,
) -> Option<()> {
    if script.broken == Some(Break::AtOnce) {
        log.update(entry, |seen| seen.end = End::Ignored);
        return None;
    }
    for status in &script.interim {
        let line = format!("HTTP/1.1 {status} Interim\r\n");
        let link = if *status == 103 {
            "link: </style.css>\r\n"
        } else {
            ""
        };
        wire.write(format!("{line}{link}\r\n").as_bytes())
            .await
            .ok()?;
    }
    if script.early {
        log.update(entry, |seen| seen.end = End::Ignored);
        answer(wire, head, script, script.body.clone()).await?;
        let _ = request_body(wire, head, log, entry).await;
        return if script.close || script.hangup {
            None
        } else {
            Some(())
        };
    }
    request_body(wire, head, log, entry).await?;
    tokio::time::sleep(script.delay).await;
    let body = if script.echo {
        log.body_of(entry)
    } else {
        script.body.clone()
    };
    answer(wire, head, script, body).await
}

async fn request_body(wire: &mut Wire, head: &Head, log: &Log, entry: Entry) -> Option<()> {
    let framing = if head.has_token("transfer-encoding", "chunked") {
        Framing::Chunked
    } else {
        Framing::Length(
            head.get("content-length")
                .and_then(|text| text.parse().ok())
                .unwrap_or(0),
        )
    };
    let result = wire
        .body(framing, |data| {
            log.update(entry, |seen| seen.body.extend_from_slice(data))
        })
        .await;
    log.update(entry, |seen| match &result {
        Ok(trailers) => {
            seen.trailers.clone_from(trailers);
            seen.end = End::Complete;
        }
        Err(error) => seen.end = End::Aborted(error.to_string()),
    });
    result.ok().map(|_| ())
}

async fn answer(wire: &mut Wire, head: &Head, script: &Script, body: Vec<u8>) -> Option<()> {
    if script.broken == Some(Break::BeforeHead) {
        return None;
    }
    if let Some(raw) = &script.raw {
        wire.write(raw).await.ok()?;
        return if script.hangup { None } else { Some(()) };
    }
    if script.upgrade {
        return upgrade(wire, script).await;
    }
    let method = head.line.split(' ').next().unwrap_or_default();
    wire.write(&status_and_headers(script, &body)).await.ok()?;
    if script.broken == Some(Break::AfterHead) {
        return None;
    }
    if script.has_body(method) {
        let half = body.len() / 2;
        let (first, second) = body.split_at(half);
        part(wire, script, first).await?;
        if script.broken == Some(Break::MidBody) {
            return None;
        }
        tokio::time::sleep(script.pause).await;
        part(wire, script, second).await?;
        if script.in_chunks() {
            let mut end = b"0\r\n".to_vec();
            append(&mut end, &script.trailers);
            wire.write(&end).await.ok()?;
        }
    }
    if script.close || script.hangup || script.eof {
        None
    } else {
        Some(())
    }
}

fn status_and_headers(script: &Script, body: &[u8]) -> Vec<u8> {
    let reason = http::StatusCode::from_u16(script.status)
        .ok()
        .and_then(|s| s.canonical_reason());
    let mut out = format!(
        "HTTP/1.1 {} {}\r\n",
        script.status,
        reason.unwrap_or("Custom")
    )
    .into_bytes();
    let mut headers: Headers = Vec::new();
    if script.in_chunks() {
        headers.push(("Transfer-Encoding".into(), "chunked".into()));
    } else if !script.eof && !script.bare && script.status != 204 {
        headers.push(("Content-Length".into(), body.len().to_string()));
    }
    if script.close {
        headers.push(("Connection".into(), "close".into()));
    }
    headers.extend(script.headers.iter().cloned());
    append(&mut out, &headers);
    out
}

fn append(out: &mut Vec<u8>, headers: &Headers) {
    for (name, value) in headers {
        out.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    out.extend_from_slice(b"\r\n");
}

async fn part(wire: &mut Wire, script: &Script, data: &[u8]) -> Option<()> {
    if data.is_empty() {
        return Some(());
    }
    if script.in_chunks() {
        let mut chunk = format!("{:x}\r\n", data.len()).into_bytes();
        chunk.extend_from_slice(data);
        chunk.extend_from_slice(b"\r\n");
        return wire.write(&chunk).await.ok();
    }
    wire.write(data).await.ok()
}

async fn upgrade(wire: &mut Wire, script: &Script) -> Option<()> {
    let mut out = b"HTTP/1.1 101 Switching Protocols\r\n".to_vec();
    let mut headers = vec![("Connection".to_owned(), "Upgrade".to_owned())];
    headers.push(("Upgrade".to_owned(), "websocket".to_owned()));
    headers.extend(script.headers.iter().cloned());
    append(&mut out, &headers);
    wire.write(&out).await.ok()?;
    loop {
        let ahead = std::mem::take(&mut wire.ahead);
        wire.write(&ahead).await.ok()?;
        wire.more().await.ok()?;
        if script.broken.is_some() {
            return None;
        }
    }
}
