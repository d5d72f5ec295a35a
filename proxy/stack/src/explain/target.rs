//! From a route's action to clusters and endpoints.

use std::sync::Arc;

use ::http::{HeaderMap, Method, StatusCode, Uri, Version};
use tandem_core::ext::{ConnectionInfo, StreamInfo};
use tandem_core::{Body, Request, authority};
use tandem_model::HttpConnectionManager;
use tandem_model::cluster::{Discovery, LbPolicy};
use tandem_model::retry::{RetryOn, RetryPolicy};
use tandem_model::route::{
    ClusterSpecifier, Route, RouteAction, RouteConfiguration, VirtualHost, WeightedCluster,
};
use tandem_model::tcp_proxy::TcpCluster;
use tandem_upstream::{ClusterView, EndpointView};

use super::http::refused;
use super::{Endpoint, Explanation, Target, World};
use crate::router::edits::Edits;
use crate::router::{self, rewrite};

/// What the request has passed so far.
pub(super) struct Way<'a> {
    pub(super) world: &'a World<'a>,
    pub(super) manager: &'a HttpConnectionManager,
    pub(super) config: &'a RouteConfiguration,
    pub(super) host: &'a VirtualHost,
    pub(super) request: &'a Request,
    pub(super) info: &'a Arc<StreamInfo>,
}

/// Of a route that sends to clusters, `share` percent of the requests.
pub(super) fn route(
    way: &Way<'_>,
    route: &Route,
    action: &RouteAction,
    share: f64,
    out: &mut Explanation,
) {
    if let Err(error) = router::refuse_upgrade(way.manager, action, way.request) {
        return refused(out, &error, "the upgrade is not allowed");
    }
    policies(way, action, out);
    for (random, weighted, part) in choices(action) {
        match router::choose(action, way.request, random) {
            Ok((Some(cluster), _)) => {
                let target = send(way, route, action, weighted, cluster, share * part, out);
                out.clusters.push(target);
            }
            Ok((None, _)) => {}
            Err(error) => refused(out, &error, "the header that names the cluster"),
        }
    }
}

/// A random number that leads to each of the choices, and its part of the requests.
fn choices(action: &RouteAction) -> Vec<(u64, Option<&WeightedCluster>, f64)> {
    let ClusterSpecifier::Weighted { clusters, .. } = &action.cluster else {
        return vec![(0, None, 1.0)];
    };
    let total: u64 = clusters.iter().map(WeightedCluster::weight_now).sum();
    let mut before = 0;
    let mut all = Vec::new();
    for cluster in clusters {
        let weight = cluster.weight_now();
        if weight > 0 {
            #[allow(clippy::cast_precision_loss, reason = "to be read by people")]
            let part = weight as f64 / total.max(1) as f64;
            all.push((before, Some(cluster), part));
        }
        before += weight;
    }
    all
}

/// Timeouts and retries.
fn policies(way: &Way<'_>, action: &RouteAction, out: &mut Explanation) {
    let timeout = match action.timeout {
        Some(timeout) => format!("timeout {timeout:?}"),
        None => "no timeout".to_owned(),
    };
    let retry = action
        .retry_policy
        .as_ref()
        .or(way.host.retry_policy.as_ref());
    let retry = retry.map_or_else(|| "no retries".to_owned(), |policy| retries(policy));
    let Some(step) = out.steps.iter_mut().rev().find(|step| step.what == "route") else {
        return;
    };
    step.note(format!("{timeout}, {retry}"));
}

fn retries(policy: &RetryPolicy) -> String {
    let on = RetryOn::ALL
        .iter()
        .filter(|(_, on)| policy.on.intersects(*on));
    let on: Vec<&str> = on.map(|(name, _)| *name).collect();
    let each = policy.per_try_timeout;
    let each = each.map_or_else(String::new, |time| format!(", {time:?} each"));
    format!("{} retries on {}{each}", policy.num_retries, on.join(","))
}

