//! The bootstrap: everything one process is told at start.

mod extension;
mod log_format;
mod metrics;
mod overload;

use std::collections::HashSet;
use std::sync::Arc;

use envoy_types::pb::envoy::config::bootstrap::v3 as proto;
use envoy_types::pb::envoy::config::core::v3 as core;
use tandem_model::access_log::{Output, Sink};
use tandem_model::bootstrap::{Admin, Bootstrap, Dynamic, Node};
use tandem_model::cluster::Discovery;
use tandem_model::config_source::Origin;
use tandem_model::{Cluster, Listener};

use crate::address::{self, Beside};
use crate::cx::{Cx, Report};
use crate::error::{Error, Errors};
use crate::read::read_with;
use crate::route::Scope;
use crate::source::Source;
use crate::{access_log, cluster, config_source, endpoint, listener, runtime, tls};

/// Reads, checks and translates a bootstrap; what is wrong with it is reported in one go.
///
/// Sources are merged as [`crate::read_bootstrap`] merges them.
pub fn load(sources: &[Source]) -> Result<Bootstrap, Errors> {
    read_with(sources, translate).map(|(_, bootstrap)| bootstrap)
}

fn translate(proto: &proto::Bootstrap) -> Result<Bootstrap, Vec<Error>> {
    let report = Report::default();
    let bootstrap = bootstrap(&report.root(), proto);
    report.finish(Some(bootstrap))
}

fn bootstrap(cx: &Cx<'_>, proto: &proto::Bootstrap) -> Bootstrap {
    extension::all(cx, &proto.bootstrap_extensions);
    overload::check(cx, proto.overload_manager.as_ref());
    let statics = proto.static_resources.clone().unwrap_or_default();
    let cx_statics = &cx.field("static_resources");
    let names: Vec<_> = statics.clusters.iter().map(|c| c.name.as_str()).collect();
    once(&cx_statics.field("clusters"), "cluster", &names);
    let listener_names: Vec<_> = statics.listeners.iter().map(|l| l.name.as_str()).collect();
    let secret_names: Vec<_> = statics.secrets.iter().map(|s| s.name.as_str()).collect();
    once(&cx_statics.field("secrets"), "secret", &secret_names);
    once(&cx_statics.field("listeners"), "listener", &listener_names);
    let clusters: HashSet<_> = names.into_iter().collect();
    let scope = Scope {
        clusters: &|name| clusters.contains(name),
    };
    let listeners = cx_statics.each("listeners", &statics.listeners, |cx, proto| {
        listener::listener(cx, proto, &scope).map(Arc::new)
    });
    addresses_once(&cx_statics.field("listeners"), &listeners);
    let mut bootstrap = Bootstrap {
        node: proto.node.as_ref().map(node).unwrap_or_default(),
        admin: proto
            .admin
            .as_ref()
            .and_then(|proto| admin(&cx.field("admin"), proto)),
        metrics: metrics::config(cx, proto.stats_config.as_ref()),
        log_format: log_format::format(cx, proto.application_log_config.as_ref()),
        runtime: runtime::layers(cx, proto.layered_runtime.as_ref()),
        clusters: cx_statics.each("clusters", &statics.clusters, |cx, proto| {
            Some(Arc::new(cluster::cluster(cx, proto)))
        }),
        listeners,
        secrets: cx_statics.each("secrets", &statics.secrets, |cx, proto| {
            tls::secret(cx, proto).map(Arc::new)
        }),
        dynamic: dynamic(
            &cx.field("dynamic_resources"),
            proto.dynamic_resources.as_ref(),
        ),
        subscribes: false,
    };
    bootstrap.subscribes = cx.has_subscribed();
    cx.missing(|name| {
        let mut clusters = bootstrap.clusters.iter();
        let found = clusters.find(|cluster| *cluster.name == *name);
        found.is_some_and(|cluster| is_first(cluster))
    });
    bootstrap
}

/// Whether a cluster can be called before any control plane has answered.
fn is_first(cluster: &Cluster) -> bool {
    match &cluster.discovery {
        Discovery::Eds(subscribed) => matches!(subscribed.key.origin, Origin::Path(_)),
        _ => true,
    }
}

fn dynamic(cx: &Cx<'_>, proto: Option<&proto::bootstrap::DynamicResources>) -> Dynamic {
    let Some(proto) = proto else {
        return Dynamic::default();
    };
    let source = |field: &str, proto: &Option<core::ConfigSource>| {
        let cx = &cx.field(field);
        let source = config_source::source(cx, Some(proto.as_ref()?))?;
        Some(source)
    };
    let ads = (proto.ads_config.as_ref())
        .and_then(|proto| config_source::ads(&cx.field("ads_config"), proto));
    let dynamic = Dynamic {
        clusters: source("cds_config", &proto.cds_config),
        listeners: source("lds_config", &proto.lds_config),
        ads: ads.map(Arc::new),
    };
    for (field, source) in [
        ("cds_config", &dynamic.clusters),
        ("lds_config", &dynamic.listeners),
    ] {
        let asks = (source.as_ref()).is_some_and(|source| source.origin == Origin::Ads);
        if asks && proto.ads_config.is_none() {
            cx.field(field)
                .error("expected an ads_config beside it, since it says 'ads'");
        }
    }
    dynamic
}

/// Names by which things are found have to be unique.
fn once(cx: &Cx<'_>, what: &str, names: &[&str]) {
    let mut seen = HashSet::new();
    for (i, name) in names
        .iter()
        .enumerate()
        .filter(|(_, name)| !name.is_empty())
    {
        if !seen.insert(*name) {
            let reason = format!("expected every {what} name once, got '{name}' again");
            cx.index(i).field("name").error(reason);
        }
    }
}

/// Two listeners cannot have one address, unless the system chooses the port.
fn addresses_once(cx: &Cx<'_>, listeners: &[Arc<Listener>]) {
    let mut seen = HashSet::new();
    for listener in listeners {
        for address in listener.addresses() {
            let port = address.socket().map(|address| address.port());
            let chosen = listener.bind_to_port && port == Some(0);
            if !chosen && !seen.insert(address.to_string()) {
                let reason = format!(
                    "expected every address once, '{}' has {address} again",
                    listener.name
                );
                cx.error(reason);
            }
        }
    }
}

fn node(proto: &core::Node) -> Node {
    Node {
        id: proto.id.as_str().into(),
        cluster: proto.cluster.as_str().into(),
        locality: endpoint::locality(proto.locality.as_ref()),
    }
}

#[allow(deprecated, reason = "Envoy's own examples have `access_log_path`")]
fn admin(cx: &Cx<'_>, proto: &proto::Admin) -> Option<Admin> {
    if !matches!(proto.access_log_path.as_str(), "" | "/dev/null") {
        cx.field("access_log_path")
            .error("another value than /dev/null is not supported");
    }
    for (i, log) in access_log::access_logs(cx, &proto.access_log)
        .iter()
        .enumerate()
    {
        if !matches!(&log.output, Output::Lines { sink: Sink::File(path), .. } if &**path == "/dev/null")
        {
            cx.field("access_log")
                .index(i)
                .error("expected a file log to /dev/null, others are not supported here");
        }
    }
    let address = proto.address.as_ref()?;
    address::address(&cx.field("address"), Some(address), Beside::Nothing)
        .map(|address| Admin { address })
}
