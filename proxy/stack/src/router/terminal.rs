//! The end of a route's chain: what its action does.

use std::sync::Arc;

use http::header::LOCATION;
use http::{HeaderValue, StatusCode};
use tandem_core::error::LocalReply;
use tandem_core::ext::StreamInfo;
use tandem_core::{BoxFuture, Error, HttpService, Request, Response};
use tandem_model::HttpConnectionManager;
use tandem_model::route::{
    Action, DirectResponse, Route, RouteConfiguration, VirtualHost, WeightedCluster,
};
use tandem_model::scheme;
use tandem_upstream::Clusters;
use tower::service_fn;

use super::edits::Edits;
use super::{redirect, send};
use crate::hcm::Stats;

/// Where a terminal stands.
pub(super) struct Place<'a> {
    pub(super) manager: &'a Arc<HttpConnectionManager>,
    pub(super) config: &'a RouteConfiguration,
    pub(super) host: &'a Arc<VirtualHost>,
    pub(super) route: &'a Arc<Route>,
    pub(super) weighted: Option<&'a WeightedCluster>,
    pub(super) buffer_limit: u32,
    pub(super) clusters: &'a Clusters,
    pub(super) stats: &'a Arc<Stats>,
}

/// Builds it.
pub(super) fn build(place: &Place<'_>) -> HttpService {
    let edits = Edits::new(place.config, place.host, place.route, place.weighted);
    let (route, stats) = (Arc::clone(place.route), Arc::clone(place.stats));
    match &place.route.action {
        Action::Route(action) => HttpService::new(send::Send::new(place, action, edits)),
        Action::Redirect(config) => {
            let config = Arc::clone(config);
            answer(edits, move |request, info| {
                stats.rq_total.inc();
                stats.rq_direct_response.inc();
                let scheme = scheme::of(
                    request.uri().scheme_str(),
                    request.headers(),
                    info.connection.is_tls(),
                );
                let location = redirect::location(&config, &route, request, info, scheme);
                let reply = LocalReply::new(config.status, "", "direct_response");
                match HeaderValue::from_str(&location) {
                    Ok(location) => reply.header(LOCATION, location),
                    Err(_) => reply,
                }
            })
        }
        Action::DirectResponse(config) => {
            let DirectResponse { status, body } = (**config).clone();
            answer(edits, move |_, _| {
                stats.rq_total.inc();
                stats.rq_direct_response.inc();
                LocalReply::new(status, body.clone(), "direct_response")
            })
        }
        Action::NonForwarding => answer(edits, |_, _| {
            LocalReply::new(StatusCode::NOT_FOUND, "", "non_forwarding_action")
        }),
    }
}

fn answer(
    edits: Edits,
    reply: impl Fn(&Request, &StreamInfo) -> LocalReply + Clone + std::marker::Send + Sync + 'static,
) -> HttpService {
    HttpService::new(service_fn(
        move |request: Request| -> BoxFuture<Result<Response, Error>> {
            let info = request.extensions().get::<Arc<StreamInfo>>().cloned();
            let error = info.map(|info| {
                let mut reply = reply(&request, &info);
                // The formats of headers may ask for them.
                info.set_details(reply.details.clone());
                edits.response_headers(reply.status, &mut reply.headers, &info);
                Error::reply(reply)
            });
            let error = error.unwrap_or_else(|| Error::new(tandem_core::error::Kind::NoRoute));
            Box::pin(std::future::ready(Err(error)))
        },
    ))
}
