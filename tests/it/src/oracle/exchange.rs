//! One case over one protocol.

use std::time::{Duration, Instant};

use tandem_harness::client::{Response, h1, h2c};
use tokio::time::{sleep, timeout};

use super::case::{Case, Send};
use super::fields::{self, Fields, Names};

const LIMIT: Duration = Duration::from_secs(6);
/// Malformed bytes may leave a proxy waiting for more; longer than its delayed close (1 s).
const RAW_LIMIT: Duration = Duration::from_millis(1600);

/// Sends the request over HTTP/1.1 and notes what comes back.
pub async fn over_h1(case: &Case, port: u16, names: &Names, out: &mut Fields) {
    let start = Instant::now();
    let mut connection = match h1::Connection::open(port).await {
        Ok(connection) => connection,
        Err(error) => return put(out, "end", &format!("no connection: {error}")),
    };
    let parts = match &case.send {
        Send::Built(request) => vec![(Duration::ZERO, h1::encode(request))],
        Send::Raw(parts) => parts.clone(),
    };
    for (pause, bytes) in parts {
        sleep(pause).await;
        // A refusal may come before the last part: what matters is the answer.
        let _ = connection.send(&bytes).await;
    }
    if let Some(cancel) = case.cancel {
        sleep(cancel).await;
        return;
    }
    let limit = if matches!(case.send, Send::Raw(_)) {
        RAW_LIMIT
    } else {
        LIMIT
    };
    let mut open = true;
    let mut announced = false;
    for number in 0..case.responses {
        let prefix = if number == 0 {
            String::new()
        } else {
            format!("{number}.")
        };
        match timeout(limit, connection.response(&case.method)).await {
            Err(_) => return put(out, &format!("{prefix}end"), "no answer in time"),
            Ok(Err(ended)) => {
                put(out, &format!("{prefix}end"), &format!("no answer: {ended}"));
                open = false;
                break;
            }
            Ok(Ok(response)) => {
                announced = response
                    .get("connection")
                    .is_some_and(|value| value.contains("close"));
                open = response.end == "complete" && response.status != 101;
                fields::response(out, &prefix, &response, names);
            }
        }
    }
    took(case, start, out);
    let state = match (announced, open) {
        (true, _) => "close announced",
        (false, false) => "closed",
        (false, true) if connection.is_open().await => "open",
        (false, true) => "closed without a word",
    };
    put(out, "connection", state);
}

/// Sends the request over HTTP/2 and notes what comes back.
pub async fn over_h2(case: &Case, port: u16, names: &Names, out: &mut Fields) {
    let Send::Built(request) = &case.send else {
        panic!("{}: bytes are for HTTP/1.1", case.name)
    };
    let start = Instant::now();
    let mut connection = match h2c::Connection::open(port).await {
        Ok(connection) => connection,
        Err(error) => return put(out, "end", &format!("no connection: {error}")),
    };
    let limit = case.cancel.unwrap_or(LIMIT);
    let Ok(response) = timeout(limit, connection.exchange(request)).await else {
        if case.cancel.is_none() {
            put(out, "end", "no answer in time");
        }
        // The reset that the dropped stream asks for has to reach the socket.
        sleep(Duration::from_millis(10)).await;
        return;
    };
    let response = Response {
        version: "HTTP/2".into(),
        ..response
    };
    fields::response(out, "", &response, names);
    took(case, start, out);
    put(
        out,
        "connection",
        if connection.is_open().await {
            "open"
        } else {
            "closed"
        },
    );
}

fn took(case: &Case, start: Instant, out: &mut Fields) {
    let Some(range) = &case.took else { return };
    let took = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
    // Equal when both are in the range; else the number tells.
    let text = if range.contains(&took) {
        "in time".into()
    } else {
        format!("{took} ms")
    };
    put(out, "took", &text);
}

fn put(out: &mut Fields, name: &str, value: &str) {
    out.insert(name.to_owned(), value.to_owned());
}
