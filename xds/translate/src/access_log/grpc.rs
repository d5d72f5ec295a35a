//! Logs that are sent to a service.

use std::sync::Arc;
use std::time::Duration;

use envoy_types::pb::envoy::extensions::access_loggers::grpc::v3::{
    CommonGrpcAccessLogConfig, HttpGrpcAccessLogConfig, TcpGrpcAccessLogConfig,
};
use envoy_types::pb::google::protobuf;
use tandem_model::access_log::{Entries, GrpcLog, LoggedHeader, LoggedHeaders};
use tandem_model::format::HeaderKey;

use crate::cx::Cx;
use crate::{config_source, value};

/// As in Envoy.
const FLUSH_INTERVAL: Duration = Duration::from_secs(1);
const BUFFER_BYTES: u32 = 16 * 1024;

pub(super) fn http(cx: &Cx<'_>, any: &protobuf::Any) -> Option<GrpcLog> {
    let proto: HttpGrpcAccessLogConfig = value::unpack(cx, any)?;
    let request = "additional_request_headers_to_log";
    let response = "additional_response_headers_to_log";
    let trailers = "additional_response_trailers_to_log";
    let each = |field, names: &[String]| cx.each(field, names, |cx, name| header(cx, name));
    let headers = LoggedHeaders {
        request: each(request, &proto.additional_request_headers_to_log),
        response: each(response, &proto.additional_response_headers_to_log),
        trailers: each(trailers, &proto.additional_response_trailers_to_log),
    };
    log(cx, proto.common_config.as_ref(), Entries::Http(headers))
}

pub(super) fn tcp(cx: &Cx<'_>, any: &protobuf::Any) -> Option<GrpcLog> {
    let proto: TcpGrpcAccessLogConfig = value::unpack(cx, any)?;
    log(cx, proto.common_config.as_ref(), Entries::Tcp)
}

fn log(
    cx: &Cx<'_>,
    proto: Option<&CommonGrpcAccessLogConfig>,
    entries: Entries,
) -> Option<GrpcLog> {
    let proto = proto?;
    let cx = &cx.field("common_config");
    let service = cx.field("grpc_service");
    let interval = proto.buffer_flush_interval.as_ref();
    let size = value::u32_or(proto.buffer_size_bytes.as_ref(), BUFFER_BYTES);
    Some(GrpcLog {
        name: proto.log_name.as_str().into(),
        service: config_source::control_plane(&service, proto.grpc_service.as_ref()?)?,
        flush_interval: value::duration(cx, "buffer_flush_interval", interval)
            .unwrap_or(FLUSH_INTERVAL),
        buffer_bytes: usize::try_from(size).unwrap_or(usize::MAX),
        entries,
    })
}

/// Pseudo-headers are said as in HTTP/2.
fn header(cx: &Cx<'_>, name: &str) -> Option<LoggedHeader> {
    let name = name.to_ascii_lowercase();
    let key = match name.as_str() {
        ":method" => HeaderKey::Method,
        ":path" => HeaderKey::Path,
        ":authority" | "host" => HeaderKey::Authority,
        ":scheme" => HeaderKey::Scheme,
        ":status" => HeaderKey::Status,
        name => HeaderKey::Name(value::header_name(cx, name)?),
    };
    Some(LoggedHeader {
        name: Arc::from(name),
        key,
    })
}
