//! Rpcs of Layotto's API that are not served yet: they say so.

use tonic::{Code, Status};

use crate::status::{Origin, status};

/// The answer of an rpc that is not served.
pub(crate) fn unserved(rpc: &str) -> Status {
    status(
        Origin::Api,
        Code::Unimplemented,
        format!("{rpc} is not served by this version of tandem"),
    )
}
