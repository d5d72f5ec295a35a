//! Fault injection.

use envoy_types::pb::envoy::extensions::filters::common::fault::v3::{
    FaultDelay, fault_delay::FaultDelaySecifier,
};
use envoy_types::pb::envoy::extensions::filters::http::fault::v3::{
    FaultAbort, HttpFault, fault_abort::ErrorType,
};
use envoy_types::pb::google::protobuf::Any;
use http::StatusCode;
use tandem_model::FractionalPercent;
use tandem_model::filter::fault::{Abort, AbortStatus, Delay, Fault, FaultDuration};
use tandem_model::runtime::{RuntimeFraction, RuntimeKey};

use crate::cx::Cx;
use crate::{matcher, value};

pub(super) fn fault(cx: &Cx<'_>, any: &Any) -> Option<Fault> {
    let proto: HttpFault = value::unpack(cx, any)?;
    Some(Fault {
        delay: proto
            .delay
            .as_ref()
            .and_then(|fault| delay(&cx.field("delay"), fault, &proto)),
        abort: proto
            .abort
            .as_ref()
            .and_then(|fault| abort(&cx.field("abort"), fault, &proto)),
        upstream_cluster: proto.upstream_cluster.as_str().into(),
        headers: cx.each("headers", &proto.headers, matcher::header),
        downstream_nodes: proto
            .downstream_nodes
            .iter()
            .map(|node| node.as_str().into())
            .collect(),
        max_active_faults: proto.max_active_faults.map(|max| max.value),
        max_active_faults_key: key(&proto.max_active_faults_runtime, "max_active_faults"),
    })
}

fn delay(cx: &Cx<'_>, proto: &FaultDelay, all: &HttpFault) -> Option<Delay> {
    let duration = match &proto.fault_delay_secifier {
        Some(FaultDelaySecifier::FixedDelay(fixed)) => {
            FaultDuration::Fixed(value::duration(cx, "fixed_delay", Some(fixed))?)
        }
        Some(FaultDelaySecifier::HeaderDelay(_)) => FaultDuration::Header,
        None => {
            cx.error("expected one of fixed_delay, header_delay");
            return None;
        }
    };
    Some(Delay {
        duration,
        duration_key: key(&all.delay_duration_runtime, "delay.fixed_duration_ms"),
        percentage: percentage(
            proto.percentage.as_ref(),
            key(&all.delay_percent_runtime, "delay.fixed_delay_percent"),
        ),
    })
}

fn abort(cx: &Cx<'_>, proto: &FaultAbort, all: &HttpFault) -> Option<Abort> {
    let status = match proto.error_type {
        Some(ErrorType::HttpStatus(code)) => {
            let status = u16::try_from(code)
                .ok()
                .and_then(|code| StatusCode::from_u16(code).ok());
            if status.is_none() {
                cx.field("http_status")
                    .error(format!("expected an HTTP status, got {code}"));
            }
            AbortStatus::Http(status?)
        }
        Some(ErrorType::GrpcStatus(code)) => AbortStatus::Grpc(code),
        Some(ErrorType::HeaderAbort(_)) => AbortStatus::Header,
        None => {
            cx.error("expected one of http_status, grpc_status, header_abort");
            return None;
        }
    };
    Some(Abort {
        status_key: match status {
            AbortStatus::Grpc(_) => key(&all.abort_grpc_status_runtime, "abort.grpc_status"),
            _ => key(&all.abort_http_status_runtime, "abort.http_status"),
        },
        status,
        percentage: percentage(
            proto.percentage.as_ref(),
            key(&all.abort_percent_runtime, "abort.abort_percent"),
        ),
    })
}

/// Not set is none, as in Envoy.
fn percentage(
    proto: Option<&envoy_types::pb::envoy::r#type::v3::FractionalPercent>,
    key: RuntimeKey,
) -> RuntimeFraction {
    RuntimeFraction {
        default: value::fraction(proto).unwrap_or(FractionalPercent::NONE),
        key: Some(key),
    }
}

/// The runtime key that configuration names, or Envoy's own.
fn key(named: &str, default: &str) -> RuntimeKey {
    match named {
        "" => RuntimeKey::named(&format!("fault.http.{default}")),
        named => RuntimeKey::named(named),
    }
}
