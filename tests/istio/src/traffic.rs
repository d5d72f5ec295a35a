//! What VirtualServices, DestinationRules and ServiceEntries ask of the client's sidecar.

use std::collections::BTreeMap;
use std::time::Duration;

use tandem_harness::Kind;

use crate::app::App;
use crate::calls::{self, Connection, Request};
use crate::mesh::Mesh;
use crate::network::{self, CLIENT};
use crate::report::Report;
use crate::rules::{self, POLICY, to};

const EDIT: Duration = Duration::from_secs(20);
const CALLS: usize = 1000;

/// A route with neither retries nor timeouts.
fn once(destinations: &str) -> String {
    format!("\n- retries: {{ attempts: 0 }}\n  route: [{destinations}]")
}

/// The address of a service that is added. It answers nobody, so calls to it end at once.
pub const LATE: &str = "10.77.0.1:80";

/// Runs the checks; the rules are the first ones again afterwards.
pub async fn run(mesh: &Mesh, client: Kind, report: &mut Report) {
    headers(mesh, report).await;
    split(mesh, report).await;
    retries(mesh, report).await;
    outliers(mesh, client, report).await;
    limits(mesh, report).await;
    clients(mesh, report).await;
    late(mesh, report).await;
    crate::basic::restore(mesh, report).await;
}

async fn version(mesh: &Mesh, request: &Request) -> String {
    mesh.said(request)
        .await
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned()
}

