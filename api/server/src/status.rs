//! The one mapping of failures to gRPC statuses, with Layotto's codes and texts.
//!
//! Clients compare both, so the texts are Layotto's own. Where a failure came from is told in
//! the metadata `x-tandem-origin`: `component` (a back-end), `mesh`, or `api` (the request).

use tandem_api_contract::{Error, Kind};
use tonic::metadata::MetadataValue;
use tonic::{Code, Status};

/// Which part of the runtime failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The request itself.
    Api,
    /// A component or its back-end.
    Component,
    /// A call through the mesh.
    Mesh,
}

/// A status that says where it comes from.
pub(crate) fn status(origin: Origin, code: Code, message: impl Into<String>) -> Status {
    let mut status = Status::new(code, message);
    let origin = match origin {
        Origin::Api => "api",
        Origin::Component => "component",
        Origin::Mesh => "mesh",
    };
    status
        .metadata_mut()
        .insert("x-tandem-origin", MetadataValue::from_static(origin));
    status
}

/// The request is wrong.
pub(crate) fn invalid(message: impl Into<String>) -> Status {
    status(Origin::Api, Code::InvalidArgument, message)
}

/// Nothing of the kind is configured.
pub(crate) fn not_configured(message: &str) -> Status {
    status(Origin::Api, Code::FailedPrecondition, message)
}

/// A component failed; `internal` is Layotto's code where the kind of failure does not say
/// more.
pub(crate) fn component(error: &Error, message: impl Into<String>, internal: Code) -> Status {
    let code = match error.kind() {
        Kind::InvalidArgument | Kind::EtagInvalid => Code::InvalidArgument,
        Kind::NotFound => Code::NotFound,
        Kind::EtagMismatch => Code::Aborted,
        Kind::Unsupported => Code::Unimplemented,
        Kind::Unavailable => Code::Unavailable,
        Kind::Internal => internal,
    };
    status(Origin::Component, code, message)
}