/// What becomes of the request, and where it goes.
fn send(
    way: &Way<'_>,
    route: &Route,
    action: &RouteAction,
    weighted: Option<&WeightedCluster>,
    cluster: Arc<str>,
    share: f64,
    out: &mut Explanation,
) -> Target {
    let mut request = copy(way.request);
    let mut info = StreamInfo::new(
        Arc::clone(&way.info.connection),
        way.info.protocol,
        way.info.stream_id,
    );
    info.is_grpc = way.info.is_grpc;
    info.internal = way.info.internal;
    info.client = way.info.client;
    let info = Arc::new(info);
    let _ = info.cluster.set(Arc::clone(&cluster));
    request.extensions_mut().insert(Arc::clone(&info));
    let (steps, refusal) = way.filters(route, weighted, &request);
    for step in steps {
        if !out.steps.contains(&step) {
            out.steps.push(step);
        }
    }
    Edits::new(way.config, way.host, route, weighted).request(&mut request, &info);
    let keep_old = !way.manager.router.suppress_envoy_headers;
    rewrite::host(&mut request, action, weighted, &info, keep_old);
    rewrite::path(&mut request, route, action, &info, keep_old);
    let missing = action.cluster_not_found_response_code;
    let headers = Some(request.headers());
    let mut target = endpoints(
        way.world,
        &cluster,
        share,
        missing,
        &info.connection,
        headers,
    );
    target.path = authority::path_and_query(&request).to_owned();
    target.authority = authority::get(&request).to_owned();
    if let Some((status, says)) = refusal {
        target.status = Some(status.as_u16());
        target.notes = vec![says];
    }
    target
}

fn copy(request: &Request) -> Request {
    let mut copy = Request::new(Body::empty());
    let parts: (&Method, &Uri, Version, &HeaderMap) = (
        request.method(),
        request.uri(),
        request.version(),
        request.headers(),
    );
    *copy.method_mut() = parts.0.clone();
    *copy.uri_mut() = parts.1.clone();
    *copy.version_mut() = parts.2;
    *copy.headers_mut() = parts.3.clone();
    copy
}

/// A cluster with its endpoints; the status in their place, if it has none that may be used.
fn endpoints(
    world: &World<'_>,
    cluster: &Arc<str>,
    share: f64,
    missing: StatusCode,
    connection: &ConnectionInfo,
    headers: Option<&HeaderMap>,
) -> Target {
    let mut target = Target {
        cluster: cluster.to_string(),
        share,
        ..Target::default()
    };
    let Some(mut view) = world.clusters.view(cluster) else {
        target.notes.push("there is no such cluster".to_owned());
        if world.is_live {
            target.status = Some(missing.as_u16());
            target.flags = "NC".to_owned();
        } else {
            let note = "unless a control plane sends it: ask the process (--admin)";
            target.notes.push(note.to_owned());
        }
        return target;
    };
    target
        .notes
        .push(format!("{}, {}", kind(&view), policy(&view)));
    if view.panics {
        let note = "so few are well that health is ignored (panic)";
        target.notes.push(note.to_owned());
    }
    let unresolved = view.unresolved.join(", ");
    let known = match &view.config.discovery {
        Discovery::OriginalDst(_) => destined(&mut view, connection, headers, &mut target),
        Discovery::Eds(_) if !world.is_live => {
            let note = "endpoints unknown here: a control plane sends them";
            target.notes.push(note.to_owned());
            false
        }
        _ if unresolved.is_empty() => true,
        _ => {
            target.notes.push(match world.is_live {
                true => format!("no address is known of {unresolved}"),
                false => format!("not resolved here: {unresolved}"),
            });
            world.is_live
        }
    };
    target.endpoints = view.endpoints.iter().map(endpoint).collect();
    let none = target.endpoints.iter().all(|one| one.share == 0.0);
    if known && none {
        target.status = Some(StatusCode::SERVICE_UNAVAILABLE.as_u16());
        target.flags = "UH".to_owned();
    }
    target
}

/// Follows a connection, or the header that says otherwise; whether it is known if there is an
/// endpoint.
fn destined(
    view: &mut ClusterView,
    connection: &ConnectionInfo,
    headers: Option<&HeaderMap>,
    target: &mut Target,
) -> bool {
    let original = connection.original_destination;
    let (note, known) = match view.follow(headers, original) {
        Some(to) if to.ip().is_unspecified() => {
            view.endpoints.retain(|one| one.share == 0.0);
            let note = "to where the connection was going, which is not known here: --to says it";
            (note.to_owned(), false)
        }
        Some(to) if Some(to) == original => {
            let note = format!("to where the connection was going: {to}");
            (note, true)
        }
        Some(to) => {
            let note = format!("to {to}, as the cluster's original_dst_lb_config says");
            (note, true)
        }
        None => {
            let note = "to where the connection was going, if it was redirected";
            (note.to_owned(), true)
        }
    };
    target.notes.push(note);
    known
}

