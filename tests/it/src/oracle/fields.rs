//! What an exchange showed, as named texts that can be compared.

use std::collections::BTreeMap;
use std::net::UdpSocket;
use std::sync::OnceLock;

use serde_json::Value;
use tandem_harness::Headers;
use tandem_harness::client::Response;
use tandem_harness::upstream::Seen;

use super::coding;

/// Named texts.
pub type Fields = BTreeMap<String, String>;

/// Ports have other numbers in each run: they are called by name.
pub struct Names(pub Vec<(u16, String)>);

impl Names {
    /// Puts names in the place of what differs between runs.
    pub fn clean(&self, text: &str) -> String {
        // For a client on the loopback Envoy names the machine's own address.
        let mut text = text.replace(own_address(), "127.0.0.1");
        for (port, name) in &self.0 {
            text = text.replace(&format!(":{port}"), &format!(":<{name}>"));
            text = text.replace(&format!("port={port}"), &format!("port=<{name}>"));
        }
        if let Some((_, name)) = self.0.iter().find(|(port, _)| text == port.to_string()) {
            return format!("<{name}>");
        }
        // An ephemeral port of this run's clients.
        if let Some(at) = text.find("127.0.0.1:") {
            let rest = &text[at + 10..];
            let digits = rest.chars().take_while(char::is_ascii_digit).count();
            if digits > 0 {
                text = format!("{}127.0.0.1:<port>{}", &text[..at], &rest[digits..]);
            }
        }
        text
    }
}

/// The machine's address that is not the loopback's, if it has one.
pub fn own_address() -> &'static str {
    static ADDRESS: OnceLock<String> = OnceLock::new();
    ADDRESS.get_or_init(|| {
        // Connecting a datagram socket sends nothing; it only chooses an address.
        let chosen = UdpSocket::bind("0.0.0.0:0").and_then(|socket| {
            socket.connect("192.0.2.200:9")?;
            socket.local_addr()
        });
        chosen.map_or("127.0.0.1".into(), |address| address.ip().to_string())
    })
}

/// Adds an answer under `prefix`.
pub fn response(fields: &mut Fields, prefix: &str, response: &Response, names: &Names) {
    let mut put = |name: &str, value: String| {
        fields.insert(format!("{prefix}{name}"), value);
    };
    put("status", response.status.to_string());
    put("version", response.version.clone());
    put("end", response.end.clone());
    if !response.interim.is_empty() {
        put("interim", format!("{:?}", response.interim));
    }
    put("body", names.clean(&brief(&coding::plain(response))));
    headers(
        fields,
        &format!("{prefix}header."),
        &response.headers,
        names,
    );
    headers(
        fields,
        &format!("{prefix}trailer."),
        &response.trailers,
        names,
    );
}

/// Adds what the upstream saw under `prefix`.
pub fn seen(fields: &mut Fields, prefix: &str, seen: &Seen, names: &Names) {
    let mut put = |name: &str, value: String| {
        fields.insert(format!("{prefix}{name}"), value);
    };
    put("server", seen.server.to_owned());
    put("line", names.clean(&seen.line));
    put("protocol", seen.protocol.to_owned());
    put("body", brief(&seen.body));
    put("end", format!("{:?}", seen.end));
    headers(fields, &format!("{prefix}header."), &seen.headers, names);
    headers(fields, &format!("{prefix}trailer."), &seen.trailers, names);
}

/// Adds a line of the access log under `prefix`.
pub fn log_line(fields: &mut Fields, prefix: &str, line: &str, names: &Names) {
    let Ok(Value::Object(entries)) = serde_json::from_str(line) else {
        let line = match line.starts_with('[') {
            true => default_line(line),
            false => line.to_owned(),
        };
        fields.insert(format!("{prefix}line"), names.clean(&line));
        return;
    };
    for (name, value) in entries {
        let text = match name.as_str() {
            "duration" | "service_time" | "timing" if value.is_number() || value.is_string() => {
                "<ms>".into()
            }
            "start" => shape(value.as_str().unwrap_or_default()),
            "request_id" => normal("x-request-id", value.as_str().unwrap_or("null")),
            name if name.to_ascii_uppercase() == name => operator(name, &value),
            _ => value.to_string(),
        };
        fields.insert(format!("{prefix}{name}"), names.clean(&text));
    }
}

