//! The parameters of the pages that show something: obeyed in Envoy's shape, or refused by name.

use serde_json::Value;
use tandem_harness::Kind;
use tandem_harness::client::h1;

use super::{Side, text};

/// Pages that both show, and what can be compared of them.
const SHOWN: [&str; 22] = [
    "/listeners?format=json",
    "/listeners?format=text",
    "/clusters?format=json",
    "/clusters?format=json&filter=nosuch",
    "/clusters?format=text&filter=^none$",
    "/clusters?filter=one",
    "/stats?filter=several.upstream_rq_t(otal|imeout)",
    "/stats?format=text&type=All&filter=several.upstream_rq_t(otal|imeout)",
    "/stats?type=Counters&filter=several.upstream_cx_(active|total)",
    "/stats?type=Gauges&filter=several.upstream_cx_(active|total)",
    "/stats?type=TextReadouts&filter=several",
    "/stats?format=json&filter=several.upstream_rq_(total|timeout|503|active)$",
    "/stats?format=json&usedonly&filter=several.upstream_rq_(total|timeout|503)",
    "/stats?format=json&pretty&type=Gauges&filter=several.upstream_cx_(active|total)",
    "/stats?format=json&filter=NOSUCH",
    "/stats?format=json&type=Histograms&filter=none.upstream_cx_connect_ms",
    "/stats/prometheus?filter=several.upstream_rq_t(otal|imeout)",
    "/stats?format=prometheus&filter=several.upstream_rq_t(otal|imeout)",
    "/stats/prometheus?filter=nosuch&usedonly&text_readouts",
    "/stats/prometheus?type=Counters&filter=several.upstream_cx_(active|total)",
    "/stats?format=prometheus&type=TextReadouts&filter=several.upstream_cx_(active|total)",
    "/stats?filter=upstream_rq_total$&type=Counters",
];

/// What is refused, and what the answer names. Envoy ignores some of it.
const REFUSED: [(&str, &str); 24] = [
    ("/stats?format=nonsense", "format"),
    ("/stats?format=html", "format"),
    ("/stats?type=nonsense", "type"),
    ("/stats?type=counters", "type"),
    ("/stats?histogram_buckets=nonsense", "histogram_buckets"),
    ("/stats?histogram_buckets=detailed", "histogram_buckets"),
    ("/stats?histogram_buckets=cumulative", "histogram_buckets"),
    ("/stats?hidden=include", "hidden"),
    ("/stats?nosuch", "nosuch"),
    ("/stats?filter=*", "filter"),
    ("/stats?filter=a)|(b", "filter"),
    ("/stats/prometheus?filter=*", "filter"),
    ("/stats/prometheus?type=nonsense", "type"),
    ("/stats/prometheus?format=json", "format"),
    (
        "/stats/prometheus?histogram_buckets=summary",
        "histogram_buckets",
    ),
    ("/listeners?format=nonsense", "format"),
    ("/listeners?nosuch=1", "nosuch"),
    ("/clusters?format=nonsense", "format"),
    ("/clusters?filter=(", "filter"),
    ("/config_dump?nosuch=1", "nosuch"),
    ("/config_dump?format=json", "format"),
    ("/ready?nosuch", "nosuch"),
    ("/certs?format=json", "format"),
    ("/server_info?nosuch=1", "nosuch"),
];

/// JSON as such, with lists of objects that have names in the order of those, and lines sorted.
fn comparable(status: u16, body: &str) -> Value {
    if let Ok(mut json) = serde_json::from_str::<Value>(body) {
        order(&mut json);
        return json;
    }
    let mut lines: Vec<_> = body
        .lines()
        // Envoy counts what it has of these, Tandem says so elsewhere.
        .filter(|line| !line.contains("success_rate"))
        .collect();
    lines.sort_unstable();
    serde_json::json!([status, lines])
}

fn order(json: &mut Value) {
    match json {
        Value::Array(items) => {
            items.iter_mut().for_each(order);
            items.sort_by_key(|item| item["name"].as_str().unwrap_or_default().to_owned());
        }
        Value::Object(fields) => fields.values_mut().for_each(order),
        _ => {}
    }
}

/// Each page that both have says the same.
#[tokio::test]
async fn pages_are_shown_as_by_envoy() {
    let mut shown = Vec::new();
    for kind in [Kind::Envoy, Kind::Tandem] {
        let side = Side::start(kind, &[]).await;
        assert_eq!(h1::get(side.inbound, "/dead").await.unwrap().0, 503);
        let mut pages = Vec::new();
        for path in SHOWN {
            let page = side.ask("GET", path).await;
            let mut body = text(&page);
            for (port, name) in [(side.inbound, "INBOUND"), (side.outbound, "OUTBOUND")] {
                body = body.replace(&format!(":{port}"), &format!(":\"{name}\""));
                body = body.replace(&format!(": {port}"), &format!(": \"{name}\""));
            }
            pages.push((path, page.status, comparable(page.status, &body)));
        }
        shown.push(pages);
    }
    let pairs = shown[0].iter().zip(&shown[1]);
    let other: Vec<_> = pairs.filter(|(theirs, ours)| theirs != ours).collect();
    assert!(other.is_empty(), "{other:#?}");
}

#[tokio::test]
async fn what_is_not_supported_is_refused_by_name() {
    let tandem = Side::start(Kind::Tandem, &[]).await;
    for (path, name) in REFUSED {
        let page = tandem.ask("GET", path).await;
        let said = text(&page);
        assert_eq!(page.status, 400, "{path}: {said}");
        assert!(said.contains(&format!("'{name}'")), "{path}: {said}");
    }
    for path in ["/drain_listeners?nosuch", "/quitquitquit?nosuch"] {
        let page = tandem.ask("POST", path).await;
        assert_eq!(page.status, 400, "{path}");
        assert!(text(&page).contains("'nosuch'"), "{path}");
    }
    let alive = h1::get(tandem.inbound, "/").await.unwrap();
    assert_eq!(alive.0, 200, "it was not drained");
}

/// How much memory there is, as far as somebody knows: a process that serves has some, and no
/// more of it in use than was taken for it.
#[tokio::test]
async fn memory_is_shown_under_envoys_names() {
    for kind in [Kind::Envoy, Kind::Tandem] {
        let side = Side::start(kind, &[]).await;
        let page = text(&side.ask("GET", "/stats?filter=^server.memory_").await);
        let size = |name: &str| -> u64 {
            let line = page.lines().find_map(|line| {
                let (known, bytes) = line.split_once(": ")?;
                (known == format!("server.memory_{name}")).then(|| bytes.parse().unwrap())
            });
            line.unwrap_or_else(|| panic!("{kind:?}: {name}: {page}"))
        };
        let [allocated, heap, physical] = ["allocated", "heap_size", "physical_size"].map(size);
        assert!(0 < allocated && allocated <= heap, "{kind:?}: {page}");
        assert!(physical > 0, "{kind:?}: {page}");
    }
}
