//! A question, as names and values.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use tandem_model::listener::TrafficDirection;
use tandem_stack::explain::Ask;

/// Reads a question.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn ask(pairs: &[(String, String)]) -> Result<Ask, String> {
    let one = |wanted: &str| {
        let mut found = pairs.iter().filter(|(name, _)| name == wanted);
        found.next().map(|(_, value)| value.as_str())
    };
    let url = one("url").unwrap_or_default();
    let expected = || format!("url: expected http://HOST[:PORT][/PATH], got '{url}'");
    let (scheme, rest) = url.split_once("://").ok_or_else(expected)?;
    let (mut tls, is_http, default_port) = match &*scheme.to_ascii_lowercase() {
        "http" => (false, true, 80),
        "https" => (true, true, 443),
        "tcp" => (false, false, 0),
        _ => return Err(expected()),
    };
    tls |= one("tls").is_some();
    // The path goes as it is written: to normalise it is the listener's business.
    let (authority, path) = match rest.find(['/', '?']) {
        Some(at) if rest[at..].starts_with('/') => (&rest[..at], rest[at..].to_owned()),
        Some(at) => (&rest[..at], format!("/{}", &rest[at..])),
        None => (rest, "/".to_owned()),
    };
    let uri: Uri = authority.parse().map_err(|_| expected())?;
    let host = uri
        .host()
        .filter(|host| !host.is_empty())
        .ok_or_else(expected)?;
    let written = authority.rsplit_once(':');
    let port = match written.filter(|(host, _)| !host.contains(':') || host.ends_with(']')) {
        None => default_port,
        Some((_, port)) => port
            .parse()
            .map_err(|_| wrong("url", "a port from 0 to 65535", port))?,
    };
    let address: Option<IpAddr> = host.trim_matches(['[', ']']).parse().ok();
    let to = match one("to") {
        Some(to) => Some(to.parse().map_err(|_| wrong("to", "an IP address", to))?),
        None => address.or((host == "localhost").then_some(Ipv4Addr::LOCALHOST.into())),
    };
    let (headers, other_host) = headers(pairs)?;
    let http2 = one("http2").is_some();
    let alpn = one("alpn").unwrap_or(if http2 { "h2,http/1.1" } else { "http/1.1" });
    let sni = one("sni").or(address.is_none().then_some(host));
    let method = one("method").unwrap_or("GET");
    let words = alpn
        .split(',')
        .map(str::trim)
        .filter(|word| !word.is_empty());
    Ok(Ask {
        method: Method::from_bytes(method.as_bytes())
            .map_err(|_| wrong("method", "an HTTP method", method))?,
        authority: other_host.unwrap_or_else(|| authority.to_owned()),
        path,
        headers,
        is_http,
        http2,
        tls,
        server_name: sni.map(|name| name.to_ascii_lowercase().into()),
        application_protocols: words.map(Into::into).collect(),
        identity: one("identity").map(Into::into),
        source: source(one("source"))?,
        destination: SocketAddr::new(to.unwrap_or(Ipv4Addr::UNSPECIFIED.into()), port),
        listener: one("listener").map(str::to_owned),
        direction: match one("direction") {
            None | Some("outbound") => TrafficDirection::Outbound,
            Some("inbound") => TrafficDirection::Inbound,
            Some(other) => return Err(wrong("direction", "outbound or inbound", other)),
        },
    })
}

fn wrong(name: &str, expected: &str, got: &str) -> String {
    format!("{name}: expected {expected}, got '{got}'")
}

fn source(given: Option<&str>) -> Result<SocketAddr, String> {
    let Some(given) = given else {
        return Ok((Ipv4Addr::LOCALHOST, 0).into());
    };
    let alone = given.parse::<IpAddr>().map(|address| (address, 0).into());
    alone
        .or_else(|_| given.parse())
        .map_err(|_| wrong("source", "IP or IP:PORT", given))
}

/// The headers, and the host among them.
fn headers(pairs: &[(String, String)]) -> Result<(HeaderMap, Option<String>), String> {
    let (mut headers, mut host) = (HeaderMap::new(), None);
    for (_, line) in pairs.iter().filter(|(name, _)| name == "header") {
        let expected = || wrong("header", "'NAME: VALUE'", line);
        let (name, value) = line.split_once(':').ok_or_else(expected)?;
        let value = value.trim();
        let name: HeaderName = name.trim().parse().map_err(|_| expected())?;
        if name == http::header::HOST {
            host = Some(value.to_owned());
            continue;
        }
        let value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| expected())?;
        headers.append(name, value);
    }
    Ok((headers, host))
}
