//! Asking a running process.

use std::io::{Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use tandem_stack::explain::Explanation;

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// Most bytes of an answer: whoever else listens there may send for ever.
const MOST: u64 = 64 << 20;

/// Asks the process with that admin server.
pub(super) fn ask(admin: &str, pairs: &[(String, String)]) -> Result<Explanation, String> {
    let admin = admin.trim_start_matches("http://").trim_end_matches('/');
    let failed = |error: std::io::Error| format!("admin: cannot ask {admin}: {error}");
    let (status, body) = get(admin, &target(pairs)).map_err(failed)?;
    match status {
        200 => serde_json::from_str(&body)
            .map_err(|error| format!("admin: {admin} answered something else: {error}")),
        400 => Err(body.trim().to_owned()),
        404 => Err(format!(
            "admin: {admin} does not know /explain: is it a Tandem?"
        )),
        status => Err(format!("admin: {admin} answered {status}: {}", body.trim())),
    }
}

fn target(pairs: &[(String, String)]) -> String {
    let pairs = pairs.iter();
    let pairs: Vec<_> = pairs
        .map(|(name, value)| format!("{name}={}", encode(value)))
        .collect();
    format!("/explain?{}", pairs.join("&"))
}

fn encode(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                char::from(byte).to_string()
            }
            other => format!("%{other:02X}"),
        })
        .collect()
}

fn get(admin: &str, target: &str) -> std::io::Result<(u16, String)> {
    let invalid = |what: &str| std::io::Error::other(what.to_owned());
    let mut addresses = admin.to_socket_addrs()?;
    let address = addresses.next().ok_or_else(|| invalid("no address"))?;
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let request = format!("GET {target} HTTP/1.1\r\nhost: {admin}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut bytes = Vec::new();
    stream.take(MOST).read_to_end(&mut bytes)?;
    if bytes.len() as u64 >= MOST {
        return Err(invalid("the answer is too long to be one of a Tandem"));
    }
    let text = String::from_utf8_lossy(&bytes);
    let (head, body) = text
        .split_once("\r\n\r\n")
        .ok_or_else(|| invalid("no HTTP answer"))?;
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| invalid("no HTTP answer"))?;
    Ok((status, body.to_owned()))
}
