//! From a request to its route, and what its action does.

use std::sync::Arc;

use ::http::{HeaderValue, Request as HttpRequest, StatusCode, Uri, Version, header};
use tandem_core::ext::{ConnectionInfo, Protocol, StreamInfo};
use tandem_core::{Body, Error, Request, authority, grpc, rescue};
use tandem_model::config_source::ResourceKey;
use tandem_model::filter::FilterSource;
use tandem_model::hcm::RouteSource;
use tandem_model::matching::{RequestView, RouteTable};
use tandem_model::route::{Action, Route, RouteConfiguration, VirtualHost};
use tandem_model::scope::{ScopeRoutes, ScopeSource};
use tandem_model::{HttpConnectionManager, Listener, scheme};

use super::target::{self, Way};
use super::{Ask, Explanation, Step, World};
use crate::hcm::{Settings, client, request, scoped};
use crate::router;

pub(super) fn follow(
    ask: &Ask,
    world: &World<'_>,
    manager: &Arc<HttpConnectionManager>,
    listener: &Listener,
    connection: Arc<ConnectionInfo>,
    out: &mut Explanation,
) {
    let Some(mut request) = build(ask) else {
        return out.refuse("such a request cannot be written down: look at its host and path");
    };
    let Some(table) = routes(world, manager, &request, &connection, out) else {
        return;
    };
    let expect = request.headers().get(header::EXPECT);
    let waits = expect.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"));
    if waits && !ask.http2 && !manager.proxy_100_continue {
        // The codec has answered it: nobody behind it sees it.
        request.headers_mut().remove(header::EXPECT);
    }
    let protocol = Protocol::of(request.version());
    let mut info = StreamInfo::new(connection, protocol, 0);
    info.is_grpc = grpc::is_grpc(request.headers());
    let client = client::find(manager, request.headers(), info.connection.remote);
    info.client = client.address;
    info.internal = client.internal;
    let info = Arc::new(info);
    request.extensions_mut().insert(Arc::clone(&info));
    let settings = Settings {
        manager: Arc::clone(manager),
        table: Arc::clone(&table),
        listener: Arc::clone(&listener.name),
    };
    if let Err(error) = request::prepare(&mut request, &info, &settings) {
        return refused(out, &error, "before it is routed");
    }
    let Some((host, route)) = find(&table, &request, &info, &ask.path, out) else {
        return;
    };
    let config = table.config();
    let host = &config.virtual_hosts[host];
    let ways = Way {
        world,
        manager,
        config,
        host,
        request: &request,
        info: &info,
    };
    for (at, share) in route {
        act(&ways, at, share, out);
    }
    target::conclude(out);
}

/// The routes in force.
fn routes(
    world: &World<'_>,
    manager: &HttpConnectionManager,
    request: &Request,
    connection: &ConnectionInfo,
    out: &mut Explanation,
) -> Option<Arc<RouteTable>> {
    let table = match &manager.routes {
        RouteSource::Inline(config) => Arc::new(RouteTable::new(Arc::clone(config))),
        RouteSource::Rds(rds) => named(world, &rds.key, out)?,
        RouteSource::Scoped(scoped) => {
            let ScopeSource::Inline(scopes) = &scoped.scopes else {
                out.step("scoped routes", &scoped.name)
                    .note("scopes that a control plane sends are not explained");
                out.refuse("the routes are not known");
                return None;
            };
            let taken = scoped::with_key(scoped, manager, request, connection, |key| {
                let mut scopes = scopes.iter();
                scopes.find(|scope| Some(scope.key.as_str()) == key)
            });
            let step = out.step("scope", taken.map_or("none", |scope| &scope.name));
            let Some(scope) = taken else {
                step.note("no scope has the request's key");
                return Some(Arc::new(RouteTable::new(Arc::default())));
            };
            match (&scope.routes, scope.wanted(scoped.rds.as_ref())) {
                (ScopeRoutes::Inline(config), _) => Arc::new(RouteTable::new(Arc::clone(config))),
                (ScopeRoutes::Named(_), Some(need)) => named(world, &need.key, out)?,
                (ScopeRoutes::Named(_), None) => Arc::new(RouteTable::new(Arc::default())),
            }
        }
    };
    out.route_configuration = Some(table.config().name.to_string());
    Some(table)
}

