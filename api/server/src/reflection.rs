//! gRPC reflection, in the version that clients use now and in the one they used before.

use tandem_api_proto::FILE_DESCRIPTOR_SET;
use tandem_core::HttpService;
use tandem_core::error::LocalReply;
use tonic_reflection::server::{Builder, Error};

use crate::grpc::service::erase;

/// `grpc.reflection.v1`.
pub(crate) fn v1() -> HttpService {
    builder().build_v1().map_or_else(broken, erase)
}

/// `grpc.reflection.v1alpha`.
pub(crate) fn v1alpha() -> HttpService {
    builder().build_v1alpha().map_or_else(broken, erase)
}

/// Names the services that are served, not all that the files define.
fn builder() -> Builder<'static> {
    Builder::configure()
        .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .with_service_name("spec.proto.runtime.v1.Runtime")
        .with_service_name("grpc.health.v1.Health")
        .with_service_name("grpc.reflection.v1.ServerReflection")
        .with_service_name("grpc.reflection.v1alpha.ServerReflection")
}

/// Descriptors come from the build, so this is a fault of the build; a test sees to it.
fn broken(error: Error) -> HttpService {
    tracing::error!(%error, "gRPC reflection is not available");
    HttpService::new(tower::service_fn(async |_| {
        Err::<tandem_core::Response, _>(tandem_core::Error::reply(
            LocalReply::new(
                http::StatusCode::NOT_IMPLEMENTED,
                "reflection is not available",
                "runtime_api_no_reflection",
            )
            .grpc(12),
        ))
    }))
}

#[cfg(test)]
mod tests;
