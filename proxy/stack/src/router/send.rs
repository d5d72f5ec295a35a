//! Sending a request to the chosen cluster: edits before, edits after.

use std::sync::Arc;
use std::task::{Context, Poll};

use http::header::{CONNECTION, UPGRADE};
use http::{HeaderMap, StatusCode};
use tandem_core::error::Kind;
use tandem_core::ext::StreamInfo;
use tandem_core::headers::has_connection_fields;
use tandem_core::{BoxFuture, Error, HttpService, Request, Response, rescue};
use tandem_model::route::{HostRewrite, Route, RouteAction, WeightedCluster};
use tandem_upstream::{RoutePolicy, forward};
use tower::Service;

use super::edits::Edits;
use super::rewrite;
use super::terminal::Place;
use crate::after::{After, Finally};
use crate::hcm::Stats;

/// The action of a route that goes to a cluster.
#[derive(Clone, Debug)]
pub(super) struct Send(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    route: Arc<Route>,
    action: Arc<RouteAction>,
    weighted: Option<WeightedCluster>,
    edits: Edits,
    upstream: HttpService,
    stats: Arc<Stats>,
    keep_old: bool,
    changes_request: bool,
}

impl Send {
    pub(super) fn new(place: &Place<'_>, action: &Arc<RouteAction>, edits: Edits) -> Self {
        let (manager, host, route) = (place.manager, place.host, place.route);
        let buffer_limit = route
            .per_request_buffer_limit_bytes
            .or(host.per_request_buffer_limit_bytes)
            .unwrap_or_else(|| u64::from(place.buffer_limit));
        let policy = RoutePolicy {
            timeout: action.timeout,
            retry: action
                .retry_policy
                .clone()
                .or_else(|| host.retry_policy.clone()),
            high_priority: action.high_priority,
            cluster_not_found: action.cluster_not_found_response_code,
            max_grpc_timeout: action.max_grpc_timeout,
            grpc_timeout_offset: action.grpc_timeout_offset,
            grpc_timeout_header_max: action.grpc_timeout_header_max,
            grpc_timeout_header_offset: action.grpc_timeout_header_offset,
            max_stream_duration: action.max_stream_duration,
            auto_host_rewrite: action.host_rewrite == Some(HostRewrite::Auto),
            append_x_forwarded_host: action.append_x_forwarded_host,
            include_attempt_count: host.include_request_attempt_count,
            attempt_count_in_response: host.include_attempt_count_in_response,
            buffer_limit,
            router: manager.router.clone(),
        };
        let changes_request = edits.edits_requests()
            || action.path_rewrite.is_some()
            || action.host_rewrite.is_some()
            || place
                .weighted
                .is_some_and(|weighted| weighted.host_rewrite.is_some());
        Self(Arc::new(Inner {
            route: Arc::clone(route),
            action: Arc::clone(action),
            weighted: place.weighted.cloned(),
            edits,
            upstream: forward(place.clusters.clone(), Arc::new(policy)),
            stats: Arc::clone(place.stats),
            keep_old: !manager.router.suppress_envoy_headers,
            changes_request,
        }))
    }
}

impl Service<Request> for Send {
    type Response = Response;
    type Error = Error;
    type Future = After<BoxFuture<Result<Response, Error>>, Passed>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        let this = Arc::clone(&self.0);
        let info = request.extensions().get::<Arc<StreamInfo>>().cloned();
        this.stats.rq_total.inc();
        if let (Some(info), Some(idle)) = (&info, this.action.idle_timeout) {
            let _ = info.idle_timeout.set(idle);
        }
        if let Some(info) = info.as_deref().filter(|_| this.changes_request) {
            this.edits.request(&mut request, info);
            rewrite::host(
                &mut request,
                &this.action,
                this.weighted.as_ref(),
                info,
                this.keep_old,
            );
            rewrite::path(&mut request, &this.route, &this.action, info, this.keep_old);
            info.capture_sent(request.method(), request.uri(), request.headers());
        }
        After::new(this.upstream.dispatch(request), Passed { this, info })
    }
}

/// What the route does to the response.
pub(super) struct Passed {
    this: Arc<Inner>,
    info: Option<Arc<StreamInfo>>,
}

impl Finally for Passed {
    fn finally(self, outcome: Result<Response, Error>) -> Result<Response, Error> {
        let mut response = match outcome {
            Ok(response) => response,
            Err(error) => {
                if let Kind::ClusterNotFound(_) = error.kind() {
                    self.this.stats.no_cluster.inc();
                }
                return Err(self.edit_reply(error));
            }
        };
        if response.status() != StatusCode::SWITCHING_PROTOCOLS
            && has_connection_fields(response.headers())
        {
            // These end here: they are about the upstream's connection.
            response.headers_mut().remove(CONNECTION);
            response.headers_mut().remove(UPGRADE);
        }
        if let Some(info) = &self.info {
            self.this.edits.response(&mut response, info);
        }
        Ok(response)
    }
}

impl Passed {
    /// The route's edits are made to the reply too that a failure becomes.
    fn edit_reply(&self, error: Error) -> Error {
        let Some((reply, info)) = rescue::reply(&error).zip(self.info.as_ref()) else {
            return error;
        };
        // The formats of headers may ask for them.
        info.add_flags(reply.flags);
        info.set_details(reply.details.clone());
        let mut headers = HeaderMap::new();
        self.this
            .edits
            .response_headers(reply.status, &mut headers, info);
        error.with_reply_headers(headers)
    }
}
