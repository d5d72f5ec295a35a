//! The protocol buffers of the runtime APIs: the `.proto` files under `proto/` and the code made
//! from them. Does not serve, interpret or validate anything.

mod any;

pub use any::Any;
/// What every message can do; servers need no other part of protobuf.
pub use prost::Message;

/// Layotto's API, package `spec.proto.runtime.v1`: the `Runtime` service and the `AppCallback`
/// service that the application implements.
#[allow(missing_docs, clippy::all, clippy::large_futures, clippy::unwrap_used)]
pub mod layotto {
    tonic::include_proto!("spec.proto.runtime.v1");
}

/// The runtime filter's typed configuration, package `tandem.filter.runtime.v1`.
#[allow(missing_docs, clippy::all)]
pub mod filter {
    tonic::include_proto!("tandem.filter.runtime.v1");

    /// The `@type` that selects the filter in a bootstrap.
    pub const TYPE_URL: &str = "type.googleapis.com/tandem.filter.runtime.v1.Runtime";
}

/// An encoded `google.protobuf.FileDescriptorSet` of all files here and those they import: for
/// gRPC reflection, and for reading the filter's configuration from YAML or JSON.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
