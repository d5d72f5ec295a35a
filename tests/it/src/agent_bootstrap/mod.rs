//! What a mesh's agent writes into the bootstrap beside resources: the form of log lines, and
//! which metrics there are under which labels. Envoy is asked the same.

use std::collections::BTreeSet;
use std::process::Command;

use tandem_harness::{Kind, Process, Proxy, client, ports, wait};
use tempfile::TempDir;

const BOOTSTRAP: &str = include_str!("bootstrap.yaml");

/// Metrics that both have, without what belongs to one thing or one status.
const FAMILIES: [&str; 9] = [
    "cx_total",
    "upstream_rq_completed",
    "upstream_rq_total",
    "upstream_rq_503",
    "upstream_rq_5xx",
    "membership_total",
    "downstream_rq_5xx",
    "total_listeners_active",
    "active_clusters",
];

/// Settings, and how many of those metrics are left.
const SETTINGS: [(&str, usize); 6] = [
    ("{}", 17),
    (
        // As pilot-agent: names end in a semicolon, tags are cut out, little is selected.
        r#"{use_all_default_tags: false,
            stats_tags: [
              {tag_name: cluster_name, regex: '^cluster(\.(.+);)'},
              {tag_name: http_conn_manager_prefix, regex: '^http\.(((?:[_.[:digit:]\w]*|[_\[\]aAbBcCdDeEfF[:digit:]\w\:]*));\.)'},
              {tag_name: response_code, regex: '_rq(_(\d{3}))$'},
              {tag_name: response_code_class, regex: '_rq(_(\dxx))$'},
              {tag_name: listener_address, regex: '^listener(?=\.).*?(((?:[_.[:digit:]]*|[_\[\]aAbBcCdDeEfF[:digit:]]*))\.)'}],
            stats_matcher: {inclusion_list: {patterns: [
              {prefix: listener_manager}, {prefix: server}, {prefix: cluster_manager}, {prefix: cluster.xds-grpc},
              {suffix: downstream_rq_5xx}, {safe_regex: {regex: 'listener\..*\.downstream_cx_total'}}]}}}"#,
        10,
    ),
    (
        r#"{stats_tags: [{tag_name: fixed.a, fixed_value: 'v"1'}, {tag_name: zz, regex: '(upstream)_cx'},
              {tag_name: both, regex: '^cluster\.((.)ds)'}, {tag_name: nothing, regex: active},
              {tag_name: pre, regex: '^cluster_manager(\.(active_clusters))$'}, {tag_name: opt, regex: '_rq_(total|(none))'}],
            stats_matcher: {exclusion_list: {patterns: [{contains: MEMBERSHIP, ignore_case: true}]}}}"#,
        15,
    ),
    ("{use_all_default_tags: false}", 17),
    (
        "{use_all_default_tags: false, stats_tags: [{tag_name: envoy.cluster_name}]}",
        17,
    ),
    ("{stats_matcher: {reject_all: true}}", 0),
];

/// Names, labels and what is left of the metrics are as Envoy's.
#[tokio::test]
async fn metrics_are_selected_and_labelled_as_envoys() {
    for (settings, count) in SETTINGS {
        let (admin, front) = (ports::free(), ports::free());
        let bootstrap = filled(settings, admin, front);
        let envoy = metrics(Kind::Envoy, &bootstrap, admin, front).await;
        let tandem = metrics(Kind::Tandem, &bootstrap, admin, front).await;
        assert_eq!(tandem, envoy, "{settings}");
        assert_eq!(tandem.0.len(), count, "{settings}: {tandem:#?}");
    }
}

fn filled(settings: &str, admin: u16, front: u16) -> String {
    let text = BOOTSTRAP.replace("STATS", settings);
    let text = text.replace("ADMIN", &admin.to_string());
    text.replace("FRONT", &front.to_string())
}

type Names = BTreeSet<String>;

