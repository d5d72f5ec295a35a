//! From a request to its route, and what its action does.

use std::sync::Arc;

use ::http::{HeaderValue, Request as HttpRequest, StatusCode, Uri, Version, header};
use tandem_core::ext::{ConnectionInfo, Protocol, StreamInfo};
use tandem_core::{Body, Error, Request, grpc, rescue};
use tandem_model::filter::FilterSource;
use tandem_model::route::{Action, Route};
use tandem_model::{HttpConnectionManager, Listener, scheme};

use super::target::{self, Way};
use super::{Ask, Explanation, Step, World, matched, table};
use crate::hcm::{Settings, client, request};
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
    let Some(routes) = table::find(world, manager, &request, &connection, out) else {
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
        table: Arc::clone(&routes.table),
        listener: Arc::clone(&listener.name),
    };
    if let Err(error) = request::prepare(&mut request, &info, &settings) {
        return refused(out, &error, "before it is routed");
    }
    let Some((host, takers)) = matched::find(world, &routes, &request, &info, &ask.path, out)
    else {
        return;
    };
    let config = routes.table.config();
    let host = &config.virtual_hosts[host];
    let ways = Way {
        world,
        manager,
        config,
        host,
        request: &request,
        info: &info,
    };
    for (turn, (at, share)) in takers.into_iter().enumerate() {
        if turn > 0 {
            matched::step(host, at, share, out);
        }
        act(&ways, at, share, out);
    }
    target::conclude(out);
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
            let location =
                router::redirect::location(redirect, route, way.request, way.info, scheme);
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
                    came = self.world.extensions.now(&discovery.need.key);
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