fn kind(view: &ClusterView) -> &'static str {
    match view.config.discovery {
        Discovery::Static => "STATIC",
        Discovery::StrictDns(_) => "STRICT_DNS",
        Discovery::LogicalDns(_) => "LOGICAL_DNS",
        Discovery::Eds(_) => "EDS",
        Discovery::OriginalDst(_) => "ORIGINAL_DST",
    }
}

fn policy(view: &ClusterView) -> &'static str {
    match view.config.lb_policy {
        LbPolicy::RoundRobin => "round robin",
        LbPolicy::LeastRequest { .. } => "least request",
        LbPolicy::Random => "random",
        LbPolicy::ClusterProvided => "as the cluster says",
    }
}

fn endpoint(view: &EndpointView) -> Endpoint {
    let place = &view.locality;
    let place = [&place.region, &place.zone, &place.sub_zone];
    let place = place.map(|part| part.to_string()).join("/");
    Endpoint {
        address: view.address.clone(),
        share: view.share,
        weight: view.weight,
        priority: view.priority,
        locality: place.trim_end_matches('/').to_owned(),
        health: view.health.clone(),
        transport: view.transport.clone(),
    }
}

/// The answer, when every cluster is known.
pub(super) fn conclude(out: &mut Explanation) {
    let Some(first) = out.clusters.first() else {
        return;
    };
    let good = out.clusters.iter().find(|target| target.status.is_none());
    match good {
        Some(_) => {
            let names: Vec<String> = (out.clusters.iter())
                .map(|target| match target.share {
                    100.0 => target.cluster.clone(),
                    share => format!("{} ({} %)", target.cluster, (share * 100.0).round() / 100.0),
                })
                .collect();
            let mut answer = format!("goes to cluster {}", names.join(", "));
            let used = |endpoint: &&Endpoint| endpoint.share > 0.0;
            if let [only] = &*out.clusters {
                let addresses: Vec<&str> = (only.endpoints.iter().filter(used).take(3))
                    .map(|endpoint| &*endpoint.address)
                    .collect();
                let more = only.endpoints.iter().filter(used).count() - addresses.len();
                if !addresses.is_empty() {
                    answer.push_str(&format!(" at {}", addresses.join(", ")));
                }
                if more > 0 {
                    answer.push_str(&format!(" and {more} more"));
                }
            }
            // A direct answer of another route with a share was said before.
            if out.status.is_none() {
                out.answer = answer;
            } else {
                out.answer = format!("{answer}; else {}", out.answer);
            }
            out.found = true;
            out.status = None;
        }
        None => {
            let (status, flags) = (first.status.unwrap_or(503), first.flags.clone());
            let why = match &*flags {
                "NC" => "there is no such cluster".to_owned(),
                "UH" => "no endpoint may be used".to_owned(),
                _ => first.notes.join(", "),
            };
            out.answer = format!("{status}: cluster {}: {why}", first.cluster);
            out.status = Some(status);
            out.flags = flags;
            out.found = false;
        }
    }
}

/// A connection that is passed on as it is.
pub(super) fn tcp(
    world: &World<'_>,
    clusters: &TcpCluster,
    connection: &ConnectionInfo,
    out: &mut Explanation,
) {
    let all = match clusters {
        TcpCluster::Cluster(name) => vec![(Arc::clone(name), 100.0)],
        TcpCluster::Weighted(weighted) => {
            let total: u32 = weighted.iter().map(|(_, weight)| weight).sum();
            let share = |weight: &u32| 100.0 * f64::from(*weight) / f64::from(total.max(1));
            let shares = weighted.iter();
            shares
                .map(|(name, weight)| (Arc::clone(name), share(weight)))
                .collect()
        }
    };
    out.step("tcp proxy", "as it is, without looking into it");
    for (name, share) in all {
        let missing = StatusCode::SERVICE_UNAVAILABLE;
        let mut target = endpoints(world, &name, share, missing, connection, None);
        target.path.clear();
        out.clusters.push(target);
    }
    conclude(out);
    if !out.found {
        // Nobody is answered: the connection is closed.
        out.status = None;
        out.answer = out
            .answer
            .replacen("503: ", "the connection is closed: ", 1);
    }
}