/// The dotted names, and the lines of Prometheus without their values.
async fn metrics(kind: Kind, bootstrap: &str, admin: u16, front: u16) -> (Names, Names) {
    let proxy = Proxy::start(kind, bootstrap, admin).await.unwrap();
    for path in ["/agent", "/other"] {
        let (status, _) = client::h1::get(front, path).await.unwrap();
        assert_eq!(status, 503, "nobody listens");
    }
    let dotted = proxy.admin("/stats").await;
    let known = |name: &str| {
        let own =
            !name.contains(".admin.") && !name.contains("worker_") && !name.contains("external.");
        own && !name.contains(".http.") && FAMILIES.iter().any(|family| name.ends_with(family))
    };
    let names = dotted.lines().filter_map(|line| line.rsplit_once(": "));
    let dotted: Names = (names.map(|(name, _)| name.to_owned()))
        .filter(|name| known(name))
        .collect();
    // Of Prometheus those of the same things: a name there does not say which it was.
    let families = [
        "cx_total",
        "rq_completed",
        "rq_total",
        "upstream_rq",
        "upstream_rq_",
        "upstream_rq_503",
        "upstream_rq_5xx",
        "upstream_rq_xx",
        "membership_total",
        "rq_5xx",
        "listeners_active",
        "active_clusters",
        "envoy_cluster_manager",
    ];
    let text = proxy.admin("/stats/prometheus").await;
    let prometheus = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| {
            let (key, _) = line.rsplit_once(' ')?;
            let (name, labels) = key.trim_end_matches('}').split_once('{')?;
            let others = [
                "admin",
                "worker",
                "external",
                "async",
                "_listener_http",
                "main_thread",
                "_http_in",
                "downstream_rq_xx",
            ];
            let known = families.iter().any(|family| name.ends_with(family));
            let mut labels: Vec<_> = labels.split(',').collect();
            labels.sort_unstable();
            (known && !others.iter().any(|other| key.contains(other)))
                .then(|| format!("{name}{{{}}}", labels.join(",")))
        });
    (dotted, prometheus.collect())
}

/// Lines have the form that the bootstrap says, in Envoy and here.
#[tokio::test]
async fn log_lines_look_as_asked() {
    let form = |line: &str| {
        let parts: Vec<_> = line.split('\t').collect();
        let [time, level, place, message, thread] = parts[..] else {
            return false;
        };
        let time = time.len() == "2026-01-31T23:59:59.123456Z".len() && time.ends_with('Z');
        let thread = thread
            .strip_prefix("thread=")
            .is_some_and(|id| id.parse::<u64>().is_ok());
        let line = place
            .rsplit_once(':')
            .is_some_and(|(_, line)| line.parse::<u32>().is_ok());
        time && thread
            && line
            && level == "info"
            && place.starts_with("proxy ")
            && !message.is_empty()
    };
    for kind in [Kind::Envoy, Kind::Tandem] {
        let (admin, front) = (ports::free(), ports::free());
        let folder = TempDir::new().unwrap();
        let mut command = start(kind, &folder, &filled("{}", admin, front));
        let name = format!("{kind:?}");
        let proxy = Proxy::launch(&name, &mut command, folder, admin)
            .await
            .unwrap();
        let served = || {
            proxy
                .process
                .output()
                .lines()
                .any(|line| line.contains("proxy ") && form(line))
        };
        wait::until(wait::PATIENCE, served).await;
        if kind == Kind::Tandem {
            let output = proxy.process.output();
            assert!(output.lines().all(form), "{output}");
        }
    }
}

fn start(kind: Kind, folder: &TempDir, bootstrap: &str) -> Command {
    let config = folder.path().join("bootstrap.yaml");
    std::fs::write(&config, bootstrap).unwrap();
    let mut command = Command::new(kind.binary());
    match kind {
        Kind::Envoy => command.arg("--use-dynamic-base-id"),
        Kind::Tandem => command.arg("proxy"),
    };
    command
        .args(["--concurrency", "1", "-l", "info", "-c"])
        .arg(config);
    command
}

/// The command line says it too, but not beside the bootstrap.
#[tokio::test]
async fn log_lines_have_one_form() {
    for kind in [Kind::Envoy, Kind::Tandem] {
        let folder = TempDir::new().unwrap();
        let bootstrap = filled("{}", ports::free(), ports::free());
        let mut command = start(kind, &folder, &bootstrap);
        let mut process = Process::spawn("both", command.args(["--log-format", "%v"]));
        wait::until(wait::PATIENCE, || process.exited().is_some()).await;
        assert!(!process.exited().unwrap().success(), "{kind:?}");
        let output = process.last_output().await;
        assert!(output.contains("--log-format"), "{output}");
    }
}
