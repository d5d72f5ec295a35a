//! What an explanation claims, held against what was seen.

use serde_json::Value;
use tandem_harness::Proxy;

use super::asked;
use crate::oracle::case::{Case, Send, Wire};
use crate::oracle::{Fields, Names};

/// What of the explanation of a case does not fit what the proxy did; `None`: all fits, or there
/// is nothing to ask.
pub async fn claim(
    proxy: &Proxy,
    case: &Case,
    port: u16,
    fields: &Fields,
    names: &Names,
) -> Option<String> {
    let Send::Built(request) = &case.send else {
        return None;
    };
    let plain = request.authority.is_ascii() && request.path.starts_with('/');
    let ended = case.cancel.is_some() || case.racy || case.times > 1;
    let seen = fields.get("log.0.code")?;
    if !plain || ended || case.listener != "main" || seen == "0" {
        return None;
    }
    let url = format!("http://127.0.0.1:{port}{}", request.path);
    let mut question = vec![
        ("listener", "main".to_owned()),
        ("method", case.method.clone()),
        ("url", url),
        ("source", "127.0.0.1".to_owned()),
        ("header", format!("host:{}", request.authority)),
    ];
    if case.wire == Wire::H2 {
        question.push(("http2", "true".to_owned()));
    }
    let named = |(name, _): &&(String, String)| !name.starts_with(':');
    for (name, value) in request.headers.iter().filter(named) {
        question.push(("header", format!("{name}:{value}")));
    }
    // What cannot be asked, such as a header that is none, is refused by the codec as well.
    let answer = asked(proxy.admin, &question).await?;
    unfit(&answer, fields, names)
}

fn unfit(answer: &Value, fields: &Fields, names: &Names) -> Option<String> {
    let field = |name: &str| fields.get(name).map(|text| text.trim_matches('"'));
    let code = field("log.0.code")?;
    let route = answer["route"].as_str().filter(|route| !route.is_empty());
    let clusters: Vec<&str> = answer["clusters"]
        .as_array()?
        .iter()
        .filter_map(|target| target["cluster"].as_str())
        .collect();
    let status = answer["status"].to_string();
    let wrong = |what: String| Some(format!("{what}: {answer}"));
    // By details it is known how far a request came.
    let details = field("log.0.details").unwrap_or_default();
    match details {
        "route_not_found" | "cluster_not_found" | "no_healthy_upstream" => {
            if answer["found"] == true || status != code {
                return wrong(format!("{details} {code}"));
            }
        }
        "via_upstream" => {
            let cluster = field("log.0.cluster").unwrap_or_default();
            if answer["found"] != true || !clusters.contains(&cluster) {
                return wrong(format!("cluster {cluster}"));
            }
            let host = field("log.0.upstream_host").filter(|host| !matches!(*host, "-" | "null"));
            if let Some(host) = host.filter(|host| !goes_to(answer, host, names)) {
                return wrong(format!("endpoint {host}"));
            }
        }
        "direct_response" => {
            if status != code {
                return wrong(format!("direct response {code}"));
            }
        }
        _ => return None,
    }
    match (route, field("log.0.route")) {
        (Some(route), Some(seen)) if seen != "-" && seen != "null" && route != seen => {
            wrong(format!("route {seen}"))
        }
        _ => None,
    }
}

/// Whether an endpoint is said to get requests, or was ejected by this very one.
fn goes_to(answer: &Value, host: &str, names: &Names) -> bool {
    let clusters = answer["clusters"].as_array().into_iter().flatten();
    let mut endpoints = clusters.flat_map(|one| one["endpoints"].as_array().into_iter().flatten());
    endpoints.any(|one| {
        let address = names.clean(one["address"].as_str().unwrap_or_default());
        address == host && (one["share"] != 0.0 || one["health"] != "healthy")
    })
}