/// Routes that came by themselves.
fn named(world: &World<'_>, key: &ResourceKey, out: &mut Explanation) -> Option<Arc<RouteTable>> {
    let table = (world.routes)(key);
    if table.is_none() {
        let step = out.step("routes", &key.name);
        step.note(match world.is_live {
            true => "they have not come yet",
            false => "unknown here: a control plane sends them; ask the process (--admin)",
        });
        out.refuse("the routes are not known");
    }
    table
}

fn build(ask: &Ask) -> Option<Request> {
    let scheme = if ask.tls { "https" } else { "http" };
    let builder = HttpRequest::builder().method(ask.method.clone());
    let mut request = if ask.http2 {
        let uri = Uri::builder()
            .scheme(scheme)
            .authority(ask.authority.as_str())
            .path_and_query(ask.path.as_str());
        let builder = builder.version(Version::HTTP_2).uri(uri.build().ok()?);
        builder.body(Body::empty()).ok()?
    } else {
        builder.uri(ask.path.as_str()).body(Body::empty()).ok()?
    };
    *request.headers_mut() = ask.headers.clone();
    if !ask.http2 {
        let host = HeaderValue::from_str(&ask.authority).ok()?;
        request.headers_mut().insert(header::HOST, host);
    }
    Some(request)
}

/// What routes look at. Zero lies within every share, so that of routes that take a share only
/// the first is found.
fn view<'a>(request: &'a Request, info: &StreamInfo) -> RequestView<'a> {
    RequestView {
        method: request.method(),
        path_and_query: authority::path_and_query(request),
        authority: authority::get(request),
        uri_scheme: request.uri().scheme_str(),
        encrypted: info.connection.is_tls(),
        headers: request.headers(),
        is_grpc: info.is_grpc,
        random: 0,
    }
}

