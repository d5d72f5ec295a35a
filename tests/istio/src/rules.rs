//! What is written into istiod's folder.

/// The name of the service under all rules.
pub const HOST: &str = "echo.default.svc.cluster.local";
/// Its address, which nobody has.
pub const ECHO: &str = "10.96.0.10:80";

/// The files that every mesh begins with.
pub fn first() -> [(&'static str, String); 5] {
    [
        ("echo.yaml", include_str!("../config/echo.yaml").into()),
        ("static.yaml", include_str!("../config/static.yaml").into()),
        (
            "security.yaml",
            include_str!("../config/security.yaml").into(),
        ),
        (
            "sidecar.yaml",
            include_str!("../config/sidecar.yaml").into(),
        ),
        ("traffic.yaml", traffic(&route(""), POLICY)),
    ]
}

/// Plain text may come in, and anybody.
pub fn permissive() -> &'static str {
    include_str!("../config/permissive.yaml")
}

/// What calls to echo get unless a check wants something else.
pub const POLICY: &str = "
connectionPool: { http: { http2MaxRequests: 1000 }, tcp: { maxConnections: 100, connectTimeout: 2s } }
outlierDetection: { consecutive5xxErrors: 5, interval: 5s, baseEjectionTime: 10s }
loadBalancer: { simple: ROUND_ROBIN }";

/// The plain route, to the first version, with something more.
pub fn route(more: &str) -> String {
    format!(
        "
- name: default
  retries: {{ attempts: 2, perTryTimeout: 2s, retryOn: \"connect-failure,refused-stream,503\" }}
  timeout: 10s
  headers: {{ request: {{ set: {{ x-rule: default }} }} }}
  {more}
  route: [{}]",
        to("v1", 100)
    )
}

/// A destination: a version, and its weight.
pub fn to(subset: &str, weight: u32) -> String {
    format!(
        "{{ destination: {{ host: {HOST}, subset: {subset}, port: {{ number: 80 }} }}, weight: {weight} }}"
    )
}

/// Everybody gets 418, or one call in so many.
pub fn abort(percent: u32) -> String {
    format!("fault: {{ abort: {{ percentage: {{ value: {percent} }}, httpStatus: 418 }} }}")
}

/// A VirtualService with these routes, and a DestinationRule with this policy and both versions.
pub fn traffic(routes: &str, policy: &str) -> String {
    format!(
        "apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{ name: echo, namespace: default }}
spec:
  hosts: [{HOST}]
  http:{}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{ name: echo, namespace: default }}
spec:
  host: {HOST}
  trafficPolicy:{}
  subsets:
  - {{ name: v1, labels: {{ version: v1 }} }}
  - {{ name: v2, labels: {{ version: v2 }} }}
  - {{ name: all, labels: {{ app: echo }} }}
",
        indented(routes, 2),
        indented(policy, 4)
    )
}

fn indented(text: &str, by: usize) -> String {
    let lines = text.lines().map(|line| match line.trim() {
        "" => "\n".to_owned(),
        _ => format!("{}{line}\n", " ".repeat(by)),
    });
    lines.collect::<String>().trim_end().to_owned()
}