/// The value of the operator of this name: times and ids have only a shape.
fn operator(name: &str, value: &Value) -> String {
    let text = value.as_str().unwrap_or_default();
    let is_port = name.ends_with("REMOTE_PORT") || name == "UPSTREAM_LOCAL_PORT";
    match name {
        _ if name.ends_with("_DURATION") || name == "DURATION" => match value.is_number() {
            true => "<time>".into(),
            false => value.to_string(),
        },
        "START_TIME" | "EMIT_TIME" => shape(text),
        "CONNECTION_ID" | "UPSTREAM_CONNECTION_ID" => match value.as_u64() {
            Some(1..) => "<id>".into(),
            _ => value.to_string(),
        },
        _ if is_port && !name.starts_with("UPSTREAM_REMOTE") && value.is_number() => {
            "<port>".into()
        }
        _ if is_uuid(text) => "<uuid>".into(),
        _ => value.to_string(),
    }
}

/// A line of the default format: its times and ids have only a shape.
fn default_line(line: &str) -> String {
    let words = line
        .split(' ')
        .enumerate()
        .map(|(index, word)| match index {
            0 => shape(word),
            8 | 9 if word.bytes().all(|byte| byte.is_ascii_digit()) => "<ms>".into(),
            _ if is_uuid(word.trim_matches('"')) => "<uuid>".into(),
            _ => word.to_owned(),
        });
    words.collect::<Vec<_>>().join(" ")
}

fn headers(fields: &mut Fields, prefix: &str, headers: &Headers, names: &Names) {
    for (name, value) in headers {
        let value = names.clean(&normal(name, value));
        fields
            .entry(format!("{prefix}{name}"))
            .and_modify(|all| all.push_str(&format!(" || {value}")))
            .or_insert(value);
    }
}

fn normal(name: &str, value: &str) -> String {
    match name.to_ascii_lowercase().as_str() {
        "date" => shape(value),
        "x-envoy-upstream-service-time" => {
            shape(value.trim_end_matches(|c: char| c.is_ascii_digit())) + "<ms>"
        }
        // Counts down while a request waits to be tried again.
        "x-envoy-expected-rq-timeout-ms" => value
            .parse::<u64>()
            .map_or(value.to_owned(), |time| format!("{ABOUT}{time}")),
        _ if is_uuid(value) => "<uuid>".into(),
        _ => value.to_owned(),
    }
}

/// What is left of a time, which is not the same to the millisecond.
const ABOUT: &str = "about ";

/// Whether two values are the same, as far as two runs can agree.
pub fn same(one: &str, other: &str) -> bool {
    let time = |text: &str| text.strip_prefix(ABOUT)?.parse::<u64>().ok();
    match (time(one), time(other)) {
        (Some(one), Some(other)) => one.abs_diff(other) <= (one.max(other) / 10).max(100),
        _ => one == other,
    }
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36 && text.bytes().filter(|&byte| byte == b'-').count() == 4
}

/// A text with all digits as `9` and all words of a date as `x`.
fn shape(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            c if c.is_ascii_digit() => '9',
            'A'..='Z' | 'a'..='z' => 'x',
            c => c,
        })
        .collect()
}

/// A body, or its size and a sum when it is long.
fn brief(body: &[u8]) -> String {
    let text: String = body.iter().map(|&byte| char::from(byte)).collect();
    if body.len() <= 300 {
        return text;
    }
    let sum = body.iter().fold(0_u64, |sum, &byte| {
        sum.wrapping_mul(31).wrapping_add(byte.into())
    });
    format!("{} bytes, sum {sum:x}", body.len())
}
