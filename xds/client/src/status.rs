//! The error that goes with a NACK.

use envoy_types::pb::google::rpc::Status;

/// `INVALID_ARGUMENT`, which is what Envoy answers for every refused configuration.
const INVALID_ARGUMENT: i32 = 3;

/// A reason may name thousands of resources, and a request of more than a few megabytes ends the
/// stream, again and again.
const LONGEST: usize = 64 << 10;

pub(crate) fn invalid(reason: &str) -> Status {
    let mut end = reason.len().min(LONGEST);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    let mut message = reason[..end].to_owned();
    if end < reason.len() {
        message.push('…');
    }
    Status {
        code: INVALID_ARGUMENT,
        message,
        details: Vec::new(),
    }
}
