//! The gRPC status.

use tandem_model::format::GrpcStatusFormat;

use super::Context;
use super::operator::{Kind, Out, number, text};
use crate::grpc;

const CODES: [(&str, &str); 17] = [
    ("OK", "OK"),
    ("Canceled", "CANCELLED"),
    ("Unknown", "UNKNOWN"),
    ("InvalidArgument", "INVALID_ARGUMENT"),
    ("DeadlineExceeded", "DEADLINE_EXCEEDED"),
    ("NotFound", "NOT_FOUND"),
    ("AlreadyExists", "ALREADY_EXISTS"),
    ("PermissionDenied", "PERMISSION_DENIED"),
    ("ResourceExhausted", "RESOURCE_EXHAUSTED"),
    ("FailedPrecondition", "FAILED_PRECONDITION"),
    ("Aborted", "ABORTED"),
    ("OutOfRange", "OUT_OF_RANGE"),
    ("Unimplemented", "UNIMPLEMENTED"),
    ("Internal", "INTERNAL"),
    ("Unavailable", "UNAVAILABLE"),
    ("DataLoss", "DATA_LOSS"),
    ("Unauthenticated", "UNAUTHENTICATED"),
];

/// A gRPC request's status; what is no gRPC says it by its HTTP status.
pub(super) fn write(out: Out<'_>, context: &Context<'_>, format: GrpcStatusFormat) -> Option<Kind> {
    if !context.info.is_grpc {
        return None;
    }
    let (status, headers) = context.response?;
    let found = context
        .trailers
        .and_then(|trailers| trailers.get(grpc::GRPC_STATUS))
        .or_else(|| headers.get(grpc::GRPC_STATUS));
    let code = match found {
        Some(value) => value.to_str().ok()?.parse().ok()?,
        None => grpc::status_from_http(status),
    };
    let names = usize::try_from(code).ok().and_then(|code| CODES.get(code));
    match (format, names) {
        (GrpcStatusFormat::CamelString, Some((camel, _))) => text(out, camel),
        (GrpcStatusFormat::SnakeString, Some((_, snake))) => text(out, snake),
        (GrpcStatusFormat::Number, _) | (_, None) => number(out, u64::from(code)),
    }
}
