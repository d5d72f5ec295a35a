//! The error that goes with a NACK.

use envoy_types::pb::google::rpc::Status;

/// `INVALID_ARGUMENT`, which is what Envoy answers for every refused configuration.
const INVALID_ARGUMENT: i32 = 3;

pub(crate) fn invalid(reason: &str) -> Status {
    Status {
        code: INVALID_ARGUMENT,
        message: reason.to_owned(),
        details: Vec::new(),
    }
}
