//! Which fault a request gets.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName, StatusCode};
use tandem_core::Request;
use tandem_core::ext::StreamInfo;
use tandem_model::FractionalPercent;
use tandem_model::filter::fault::{AbortStatus, Fault, FaultDuration};

use crate::view;

const DELAY: HeaderName = HeaderName::from_static("x-envoy-fault-delay-request");
const DELAY_PERCENTAGE: HeaderName =
    HeaderName::from_static("x-envoy-fault-delay-request-percentage");
const ABORT: HeaderName = HeaderName::from_static("x-envoy-fault-abort-request");
const ABORT_GRPC: HeaderName = HeaderName::from_static("x-envoy-fault-abort-grpc-request");
const ABORT_PERCENTAGE: HeaderName =
    HeaderName::from_static("x-envoy-fault-abort-request-percentage");
const SERVICE_NODE: HeaderName = HeaderName::from_static("x-envoy-downstream-service-node");

/// The faults of one request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Decision {
    pub(super) delay: Option<Duration>,
    pub(super) abort: Option<Abort>,
}

/// What an abort answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Abort {
    Http(StatusCode),
    Grpc(u32),
}

/// Decides; `random` is drawn anew for each fault.
pub(super) fn decide(
    config: &Fault,
    request: &Request,
    mut random: impl FnMut() -> u64,
) -> Decision {
    if !applies(config, request) {
        return Decision::default();
    }
    let headers = request.headers();
    let delay = config.delay.as_ref().and_then(|delay| {
        let (duration, share) = match &delay.duration {
            FaultDuration::Fixed(duration) => {
                let said = delay.duration_key.integer().map(Duration::from_millis);
                (said.unwrap_or(*duration), delay.percentage.now())
            }
            FaultDuration::Header => {
                let millis = number(headers, &DELAY)?;
                (
                    Duration::from_millis(millis),
                    lowered(delay.percentage.now(), headers, &DELAY_PERCENTAGE),
                )
            }
        };
        (!duration.is_zero() && share.hit(random())).then_some(duration)
    });
    let abort = config.abort.as_ref().and_then(|abort| {
        let (status, share) = match &abort.status {
            AbortStatus::Http(status) => {
                let said = abort.status_key.integer().and_then(http_status);
                (Abort::Http(said.unwrap_or(*status)), abort.percentage.now())
            }
            AbortStatus::Grpc(status) => {
                let said = abort.status_key.integer();
                let said = said.and_then(|status| u32::try_from(status).ok());
                (Abort::Grpc(said.unwrap_or(*status)), abort.percentage.now())
            }
            AbortStatus::Header => {
                let share = lowered(abort.percentage.now(), headers, &ABORT_PERCENTAGE);
                (from_header(headers)?, share)
            }
        };
        share.hit(random()).then_some(status)
    });
    Decision { delay, abort }
}

fn applies(config: &Fault, request: &Request) -> bool {
    let info = request.extensions().get::<Arc<StreamInfo>>();
    if !config.upstream_cluster.is_empty() {
        let chosen = info.and_then(|info| info.cluster.get());
        if chosen != Some(&config.upstream_cluster) {
            return false;
        }
    }
    if !config.downstream_nodes.is_empty() {
        let node = request
            .headers()
            .get(SERVICE_NODE)
            .and_then(|node| node.to_str().ok());
        if !node.is_some_and(|node| {
            config
                .downstream_nodes
                .iter()
                .any(|wanted| &**wanted == node)
        }) {
            return false;
        }
    }
    if config.headers.is_empty() {
        return true;
    }
    let view = view::of(request);
    config.headers.iter().all(|matcher| matcher.matches(&view))
}

fn from_header(headers: &HeaderMap) -> Option<Abort> {
    if let Some(status) = number(headers, &ABORT) {
        return http_status(status).map(Abort::Http);
    }
    number(headers, &ABORT_GRPC)
        .and_then(|status| u32::try_from(status).ok())
        .map(Abort::Grpc)
}

/// Only statuses that an answer can have.
fn http_status(status: u64) -> Option<StatusCode> {
    let status = u16::try_from(status).ok();
    let status = status.filter(|status| (200..600).contains(status))?;
    StatusCode::from_u16(status).ok()
}

fn number(headers: &HeaderMap, name: &HeaderName) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.parse().ok()
}

/// A header may lower the share, never raise it.
fn lowered(share: FractionalPercent, headers: &HeaderMap, name: &HeaderName) -> FractionalPercent {
    match number(headers, name).and_then(|wanted| u32::try_from(wanted).ok()) {
        Some(wanted) => FractionalPercent {
            numerator: wanted.min(share.numerator),
            ..share
        },
        None => share,
    }
}
