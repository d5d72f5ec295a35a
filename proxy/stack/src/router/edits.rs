//! Header edits of all levels, in Envoy's order.

use std::sync::Arc;

use http::HeaderMap;
use tandem_core::ext::StreamInfo;
use tandem_core::format::Context;
use tandem_core::headers;
use tandem_core::{Request, Response};
use tandem_model::format::Format;
use tandem_model::headers::{HeaderMutations, HeaderText};
use tandem_model::route::{
    Action, ClusterSpecifier, Route, RouteConfiguration, VirtualHost, WeightedCluster,
};

/// The edits that apply to one route, in the order in which they are made.
#[derive(Clone, Debug)]
pub(crate) struct Edits {
    request: Arc<[HeaderMutations]>,
    response: Arc<[HeaderMutations]>,
}

impl Edits {
    /// Of a route: most specific first, unless the most specific is to win.
    pub(crate) fn new(
        config: &RouteConfiguration,
        host: &VirtualHost,
        route: &Route,
        weighted: Option<&WeightedCluster>,
    ) -> Self {
        let order = |levels: [Option<&HeaderMutations>; 4]| -> Arc<[HeaderMutations]> {
            let mut levels: Vec<HeaderMutations> = levels
                .into_iter()
                .flatten()
                .filter(|level| !level.is_empty())
                .cloned()
                .collect();
            if config.most_specific_header_mutations_wins {
                levels.reverse();
            }
            levels.into()
        };
        Self {
            request: order([
                weighted.map(|weighted| &weighted.request_headers),
                Some(&route.request_headers),
                Some(&host.request_headers),
                Some(&config.request_headers),
            ]),
            response: order([
                weighted.map(|weighted| &weighted.response_headers),
                Some(&route.response_headers),
                Some(&host.response_headers),
                Some(&config.response_headers),
            ]),
        }
    }

    /// Whether requests are changed at all.
    pub(crate) fn edits_requests(&self) -> bool {
        !self.request.is_empty()
    }

    /// Edits a request.
    pub(crate) fn request(&self, request: &mut Request, info: &StreamInfo) {
        for level in &*self.request {
            headers::remove(request.headers_mut(), level);
            for add in &level.add {
                let context = Context::before(info, request);
                if let Some(value) = headers::value(add, &context) {
                    headers::add(request.headers_mut(), add, value);
                }
            }
        }
    }

    /// Edits a response.
    pub(crate) fn response(&self, response: &mut Response, info: &StreamInfo) {
        let status = response.status();
        self.response_headers(status, response.headers_mut(), info);
    }

    /// Edits a response's headers.
    pub(crate) fn response_headers(
        &self,
        status: http::StatusCode,
        map: &mut HeaderMap,
        info: &StreamInfo,
    ) {
        for level in &*self.response {
            headers::remove(map, level);
            for add in &level.add {
                let context = Context {
                    info,
                    request: None,
                    response: Some((status, map)),
                    trailers: None,
                    duration: Some(info.start.elapsed()),
                };
                if let Some(value) = headers::value(add, &context) {
                    headers::add(map, add, value);
                }
            }
        }
    }
}

/// Every format that is evaluated when the request is gone: what they show of the request has
/// to be kept.
pub(crate) fn response_formats(config: &RouteConfiguration) -> Vec<&Format> {
    let mut levels = vec![&config.response_headers];
    for host in &config.virtual_hosts {
        levels.push(&host.response_headers);
        for route in &host.routes {
            levels.push(&route.response_headers);
            if let Action::Route(action) = &route.action
                && let ClusterSpecifier::Weighted { clusters, .. } = &action.cluster
            {
                levels.extend(clusters.iter().map(|cluster| &cluster.response_headers));
            }
        }
    }
    levels
        .into_iter()
        .flat_map(|level| &level.add)
        .filter_map(|add| match &add.value {
            HeaderText::Format(format) => Some(&**format),
            HeaderText::Literal(_) => None,
        })
        .collect()
}
