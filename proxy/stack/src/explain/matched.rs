//! The virtual host and the routes that take a request, and why no others do.

use std::sync::Arc;

use ::http::StatusCode;
use tandem_core::Request;
use tandem_core::ext::StreamInfo;
use tandem_model::matching::{RequestView, RouteTable};
use tandem_model::route::{Route, RouteConfiguration, VirtualHost};

use super::http::refused;
use super::table::Routes;
use super::{Explanation, World};
use crate::router;

/// The virtual host, and the routes that take the request with their shares. Of these the first
/// is said.
pub(super) fn find(
    world: &World<'_>,
    routes: &Routes,
    request: &Request,
    info: &StreamInfo,
    given: &str,
    out: &mut Explanation,
) -> Option<(usize, Vec<(usize, f64)>)> {
    // Zero lies within every share, so that of routes that take a share only the first is found.
    let view = router::view(request, info, 0);
    let table = &*routes.table;
    let config = table.config();
    let Some(at) = table.virtual_host(view.authority) else {
        no_host(world, routes, &view, out);
        return None;
    };
    let host = &config.virtual_hosts[at];
    out.virtual_host = Some(host.name.to_string());
    let step = out.step("virtual host", &host.name);
    step.note(format!("domain {}", domain(config, host, view.authority)));
    if view.path_and_query != given {
        step.note(format!("path {}", view.path_and_query));
    }
    if let Some(redirect) = router::require_tls(host, &view, info) {
        refused(out, &redirect, "require_tls of the virtual host");
        out.found = true;
        return None;
    }
    let first = table.route(at, &view);
    let (takers, left) = takers(table, host, first, &view);
    match takers.first() {
        Some((at, share)) => self::step(host, *at, *share, out),
        None => {
            out.step("route", "none");
        }
    }
    let last = out.steps.len() - 1;
    for (at, route) in host.routes[..first.unwrap_or(host.routes.len())]
        .iter()
        .enumerate()
    {
        let why = table.unmet(route, &view).map(|unmet| unmet.why(&view));
        out.steps[last].not(name(host, at), why.unwrap_or_default());
    }
    if takers.is_empty() {
        let answer = format!("404: no route of virtual host '{}' matches", host.name);
        out.reply(StatusCode::NOT_FOUND, "NR", answer);
        return None;
    }
    if left > f64::EPSILON {
        let note = format!("{} of requests find no further route: 404", percent(left));
        out.steps[last].note(note);
    }
    Some((at, takers))
}

fn no_host(world: &World<'_>, routes: &Routes, view: &RequestView<'_>, out: &mut Explanation) {
    let config = routes.table.config();
    if let Some(missing) = &routes.missing {
        return out.reply(StatusCode::NOT_FOUND, "NR", format!("404: {missing}"));
    }
    let step = out.step("virtual host", "none");
    for host in &config.virtual_hosts {
        step.not(&host.name, format!("its domains: {}", domains(host)));
    }
    let answer = format!(
        "no virtual host of routes '{}' has the domain '{}'",
        config.name, view.authority
    );
    if config.vhds.is_some() && !world.is_live {
        let unknown = "unknown here: a control plane sends more of them; ask the process (--admin)";
        step.note(unknown);
        return out.refuse(answer);
    }
    out.reply(StatusCode::NOT_FOUND, "NR", format!("404: {answer}"));
}

/// The routes that take the request, each with its share, and what is left.
fn takers(
    table: &RouteTable,
    host: &VirtualHost,
    first: Option<usize>,
    view: &RequestView<'_>,
) -> (Vec<(usize, f64)>, f64) {
    let mut takers = Vec::new();
    let mut left = 100.0;
    let from = first.unwrap_or(host.routes.len());
    for (at, route) in host.routes.iter().enumerate().skip(from) {
        if table.unmet(route, view).is_some() {
            continue;
        }
        let fraction = route.matches.fraction.as_ref();
        let share = left * fraction.map_or(1.0, |fraction| fraction.now().percent() / 100.0);
        takers.push((at, share));
        left -= share;
        if left <= f64::EPSILON {
            break;
        }
    }
    (takers, left)
}

/// Says a route that takes a share of the requests.
pub(super) fn step(host: &VirtualHost, at: usize, share: f64, out: &mut Explanation) {
    let step = out.step("route", name(host, at));
    let condition = condition(&host.routes[at]);
    step.note(match share {
        100.0 => condition,
        share => format!("{} of requests: {condition}", percent(share)),
    });
}

fn percent(share: f64) -> String {
    format!("{} %", (share * 100.0).round() / 100.0)
}

fn condition(route: &Route) -> String {
    let more = route.matches.headers.len() + route.matches.query_parameters.len();
    let path = format!("path: {}", route.matches);
    match more {
        0 => path,
        1 => format!("{path}, and another condition"),
        more => format!("{path}, and {more} other conditions"),
    }
}

fn name(host: &VirtualHost, at: usize) -> String {
    match &*host.routes[at].name {
        "" => format!("#{}", at + 1),
        name => format!("#{} {name}", at + 1),
    }
}

fn domains(host: &VirtualHost) -> String {
    let shown: Vec<&str> = host
        .domains
        .iter()
        .take(6)
        .map(|domain| &**domain)
        .collect();
    let more = host.domains.len() - shown.len();
    match more {
        0 => shown.join(", "),
        more => format!("{}, and {more} more", shown.join(", ")),
    }
}

/// The domain of a virtual host that an authority has: the table itself is asked, about a host
/// with one domain after the other, from the most precise to the least.
fn domain(config: &RouteConfiguration, host: &VirtualHost, authority: &str) -> Arc<str> {
    let mut domains = host.domains.clone();
    domains.sort_by_key(|domain| {
        let kind = match &**domain {
            "*" => 3,
            domain if domain.starts_with('*') => 1,
            domain if domain.ends_with('*') => 2,
            _ => 0,
        };
        (kind, std::cmp::Reverse(domain.len()))
    });
    let has = |domain: &Arc<str>| {
        let only = VirtualHost {
            domains: vec![Arc::clone(domain)],
            routes: Vec::new(),
            ..host.clone()
        };
        let config = RouteConfiguration {
            ignore_port_in_host_matching: config.ignore_port_in_host_matching,
            virtual_hosts: vec![Arc::new(only)],
            ..RouteConfiguration::default()
        };
        RouteTable::new(Arc::new(config))
            .virtual_host(authority)
            .is_some()
    };
    let found = domains.iter().find(|domain| has(domain));
    found.map_or_else(|| "*".into(), Arc::clone)
}