/// The virtual host, and the routes that take the request with their shares.
fn find(
    table: &RouteTable,
    request: &Request,
    info: &StreamInfo,
    given: &str,
    out: &mut Explanation,
) -> Option<(usize, Vec<(usize, f64)>)> {
    let view = view(request, info);
    let config = table.config();
    let Some(host) = table.virtual_host(view.authority) else {
        let step = out.step("virtual host", "none");
        for host in &config.virtual_hosts {
            step.not(&host.name, format!("its domains: {}", domains(host)));
        }
        let answer = format!(
            "404: no virtual host of routes '{}' has the domain '{}'",
            config.name, view.authority
        );
        out.reply(StatusCode::NOT_FOUND, "NR", answer);
        return None;
    };
    let chosen = &config.virtual_hosts[host];
    out.virtual_host = Some(chosen.name.to_string());
    let step = out.step("virtual host", &chosen.name);
    step.note(format!("domain {}", domain(config, chosen, view.authority)));
    if view.path_and_query != given {
        step.note(format!("path {}", view.path_and_query));
    }
    if let Some(redirect) = router::require_tls(chosen, &view, info) {
        refused(out, &redirect, "require_tls of the virtual host");
        out.found = true;
        return None;
    }
    let routes = &chosen.routes;
    let mut takers = Vec::new();
    let mut left = 100.0;
    let first = table.route(host, &view);
    for (at, route) in routes
        .iter()
        .enumerate()
        .skip(first.unwrap_or(routes.len()))
    {
        if table.unmet(route, &view).is_some() {
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
    let passed = first.unwrap_or(routes.len());
    let step = out.step(
        "route",
        first.map_or("none".to_owned(), |at| name(routes, at)),
    );
    if let [(at, share), rest @ ..] = &*takers
        && *share < 100.0
    {
        step.note(format!(
            "{share} % of requests: {}",
            condition(&routes[*at])
        ));
        for (at, share) in rest {
            step.note(format!("{share} %: route {}", name(routes, *at)));
        }
        if left > f64::EPSILON {
            step.note(format!("{left} %: 404, no further route matches"));
        }
    } else if let Some(at) = first {
        step.note(condition(&routes[at]));
    }
    for (at, route) in routes[..passed].iter().enumerate() {
        let why = table.unmet(route, &view).map(|unmet| unmet.why(&view));
        step.not(name(routes, at), why.unwrap_or_default());
    }
    if first.is_none() {
        let answer = format!("404: no route of virtual host '{}' matches", chosen.name);
        out.reply(StatusCode::NOT_FOUND, "NR", answer);
        return None;
    }
    Some((host, takers))
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

fn name(routes: &[Arc<Route>], at: usize) -> String {
    match &*routes[at].name {
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

/// What one route does with its share.
fn act(way: &Way<'_>, at: usize, share: f64, out: &mut Explanation) {
    let route = &way.host.routes[at];
    if out.route.is_none() {
        out.route = Some(route.name.to_string());
        out.route_number = Some(at);
    }
    match &route.action {
        Action::Route(action) => target::route(way, route, action, share, out),
        Action::Redirect(redirect) => {
            if !way.passes(route, None, out) {
                return;
            }
            let uri = way.request.uri().scheme_str();
            let encrypted = way.info.connection.is_tls();
            let scheme = scheme::of(uri, way.request.headers(), encrypted);
            let location = router::redirect::location(redirect, route, way.request, scheme);
            let answer = format!("{}: redirected to {location}", redirect.status.as_u16());
            out.reply(redirect.status, "", answer);
            out.location = Some(location);
            out.found = true;
        }
        Action::DirectResponse(direct) => {
            if !way.passes(route, None, out) {
                return;
            }
            let status = direct.status;
            let answer = format!("{}: answered by the route itself", status.as_u16());
            out.reply(status, "", answer);
            out.found = true;
        }
        Action::NonForwarding => {
            let answer = "404: the route does not forward (non_forwarding_action)";
            out.reply(StatusCode::NOT_FOUND, "", answer);
        }
    }
}

/// The answer that an error becomes.
pub(super) fn refused(out: &mut Explanation, error: &Error, by: &str) {
    let Some(reply) = rescue::reply(error) else {
        return out.refuse("nobody is left to be answered");
    };
    let location = reply.headers.get(header::LOCATION);
    let location = location.and_then(|location| location.to_str().ok());
    let leads = location.map_or_else(String::new, |to| format!(", redirected to {to}"));
    let answer = format!("{}: {} ({by}){leads}", reply.status.as_u16(), reply.details);
    out.location = location.map(str::to_owned);
    out.reply(reply.status, flags(reply.flags), answer);
}

/// The flags, if there are any.
pub(super) fn flags(flags: tandem_core::ResponseFlags) -> String {
    match flags.bits() {
        0 => String::new(),
        _ => flags.to_string(),
    }
}

impl Way<'_> {
    /// Whether the filters let it pass; what they do is said.
    pub(super) fn passes(
        &self,
        route: &Route,
        weighted: Option<&tandem_model::route::WeightedCluster>,
        out: &mut Explanation,
    ) -> bool {
        let (steps, refusal) = self.filters(route, weighted, self.request);
        out.steps.extend(steps);
        let Some((status, says)) = refusal else {
            return true;
        };
        out.reply(status, "", format!("{}: {says}", status.as_u16()));
        false
    }

    /// What the filters say, and the refusal.
    pub(super) fn filters(
        &self,
        route: &Route,
        weighted: Option<&tandem_model::route::WeightedCluster>,
        request: &Request,
    ) -> (Vec<Step>, Option<(StatusCode, String)>) {
        let levels: [&[_]; 4] = [
            weighted.map_or(&[], |weighted| &weighted.filters),
            &route.filters,
            &self.host.filters,
            &self.config.filters,
        ];
        let mut steps = Vec::new();
        for filter in &self.manager.http_filters {
            let mut step = Step {
                what: "filter".to_owned(),
                name: filter.name.to_string(),
                ..Step::default()
            };
            let said = router::said(&filter.name, &levels);
            let came;
            let config = match &filter.config {
                FilterSource::Inline(config) => Some(config),
                FilterSource::Discovered(discovery) => {
                    came = (self.world.extensions)(&discovery.need.key);
                    match discovery.chosen(came.as_ref()) {
                        Some(extension) => extension.config.as_ref(),
                        None if router::is_skipped(said, filter.disabled) => None,
                        None if !self.world.is_live => {
                            step.note("its settings come by themselves, and are not known");
                            steps.push(step);
                            continue;
                        }
                        None => {
                            step.note("its settings have not come");
                            steps.push(step);
                            let status = StatusCode::INTERNAL_SERVER_ERROR;
                            return (steps, Some((status, "no settings of a filter".to_owned())));
                        }
                    }
                }
            };
            let config = config.and_then(|config| router::effective(config, said, filter.disabled));
            let Some(config) = config else {
                step.note("disabled on this route");
                steps.push(step);
                continue;
            };
            let verdict = (self.world.filter)(&config, request);
            if !verdict.says.is_empty() {
                step.note(verdict.says.clone());
                steps.push(step);
            }
            if let Some(status) = verdict.refuses {
                return (steps, Some((status, verdict.says)));
            }
        }
        (steps, None)
    }
}
