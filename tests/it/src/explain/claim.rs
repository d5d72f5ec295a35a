//! What an explanation claims, held against what was seen.

use serde_json::Value;
use tandem_harness::Proxy;
use tandem_harness::client::h1;

use crate::oracle::Fields;
use crate::oracle::case::{Case, Send, Wire};

/// What of the explanation of a case does not fit what the proxy did; `None`: all fits, or there
/// is nothing to ask.
pub async fn claim(proxy: &Proxy, case: &Case, port: u16, fields: &Fields) -> Option<String> {
    let Send::Built(request) = &case.send else {
        return None;
    };
    let plain = request.authority.is_ascii() && request.path.starts_with('/');
    let ended = case.cancel.is_some() || case.racy || case.times > 1;
    let seen = fields.get("log.0.code")?;
    if !plain || ended || case.listener != "main" || seen == "0" {
        return None;
    }
    let mut query = format!(
        "/explain?listener=main&method={}&url={}&source=127.0.0.1",
        case.method,
        encode(&format!("http://127.0.0.1:{port}{}", request.path))
    );
    if case.wire == Wire::H2 {
        query.push_str("&http2=true");
    }
    query.push_str(&format!(
        "&header={}",
        encode(&format!("host:{}", request.authority))
    ));
    for (name, value) in &request.headers {
        if !name.starts_with(':') {
            query.push_str(&format!("&header={}", encode(&format!("{name}:{value}"))));
        }
    }
    // What cannot be asked, such as a header that is none, is refused by the codec as well.
    let (200, answer) = h1::get(proxy.admin, &query).await.ok()? else {
        return None;
    };
    let answer: Value = serde_json::from_str(&answer).ok()?;
    unfit(&answer, fields)
}

fn unfit(answer: &Value, fields: &Fields) -> Option<String> {
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

fn encode(text: &str) -> String {
    let bytes = text.bytes();
    bytes.map(|byte| format!("%{byte:02X}")).collect()
}