async fn headers(mesh: &Mesh, report: &mut Report) {
    let rule = format!(
        "
- match: [{{ headers: {{ x-user: {{ exact: ann }} }} }}, {{ uri: {{ regex: \"/v[2-9]/.*\" }} }}]
  headers: {{ request: {{ set: {{ x-rule: special }} }} }}
  route: [{}]
- route: [{}]",
        to("v2", 100),
        to("v1", 100)
    );
    mesh.rule(&rule, POLICY);
    let anybody = Request::to(rules::HOST, "/x");
    let ann = anybody.clone().with("x-user", "ann");
    report
        .becomes(
            "routes by header",
            EDIT,
            || version(mesh, &ann),
            "v2".into(),
        )
        .await;
    report.equal(
        "routes by expression",
        version(mesh, &Request::to(rules::HOST, "/v3/x")).await,
        "v2".into(),
    );
    report.equal(
        "routes of others",
        version(mesh, &anybody).await,
        "v1".into(),
    );
    let said = mesh.said(&ann).await;
    report.equal(
        "headers that a route sets",
        said.contains("\nx-rule: special\n"),
        true,
    );
}

/// Answers by version or status, of so many calls on one connection.
pub async fn answers(mesh: &Mesh, path: &str, count: usize) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    let mut connection = None;
    let request = Request::to(rules::HOST, path);
    for _ in 0..count {
        if connection.is_none() {
            connection = Connection::open(&mesh.network.client, rules::ECHO).ok();
        }
        let answer = match connection.as_mut() {
            Some(connection) => connection.call(&request).await,
            None => Err(std::io::Error::other("not connected")),
        };
        let seen = match &answer {
            Ok(answer) if answer.status == 200 => {
                answer.get("x-version").unwrap_or_default().to_owned()
            }
            Ok(answer) => answer.status.to_string(),
            Err(error) => error.to_string(),
        };
        if answer.is_err() {
            connection = None;
        }
        *found.entry(seen).or_default() += 1;
    }
    found
}

/// Whether so many of so many may come of a chance: six standard deviations.
pub fn may_be(found: usize, of: usize, chance: f64) -> bool {
    let (found, of) = (found as f64, of as f64);
    (found - of * chance).abs() <= 6.0 * (of * chance * (1.0 - chance)).sqrt()
}

async fn split(mesh: &Mesh, report: &mut Report) {
    mesh.rule_named(
        "split",
        &once(&format!("{}, {}", to("v1", 80), to("v2", 20))),
        POLICY,
    )
    .await;
    let found = answers(mesh, "/x", CALLS).await;
    let second = found.get("v2").copied().unwrap_or_default();
    let all = second + found.get("v1").copied().unwrap_or_default();
    let good = all == CALLS && may_be(second, CALLS, 0.2);
    report.say(
        &format!("a split of 80 to 20: {found:?}"),
        good,
        "expected 800 and 200, more or less",
    );
}

/// Of the second version's machine istiod knows that it is taken by TPROXY: its application sees who
/// called, the first version's sees its sidecar.
async fn clients(mesh: &Mesh, report: &mut Report) {
    let policy = "\nloadBalancer: { simple: ROUND_ROBIN }";
    mesh.rule_named("clients", &once(&to("all", 100)), policy)
        .await;
    for what in ["requests", "bytes"] {
        let _before = mesh.apps.each_ref().map(App::clients);
        if what == "requests" {
            answers(mesh, "/x", 10).await;
        } else {
            for _ in 0..10 {
                let _ = calls::line(&mesh.network.client, "10.96.0.10:9000", "hi").await;
            }
        }
        let found = mesh.apps.each_ref().map(App::clients);
        let expected = ["127.0.0.6", CLIENT].map(|client| vec![client.to_owned()]);
        report.equal(
            &format!("applications see their sidecar or, by TPROXY, the client ({what})"),
            found,
            expected,
        );
    }
}

/// One of two endpoints is sick.
async fn retries(mesh: &Mesh, report: &mut Report) {
    let route = format!(
        "\n- retries: {{ attempts: 3, retryOn: \"503\" }}\n  route: [{}]",
        to("all", 100)
    );
    mesh.rule_named("retries", &route, "\nloadBalancer: { simple: ROUND_ROBIN }")
        .await;
    report.equal(
        "calls go to both endpoints",
        answers(mesh, "/x", 10).await.len(),
        2,
    );
    mesh.apps[0].set_sick(true);
    let before = mesh.apps[0].served();
    let found = answers(mesh, "/x", 200).await;
    let tried = mesh.apps[0].served() - before;
    report.say(
        &format!(
            "retries go to the endpoint that is well: {found:?}, {tried} were tried elsewhere"
        ),
        found == BTreeMap::from([("v2".to_owned(), 200)]) && tried >= 50,
        "expected 200 from v2, and half of them tried elsewhere before",
    );
    mesh.apps[0].set_sick(false);
}

async fn outliers(mesh: &Mesh, client: Kind, report: &mut Report) {
    let policy = "
loadBalancer: { simple: ROUND_ROBIN }
outlierDetection: { consecutive5xxErrors: 5, interval: 1s, baseEjectionTime: 60s, maxEjectionPercent: 50 }";
    mesh.rule_named("outliers", &once(&to("all", 100)), policy)
        .await;
    mesh.apps[0].set_sick(true);
    let found = answers(mesh, "/x", 100).await;
    let of = |answer: &str| found.get(answer).copied().unwrap_or_default();
    // Envoy's worker hears of the ejection from its main thread, a call or two later.
    let most = if client == Kind::Tandem { 5 } else { 20 };
    report.say(
        &format!("an endpoint that fails is ejected after five times: {found:?}"),
        (5..=most).contains(&of("503")) && of("503") + of("v2") == 100,
        "expected 503 five times, and v2 otherwise",
    );
    let others = BTreeMap::from([("v2".to_owned(), 20)]);
    let next = || answers(mesh, "/x", 20);
    report
        .becomes("nobody goes to what is ejected", EDIT, next, others)
        .await;
    let counted = mesh
        .client
        .stats(&mesh.network.client, "all.*ejections_active")
        .await;
    let counted: Vec<&str> = counted
        .lines()
        .filter(|line| !line.ends_with(": 0"))
        .collect();
    report.equal("the ejection is counted", counted.len(), 1);
    mesh.apps[0].set_sick(false);
}

/// One connection, one waits for it; there is no room for others.
async fn limits(mesh: &Mesh, report: &mut Report) {
    let policy = "
connectionPool: { tcp: { maxConnections: 1 }, http: { http1MaxPendingRequests: 1 } }";
    mesh.rule_named("limits", &once(&to("v1", 100)), policy)
        .await;
    let request = Request::to(rules::HOST, "/slow");
    let calls = (0..5).map(|_| calls::status(&mesh.network.client, rules::ECHO, &request));
    let mut found = futures_util::future::join_all(calls).await;
    found.sort();
    report.equal(
        "connections and waiting requests are limited",
        &*found.join(" "),
        "200 200 503 503 503",
    );
}

async fn late(mesh: &Mesh, report: &mut Report) {
    let request = Request::to("late.mesh.test", "/x");
    let said = || async {
        let answer = calls::call(&mesh.network.client, LATE, &request).await;
        answer.map_or_else(
            |error| error.to_string(),
            |answer| answer.get("x-version").unwrap_or_default().to_owned(),
        )
    };
    let entry = |address| include_str!("../config/late.yaml").replace("ADDRESS", address);
    for (what, address, version) in [
        ("a service that is added", network::ECHO[1], "v2"),
        ("its endpoint is another", network::ECHO[0], "v1"),
    ] {
        mesh.plane.config.write("late.yaml", &entry(address));
        report.becomes(what, EDIT, said, version.into()).await;
    }
    let _ = std::fs::remove_file(mesh.plane.config.path("late.yaml"));
    let known = || async {
        mesh.client
            .stats(&mesh.network.client, "late.mesh.test")
            .await
            .contains("upstream")
    };
    report
        .becomes("a service that is removed", EDIT, known, false)
        .await;
}
